//! What the tests move by hand: the clock, and loads that wait.
#![allow(dead_code, reason = "no test needs all of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A clock that stands at a second until it is moved.
#[derive(Clone)]
pub struct Hand(Arc<AtomicU64>);

impl Hand {
    pub fn at(secs: u64) -> Self {
        Hand(Arc::new(AtomicU64::new(secs * 1000)))
    }

    pub fn set(&self, secs: u64) {
        self.0.store(secs * 1000, Relaxed);
    }

    pub fn advance_ms(&self, ms: u64) {
        self.0.fetch_add(ms, Relaxed);
    }

    pub fn clock(&self) -> impl Fn() -> Duration + Send + Sync + 'static {
        let ms = self.0.clone();
        move || Duration::from_millis(ms.load(Relaxed))
    }
}

/// Runs `before` on a thread of its own. When its loader calls the stall that it is given, runs
/// `meanwhile`, and then lets the loader go on. Returns what the two return.
pub fn overlapped<A: Send, B>(
    before: impl FnOnce(&dyn Fn()) -> A + Send,
    meanwhile: impl FnOnce() -> B,
) -> (A, B) {
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    // The scope owns `release`: if an assertion fails, the stalled loader ends too.
    thread::scope(move |scope| {
        let stall = move || {
            started.send(()).expect("the test waits for the loader");
            let _ = released.recv();
        };
        let early = scope.spawn(move || before(&stall));
        has_started.recv().expect("the loader has to run");
        let during = meanwhile();
        drop(release);
        (early.join().expect("the overlapped call panicked"), during)
    })
}
