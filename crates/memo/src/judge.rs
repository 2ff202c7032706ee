//! Whether an entry may be served.

use crate::clock::{self, Clock};
use crate::entry::Entry;
use crate::life::{Lifetimes, Nanos, Phase, nanos};
use crate::tables::Epochs;

/// What makes entries stale, and what makes them old. Read by every hit.
pub(crate) struct Judge {
    pub(crate) epochs: Epochs,
    /// `None` is the monotonic clock of the system.
    clock: Option<Box<dyn Clock>>,
}

/// What may be done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may be served.
    Live,
    /// It is too old, but may be served if its load fails.
    Grace(Phase),
    /// It is too old.
    Over,
    /// Its tables have changed since it was loaded, or all was invalidated. Whoever asks now must
    /// never get it.
    Stale,
}

impl Judge {
    pub(crate) fn new(epochs: Epochs, clock: Option<Box<dyn Clock>>) -> Self {
        Judge { epochs, clock }
    }

    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        nanos(self.clock.as_ref().map_or_else(clock::coarse, |clock| clock.now()))
    }

    /// The time as far as loads are measured by it. Not to be compared with `now`.
    pub(crate) fn exact(&self) -> Nanos {
        nanos(self.clock.as_ref().map_or_else(clock::exact, |clock| clock.now()))
    }

    /// Tells whether nothing that an entry was computed from has changed. The entry has to be read
    /// before this reads the versions.
    #[inline]
    pub(crate) fn is_fresh<V>(&self, entry: &Entry<V>) -> bool {
        self.epochs.is_fresh(entry.stamp) && entry.sources.are_fresh(entry.stamp)
    }

    /// The phase of an entry now; the clock is read only if it can matter.
    #[inline]
    pub(crate) fn phase<V>(&self, entry: &Entry<V>, life: &Lifetimes) -> Phase {
        match life.bind(entry.expires) {
            true => life.phase(entry, self.now()),
            false => Phase::Live,
        }
    }

    /// Tells whether an entry may be served, and counts that it is.
    #[inline]
    pub(crate) fn serve<V>(&self, entry: &Entry<V>, life: &Lifetimes) -> Option<Phase> {
        if !self.epochs.is_fresh(entry.stamp) {
            return None;
        }
        let phase = match entry.is_plain {
            true => Phase::Live,
            false => self.serve_bound(entry, life)?,
        };
        entry.touch();
        Some(phase)
    }

    /// What `serve` has to ask beyond the memo's epochs, of an entry that is not plain.
    fn serve_bound<V>(&self, entry: &Entry<V>, life: &Lifetimes) -> Option<Phase> {
        if !entry.sources.are_fresh(entry.stamp) {
            return None;
        }
        if !life.bind(entry.expires) {
            return Some(Phase::Live);
        }
        let now = self.now();
        let phase = life.phase(entry, now);
        phase.is_live().then(|| life.note_use(entry, now)).map(|()| phase)
    }

    pub(crate) fn verdict<V>(&self, entry: &Entry<V>, life: &Lifetimes) -> Verdict {
        if !self.is_fresh(entry) {
            return Verdict::Stale;
        }
        match self.phase(entry, life) {
            Phase::Live | Phase::Due(_) => Verdict::Live,
            phase @ Phase::Grace(_) => Verdict::Grace(phase),
            Phase::Over => Verdict::Over,
        }
    }
}
