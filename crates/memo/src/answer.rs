//! How a caller of a `Memo` gets its answer when it brings a loader.
//!
//! | it finds | it |
//! |---|---|
//! | itself inside a transaction | runs its loader, and neither keeps nor shares what it brings |
//! | nothing, and its loader opens one | leads, and abandons the flight when the loader returns |
//! | a live value | returns it |
//! | one that is due, and takes the turn | leads a refresh; if that fails, returns the value |
//! | a live negative entry, and asks for either | returns none |
//! | a value in its grace whose last load failed | returns that, until the turn is over |
//! | a flight | waits; what lands has to be fresh and of the kind that it asks for |
//! | a flight that outlasts its wait | overtakes it: it leads, or is told so if it asked for that |
//! | itself loading the key already | is refused |
//! | nothing | leads: see `lead` |

use crate::ask::Ask;
use crate::entry::{Entry, Sources};
use crate::error::{Error, LoadError};
use crate::flights::{Boarding, Lead, Patience, Turn};
use crate::hash::Seeded;
use crate::judge::Verdict;
use crate::life::Phase;
use crate::load::Load;
use crate::memo::Memo;
use crate::tables::Stamp;
use std::borrow::Borrow;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash};

/// What a flight gives to those who wait for it.
#[derive(Clone)]
pub(crate) struct Landed<V> {
    /// None if there is none.
    pub(crate) value: Option<V>,
    pub(crate) stamp: Stamp,
    pub(crate) sources: Sources,
    /// It is an expired value, in place of one whose load failed: older than its flight.
    pub(crate) is_late: bool,
}

/// What memory has for a caller.
pub(crate) enum Found<V> {
    Value(V),
    Absent,
    /// Expired, but its load has failed a moment ago.
    Spared(V),
}

