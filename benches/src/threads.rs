//! Threads that start together and are timed together.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Does `count` things on each of `threads` threads at once, and returns the time from the first
/// start to the last end. `work` is told which thread it is on, and how many things to do.
pub fn run(threads: usize, count: u64, work: &(dyn Fn(usize, u64) + Sync)) -> Duration {
    let start = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|nth| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let began = Instant::now();
                    work(nth, count);
                    (began, Instant::now())
                })
            })
            .collect();
        start.wait();
        let spans: Vec<_> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
        let first = spans.iter().map(|span| span.0).min().unwrap();
        let last = spans.iter().map(|span| span.1).max().unwrap();
        last - first
    })
}
