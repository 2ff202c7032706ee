//! Processes whose clocks differ, and clocks that are set back: sessions end early or late by as
//! much, but what was revoked stays so, and what is alive is found.

mod kit;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kit::{ABSOLUTE, IDLE, MINUTE, NOON_MS, color, sessions, start};
use larder_sessions::{FileStore, ManualClock, Sessions, Store};

on_each!(what_was_revoked_late_is_not_there_early, times_without_end_are_times);

fn what_was_revoked_late_is_not_there_early<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookie = start(&sessions);
    let handle = sessions.open([&*cookie]).unwrap().handle().unwrap();
    let late_ms = NOON_MS + 10 * IDLE.as_millis() as u64;
    // By then it has expired, and the other process's clock says so.
    let last = sessions.store().revoke(handle, late_ms).unwrap().unwrap();
    assert!(!last.is_live(late_ms));
    assert!(sessions.open([&*cookie]).unwrap().is_empty());
}

fn times_without_end_are_times<S: Store>(store: S) {
    let builder = Sessions::builder(store).idle(Duration::MAX).absolute(Duration::MAX);
    let sessions = builder.clock(ManualClock::new(NOON_MS)).build();
    let mut session = sessions.open(None).unwrap();
    session.set("color", "red").unwrap();
    assert!(matches!(session.login("ann", None).unwrap(), larder_sessions::Login::Admitted { .. }));
    let cookie = kit::cookie(&session);
    assert_eq!(color(&sessions, &cookie).as_deref(), Some("red"));
    assert_eq!(sessions.clean(100).unwrap().removed, 0);
    assert_eq!(sessions.revoke_user("ann").unwrap(), 1);
}

/// A process on this directory whose clock is ahead by so much.
fn ahead(dir: &Path, by: Duration) -> Sessions<FileStore> {
    let clock = ManualClock::new(NOON_MS);
    clock.advance(by);
    let builder = Sessions::builder(FileStore::open(dir).unwrap()).idle(IDLE).absolute(ABSOLUTE);
    builder.clock(clock).build()
}

fn buckets(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("sessions")).unwrap().map(|entry| entry.unwrap().path());
    let is_bucket =
        |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().parse::<u64>().is_ok();
    let mut buckets: Vec<_> = entries.filter(is_bucket).collect();
    buckets.sort();
    buckets
}

/// A process went on looking into the directory that was removed.
#[test]
fn what_is_in_a_bucket_that_was_made_anew_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let here = ahead(dir.path(), Duration::ZERO);
    start(&here);
    let hasty = ahead(dir.path(), 3 * IDLE);
    while hasty.clean(100).unwrap().is_more {}
    assert!(buckets(dir.path()).is_empty());
    let there = ahead(dir.path(), Duration::ZERO);
    let after = start(&there);
    assert_eq!(color(&here, &after).as_deref(), Some("red"));
    // And to write there.
    for (sessions, cookie) in [(&here, start(&here)), (&there, after)] {
        let mut session = sessions.open([&*cookie]).unwrap();
        session.set("color", "blue").unwrap();
        assert_eq!(session.save().unwrap(), larder_sessions::Saved::Stored);
        assert_eq!(color(&here, &cookie).as_deref(), Some("blue"));
        assert_eq!(color(&there, &cookie).as_deref(), Some("blue"));
    }
}

/// The copies of others were good still, since nothing of it was written.
#[test]
fn what_was_cleaned_up_early_and_revoked_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (ahead(dir.path(), Duration::ZERO), ahead(dir.path(), Duration::ZERO));
    let cookie = start(&here);
    assert_eq!(color(&there, &cookie).as_deref(), Some("red"));
    while ahead(dir.path(), 3 * IDLE).clean(100).unwrap().is_more {}
    let _ = here.open([&*cookie]).unwrap().logout().unwrap();
    assert_eq!(color(&here, &cookie), None);
    assert_eq!(color(&there, &cookie), None);
}

/// It was taken for one that had expired meanwhile.
#[test]
fn a_session_that_is_put_off_into_a_removed_bucket_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let here = ahead(dir.path(), Duration::ZERO);
    let early = start(&here);
    let later = ahead(dir.path(), 5 * MINUTE);
    let other = start(&later);
    assert_eq!(color(&later, &early).as_deref(), Some("red"));
    assert_eq!(color(&later, &other).as_deref(), Some("red"));
    let earliest = start(&here);
    fs::remove_dir_all(buckets(dir.path()).pop().unwrap()).unwrap();
    assert_eq!(color(&later, &earliest).as_deref(), Some("red"));
    assert_eq!(color(&here, &earliest).as_deref(), Some("red"));
}