impl<K: Hash + Eq + Clone, V: Clone> Memo<K, V> {
    /// The value of a key, and whether the caller has taken the turn to refresh it.
    #[inline]
    pub(crate) fn seek<Q>(&self, key: &Q) -> Option<(V, bool)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let look = |entry: &Entry<V>| {
            let phase = self.serve(entry)?;
            let is_due = phase != Phase::Live && entry.take_turn(phase);
            Some((entry.value.clone(), is_due))
        };
        self.present(key, look).flatten()
    }

    /// Tells whether a key is known to have no value, and counts it if it is.
    pub(crate) fn knows_absent<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let is_absent = !self.judge.epochs.is_bypassed() && self.is_absent(key);
        if is_absent {
            self.counters.count_negative_hit();
        }
        is_absent
    }

    /// Answers a caller that found nothing, or that has taken the turn to refresh what it found.
    pub(crate) fn answer<Q, E>(
        &self,
        key: &Q,
        due: Option<V>,
        ask: Ask,
        loader: impl FnOnce(&Load<'_>) -> Result<Option<V>, E>,
    ) -> Result<Option<V>, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        let hash = Seeded::new().hash_one(key);
        if let Some(present) = due {
            return Ok(self.refresh(hash, key, present, loader));
        }
        self.counters.count_miss();
        if self.judge.epochs.is_bypassed() {
            return self.pass(hash, key, loader);
        }
        match self.turn(hash, key, ask) {
            Turn::Known(found) => Ok(self.known(found)),
            Turn::Landed(landed) => Ok(self.coalesced(landed.value)),
            Turn::Lead(lead) => self.lead(lead, hash, key, loader),
            Turn::TimedOut => self.timed_out(hash, key, ask, loader),
            Turn::Recursion => Err(Error::recursion(key).into()),
        }
    }

    /// What the caller finds there after all.
    pub(crate) fn known(&self, found: Found<V>) -> Option<V> {
        match found {
            Found::Spared(value) => {
                self.counters.rare().stale_serves.add(1);
                Some(value)
            }
            Found::Value(value) => self.coalesced(Some(value)),
            Found::Absent => self.coalesced(None),
        }
    }

    pub(crate) fn coalesced(&self, answer: Option<V>) -> Option<V> {
        self.counters.rare().coalesced.add(1);
        answer
    }

    /// Waits until the caller has an answer that suits it, or has to load.
    fn turn<Q>(&self, hash: u64, key: &Q, ask: Ask) -> Turn<'_, K, Landed<V>, Found<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        let mut patience = Patience::new(self.cold.0.patience);
        loop {
            match self.flights(hash).turn(&mut patience, || self.board(hash, key, ask)) {
                Turn::Landed(landed) if !self.suits(&landed, ask) => {}
                turn => return turn,
            }
        }
    }

    /// Finds an answer, or a load of another caller, or takes the lead; waits for nothing.
    pub(crate) fn board<Q>(
        &self,
        hash: u64,
        key: &Q,
        ask: Ask,
    ) -> Boarding<'_, K, Landed<V>, Found<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let _pins = self.pins();
        let epochs = &self.judge.epochs;
        let look = || self.look(key, ask).ok_or_else(|| epochs.begin());
        self.flights(hash).board(hash, key, look, |stamp| epochs.is_fresh(stamp))
    }

    /// Takes the lead of a refresh, unless somebody has.
    pub(crate) fn board_due<Q>(&self, hash: u64, key: &Q) -> Option<Lead<'_, K, Landed<V>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let _pins = self.pins();
        let epochs = &self.judge.epochs;
        let phase = |entry: &Entry<V>| self.judge.phase(entry, &self.present.life);
        let look = || match self.present.read(key, phase) {
            // Somebody has put another value meanwhile.
            Some(Phase::Live) => Ok(()),
            _ => Err(epochs.begin()),
        };
        match self.flights(hash).board(hash, key, look, |stamp| epochs.is_fresh(stamp)) {
            Boarding::Lead(lead) => Some(lead),
            _ => None,
        }
    }

    /// Tells whether what a flight brought is an answer to a caller that has waited for it.
    ///
    /// The caller looked at the stamp of the flight before it joined. But a table that the loader
    /// named may have changed before that; a late value is older than its flight; and who asks for
    /// a value is not helped by the news that somebody found none.
    pub(crate) fn suits(&self, landed: &Landed<V>, ask: Ask) -> bool {
        landed.sources.are_fresh(landed.stamp)
            && (!landed.is_late || self.judge.epochs.is_fresh(landed.stamp))
            && (landed.value.is_some() || ask == Ask::Either)
    }

    /// What memory has, once the caller is alone with its key.
    fn look<Q>(&self, key: &Q, ask: Ask) -> Option<Found<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let look = |entry: &Entry<V>| match self.judge.verdict(entry, &self.present.life) {
            Verdict::Live => Some(Found::Value(entry.value.clone())),
            Verdict::Grace(phase) if !entry.has_turn(phase) => {
                Some(Found::Spared(entry.value.clone()))
            }
            _ => None,
        };
        let found = self.present.read(key, look).flatten();
        found.or_else(|| (ask == Ask::Either && self.is_absent(key)).then_some(Found::Absent))
    }

    fn is_absent<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(absent) = &self.cold.0.absent else { return false };
        absent.read(key, |entry| self.judge.serve(entry, &absent.life).is_some()).unwrap_or(false)
    }

    /// The answer of a caller that has waited for too long.
    fn timed_out<Q, E>(
        &self,
        hash: u64,
        key: &Q,
        ask: Ask,
        loader: impl FnOnce(&Load<'_>) -> Result<Option<V>, E>,
    ) -> Result<Option<V>, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        self.counters.rare().timeouts.add(1);
        if let Some(late) = self.late(key) {
            return Ok(late.value);
        }
        if ask != Ask::Anyhow {
            return Err(Error::timeout(key, self.cold.0.patience).into());
        }
        match self.board(hash, key, ask) {
            Boarding::Known(found) => Ok(self.known(found)),
            Boarding::Lead(lead) => self.lead(lead, hash, key, loader),
            // Somebody else has overtaken the load already.
            Boarding::Wait(_) => self.pass(hash, key, loader),
            Boarding::Recursion => Err(Error::recursion(key).into()),
        }
    }
}
