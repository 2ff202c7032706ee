//! What stands under a key.
//!
//! # States
//!
//! | slot | its value | next |
//! |---|---|---|
//! | settled | that | settled, staged, counted, or gone |
//! | staged, its batch not committed | what was there before | staged and committed |
//! | staged, its batch committed | what came after | settled, counted or gone; the same value |
//! | counted | what its [`cell`](crate::cell) says | the same, changed in place; or staged, or gone |
//!
//! A bulk update stages all its slots and cells, commits their one batch, and settles them. No step
//! but the commit changes what anyone reads, and the commit is one store: so every reader has all
//! of the update before it or after it, even if it reads key by key and holds nothing.
//!
//! Counted are the variables of an array that has counted anything, if their type has 64 bits or
//! fewer. Where such a value is changed in place no reference to it can be lent: whoever reads it
//! gets a copy.

use crate::cell::{Cell, Commits};
use crate::count::Bits;
use crate::sync::{AtomicU64, Ordering, const_unless_loom};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

pub(crate) enum Slot<V> {
    Settled(V),
    /// Boxed, so that a settled value needs no room for it.
    Staged(Box<Staged<V>>),
    Counted(Cell),
}

pub(crate) struct Staged<V> {
    pub(crate) before: Option<V>,
    pub(crate) after: Option<V>,
    pub(crate) batch: Arc<Batch>,
}

/// A value as it is shown.
pub(crate) enum Shown<'s, V> {
    Lent(&'s V),
    Copied(V),
}

impl<V> Deref for Shown<'_, V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        match self {
            Shown::Lent(value) => value,
            Shown::Copied(value) => value,
        }
    }
}

impl<V: Clone> Shown<'_, V> {
    #[inline]
    pub(crate) fn owned(self) -> V {
        match self {
            Shown::Lent(value) => value.clone(),
            Shown::Copied(value) => value,
        }
    }
}

/// What the slots of one array mean.
pub(crate) struct Legend<V> {
    /// Written by the first who counts.
    bits: OnceLock<Bits<V>>,
    /// Written by bulk updates.
    pub(crate) commits: Commits,
}

impl<V> Legend<V> {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Legend { bits: OnceLock::new(), commits: Commits::new() }
        }
    }

    /// Says how values are kept as counts, from now on.
    pub(crate) fn learn(&self, bits: Bits<V>) {
        let _ = self.bits.set(bits);
    }

    /// How values are kept as counts, if any has been.
    #[inline]
    pub(crate) fn bits(&self) -> Option<&Bits<V>> {
        self.bits.get()
    }

    /// Makes a slot for a value.
    pub(crate) fn slot(&self, value: V) -> Slot<V> {
        match self.bits() {
            Some(bits) => Slot::Counted(Cell::new((bits.to)(&value))),
            None => Slot::Settled(value),
        }
    }

    /// The cell of a slot, and a value as it would be kept there.
    pub(crate) fn cell<'s>(&self, slot: &'s Slot<V>, value: &V) -> Option<(&'s Cell, u64)> {
        match (slot, self.bits()) {
            (Slot::Counted(cell), Some(bits)) => Some((cell, (bits.to)(value))),
            _ => None,
        }
    }
}

impl<V> Slot<V> {
    /// The value at this moment.
    #[inline]
    pub(crate) fn value(&self, legend: &Legend<V>) -> Option<Shown<'_, V>> {
        match self {
            Slot::Settled(value) => Some(Shown::Lent(value)),
            Slot::Counted(cell) => {
                let bits = legend.bits().expect("who counts has said how before");
                Some(Shown::Copied((bits.of)(cell.get(&legend.commits))))
            }
            Slot::Staged(staged) => staged.value(&legend.commits).map(Shown::Lent),
        }
    }
}

impl<V> Staged<V> {
    fn value(&self, commits: &Commits) -> Option<&V> {
        match commits.have(self.batch.number()) {
            true => self.after.as_ref(),
            false => self.before.as_ref(),
        }
    }
}

/// The bulk update of staged slots.
pub(crate) struct Batch(AtomicU64);

impl Batch {
    pub(crate) fn new(number: u64) -> Arc<Self> {
        Arc::new(Batch(AtomicU64::new(number)))
    }

    fn number(&self) -> u64 {
        // Relaxed: it changes only if the batch never happens, before any later one does; and
        // whoever sees a later one committed sees this, by the Acquire of `Commits`.
        self.0.load(Ordering::Relaxed)
    }

    /// Lets it never happen. The caller holds the right to bulk updates.
    pub(crate) fn give_up(&self) {
        self.0.store(u64::MAX, Ordering::Relaxed);
    }
}
