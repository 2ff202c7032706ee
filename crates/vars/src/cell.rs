//! A count that is changed in place, and by which bulk updates count too.
//!
//! # States
//!
//! | `batch` | means | its value | next |
//! |---|---|---|---|
//! | 0 | settled | `now` | settled with another `now`, or staged |
//! | a number, not yet committed | staged | `now`, as it was before | the same, committed; or settled |
//! | a number that is committed | staged | `next` | settled: first `now` gets it, then `batch` is 0 |
//!
//! Only who holds the key's stripe writes here, and he leaves the cell settled. Numbers of batches
//! never come twice.
//!
//! # Why a read is true
//!
//! `now` is at all times the value, or what it was before a commit that is not settled. A reader who
//! has seen the cell settled, or staged without the commit, began before that commit; so `now`,
//! whenever he gets to it, was the value at some moment of his read. If what he has read before is
//! of the commit or later, then he sees the cell staged or later, since all cells are staged before
//! the commit. `next` may already be of a later batch: then `batch` has changed too.

use crate::sync::{AtomicU64, Ordering};

/// The batch of a cell that is in none.
const NONE: u64 = 0;

/// Bulk updates of one array that have happened: all up to a number.
pub(crate) struct Commits(AtomicU64);

impl Commits {
    crate::sync::const_unless_loom! {
        pub(crate) fn new() -> Self {
            Commits(AtomicU64::new(NONE))
        }
    }

    /// Lets a batch happen; the caller holds the right to bulk updates, and drew the number.
    pub(crate) fn commit(&self, batch: u64) {
        // Release: partner of the Acquire below. Whoever sees one key after the update sees the
        // others staged, if not settled.
        self.0.store(batch, Ordering::Release);
    }

    #[inline]
    pub(crate) fn have(&self, batch: u64) -> bool {
        // Acquire: partner of the Release above.
        self.0.load(Ordering::Acquire) >= batch
    }
}

pub(crate) struct Cell {
    now: AtomicU64,
    next: AtomicU64,
    batch: AtomicU64,
}

impl Cell {
    pub(crate) fn new(bits: u64) -> Self {
        Cell { now: AtomicU64::new(bits), next: AtomicU64::new(0), batch: AtomicU64::new(NONE) }
    }

    /// The value at this moment.
    #[inline]
    pub(crate) fn get(&self, commits: &Commits) -> u64 {
        loop {
            // Acquire: partner of the Release in `stage` and in `settle`.
            let batch = self.batch.load(Ordering::Acquire);
            if batch == NONE || !commits.have(batch) {
                // Acquire: partner of the Release in `set`. Whoever sees a value sees, of other
                // keys, all that happened before it.
                return self.now.load(Ordering::Acquire);
            }
            // Acquire: partner of the Release in `stage`. If this is of a later batch, so is, or
            // will be, what is read below: at least the end of the batch above.
            let next = self.next.load(Ordering::Acquire);
            if self.batch.load(Ordering::Relaxed) == batch {
                return next;
            }
        }
    }

    /// The value to the holder of the stripe, with whom it is settled.
    #[inline]
    pub(crate) fn held(&self) -> u64 {
        // Relaxed: whoever wrote it held the same lock.
        self.now.load(Ordering::Relaxed)
    }

    /// Changes it; the caller holds the stripe and is moving.
    #[inline]
    pub(crate) fn set(&self, bits: u64) {
        // Release: partner of the Acquire in `get`.
        self.now.store(bits, Ordering::Release);
    }

    /// Lets it have a value from when the batch is committed; the caller holds the stripe.
    pub(crate) fn stage(&self, bits: u64, batch: u64) {
        // Release: partners of the Acquires in `get`.
        self.next.store(bits, Ordering::Release);
        self.batch.store(batch, Ordering::Release);
    }

    /// Ends the batch, which is committed; the caller holds the stripe.
    pub(crate) fn settle(&self) {
        self.set(self.next.load(Ordering::Relaxed));
        // Release: partner of the Acquire in `get`: who finds no batch finds its value.
        self.batch.store(NONE, Ordering::Release);
    }

    /// Gives the batch up, which is not committed; the caller holds the stripe.
    pub(crate) fn unstage(&self) {
        self.batch.store(NONE, Ordering::Release);
    }
}
