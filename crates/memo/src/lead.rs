//! What the leader of a load does: it runs the loader, and lands what that brought.
//!
//! A leader whose loader fails lands the expired value instead, if there is one in its grace: that
//! is read when the loader has failed, so nothing that was invalidated meanwhile is found. What is
//! invalidated between the reading and the landing reaches nobody who asks after it: by key or by
//! predicate, the flight is detached; by a bump, those who joined the flight compare the stamp of
//! the late value again.

use crate::answer::Landed;
use crate::entry::Entry;
use crate::error::{Error, LoadError};
use crate::fate::{Fate, Origin, Settled};
use crate::flights::Lead;
use crate::judge::Verdict;
use crate::life::Nanos;
use crate::load::{Load, Terms};
use crate::memo::Memo;
use std::borrow::Borrow;
use std::fmt::Debug;
use std::hash::Hash;

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
    /// Runs a loader, and counts it whatever becomes of it.
    pub(crate) fn run<T, E>(
        &self,
        loader: impl FnOnce(&Load<'_>) -> Result<T, E>,
    ) -> Result<Loaded<T>, E> {
        let load = Load::new(&self.judge.epochs);
        let begun = self.judge.now();
        let run = Run { memo: self, begun: self.judge.exact(), is_over: false };
        let value = loader(&load)?;
        let took = run.end();
        Ok(Loaded { value, terms: load.into_terms(), begun, ended: self.judge.now(), took })
    }

    pub(crate) fn lead<Q, E>(
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
        lead.land_unstored(late);
        Some(value)
    }

    /// Loads anew what is there. Nobody waits for it but those who come after the expiry.
    pub(crate) fn refresh<Q, E>(
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

    /// Loads for this caller alone.
    pub(crate) fn pass<Q, E>(
        &self,
        hash: u64,
        key: &Q,
        loader: impl FnOnce(&Load<'_>) -> Result<Option<V>, E>,
    ) -> Result<Option<V>, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        let _aside = self.flights(hash).aside(hash, key).ok_or_else(|| Error::recursion(key))?;
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
    /// Does neither if the loader opened a transaction: what it read may never be committed.
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
        if !terms.is_shared {
            // Dropping the lead has a waiter load in its place.
            return value;
        }
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
    /// By the exact clock.
    begun: Nanos,
    is_over: bool,
}

impl<K: Hash + Eq, V> Run<'_, K, V> {
    /// Counts it, and tells what it took.
    fn end(mut self) -> Nanos {
        self.is_over = true;
        self.count()
    }

    fn count(&self) -> Nanos {
        let took = self.memo.judge.exact().saturating_sub(self.begun);
        let rare = self.memo.counters.rare();
        rare.loads.add(1);
        rare.load_ns.add(took);
        took
    }
}

impl<K: Hash + Eq, V> Drop for Run<'_, K, V> {
    fn drop(&mut self) {
        if !self.is_over {
            self.count();
            self.memo.counters.rare().load_failures.add(1);
        }
    }
}
