//! Durations, counted in buckets that grow with what they hold.
//!
//! Eight buckets to each doubling, from a nanosecond to an hour, so what is read is at most an
//! eighth above what was counted. Counting is one relaxed increment and needs no lock, whoever
//! reads meanwhile; a reader adds up what it finds, at no one instant.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets to a doubling, as a power of two.
const SPLIT: u32 = 3;

/// Up to 2^42 ns, which is 73 minutes: what takes longer is counted as that.
const BUCKETS: usize = ((42 - SPLIT as usize) << SPLIT) + (1 << SPLIT);

/// How long something took, over many times; see [`Metrics`](crate::Metrics).
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
}

/// The buckets, as those who count see them. All relaxed: nothing is published with a count.
pub(crate) struct Buckets(Box<[AtomicU64]>);

impl Buckets {
    pub(crate) fn new() -> Self {
        Buckets((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }

    pub(crate) fn count(&self, took: Duration) {
        self.0[bucket(took)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Histogram {
        Histogram { counts: self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect() }
    }
}

/// The first buckets hold one nanosecond each; then the leading bits choose.
fn bucket(took: Duration) -> usize {
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    if nanos < 1 << SPLIT {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - SPLIT;
    let within = (nanos >> shift) as usize - (1 << SPLIT);
    ((((shift + 1) as usize) << SPLIT) + within).min(BUCKETS - 1)
}

/// The longest that a bucket holds.
fn longest(bucket: usize) -> Duration {
    let next = bucket as u64 + 1;
    let (octave, within) = (next >> SPLIT, next % (1 << SPLIT));
    let end = if octave == 0 { within } else { ((1 << SPLIT) + within) << (octave - 1) };
    Duration::from_nanos(end - 1)
}

impl Histogram {
    /// Counts further durations of zero: what was too quick to be timed.
    pub(crate) fn with_zeros(mut self, zeros: u64) -> Self {
        self.counts[0] += zeros;
        self
    }

    /// Returns how many durations were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns a duration that `percent` of all do not exceed, at most an eighth above the least
    /// such; zero when nothing was counted.
    ///
    /// # Panics
    /// When `percent` is not from 0 to 100.
    pub fn percentile(&self, percent: f64) -> Duration {
        assert!((0.0..=100.0).contains(&percent), "a percentile is from 0 to 100");
        let rank = (self.count() as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        reached.map_or(Duration::ZERO, longest)
    }

    /// Returns the longest that was counted, at most an eighth too long.
    pub fn max(&self) -> Duration {
        self.percentile(100.0)
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count())
            .field("p50", &self.percentile(50.0))
            .field("p99", &self.percentile(99.0))
            .field("max", &self.max())
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_duration_has_a_bucket_that_holds_it() {
        let powers = (0..42).flat_map(|power| [-1, 0, 1].map(|off| (1_i64 << power) + off));
        for nanos in (0..10_000).chain(powers).filter(|nanos| (0..1 << 42).contains(nanos)) {
            let took = Duration::from_nanos(nanos as u64);
            let held = longest(bucket(took));
            assert!(held >= took, "{took:?} is counted as {held:?}");
            assert!(held <= took + took / 8, "{took:?} is counted as {held:?}");
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_percentile_is_what_that_many_do_not_exceed() {
        let buckets = Buckets::new();
        assert_eq!(buckets.read().percentile(50.0), Duration::ZERO);
        (1..=1000).for_each(|micros| buckets.count(Duration::from_micros(micros)));
        let histogram = buckets.read();
        for percent in [1.0, 50.0, 90.0, 99.0, 99.9, 100.0] {
            let exact = Duration::from_micros((percent * 10.0) as u64);
            let read = histogram.percentile(percent);
            assert!(read >= exact && read <= exact + exact / 8, "p{percent}: {read:?}");
        }
        assert_eq!(histogram.count(), 1000);
        assert_eq!(histogram.with_zeros(9000).percentile(90.0), Duration::ZERO);
    }
}
