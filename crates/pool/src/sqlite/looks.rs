//! When readers look for what other processes have written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, NEVER, Tick, after};

/// The next look. Readers share these and hardly ever write to them.
pub(super) struct Looks {
    clock: Clock,
    /// In nanoseconds; written by `set` alone.
    every: AtomicU64,
    /// Written by `set`, and by the one reader whose look it is.
    due_at: AtomicU64,
}

impl Looks {
    pub(super) fn never() -> Self {
        let (every, due_at) = (AtomicU64::new(NEVER), AtomicU64::new(NEVER));
        Looks { clock: Clock::system(), every, due_at }
    }

    pub(super) fn set(&self, every: Duration) {
        self.every.store(after(0, every), Ordering::Relaxed);
        self.due_at.store(after(self.clock.now(), every), Ordering::Relaxed);
    }

    /// True for one caller when it is time.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        let due_at = self.due_at.load(Ordering::Relaxed);
        due_at != NEVER && self.take(due_at, self.clock.now())
    }

    fn take(&self, due_at: Tick, now: Tick) -> bool {
        if now < due_at {
            return false;
        }
        let next = now.saturating_add(self.every.load(Ordering::Relaxed));
        let swapped =
            self.due_at.compare_exchange(due_at, next, Ordering::Relaxed, Ordering::Relaxed);
        swapped.is_ok()
    }
}
