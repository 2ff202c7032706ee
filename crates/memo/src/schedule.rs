//! When a whole table is due to be loaded again.
//!
//! `due` is `NEVER` until the table is first loaded, and again while anyone loads it: so one
//! caller finds it due, and all others go on reading. Whoever ends the load sets it anew.

use crate::clock::{self, Clock};
use crate::sync::{AtomicU64, Ordering, const_unless_loom};
use std::time::Duration;

/// Later than any clock shows, in nanoseconds.
const NEVER: u64 = u64::MAX;

/// A load that failed is tried again after this part of the interval.
const RETRIES: u32 = 8;

pub(crate) struct Schedule {
    pub(crate) every: Option<Duration>,
    /// `None` is the monotonic clock of the system; that can be said in a `const`.
    pub(crate) clock: Option<Box<dyn Clock>>,
    /// In nanoseconds of the clock. Written under the lock of `Reloads`.
    due: AtomicU64,
}

impl Schedule {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Schedule { every: None, clock: None, due: AtomicU64::new(NEVER) }
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.as_ref().map_or_else(clock::coarse, |clock| clock.now())
    }

    /// Tells whether a load is due.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        // Relaxed: nothing is read on its strength but `due` again, under the lock.
        self.every.is_some() && self.due.load(Ordering::Relaxed) <= nanos(self.now())
    }

    pub(crate) fn suspend(&self) {
        self.set(NEVER);
    }

    pub(crate) fn set(&self, due: u64) {
        self.due.store(due, Ordering::Relaxed);
    }

    /// When the next load is due, if one ends now.
    pub(crate) fn next(&self, failed: bool) -> u64 {
        let after = |every| nanos(self.now().saturating_add(every));
        let every = self.every.map(|every| if failed { every / RETRIES } else { every });
        every.map_or(NEVER, after)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NEVER)
}
