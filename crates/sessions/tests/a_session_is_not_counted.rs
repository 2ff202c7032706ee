//! The census of a directory that one process has for itself, or shares, counts every session.

mod kit;

use std::sync::Barrier;
use std::thread;

use larder_sessions::Store;

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
