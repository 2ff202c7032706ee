//! Waits, and their tails.

use std::time::Duration;

use hdrhistogram::Histogram;

const LONGEST: Duration = Duration::from_secs(3600);

/// Waits, of up to an hour, exact to three digits.
pub struct Waits(Histogram<u64>);

impl Default for Waits {
    fn default() -> Self {
        let bound = LONGEST.as_nanos() as u64;
        Waits(Histogram::new_with_max(bound, 3).expect("three digits are possible"))
    }
}

impl Waits {
    /// Adds one.
    pub fn add(&mut self, wait: Duration) {
        self.0.saturating_record(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds all of another thread's.
    pub fn merge(&mut self, other: &Waits) {
        self.0.add(&other.0).expect("all have one bound");
    }

    /// Returns how long all but a part of them took at most: 0.999 for the 99.9th percentile.
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(quantile))
    }

    /// Returns the median, p99, p99.9 and the longest, as cells of a table.
    pub fn cells(&self) -> [String; 4] {
        [0.5, 0.99, 0.999, 1.0].map(|quantile| ms(self.quantile(quantile)))
    }
}

/// Writes a duration in milliseconds, to the microsecond; short ones, to the nanosecond.
pub fn ms(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 0.01 { format!("{ms:.6} ms") } else { format!("{ms:.3} ms") }
}
