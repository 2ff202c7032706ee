//! Durations, counted in buckets that are fixed: exact below 16 us, then eight to a power of two,
//! so that a quantile is at most an eighth too high.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::stats::add;

/// Buckets of one microsecond at the start.
const EXACT: u64 = 16;
/// The last power of two that has buckets of its own: an hour or two. Longer counts as that.
const LAST_POWER: u32 = 32;
const BUCKETS: usize = EXACT as usize + 8 * (LAST_POWER - 4 + 1) as usize;

/// Written by one thread alone, with plain loads and stores; read by any.
pub(crate) struct Recorder {
    buckets: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

impl Default for Recorder {
    fn default() -> Self {
        let buckets = (0..BUCKETS).map(|_| AtomicU64::new(0)).collect();
        Self { buckets, sum_us: AtomicU64::new(0) }
    }
}

impl Recorder {
    pub(crate) fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min((2 << LAST_POWER) - 1);
        add(&self.buckets[bucket(us)], 1);
        add(&self.sum_us, us);
    }
}

fn bucket(us: u64) -> usize {
    if us < EXACT {
        return us as usize;
    }
    let power = us.ilog2();
    let eighth = (us >> (power - 3)) & 7;
    EXACT as usize + 8 * (power - 4) as usize + eighth as usize
}

/// The most microseconds that fall into a bucket.
fn last_us(bucket: usize) -> u64 {
    let Some(over) = bucket.checked_sub(EXACT as usize) else { return bucket as u64 };
    let (power, eighth) = (over as u32 / 8 + 4, over as u64 % 8);
    ((8 + eighth + 1) << (power - 3)) - 1
}

/// How long things took, in buckets: exact below 16 us, then eight to a power of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum_us: u64,
}

impl Histogram {
    pub(crate) fn collect<'r>(recorders: impl Iterator<Item = &'r Recorder>) -> Self {
        let (mut buckets, mut sum_us) = (vec![0; BUCKETS], 0_u64);
        for recorder in recorders {
            for (sum, bucket) in buckets.iter_mut().zip(&recorder.buckets) {
                *sum += bucket.load(Relaxed);
            }
            sum_us = sum_us.wrapping_add(recorder.sum_us.load(Relaxed));
        }
        let count = buckets.iter().sum();
        Self { buckets, count, sum_us }
    }

    /// Counts all that was recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds up all that was recorded.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us)
    }

    /// The time that a share `q` (0 to 1) of all did not exceed, at most an eighth too high; zero
    /// if nothing was recorded.
    pub fn quantile(&self, q: f64) -> Duration {
        let rank = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let at = self.buckets.iter().position(|n| {
            seen += n;
            seen >= rank
        });
        Duration::from_micros(at.map_or(0, last_us))
    }

    /// The buckets that are not empty: the most that falls into each, and how many did.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let filled = self.buckets.iter().enumerate().filter(|(_, n)| **n > 0);
        filled.map(|(at, n)| (Duration::from_micros(last_us(at)), *n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_are_an_eighth_wide() {
        for at in 1..BUCKETS {
            let (before, last) = (last_us(at - 1), last_us(at));
            assert_eq!((bucket(before), bucket(before + 1), bucket(last)), (at - 1, at, at));
            assert!(last - before <= 1 + before / 8, "{at}");
        }
    }

    #[test]
    fn quantiles() {
        let recorder = Recorder::default();
        for us in 1..=1000 {
            recorder.record(Duration::from_micros(us));
        }
        let histogram = Histogram::collect([&recorder, &Recorder::default()].into_iter());
        assert_eq!((histogram.count(), histogram.sum().as_micros()), (1000, 500_500));
        for (q, exact) in [(0.0, 1), (0.01, 10), (0.5, 500), (0.99, 990), (1.0, 1000)] {
            let got = histogram.quantile(q).as_micros();
            assert!(got >= exact && got <= exact + exact / 8, "{q}: {got}");
        }
        assert_eq!(histogram.buckets().map(|(_, n)| n).sum::<u64>(), 1000);
        let none = Histogram::collect(std::iter::empty());
        assert_eq!((none.count(), none.quantile(0.5)), (0, Duration::ZERO));
        recorder.record(Duration::MAX);
        let longest = Histogram::collect([&recorder].into_iter()).quantile(1.0);
        assert!(longest > Duration::from_secs(8000));
    }
}
