//! What else may lie in the directory: cut or foreign files, what is left of a crash, another
//! program's files, a million expired sessions: so many as `LARDER_BACKLOG` says, or 3,000.

mod kit;

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kit::{IDLE, MINUTE, color, sessions, start};
use larder_sessions::{FileStore, Saved, Sessions};

/// The files of sessions, drafts left out.
fn files(dir: &Path) -> Vec<PathBuf> {
    let buckets = fs::read_dir(dir.join("sessions")).unwrap().map(|entry| entry.unwrap().path());
    let is_bucket = |path: &PathBuf| {
        path.file_name().unwrap().to_str().unwrap().parse::<u64>().is_ok() && path.is_dir()
    };
    let names = buckets.filter(is_bucket).flat_map(|bucket| fs::read_dir(bucket).unwrap());
    names.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_cut_or_changed_file_is_passed_over_and_counted() {
    let whole = {
        let dir = tempfile::tempdir().unwrap();
        start(&sessions(FileStore::open(dir.path()).unwrap()).0);
        fs::read(&files(dir.path())[0]).unwrap()
    };
    let mut broken: Vec<Vec<u8>> = (0..whole.len()).map(|len| whole[..len].to_vec()).collect();
    for at in 0..whole.len() {
        broken.push(whole.clone());
        broken.last_mut().unwrap()[at] ^= 0x40;
    }
    broken.push([&*whole, b"x"].concat());
    let dir = tempfile::tempdir().unwrap();
    let (sessions, _) = sessions(FileStore::at(dir.path()).copies(0).open().unwrap());
    start(&sessions);
    let bucket = files(dir.path()).remove(0).parent().unwrap().to_path_buf();
    for (nth, bytes) in broken.iter().enumerate() {
        let cookie = start(&sessions);
        let handle = sessions.open([&*cookie]).unwrap().handle().unwrap();
        let file = bucket.join(handle.to_string());
        let good = fs::read(&file).unwrap();
        fs::write(&file, bytes).unwrap();
        assert_eq!(sessions.peek::<String>([&*cookie], "color").unwrap(), None, "the {nth}th");
        assert_eq!(sessions.metrics().census.foreign, nth as u64 + 1);
        fs::write(&file, &good).unwrap();
        assert_eq!(color(&sessions, &cookie).as_deref(), Some("red"));
    }
}

#[test]
fn what_is_no_file_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let (sessions, _) = sessions(FileStore::at(dir.path()).copies(0).open().unwrap());
    let (cookie, target) = (start(&sessions), dir.path().join("elsewhere"));
    let file = files(dir.path()).remove(0);
    fs::rename(&file, &target).unwrap();
    std::os::unix::fs::symlink(&target, &file).unwrap();
    assert_eq!(color(&sessions, &cookie), None, "a link is not followed");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(color(&sessions, &cookie), None);
    fs::remove_dir(&file).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &file,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert_eq!(color(&sessions, &cookie), None, "and a pipe is not waited for");
    assert_eq!(sessions.metrics().census.foreign, 1, "one name");
    fs::rename(&target, &file).unwrap();
    assert_eq!(color(&sessions, &cookie).as_deref(), Some("red"));
}

#[test]
fn what_is_no_sessions_does_not_stop_the_clean_up() {
    let dir = tempfile::tempdir().unwrap();
    let (sessions, clock) = sessions(FileStore::open(dir.path()).unwrap());
    let bucket = {
        start(&sessions);
        files(dir.path()).remove(0).parent().unwrap().to_path_buf()
    };
    File::create(bucket.join("notes.txt")).unwrap();
    File::create(bucket.join(".1.2")).unwrap(); // Of a writer that was killed.
    fs::create_dir_all(bucket.join("somebody's")).unwrap();
    let _ = sessions.clean(100).unwrap();
    assert_eq!(sessions.metrics().census.foreign, 2);
    clock.advance(2 * IDLE);
    let later = start(&sessions);
    for _ in 0..5 {
        let _ = sessions.clean(100).unwrap();
    }
    assert_eq!(sessions.metrics().expired, 1);
    assert_eq!(fs::read_dir(&bucket).unwrap().count(), 1, "a directory is not ours to remove");
    clock.advance(2 * IDLE);
    for _ in 0..5 {
        let _ = sessions.clean(100).unwrap();
    }
    assert_eq!(sessions.metrics().expired, 2);
    assert_eq!(color(&sessions, &later), None);
}

