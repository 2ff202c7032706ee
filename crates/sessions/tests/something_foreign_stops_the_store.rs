//! What is not ours, or of a clock that is wrong, is passed over and counted: it neither stops the
//! store nor hides a session, and no copy of a session outlives its end.

mod child;
mod kit;

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use kit::{ABSOLUTE, IDLE, MINUTE, NOON_MS, color, cookie, sessions, start};
use larder_sessions::{FileStore, Login, ManualClock, Sessions};

type Files = Sessions<FileStore>;

/// Nobody's buckets end so far ahead: in more than a year.
const FAR: u64 = NOON_MS / 1000 + 400 * 24 * 3600;

fn open(dir: &Path, clock: &ManualClock) -> Files {
    let builder = Sessions::builder(FileStore::open(dir).unwrap()).idle(IDLE).absolute(ABSOLUTE);
    builder.clock(clock.clone()).build()
}

/// The buckets' ends, first to last.
fn ends(dir: &Path) -> Vec<u64> {
    let names = fs::read_dir(dir.join("sessions")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut ends: Vec<_> = names.filter_map(|name| name.to_str().unwrap().parse().ok()).collect();
    ends.sort_unstable();
    ends
}

fn bucket(dir: &Path, end: u64) -> PathBuf {
    dir.join("sessions").join(end.to_string())
}

/// The name of a session's file.
fn name(sessions: &Files, cookie: &str) -> String {
    sessions.open([cookie]).unwrap().handle().unwrap().to_string()
}

fn log_in(sessions: &Files, user: &str) -> String {
    let mut session = sessions.open(None).unwrap();
    session.set("color", "red").unwrap();
    assert!(matches!(session.login(user, None).unwrap(), Login::Admitted { .. }));
    cookie(&session)
}

/// Opening, cleaning up and each save that makes a bucket failed with "permission denied".
#[test]
fn a_bucket_that_cannot_be_read_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = child::command("beside_buckets_that_cannot_be_read", dir.path());
    // To root no bucket is unreadable.
    let is_root = is_roots(dir.path());
    if is_root {
        let program = dir.path().join("program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        command = std::process::Command::new(program);
        command.args(arguments).env("LARDER_SESSIONS_TEST_DIR", dir.path()).uid(65534).gid(65534);
        chown(dir.path(), Some(65534), Some(65534)).unwrap();
    }
    child::run(command);
}

/// Whose is what this process makes?
fn is_roots(dir: &Path) -> bool {
    std::os::unix::fs::MetadataExt::uid(&dir.metadata().unwrap()) == 0
}

#[test]
#[ignore = "run by a_bucket_that_cannot_be_read_stops_nothing"]
fn beside_buckets_that_cannot_be_read() {
    let Some(dir) = child::dir() else { return };
    let dir = dir.join("store");
    let clock = ManualClock::new(NOON_MS);
    let here = open(&dir, &clock);
    let early = start(&here);
    for end in [5, FAR] {
        fs::create_dir(bucket(&dir, end)).unwrap();
        fs::set_permissions(bucket(&dir, end), fs::Permissions::from_mode(0o000)).unwrap();
    }
    assert!(fs::read_dir(bucket(&dir, 5)).is_err(), "these may not be read");
    assert_eq!(here.clean(100).unwrap().removed, 0);
    clock.advance(IDLE / 4);
    let later = start(&here);
    let there = open(&dir, &clock);
    for sessions in [&here, &there] {
        assert_eq!(color(sessions, &early).as_deref(), Some("red"));
        assert_eq!(color(sessions, &later).as_deref(), Some("red"));
        assert_eq!(sessions.metrics().census.foreign, 2);
    }
    clock.advance(2 * IDLE);
    while there.clean(100).unwrap().is_more {}
    assert_eq!(there.metrics().expired, 2, "nor do the others stay");
    for end in [5, FAR] {
        fs::set_permissions(bucket(&dir, end), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

/// No session that was to end in that span could be stored.
#[test]
fn a_name_that_a_bucket_needs_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(NOON_MS);
    let here = open(dir.path(), &clock);
    let there = open(dir.path(), &clock);
    start(&here);
    let first = ends(dir.path())[0];
    // All that may be the end of a bucket, but for each eighth, so that some neighbour is free.
    for end in (first + 2..first + 3 * IDLE.as_secs()).step_by(2) {
        let path = bucket(dir.path(), end);
        match end / 2 % 8 {
            0 => {}
            1 => symlink("nowhere", &path).unwrap(),
            2 => symlink(&path, &path).unwrap(),
            3 => {
                let mode = rustix::fs::Mode::from_raw_mode(0o600);
                let kind = rustix::fs::FileType::Fifo;
                rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
            }
            _ => drop(File::create(&path).unwrap()),
        }
    }
    for _ in 0..8 {
        clock.advance(IDLE / 8);
        let cookie = start(&here);
        assert_eq!(color(&here, &cookie).as_deref(), Some("red"));
        assert_eq!(color(&there, &cookie).as_deref(), Some("red"));
    }
    assert!(here.metrics().census.foreign > 100);
    clock.advance(3 * IDLE);
    while here.clean(100).unwrap().is_more {}
    assert_eq!(here.metrics().expired, 9);
}

/// Of 300 buckets in a year the latest 256 were kept open, and none of now: no session was found,
/// none could be stored, and none was ended.
#[test]
fn a_clock_that_is_ahead_pushes_nothing_out() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(NOON_MS);
    let before = open(dir.path(), &clock);
    let known = start(&before);
    let ann = log_in(&before, "ann");
    let wrong = ManualClock::new(NOON_MS);
    wrong.advance(365 * 24 * 60 * MINUTE);
    let hasty = open(dir.path(), &wrong);
    for _ in 0..300 {
        wrong.advance(2 * MINUTE);
        start(&hasty);
    }
    let eve = log_in(&hasty, "eve");
    assert!(ends(dir.path()).len() > 300);
    let here = open(dir.path(), &clock);
    for sessions in [&here, &before] {
        assert_eq!(color(sessions, &known).as_deref(), Some("red"));
        clock.advance(IDLE / 8);
        let new = start(sessions);
        assert_eq!(color(&here, &new).as_deref(), Some("red"));
        assert_eq!(color(&before, &new).as_deref(), Some("red"));
    }
    assert_eq!(here.revoke_user("ann").unwrap(), 1);
    assert_eq!(color(&before, &ann), None);
    // What is too far ahead to be found here can be ended from here all the same.
    assert_eq!(color(&hasty, &eve).as_deref(), Some("red"));
    here.revoke_user("eve").unwrap();
    assert_eq!(color(&hasty, &eve), None, "and revoked means everywhere");
    let mine = start(&hasty);
    assert_eq!(color(&hasty, &mine).as_deref(), Some("red"));
}

/// The first file of its name was taken for all there is.
#[test]
fn junk_in_a_later_bucket_hides_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(NOON_MS);
    let here = open(dir.path(), &clock);
    let cookie = log_in(&here, "ann");
    let name = name(&here, &cookie);
    clock.advance(IDLE / 4);
    start(&here);
    let later = *ends(dir.path()).last().unwrap();
    fs::write(bucket(dir.path(), later).join(name), "junk").unwrap();
    let there = open(dir.path(), &clock);
    for _ in 0..500 {
        assert_eq!(color(&there, &cookie).as_deref(), Some("red"));
    }
    let mut session = there.open([&*cookie]).unwrap();
    session.set("color", "blue").unwrap();
    assert_eq!(session.save().unwrap(), larder_sessions::Saved::Stored);
    assert_eq!(color(&here, &cookie).as_deref(), Some("blue"));
    assert_eq!(there.revoke_user("ann").unwrap(), 1);
    assert_eq!(color(&here, &cookie), None);
}

/// `revoke_user` returned 1, and then the copy answered.
#[test]
fn a_copy_of_a_session_ends_with_it() {
    for copies in [0, 100] {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::at(dir.path()).copies(copies).open().unwrap();
        let (here, clock) = sessions(store);
        let ann = log_in(&here, "ann");
        let (of_ann, first) = (name(&here, &ann), ends(dir.path())[0]);
        clock.advance(IDLE / 4);
        let bob = log_in(&here, "bob");
        let (of_bob, last) = (name(&here, &bob), *ends(dir.path()).last().unwrap());
        // One bucket has both now, and one that is over already, and one far ahead.
        for (name, from, to) in [(&of_ann, first, last), (&of_bob, last, first)] {
            let from = bucket(dir.path(), from).join(name);
            for to in [to, FAR, 10] {
                fs::create_dir_all(bucket(dir.path(), to)).unwrap();
                fs::copy(&from, bucket(dir.path(), to).join(name)).unwrap();
            }
        }
        // As a restored backup is: before the next start.
        let there = open(dir.path(), &clock);
        assert_eq!(color(&there, &ann).as_deref(), Some("red"));
        assert_eq!(there.revoke_user("ann").unwrap(), 1);
        assert!(there.open([&*bob]).unwrap().logout().unwrap());
        for sessions in [&there, &here, &open(dir.path(), &clock)] {
            assert_eq!(color(sessions, &ann), None);
            assert_eq!(color(sessions, &bob), None);
        }
        let late = ManualClock::new(0);
        assert_eq!(color(&open(dir.path(), &late), &ann), None, "nor for a clock that is behind");
    }
}

/// Each look at one counted: one file was a thousand.
#[test]
fn a_file_that_is_none_of_ours_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let (here, _) = sessions(FileStore::at(dir.path()).copies(0).open().unwrap());
    let cookies = [start(&here), start(&here)];
    let bucket = bucket(dir.path(), ends(dir.path())[0]);
    for cookie in &cookies {
        fs::write(bucket.join(name(&here, cookie)), "junk").unwrap();
    }
    for cookie in cookies.iter().cycle().take(1000) {
        assert_eq!(color(&here, cookie), None);
    }
    assert_eq!(here.metrics().census.foreign, 2);
    fs::write(dir.path().join("sessions/notes.txt"), "").unwrap();
    fs::create_dir(dir.path().join("sessions/007")).unwrap();
    let there = sessions(FileStore::open(dir.path()).unwrap()).0;
    assert_eq!(there.metrics().census.foreign, 2, "names that are no bucket's");
}
