//! How a caller of a `Memo` gets its answer when it brings a loader.
//!
//! | it finds | it |
//! |---|---|
//! | itself inside a transaction | runs its loader, and neither keeps nor shares what it brings |
//! | a live value | returns it |
//! | one that is due, and takes the turn | leads a refresh; if that fails, returns the value |
//! | a live negative entry, and asks for either | returns none |
//! | a value in its grace whose last load failed | returns that, until the turn is over |
//! | a flight | waits; what lands has to be fresh and of the kind that it asks for |
//! | nothing | leads |
//!
//! A leader whose loader fails lands the expired value instead, if there is one in its grace: that
//! is read when the loader has failed, so nothing that was invalidated meanwhile is found. What is
//! invalidated between the reading and the landing reaches nobody who asks after it: by key or by
//! predicate, the flight is detached; by a bump, those who joined the flight compare the stamp of
//! the late value again.

use crate::entry::{Entry, Sources};
use crate::error::{Error, LoadError};
use crate::flights::{Boarding, Lead, Patience, Turn};
use crate::hash::Seeded;
use crate::judge::Verdict;
use crate::life::{Nanos, Phase};
use crate::load::{Load, Terms};
use crate::memo::{Fate, Memo, Origin, Settled};
use crate::tables::Stamp;
use std::borrow::Borrow;
use std::convert::Infallible;
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

/// What a caller asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// A value, at any cost: if it waits too long, it loads for itself.
    Anyhow,
    /// A value.
    Value,
    /// A value, or that there is none.
    Either,
}

/// What memory has for a caller.
pub(crate) enum Found<V> {
    Value(V),
    Absent,
    /// Expired, but its load has failed a moment ago.
    Spared(V),
}

/// What a loader has brought: of one key, or of many.
pub(crate) struct Loaded<T> {
    pub(crate) value: T,
    pub(crate) terms: Terms,
    pub(crate) begun: Nanos,
    pub(crate) ended: Nanos,
    /// What one key of it took.
    pub(crate) took: Nanos,
}

