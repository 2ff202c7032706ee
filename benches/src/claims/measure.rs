//! Work again and again, on some threads, for some time.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::waits::Waits;

/// What came of it.
pub struct Ran {
    /// How often it was done.
    pub count: u64,
    /// From the first start to the last end.
    pub time: Duration,
    /// How long each took.
    pub waits: Waits,
}

impl Ran {
    /// Returns how often it was done a second.
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.time.as_secs_f64()
    }

    /// Returns how long all but a part took at most, in milliseconds.
    pub fn ms(&self, quantile: f64) -> f64 {
        self.waits.quantile(quantile).as_secs_f64() * 1e3
    }
}

/// Lets each thread do `work` until the time is over, and at least once. `work` is told which
/// thread it is on, and how often it has been there. What takes less than a microsecond is not for
/// this, since each turn reads the clock: see [`each_ns`].
pub fn again<E: Send>(
    threads: usize,
    time: Duration,
    work: impl Fn(usize, u64) -> Result<(), E> + Sync,
) -> Result<Ran, E> {
    let (start, is_over) = (Barrier::new(threads), AtomicBool::new(false));
    let one = |thread| {
        let (mut count, mut waits) = (0, Waits::default());
        start.wait();
        let began = Instant::now();
        let mut now = began;
        while count == 0 || (now - began < time && !is_over.load(Relaxed)) {
            work(thread, count).inspect_err(|_| is_over.store(true, Relaxed))?;
            let after = Instant::now();
            waits.add(after - now);
            count += 1;
            now = after;
        }
        Ok(Ran { count, time: now - began, waits })
    };
    thread::scope(|scope| {
        let one = &one;
        let all: Vec<_> = (0..threads).map(|nth| scope.spawn(move || one(nth))).collect();
        let mut sum = Ran { count: 0, time: Duration::ZERO, waits: Waits::default() };
        for thread in all {
            let ran = thread.join().expect("work does not panic")?;
            sum.count += ran.count;
            sum.time = sum.time.max(ran.time);
            sum.waits.merge(&ran.waits);
        }
        Ok(sum)
    })
}

/// Turns between two looks at the clock.
const BATCH: u64 = 512;

/// Lets each thread do `work` until the time is over; returns the nanoseconds of one turn of one
/// thread.
pub fn each_ns(threads: usize, time: Duration, work: impl Fn(usize, u64) + Sync) -> f64 {
    let start = Barrier::new(threads);
    let one = |thread| {
        let mut count = 0;
        start.wait();
        let began = Instant::now();
        while count == 0 || began.elapsed() < time {
            (count..count + BATCH).for_each(|nth| work(thread, nth));
            count += BATCH;
        }
        began.elapsed().as_secs_f64() * 1e9 / count as f64
    };
    thread::scope(|scope| {
        let one = &one;
        let all: Vec<_> = (0..threads).map(|nth| scope.spawn(move || one(nth))).collect();
        let sum: f64 = all.into_iter().map(|one| one.join().expect("work does not panic")).sum();
        sum / threads as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn all_turns_of_all_threads_are_counted() {
        let turns = AtomicU64::new(0);
        let count = |_, _| {
            turns.fetch_add(1, Relaxed);
            Ok::<(), ()>(())
        };
        let ran = again(3, Duration::from_millis(5), count).unwrap();
        assert_eq!(ran.count, turns.load(Relaxed));
        assert!(ran.count >= 3 && ran.rate() > 0.0);
    }

    #[test]
    fn an_error_ends_it() {
        let fail = |thread, _| if thread == 1 { Err("broken") } else { Ok(()) };
        assert_eq!(again(2, Duration::from_secs(3600), fail).err(), Some("broken"));
    }

    #[test]
    fn a_turn_takes_time() {
        assert!(each_ns(2, Duration::ZERO, |_, _| thread::yield_now()) > 0.0);
    }
}
