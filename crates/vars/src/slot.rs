//! What stands under a key.
//!
//! # States
//!
//! | slot | its value | next |
//! |---|---|---|
//! | settled | that | settled, staged, or gone |
//! | staged, its batch not committed | what was there before | staged and committed |
//! | staged, its batch committed | what came after | settled or gone, with the same value |
//!
//! A bulk update stages all its slots, commits their one batch, and settles them. No step but the
//! commit changes what anyone reads, and the commit is one store: so every reader has all of the
//! update before it or after it, even if it reads key by key and holds nothing.

use crate::sync::{AtomicBool, Ordering};
use std::sync::Arc;

pub(crate) enum Slot<V> {
    Settled(V),
    /// Boxed, so that a settled value needs no room for it.
    Staged(Box<Staged<V>>),
}

pub(crate) struct Staged<V> {
    pub(crate) before: Option<V>,
    pub(crate) after: Option<V>,
    pub(crate) batch: Arc<Batch>,
}

impl<V> Slot<V> {
    /// The value at this moment.
    #[inline]
    pub(crate) fn value(&self) -> Option<&V> {
        match self {
            Slot::Settled(value) => Some(value),
            Slot::Staged(staged) if staged.batch.is_committed() => staged.after.as_ref(),
            Slot::Staged(staged) => staged.before.as_ref(),
        }
    }
}

/// Whether a bulk update has happened.
pub(crate) struct Batch(AtomicBool);

impl Batch {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Batch(AtomicBool::new(false)))
    }

    pub(crate) fn commit(&self) {
        // Release: partner of the Acquire below. Whoever sees one key after the update sees the
        // others staged, if not settled.
        self.0.store(true, Ordering::Release);
    }

    fn is_committed(&self) -> bool {
        // Acquire: partner of the Release above.
        self.0.load(Ordering::Acquire)
    }
}