#[test]
fn a_names_listing_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (sessions, _) = sessions(FileStore::open(dir.path()).unwrap());
    let cookie = start(&sessions);
    let id = cookie.split_once('=').unwrap().1;
    let file = files(dir.path()).remove(0);
    let name = file.file_name().unwrap().to_str().unwrap().to_string();
    let content = fs::read(&file).unwrap();
    assert!(!content.windows(id.len()).any(|window| window == id.as_bytes()));
    let bytes: Vec<u8> =
        (0..16).map(|at| u8::from_str_radix(&name[2 * at..][..2], 16).unwrap()).collect();
    for guess in [name.clone(), format!("{bytes:?}"), name.to_uppercase()] {
        let planted = format!("__Host-session={guess}");
        assert!(sessions.open([&*planted]).unwrap().is_empty());
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "and nobody else reads it");
}

#[test]
fn ids_do_not_repeat() {
    let (sessions, _) = sessions(larder_sessions::MemoryStore::default());
    let ids: BTreeSet<_> = (0..10_000).map(|_| start(&sessions)).collect();
    assert_eq!(ids.len(), 10_000);
    assert!(ids.iter().all(|id| id.len() == "__Host-session=".len() + 32));
}

/// Sets the time at which a directory was last listed to long ago: who lists it sets it to now,
/// unless the disk is mounted so that nobody does.
fn forget_listing(dir: &Path) -> SystemTime {
    let long_ago = SystemTime::UNIX_EPOCH + 365 * 24 * 60 * MINUTE;
    File::open(dir).unwrap().set_times(FileTimes::new().set_accessed(long_ago)).unwrap();
    dir.metadata().unwrap().accessed().unwrap()
}

/// The first answer looks at none of them, however many there are: they are all there after it, and
/// nobody has listed them. How long it takes is printed: the machine has a say in that.
#[test]
fn a_backlog_does_not_delay_the_first_answer() {
    /// A file can't have more names on some disks.
    const LINKS: usize = 50_000;
    let told = std::env::var("LARDER_BACKLOG").ok();
    let backlog = told.map_or(3000, |told| told.parse().expect("LARDER_BACKLOG is a number"));
    let dir = tempfile::tempdir().unwrap();
    let (before, clock) = sessions(FileStore::open(dir.path()).unwrap());
    let known = start(&before);
    let mut file = files(dir.path()).remove(0);
    for nth in 1..backlog {
        let next = file.with_file_name(format!("{nth:032x}"));
        if nth % LINKS == 0 {
            fs::copy(&file, &next).unwrap();
            file = next;
        } else {
            fs::hard_link(&file, next).unwrap();
        }
    }
    drop(before);
    clock.advance(3 * IDLE);
    let bucket = file.parent().unwrap();
    let listed = forget_listing(bucket);
    let began = std::time::Instant::now();
    let after = Sessions::builder(FileStore::open(dir.path()).unwrap()).idle(IDLE);
    let after = after.clock(clock.clone()).build();
    assert_eq!(color(&after, &known), None);
    let new = start(&after);
    println!("beside {backlog} expired files: open, a check and a save in {:?}", began.elapsed());
    assert_eq!(color(&after, &new).as_deref(), Some("red"));
    assert_eq!(after.metrics().census.live, 1);
    assert_eq!(bucket.metadata().unwrap().accessed().unwrap(), listed, "nobody listed the backlog");
    assert_eq!(files(dir.path()).len(), backlog + 1);
    // And a step of the clean-up is as long as it is told.
    assert_eq!(after.clean(100).unwrap().removed, 100);
    assert_eq!(files(dir.path()).len(), backlog + 1 - 100);
    while after.clean(1000).unwrap().is_more {}
    assert_eq!(files(dir.path()).len(), 1);
    assert_eq!(after.metrics().expired, backlog as u64);
    assert_eq!(color(&after, &new).as_deref(), Some("red"));
}

