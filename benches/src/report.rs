//! Benchmarks that criterion can't do: a run of some seconds, and a table of tails and counts.
//!
//! They take the same arguments as criterion's: a filter, and `--test` for a short run that only
//! shows that everything works. As with criterion, so does a run that is not by `cargo bench`.

use std::time::Duration;

use hdrhistogram::Histogram;

/// What the arguments ask for.
pub struct Plan {
    filters: Vec<String>,
    is_full: bool,
}

impl Plan {
    /// Reads the arguments.
    pub fn from_args() -> Self {
        let (flags, filters): (Vec<_>, Vec<_>) =
            std::env::args().skip(1).partition(|arg| arg.starts_with('-'));
        let has = |flag: &str| flags.iter().any(|arg| arg == flag);
        Plan { filters, is_full: has("--bench") && !has("--test") }
    }

    /// Tells whether this is a run for the numbers.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns how long to run: for as long as the numbers need, or just once.
    pub fn length(&self, full: Duration, short: Duration) -> Duration {
        if self.is_full { full } else { short }
    }

    /// Returns those of the systems that are wanted, as `group/system` has a filter in it.
    pub fn wanted<'a>(&self, group: &str, systems: &[&'a str]) -> Vec<&'a str> {
        let is_wanted = |system: &&str| {
            let id = format!("{group}/{system}");
            self.filters.is_empty() || self.filters.iter().any(|filter| id.contains(filter))
        };
        systems.iter().copied().filter(is_wanted).collect()
    }
}

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

/// Writes a duration in milliseconds.
pub fn ms(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}

/// Prints a table whose first row is the head; nothing, if there is no other.
pub fn print(title: &str, rows: &[Vec<String>]) {
    if rows.len() < 2 {
        return;
    }
    println!("\n{title}\n");
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column| rows.iter().filter_map(|row| row.get(column)).map(String::len).max();
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    for (nth, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!(" {cell:>width$} |"));
        println!("|{}", cells.collect::<String>());
        if nth == 0 {
            let rules = widths.iter().map(|width| format!("{}:|", "-".repeat(width + 1)));
            println!("|{}", rules.collect::<String>());
        }
    }
}
