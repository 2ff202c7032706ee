//! The census of a directory that one process has for itself, or shares, counts every session.

mod kit;

use std::sync::Barrier;
use std::thread;

use kit::{IDLE, color, sessions, start};
use larder_sessions::Store;

on_each!(what_is_touched_or_ended_is_no_backlog, a_step_for_nothing_is_the_last);

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