#[test]
fn another_programs_directory_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "years").unwrap();
    let error = FileStore::open(dir.path()).err().unwrap();
    assert!(error.is_not_ours(), "{error}");
    fs::write(dir.path().join("larder-sessions"), "larder sessions 99\n").unwrap();
    assert!(FileStore::open(dir.path()).err().unwrap().is_not_ours());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn alone_means_alone() {
    let dir = tempfile::tempdir().unwrap();
    let alone = FileStore::at(dir.path()).alone().open().unwrap();
    assert!(FileStore::open(dir.path()).err().unwrap().is_in_use());
    drop(alone);
    let shared = FileStore::open(dir.path()).unwrap();
    let also = FileStore::open(dir.path()).unwrap();
    assert!(FileStore::at(dir.path()).alone().open().err().unwrap().is_in_use());
    drop((shared, also));
    FileStore::at(dir.path()).alone().open().unwrap();
}

/// That the files were deleted is no fault: the sessions are gone. That none can be made is one.
#[test]
fn a_store_whose_directory_was_deleted_has_no_sessions_and_makes_none() {
    let dir = tempfile::tempdir().unwrap();
    let (sessions, _) = sessions(FileStore::at(dir.path()).copies(0).open().unwrap());
    let cookie = start(&sessions);
    let mut session = sessions.open([&*cookie]).unwrap();
    session.set("color", "blue").unwrap();
    // The store's directories are gone, and something else is in their place.
    fs::remove_dir_all(dir.path().join("sessions")).unwrap();
    File::create(dir.path().join("sessions")).unwrap();
    assert_eq!(color(&sessions, &cookie), None);
    assert_eq!(session.save().unwrap(), Saved::Gone);
    let mut new = sessions.open(None).unwrap();
    new.set("color", "red").unwrap();
    let error = new.save().unwrap_err();
    assert!(error.is_store(), "{error}");
    assert_eq!(new.set_cookie(), None, "no id is told that is not stored");
}

/// Who can open a lock's file can hold it, and then nobody is revoked.
#[test]
fn nobody_elses_user_gets_at_anything() {
    fn look(dir: &Path) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let mode = entry.metadata().unwrap().permissions();
            let mode = std::os::unix::fs::PermissionsExt::mode(&mode);
            assert_eq!(mode & 0o077, 0, "{:?}", entry.path());
            if entry.path().is_dir() {
                look(&entry.path());
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("in/new/directories");
    let (sessions, clock) = sessions(FileStore::open(&root).unwrap());
    let mut session = sessions.open(None).unwrap();
    assert!(matches!(session.login("ann", None).unwrap(), larder_sessions::Login::Admitted { .. }));
    clock.advance(IDLE / 2);
    start(&sessions);
    look(&root);
}

/// A disk that is full then has no room to say that a session has ended.
#[test]
fn the_room_for_generations_is_taken_at_first() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let _store = FileStore::open(dir.path()).unwrap();
    let numbers = dir.path().join("sessions/generations").metadata().unwrap();
    assert!(numbers.blocks() * 512 >= numbers.len() && numbers.len() >= 8 * 4096);
}

/// 65,536 of them would be gigabytes.
#[test]
fn of_a_large_session_no_copy_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (sessions, _) = sessions(FileStore::open(dir.path()).unwrap());
    let mut session = sessions.open(None).unwrap();
    session.set("color", "red").unwrap();
    session.set("large", &"x".repeat(9000)).unwrap();
    assert_eq!(session.save().unwrap(), Saved::Stored);
    let cookie = kit::cookie(&session);
    assert_eq!(color(&sessions, &cookie).as_deref(), Some("red"));
    // No writer says that a copy would be out of date.
    fs::remove_file(files(dir.path()).remove(0)).unwrap();
    assert_eq!(color(&sessions, &cookie), None);
}

/// A directory of a hard-to-guess age: other widths of buckets are as good.
#[test]
fn other_times_do_not_lose_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let (old, clock) = sessions(FileStore::open(dir.path()).unwrap());
    let known = start(&old);
    let longer = Sessions::builder(FileStore::open(dir.path()).unwrap()).idle(IDLE * 100);
    let longer = longer.absolute(IDLE * 1000).clock(clock.clone()).build();
    let long = start(&longer);
    assert_eq!(color(&longer, &known).as_deref(), Some("red"));
    assert_eq!(color(&old, &long).as_deref(), Some("red"));
    clock.advance(IDLE * 20);
    assert_eq!(color(&longer, &known).as_deref(), Some("red"), "it was put off by its use");
    assert_eq!(color(&old, &long).as_deref(), Some("red"));
}