impl<K: Hash + Eq + Clone, V: Clone> Memo<K, V> {
    /// Returns the value of a key, loaded now if it is not there.
    ///
    /// However many threads ask at once, one loads and the others wait for it; callers of other
    /// keys never do. If the loader panics, its caller panics and a waiter loads in its place.
    /// A caller that has waited too long ([`Builder::wait`](crate::Builder::wait)) runs its own
    /// loader, whose value is returned but not kept.
    ///
    /// # Panics
    ///
    /// When a loader asks for the key that it is loading.
    #[inline]
    pub fn get_or_load<Q>(&self, key: &Q, loader: impl FnOnce() -> V) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        self.get_or_load_with(key, |_| loader())
    }

    /// Returns the value of a key, as [`get_or_load`](Memo::get_or_load) does; the loader may say
    /// what becomes of it.
    ///
    /// # Panics
    ///
    /// When a loader asks for the key that it is loading.
    #[inline]
    pub fn get_or_load_with<Q>(&self, key: &Q, loader: impl FnOnce(&Load<'_>) -> V) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        match self.seek(key) {
            Some((value, false)) => value,
            seen => self.load(key, seen.map(|(due, _)| due), loader),
        }
    }

    /// Returns the value of a key, loaded now if it is not there; an error is not remembered.
    ///
    /// Waiters of a load that failed load for themselves, one after another.
    ///
    /// # Errors
    ///
    /// [`LoadError::Loader`] is this caller's loader's own error. [`LoadError::Memo`] says that
    /// the loader asked for the key that it is loading, or that another thread's load outlasted
    /// the [`wait`](crate::Builder::wait). With
    /// [`stale_on_error`](crate::Builder::stale_on_error), a value that has just expired is
    /// returned instead of the loader's error and of the time-out.
    #[inline]
    pub fn get_or_try_load<Q, E>(
        &self,
        key: &Q,
        loader: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        self.get_or_try_load_with(key, |_| loader())
    }

    /// Returns the value of a key, as [`get_or_try_load`](Memo::get_or_try_load) does; the loader
    /// may say what becomes of it.
    ///
    /// # Errors
    ///
    /// As of [`get_or_try_load`](Memo::get_or_try_load).
    #[inline]
    pub fn get_or_try_load_with<Q, E>(
        &self,
        key: &Q,
        loader: impl FnOnce(&Load<'_>) -> Result<V, E>,
    ) -> Result<V, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        match self.seek(key) {
            Some((value, false)) => Ok(value),
            seen => self.try_load(key, seen.map(|(due, _)| due), loader),
        }
    }

    /// Returns the value of a key or that there is none, looked for now if neither is known.
    ///
    /// That there is none is remembered if the memo was built with
    /// [`negative`](crate::Builder::negative); otherwise each caller looks for itself.
    ///
    /// ```
    /// use larder_memo::{LoadError, Memo};
    /// use std::time::Duration;
    ///
    /// let users: Memo<u64, String> =
    ///     Memo::builder(1000).negative(100, Duration::from_secs(5)).build();
    ///
    /// assert_eq!(users.get_or_find(&7, || Ok::<_, &str>(None))?, None);
    /// assert_eq!(users.get_or_find(&7, || Err("is not asked again"))?, None);
    /// # Ok::<(), larder_memo::LoadError<&str>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`get_or_try_load`](Memo::get_or_try_load).
    #[inline]
    pub fn get_or_find<Q, E>(
        &self,
        key: &Q,
        loader: impl FnOnce() -> Result<Option<V>, E>,
    ) -> Result<Option<V>, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        self.get_or_find_with(key, |_| loader())
    }

    /// Returns the value of a key or that there is none, as [`get_or_find`](Memo::get_or_find)
    /// does; the loader may say what becomes of it.
    ///
    /// # Errors
    ///
    /// As of [`get_or_try_load`](Memo::get_or_try_load).
    #[inline]
    pub fn get_or_find_with<Q, E>(
        &self,
        key: &Q,
        loader: impl FnOnce(&Load<'_>) -> Result<Option<V>, E>,
    ) -> Result<Option<V>, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        match self.seek(key) {
            Some((value, false)) => Ok(Some(value)),
            seen => self.find(key, seen.map(|(due, _)| due), loader),
        }
    }

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

    #[cold]
    fn load<Q>(&self, key: &Q, due: Option<V>, loader: impl FnOnce(&Load<'_>) -> V) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        let loader = |load: &Load<'_>| Ok::<_, Infallible>(Some(loader(load)));
        match self.answer(key, due, Ask::Anyhow, loader) {
            Ok(value) => value.expect("who asks for a value gets no other answer"),
            Err(LoadError::Memo(error)) => panic!("{error}"),
            Err(LoadError::Loader(never)) => match never {},
        }
    }

    #[cold]
    fn try_load<Q, E>(
        &self,
        key: &Q,
        due: Option<V>,
        loader: impl FnOnce(&Load<'_>) -> Result<V, E>,
    ) -> Result<V, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        let answer = self.answer(key, due, Ask::Value, |load| loader(load).map(Some))?;
        Ok(answer.expect("who asks for a value gets no other answer"))
    }

    #[cold]
    fn find<Q, E>(
        &self,
        key: &Q,
        due: Option<V>,
        loader: impl FnOnce(&Load<'_>) -> Result<Option<V>, E>,
    ) -> Result<Option<V>, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        match due.is_none() && self.knows_absent(key) {
            true => Ok(None),
            false => self.answer(key, due, Ask::Either, loader),
        }
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
    fn answer<Q, E>(
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
            return self.pass(loader);
        }
        match self.turn(hash, key, ask) {
            Turn::Known(found) => Ok(self.known(found)),
            Turn::Landed(landed) => Ok(self.coalesced(landed.value)),
            Turn::Lead(lead) => self.lead(lead, hash, key, loader),
            Turn::Refused(error) => self.refused(error, key, ask, loader),
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
        let epochs = &self.judge.epochs;
        let look = || self.look(key, ask).ok_or_else(|| epochs.begin());
        let mut patience = Patience::new(self.cold.0.patience);
        loop {
            let may_join = |stamp| epochs.is_fresh(stamp);
            match self.flights(hash).turn(hash, key, &mut patience, look, may_join) {
                Turn::Landed(landed) if !self.suits(&landed, ask) => {}
                turn => return turn,
            }
        }
    }

    /// Finds either, or a load of another caller, or takes the lead; waits for nothing.
    pub(crate) fn board<Q>(&self, hash: u64, key: &Q) -> Boarding<'_, K, Landed<V>, Found<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let epochs = &self.judge.epochs;
        let look = || self.look(key, Ask::Either).ok_or_else(|| epochs.begin());
        self.flights(hash).board(hash, key, look, |stamp| epochs.is_fresh(stamp))
    }

    /// Takes the lead of a refresh, unless somebody has.
    pub(crate) fn board_due<Q>(&self, hash: u64, key: &Q) -> Option<Lead<'_, K, Landed<V>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
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

    /// Runs a loader, and counts it whatever becomes of it.
    pub(crate) fn run<T, E>(
        &self,
        loader: impl FnOnce(&Load<'_>) -> Result<T, E>,
    ) -> Result<Loaded<T>, E> {
        let load = Load::new(&self.judge.epochs);
        let run = Run { memo: self, begun: self.judge.now(), is_over: false };
        let value = loader(&load)?;
        let (begun, ended) = run.end();
        Ok(Loaded {
            value,
            terms: load.into_terms(),
            begun,
            ended,
            took: ended.saturating_sub(begun),
        })
    }

    fn lead<Q, E>(
        &self,
        lead: Lead<'_, K, Landed<V>>,
        hash: u64,
        key: &Q,
        loader: impl FnOnce(&Load<'_>) -> Result<Option<V>, E>,
    ) -> Result<Option<V>, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let error = match self.run(loader) {
            Ok(loaded) => return Ok(self.land(lead, hash, key, loaded)),
            Err(error) => error,
        };
        self.land_late(lead, key).ok_or(LoadError::Loader(error))
    }

    /// Lands what there was in place of what could not be loaded, if there was anything.
    pub(crate) fn land_late<Q>(&self, lead: Lead<'_, K, Landed<V>>, key: &Q) -> Option<Option<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let late = self.late(key)?;
        let value = late.value.clone();
        // The key that the flight held is dropped after the lock.
        lead.land(late, |key| key);
        Some(value)
    }

    /// Loads anew what is there. Nobody waits for it but those who come after the expiry.
    fn refresh<Q, E>(
        &self,
        hash: u64,
        key: &Q,
        present: V,
        loader: impl FnOnce(&Load<'_>) -> Result<Option<V>, E>,
    ) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Some(lead) = self.board_due(hash, key) else { return Some(present) };
        match self.run(loader) {
            Ok(loaded) => {
                self.counters.rare().refreshes.add(1);
                self.land(lead, hash, key, loaded)
            }
            Err(_) => Some(present),
        }
    }

    /// The answer of a caller that may neither wait nor lead.
    fn refused<Q, E>(
        &self,
        error: Error,
        key: &Q,
        ask: Ask,
        loader: impl FnOnce(&Load<'_>) -> Result<Option<V>, E>,
    ) -> Result<Option<V>, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if !error.is_timeout() {
            return Err(error.into());
        }
        self.counters.rare().timeouts.add(1);
        match self.late(key) {
            Some(late) => Ok(late.value),
            None if ask == Ask::Anyhow => self.pass(loader),
            None => Err(error.into()),
        }
    }

    /// Loads for this caller alone.
    fn pass<E>(
        &self,
        loader: impl FnOnce(&Load<'_>) -> Result<Option<V>, E>,
    ) -> Result<Option<V>, LoadError<E>> {
        self.run(loader).map(|loaded| loaded.value).map_err(LoadError::Loader)
    }

    /// The value that is returned in place of an error, if there is one. It takes the turn: until
    /// the next one nobody tries to load.
    pub(crate) fn late<Q>(&self, key: &Q) -> Option<Landed<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let life = &self.present.life;
        if life.grace == 0 {
            return None;
        }
        let look = |entry: &Entry<V>| {
            match self.judge.verdict(entry, life) {
                Verdict::Grace(phase) => drop(entry.take_turn(phase)),
                // Inserted while the loader failed.
                Verdict::Live => {}
                _ => return None,
            }
            let (value, sources) = (Some(entry.value.clone()), entry.sources.clone());
            Some(Landed { value, stamp: entry.stamp, sources, is_late: true })
        };
        let late = self.present.read(key, look).flatten()?;
        self.counters.rare().stale_serves.add(1);
        Some(late)
    }

    /// Stores what was loaded unless it was invalidated meanwhile, and gives it to the waiters.
    pub(crate) fn land<Q>(
        &self,
        lead: Lead<'_, K, Landed<V>>,
        hash: u64,
        key: &Q,
        loaded: Loaded<Option<V>>,
    ) -> Option<V>
    where
        K: Borrow<Q>,
        Q: ToOwned<Owned = K> + ?Sized,
    {
        let Loaded { value, terms, begun, ended, took } = loaded;
        let (stamp, sources) = (lead.stamp(), terms.sources);
        let sources_too = sources.clone();
        let landed = Landed { value: value.clone(), stamp, sources: sources_too, is_late: false };
        let (fate, record) = match terms.is_kept {
            true => {
                let expires_in = terms.expires_in;
                let origin = Origin { stamp, sources, begun, ended, took, expires_in };
                let (fate, record) = self.fate(key.to_owned(), hash, value.clone(), origin);
                (fate, Some(record))
            }
            false => (Fate::Nothing, None),
        };
        let pins = self.pins();
        let mut gone = self.departures();
        let settled = lead.land(landed, |key| self.settle(key, fate, &pins, &mut gone));
        if let Some(record) = record {
            self.admit(settled.unwrap_or(Settled::Nowhere), record, &pins, &mut gone);
        }
        gone.announce();
        value
    }
}

/// A loader at work: counted when it ends, and as failed if it ends in another way.
struct Run<'m, K: Hash + Eq, V> {
    memo: &'m Memo<K, V>,
    begun: Nanos,
    is_over: bool,
}

impl<K: Hash + Eq, V> Run<'_, K, V> {
    fn end(mut self) -> (Nanos, Nanos) {
        self.is_over = true;
        let ended = self.memo.judge.now();
        self.count(ended);
        (self.begun, ended)
    }

    fn count(&self, ended: Nanos) {
        let rare = self.memo.counters.rare();
        rare.loads.add(1);
        rare.load_ns.add(ended.saturating_sub(self.begun));
    }
}

impl<K: Hash + Eq, V> Drop for Run<'_, K, V> {
    fn drop(&mut self) {
        if !self.is_over {
            self.count(self.memo.judge.now());
            self.memo.counters.rare().load_failures.add(1);
        }
    }
}
