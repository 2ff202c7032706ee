//! The census of a directory that one process has for itself, or shares, counts every session, and
//! each once.

mod kit;

use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use kit::{ABSOLUTE, IDLE, MINUTE, color, cookie, sessions, start};
use larder_sessions::{FileStore, Login, ManualClock, Sessions, Store};

on_each!(
    what_is_touched_or_ended_is_no_backlog,
    a_step_for_nothing_is_the_last,
    a_session_under_its_third_id_is_one,
);

const THREADS: u64 = 8;
const ROUNDS: usize = 20;

/// Each of the threads that made a directory for the same span of time had counts of its own for
/// it, and only the last one's were looked at.
fn first_sessions_at_once<S: Store>(store: impl Fn() -> kit::Held<S>) {
    for _ in 0..ROUNDS {
        let held = store();
        let (sessions, _) = kit::sessions(held.store);
        let start = Barrier::new(THREADS as usize);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    kit::start(&sessions);
                });
            }
        });
        assert_eq!(sessions.metrics().census.live, THREADS);
    }
}

#[test]
fn first_sessions_of_a_process_alone_at_once() {
    first_sessions_at_once(kit::file_alone);
}

#[test]
fn first_sessions_of_a_shared_directory_at_once() {
    first_sessions_at_once(kit::file);
}

/// The memory store took each note of a session for one that is to be removed, and kept the notes
/// of sessions that were ended until they would have expired.
fn what_is_touched_or_ended_is_no_backlog<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let mut used: Vec<_> = (0..3).map(|_| start(&sessions)).collect();
    for _ in 0..50 {
        assert!(sessions.open([&*start(&sessions)]).unwrap().logout().unwrap());
    }
    for _ in 0..12 {
        clock.advance(IDLE / 4);
        used.iter().for_each(|cookie| assert!(color(&sessions, cookie).is_some()));
        let census = sessions.metrics().census;
        assert_eq!((census.live, census.backlog), (3, 0));
    }
    assert_eq!(sessions.clean(100).unwrap().removed, 0);
    drop(used.drain(1..));
    clock.advance(IDLE / 2);
    assert!(color(&sessions, &used[0]).is_some());
    clock.advance(IDLE / 4 * 3);
    let census = sessions.metrics().census;
    assert_eq!((census.live, census.backlog), (1, 2));
    while sessions.clean(1).unwrap().is_more {}
    assert_eq!(sessions.metrics().expired, 2);
    assert!(color(&sessions, &used[0]).is_some());
}

/// `while clean(0).is_more` went on for ever.
fn a_step_for_nothing_is_the_last<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    start(&sessions);
    assert!(!sessions.clean(0).unwrap().is_more);
    clock.advance(IDLE * 2);
    assert!(sessions.clean(0).unwrap().removed <= 1);
}

/// What named the session that it went on as counted as one more: created 3, and live 2.
fn a_session_under_its_third_id_is_one<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let mut session = sessions.open([&*start(&sessions)]).unwrap();
    assert!(matches!(session.login("ann", None).unwrap(), Login::Admitted { .. }));
    assert!(session.renew().unwrap());
    let cookie = cookie(&session);
    for passed in [Duration::ZERO, MINUTE / 2, MINUTE * 4] {
        clock.advance(passed);
        let metrics = sessions.metrics();
        assert_eq!((metrics.created, metrics.census.live), (1, 1), "after {passed:?}");
    }
    while sessions.clean(1).unwrap().is_more {}
    assert_eq!(sessions.metrics().expired, 0, "nor has one expired");
    assert_eq!(sessions.open([&*cookie]).unwrap().user(), Some("ann"));
    assert!(sessions.open([&*cookie]).unwrap().logout().unwrap());
    clock.advance(ABSOLUTE * 2);
    while sessions.clean(1).unwrap().is_more {}
    let metrics = sessions.metrics();
    assert_eq!((metrics.expired, metrics.census.live, metrics.census.backlog), (0, 0, 0));
}

/// Eight names were counted at a step, and all anew every ten minutes: of more than 19,200 the
/// rest was never counted.
#[test]
fn what_was_there_before_is_counted_to_the_end() {
    const FILES: usize = 30_000;
    let dir = tempfile::tempdir().unwrap();
    let open = |clock: &ManualClock| {
        let builder = Sessions::builder(FileStore::open(dir.path()).unwrap());
        builder.idle(ABSOLUTE).absolute(ABSOLUTE).clock(clock.clone()).build()
    };
    let clock = ManualClock::new(kit::NOON_MS);
    let before = open(&clock);
    let name = before.open([&*start(&before)]).unwrap().handle().unwrap().to_string();
    let buckets = fs::read_dir(dir.path().join("sessions")).unwrap();
    let file = buckets.map(|it| it.unwrap().path().join(&name)).find(|it| it.exists()).unwrap();
    for nth in 1..FILES {
        fs::hard_link(&file, file.with_file_name(format!("{nth:032x}"))).unwrap();
    }
    let after = open(&clock);
    for step in 0..15 * 60 * 4 {
        clock.advance(Duration::from_millis(250));
        assert_eq!(after.clean(8).unwrap().removed, 0);
        if step == 100 {
            assert_eq!(after.metrics().census.live, FILES as u64, "within half a minute");
            start(&after);
        }
    }
    assert_eq!(after.metrics().census.live, FILES as u64 + 1);
    // And what another process does is counted a while later.
    start(&before);
    for _ in 0..11 * 60 * 4 {
        clock.advance(Duration::from_millis(250));
        let _ = after.clean(8).unwrap();
    }
    assert_eq!(after.metrics().census.live, FILES as u64 + 2);
}
