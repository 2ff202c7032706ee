//! The memory that request bodies may take together, over all connections, and with it what clients
//! send ahead of answers, and parts of heads.
//!
//! One word, written by whoever takes or gives back; requests without a body touch it not at all.
//! Relaxed throughout: it counts, and nothing else is read on the strength of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes are taken in steps of this many, so that small reads do not write the shared word.
const STEP: usize = 16 * 1024;

pub(crate) struct Budget {
    used: AtomicUsize,
    bound: usize,
}

/// A share of the budget, given back when it is dropped.
pub(crate) struct Reserved {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(bound: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), bound })
    }

    /// A share of nothing, to be grown.
    pub(crate) fn nothing(self: &Arc<Self>) -> Reserved {
        Reserved { budget: Arc::clone(self), bytes: 0 }
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }
}

impl Reserved {
    /// Makes the share at least `bytes`; false, and nothing is taken, if the budget has not that
    /// much left.
    pub(crate) fn cover(&mut self, bytes: usize) -> bool {
        if bytes <= self.bytes {
            return true;
        }
        let more = bytes.next_multiple_of(STEP) - self.bytes;
        let bound = self.budget.bound;
        let add = |used: usize| used.checked_add(more).filter(|&used| used <= bound);
        let taken = self.budget.used.fetch_update(Relaxed, Relaxed, add).is_ok();
        if taken {
            self.bytes += more;
        }
        taken
    }
}

impl Reserved {
    /// Makes the share `bytes`, or a little more; false, and it stays as it was, if the budget has
    /// not that much left. Less always works.
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        let less = self.bytes.saturating_sub(bytes.next_multiple_of(STEP));
        if less > 0 {
            self.budget.used.fetch_sub(less, Relaxed);
            self.bytes -= less;
        }
        self.cover(bytes)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_more_than_there_is() {
        let budget = Budget::new(3 * STEP);
        let (mut one, mut other) = (budget.nothing(), budget.nothing());
        assert!(one.cover(1) && one.cover(STEP) && other.cover(STEP + 1));
        assert_eq!(budget.used(), 3 * STEP);
        assert!(!one.cover(STEP + 1) && one.cover(0));
        drop(other);
        assert!(one.cover(3 * STEP) && !one.cover(3 * STEP + 1));
        assert!(one.resize(STEP + 1) && budget.used() == 2 * STEP);
        assert!(!one.resize(3 * STEP + 1) && budget.used() == 2 * STEP && one.resize(0));
        assert_eq!(budget.used(), 0);
        drop(one);
        assert_eq!(budget.used(), 0);
    }
}
