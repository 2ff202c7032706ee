//! The arguments of a benchmark that criterion can't do, which are criterion's own.
//!
//! A filter; `--test` for a short run that only shows that everything works (as with criterion, so
//! does a run that is not by `cargo bench`); `--quick` for numbers that are good enough to see who
//! leads. `--json=FILE` appends each number that is printed to a file: see [`table`](crate::table).

use std::time::Duration;

/// What the arguments ask for.
pub struct Plan {
    filters: Vec<String>,
    extent: Extent,
}

/// How much to run.
#[derive(Clone, Copy, PartialEq)]
enum Extent {
    Test,
    Quick,
    Full,
}

/// How much shorter a quick run is.
const QUICKER: u32 = 4;

impl Plan {
    /// Reads the arguments.
    pub fn from_args() -> Self {
        Plan::new(std::env::args().skip(1))
    }

    fn new(args: impl Iterator<Item = String>) -> Self {
        let (flags, filters): (Vec<_>, Vec<_>) = args.partition(|arg| arg.starts_with('-'));
        let has = |flag: &str| flags.iter().any(|arg| arg == flag);
        let extent = match (has("--bench") && !has("--test"), has("--quick")) {
            (false, _) => Extent::Test,
            (true, true) => Extent::Quick,
            (true, false) => Extent::Full,
        };
        Plan { filters, extent }
    }

    /// Tells whether this is a run for the numbers, in full.
    pub fn is_full(&self) -> bool {
        self.extent == Extent::Full
    }

    /// Tells whether this is a run that only shows that everything works.
    pub fn is_test(&self) -> bool {
        self.extent == Extent::Test
    }

    /// Returns how long to run: for as long as the numbers need, a part of it, or just once.
    pub fn length(&self, full: Duration, short: Duration) -> Duration {
        self.sized(full, (full / QUICKER).max(short), short)
    }

    /// Picks what a full run, a quick one and a test have.
    pub fn sized<T>(&self, full: T, quick: T, test: T) -> T {
        match self.extent {
            Extent::Full => full,
            Extent::Quick => quick,
            Extent::Test => test,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(args: &[&str]) -> Plan {
        Plan::new(args.iter().map(|arg| (*arg).to_owned()))
    }

    #[test]
    fn only_cargo_bench_measures() {
        for (args, is_full, is_test) in [
            (&["--bench"][..], true, false),
            (&["--bench", "--quick", "--json=numbers"], false, false),
            (&["--bench", "--test"], false, true),
            (&["--quick"], false, true),
            (&[], false, true),
        ] {
            let plan = plan(args);
            assert_eq!((plan.is_full(), plan.is_test()), (is_full, is_test), "{args:?}");
        }
    }

    #[test]
    fn a_flag_is_no_filter() {
        let all = plan(&["--bench", "--json=larder"]).wanted("pool", &["larder", "r2d2"]);
        assert_eq!(all, ["larder", "r2d2"]);
        assert_eq!(plan(&["pool/r2"]).wanted("pool", &["larder", "r2d2"]), ["r2d2"]);
    }
}
