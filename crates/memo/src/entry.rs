//! What stands on a shelf, and what it depends on.

use crate::life::{Lifetimes, Nanos, Phase};
use crate::sync::{AtomicU8, AtomicU64, Ordering};
use crate::tables::{Stamp, Version};
use std::sync::Arc;

/// Hits that an entry can have to its credit: two bits.
const MOST_CREDIT: u8 = 3;
/// Nanoseconds in a unit of `Entry::cost`.
pub(crate) const COST_UNIT: Nanos = 64;

/// A value and what decides over it. Immutable but for the three atomics.
///
/// Kept small: 48 bytes beside the value. Kept in this order: the key stands before it, so what a
/// hit reads lies together, the first 16 bytes of any entry and 8 more of one that can end. What
/// stands behind the value is read by misses, by the policy, and by hits of entries that named
/// tables or that can be idle for too long.
#[repr(C)]
pub(crate) struct Entry<V> {
    /// When its load began, in bumps.
    pub(crate) stamp: Stamp,
    /// What its load took, in units of 64 ns (up to 4.5 minutes).
    pub(crate) cost: u32,
    /// Recent hits, saturating. Hits add, the policy takes away; lost updates do no harm.
    credit: AtomicU8,
    /// The first turn of a refresh or a late load that nobody has taken: see `life`.
    turn: AtomicU8,
    /// It has no end and no sources: nothing decides over it but its stamp.
    pub(crate) is_plain: bool,
    /// Until when it is served, whatever happens.
    pub(crate) expires: Nanos,
    pub(crate) value: V,
    /// Tables that its own load named.
    pub(crate) sources: Sources,
    /// When it was last asked for. Hits write it, and only if the memo has an idle time.
    pub(crate) used: AtomicU64,
    /// Which insertion of its key this is: the policy's records of earlier ones do not match.
    pub(crate) serial: Serial,
    pub(crate) weight: u32,
}

/// Numbers insertions. It wraps, harmlessly: a record is swept long before four thousand million
/// further insertions.
pub(crate) type Serial = u32;

/// What is known of a value when its load ends.
pub(crate) struct Birth {
    pub(crate) stamp: Stamp,
    pub(crate) sources: Sources,
    pub(crate) expires: Nanos,
    pub(crate) now: Nanos,
    pub(crate) weight: u32,
    pub(crate) took: Nanos,
}

impl<V> Entry<V> {
    pub(crate) fn new(value: V, birth: Birth, serial: Serial, life: &Lifetimes) -> Self {
        Entry {
            stamp: birth.stamp,
            cost: u32::try_from(birth.took / COST_UNIT).unwrap_or(u32::MAX),
            credit: AtomicU8::new(0),
            turn: AtomicU8::new(0),
            is_plain: !life.bind(birth.expires) && birth.sources.are_none(),
            expires: birth.expires,
            value,
            sources: birth.sources,
            used: AtomicU64::new(birth.now),
            serial,
            weight: birth.weight,
        }
    }

    /// Counts a hit. A popular entry is saturated, and then this writes nothing.
    #[inline]
    pub(crate) fn touch(&self) {
        let credit = self.credit.load(Ordering::Relaxed);
        if credit < MOST_CREDIT {
            self.credit.store(credit + 1, Ordering::Relaxed);
        }
    }

    pub(crate) fn credit(&self) -> u8 {
        self.credit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_credit(&self, credit: u8) {
        self.credit.store(credit, Ordering::Relaxed);
    }

    /// Takes the turn of this phase; false if somebody has.
    ///
    /// Once it is taken this only reads: the other hits of the window do not fight for the line.
    /// Relaxed: which caller it is does not matter, only that it is one.
    pub(crate) fn take_turn(&self, phase: Phase) -> bool {
        let next = phase.next_turn();
        self.has_turn(phase) && self.turn.fetch_max(next, Ordering::Relaxed) < next
    }

    /// Tells whether the turn of this phase is still to be taken.
    pub(crate) fn has_turn(&self, phase: Phase) -> bool {
        self.turn.load(Ordering::Relaxed) < phase.next_turn()
    }
}

/// Tables that one load named, beside those that the whole memo depends on.
///
/// One pointer, and none for the many loads that name nothing.
#[derive(Clone, Default)]
pub(crate) struct Sources(Option<Arc<Vec<Version>>>);

impl Sources {
    pub(crate) fn new(versions: Vec<Version>) -> Self {
        Sources((!versions.is_empty()).then(|| Arc::new(versions)))
    }

    fn are_none(&self) -> bool {
        self.0.is_none()
    }

    /// Tells whether none of them has changed since a load began.
    #[inline]
    pub(crate) fn are_fresh(&self, begun: Stamp) -> bool {
        match &self.0 {
            None => true,
            Some(versions) => versions.iter().all(|version| version.is_fresh(begun)),
        }
    }
}
