//! Many keys in one load.
//!
//! | step | a key that is missing | becomes |
//! |---|---|---|
//! | 1 board | has been loaded since | known |
//! | | is loaded by another caller | awaited |
//! | | is loaded by nobody | led: from here on others wait for this call |
//! | 2 load | led | known: one call of the loader brings all that are led, and each lands |
//! | 3 await | awaited, and lands | known |
//! | | awaited, and its loader fails | missing: the next round begins with step 1 |
//! | | awaited for too long | overtaken: one more round without step 3, then loaded alone |
//!
//! Nobody waits in step 3 before its own keys have landed in step 2. So two calls whose keys
//! overlap, in whatever order, wait for loads that wait for nothing: no circle can close.

use crate::answer::Landed;
use crate::ask::Ask;
use crate::error::{Error, LoadError};
use crate::flight::{Flight, Waited};
use crate::flights::{Boarding, Lead, Patience};
use crate::hash::Seeded;
use crate::lead::Loaded;
use crate::load::Load;
use crate::memo::Memo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

/// A key that was missing, once however often it was asked for.
struct Want<'c, K, V> {
    key: &'c K,
    hash: u64,
    /// What is there, if this caller has taken the turn to refresh it.
    due: Option<V>,
    /// Known when it is set: a value, or that there is none.
    answer: Option<Option<V>>,
}

/// The keys of one round, as numbers of wants.
struct Round<'m, K, V> {
    led: Vec<(usize, Lead<'m, K, Landed<V>>)>,
    awaited: Vec<(usize, Arc<Flight<Landed<V>>>)>,
}

/// What a call was given, in the order of its keys.
enum Seen<V> {
    Hit(V),
    Wanted(usize),
}

impl<K: Hash + Eq + Clone + Debug, V: Clone> Memo<K, V> {
    /// Returns the values of many keys in their order; those that are not there come from one
    /// load.
    ///
    /// The loader is called with the keys that are missing and that nobody else is loading, each
    /// once, and returns rows in any order: `SELECT ... WHERE id IN (...)`. A key that it returns
    /// no row for has no value; that is remembered if the memo was built with
    /// [`negative`](crate::Builder::negative). Rows of other keys are ignored.
    ///
    /// Keys that other callers are loading are waited for when the own load has ended, so that no
    /// two calls wait for each other. If one of those loads fails, or lasts too long and is
    /// overtaken ([`Builder::wait`](crate::Builder::wait)), the loader is called again for what is
    /// left.
    /// If the loader panics, its caller panics, and those who wait load for themselves.
    ///
    /// Each missing key takes a place in a list that every other one searches, and misses of other
    /// callers too while the loader runs: the cost of a call grows with the square of their number.
    /// It is meant for hundreds of keys; split what has many thousands.
    ///
    /// ```
    /// use larder_memo::Memo;
    ///
    /// let titles: Memo<u64, String> = Memo::builder(1000).build();
    /// titles.insert(2, "Dawn".to_owned());
    ///
    /// let shown = titles.get_many(&[1, 2, 3, 1], |missing| {
    ///     assert_eq!(missing, [1, 3]); // SELECT id, title FROM photos WHERE id IN (1, 3)
    ///     vec![(3, "Dusk".to_owned())]
    /// });
    /// assert_eq!(shown, [None, Some("Dawn".to_owned()), Some("Dusk".to_owned()), None]);
    /// ```
    ///
    /// # Panics
    ///
    /// When a loader asks for a key that it is loading.
    pub fn get_many<I>(&self, keys: &[K], mut loader: impl FnMut(&[K]) -> I) -> Vec<Option<V>>
    where
        I: IntoIterator<Item = (K, V)>,
    {
        let mut loader = |keys: &[K], _: &Load<'_>| Ok::<_, Infallible>(loader(keys));
        match self.many(keys, Ask::Anyhow, &mut loader) {
            Ok(values) => values,
            Err(LoadError::Memo(error)) => panic!("{error}"),
            Err(LoadError::Loader(never)) => match never {},
        }
    }

    /// Returns the values of many keys, as [`get_many`](Memo::get_many) does; an error is not
    /// remembered.
    ///
    /// # Errors
    ///
    /// As of [`get_or_try_load`](Memo::get_or_try_load). What has been loaded by then is kept.
    pub fn try_get_many<I, E>(
        &self,
        keys: &[K],
        mut loader: impl FnMut(&[K]) -> Result<I, E>,
    ) -> Result<Vec<Option<V>>, LoadError<E>>
    where
        I: IntoIterator<Item = (K, V)>,
    {
        self.try_get_many_with(keys, |keys, _| loader(keys))
    }

    /// Returns the values of many keys, as [`try_get_many`](Memo::try_get_many) does; the loader
    /// may say what becomes of them, all alike.
    ///
    /// # Errors
    ///
    /// As of [`get_or_try_load`](Memo::get_or_try_load). What has been loaded by then is kept.
    pub fn try_get_many_with<I, E>(
        &self,
        keys: &[K],
        mut loader: impl FnMut(&[K], &Load<'_>) -> Result<I, E>,
    ) -> Result<Vec<Option<V>>, LoadError<E>>
    where
        I: IntoIterator<Item = (K, V)>,
    {
        self.many(keys, Ask::Either, &mut loader)
    }

    fn many<I, E>(
        &self,
        keys: &[K],
        ask: Ask,
        loader: &mut impl FnMut(&[K], &Load<'_>) -> Result<I, E>,
    ) -> Result<Vec<Option<V>>, LoadError<E>>
    where
        I: IntoIterator<Item = (K, V)>,
    {
        let (seen, mut wants) = self.look_up(keys);
        if self.judge.epochs.is_bypassed() {
            self.bring(&mut wants, loader)?;
        }
        let mut patience = Patience::new(self.cold.0.patience);
        while wants.iter().any(|want| want.answer.is_none()) {
            let round = self.board_all(&mut wants)?;
            self.load_all(round.led, &mut wants, loader)?;
            if let Err(error) = self.await_all(round.awaited, &mut wants, &mut patience) {
                match ask {
                    Ask::Anyhow => self.load_overtaken(&mut wants, loader)?,
                    _ => return Err(error.into()),
                }
            }
        }
        let answer = |seen| match seen {
            Seen::Hit(value) => Some(value),
            Seen::Wanted(at) => wants[at].answer.clone().expect("the rounds end when all is known"),
        };
        Ok(seen.into_iter().map(answer).collect())
    }

    /// Looks for every key, and lists those that are missing or due.
    fn look_up<'c>(&self, keys: &'c [K]) -> (Vec<Seen<V>>, Vec<Want<'c, K, V>>) {
        let mut wants = Vec::new();
        let mut places: HashMap<&K, usize, Seeded> = HashMap::default();
        let look = |key: &'c K| {
            let due = match self.seek(key) {
                Some((value, false)) => return Seen::Hit(value),
                seen => seen.map(|(due, _)| due),
            };
            Seen::Wanted(*places.entry(key).or_insert_with(|| {
                wants.push(self.want(key, due));
                wants.len() - 1
            }))
        };
        (keys.iter().map(look).collect(), wants)
    }

    fn want<'c>(&self, key: &'c K, due: Option<V>) -> Want<'c, K, V> {
        let answer = (due.is_none() && self.knows_absent(key)).then_some(None);
        if due.is_none() && answer.is_none() {
            self.counters.count_miss();
        }
        Want { key, hash: Seeded::new().hash_one(key), due, answer }
    }

    /// Step 1. Nothing is waited for, so the order of the keys does not matter.
    fn board_all(&self, wants: &mut [Want<'_, K, V>]) -> Result<Round<'_, K, V>, Error> {
        let mut round = Round { led: Vec::new(), awaited: Vec::new() };
        for (at, want) in wants.iter_mut().enumerate().filter(|(_, want)| want.answer.is_none()) {
            if let Some(present) = &want.due {
                match self.board_due(want.hash, want.key) {
                    Some(lead) => round.led.push((at, lead)),
                    None => want.answer = Some(Some(present.clone())),
                }
                continue;
            }
            match self.board(want.hash, want.key, Ask::Either) {
                Boarding::Known(found) => want.answer = Some(self.known(found)),
                Boarding::Wait(flight) => round.awaited.push((at, flight)),
                Boarding::Lead(lead) => round.led.push((at, lead)),
                Boarding::Recursion => return Err(Error::recursion(want.key)),
            }
        }
        Ok(round)
    }

    /// Step 2. A panic of the loader drops the leads, and so wakes those who wait for them.
    fn load_all<I, E>(
        &self,
        led: Vec<(usize, Lead<'_, K, Landed<V>>)>,
        wants: &mut [Want<'_, K, V>],
        loader: &mut impl FnMut(&[K], &Load<'_>) -> Result<I, E>,
    ) -> Result<(), LoadError<E>>
    where
        I: IntoIterator<Item = (K, V)>,
    {
        if led.is_empty() {
            return Ok(());
        }
        let keys: Vec<K> = led.iter().map(|(at, _)| wants[*at].key.clone()).collect();
        let loaded = match self.run(|load| rows(loader(&keys, load)?)) {
            Ok(loaded) => loaded,
            Err(error) => return self.fail_all(led, wants, error),
        };
        let Loaded { value: mut rows, terms, begun, ended, took } = loaded;
        let took = took / keys.len() as u64;
        for (at, lead) in led {
            let want = &mut wants[at];
            let value = rows.remove(want.key);
            if want.due.is_some() {
                self.counters.rare().refreshes.add(1);
            }
            let terms = terms.clone();
            let loaded = Loaded { value, terms, begun, ended, took };
            want.answer = Some(self.land(lead, want.hash, want.key, loaded));
        }
        Ok(())
    }

    /// Lands what is there in place of what could not be loaded; the error stands if something
    /// has nothing in its place.
    fn fail_all<E>(
        &self,
        led: Vec<(usize, Lead<'_, K, Landed<V>>)>,
        wants: &mut [Want<'_, K, V>],
        error: E,
    ) -> Result<(), LoadError<E>> {
        let mut is_answered = true;
        for (at, lead) in led {
            let want = &mut wants[at];
            want.answer = match want.due.take() {
                Some(present) => Some(Some(present)),
                None => self.land_late(lead, want.key),
            };
            is_answered &= want.answer.is_some();
        }
        is_answered.then_some(()).ok_or(LoadError::Loader(error))
    }

    /// Step 3. After the deadline it only looks whether a load has ended.
    fn await_all(
        &self,
        awaited: Vec<(usize, Arc<Flight<Landed<V>>>)>,
        wants: &mut [Want<'_, K, V>],
        patience: &mut Patience,
    ) -> Result<(), Error> {
        let mut last = Ok(());
        for (at, flight) in awaited {
            let want = &mut wants[at];
            match flight.wait(patience.deadline()) {
                Waited::Landed(landed) if self.suits(&landed, Ask::Either) => {
                    want.answer = Some(self.coalesced(landed.value));
                }
                Waited::Landed(_) | Waited::Abandoned => {}
                Waited::TimedOut => {
                    self.flights(want.hash).overtake(&flight);
                    self.counters.rare().timeouts.add(1);
                    want.answer = self.late(want.key).map(|late| late.value);
                    if want.answer.is_none() {
                        last = Err(Error::timeout(want.key, patience.limit));
                    }
                }
            }
        }
        last
    }

    /// Loads what has been waited for too long, in place of those who have not brought it. What
    /// somebody else has overtaken is loaded for this caller alone.
    fn load_overtaken<I, E>(
        &self,
        wants: &mut [Want<'_, K, V>],
        loader: &mut impl FnMut(&[K], &Load<'_>) -> Result<I, E>,
    ) -> Result<(), LoadError<E>>
    where
        I: IntoIterator<Item = (K, V)>,
    {
        let round = self.board_all(wants)?;
        self.load_all(round.led, wants, loader)?;
        self.bring(wants, loader)
    }

    /// Loads what is left for this caller alone, and keeps nothing.
    fn bring<I, E>(
        &self,
        wants: &mut [Want<'_, K, V>],
        loader: &mut impl FnMut(&[K], &Load<'_>) -> Result<I, E>,
    ) -> Result<(), LoadError<E>>
    where
        I: IntoIterator<Item = (K, V)>,
    {
        let left = || wants.iter().filter(|want| want.answer.is_none());
        let keys: Vec<K> = left().map(|want| want.key.clone()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let aside = |want: &Want<'_, K, V>| {
            let aside = self.flights(want.hash).aside(want.hash, want.key);
            aside.ok_or_else(|| Error::recursion(want.key))
        };
        let asides: Vec<_> = left().map(aside).collect::<Result<_, _>>()?;
        let loaded = self.run(|load| rows(loader(&keys, load)?)).map_err(LoadError::Loader)?;
        drop(asides);
        let mut rows = loaded.value;
        for want in wants.iter_mut().filter(|want| want.answer.is_none()) {
            want.answer = Some(rows.remove(want.key));
        }
        Ok(())
    }
}

/// What a loader returned, by key; of two rows of a key the last counts.
fn rows<K: Hash + Eq, V, E>(
    rows: impl IntoIterator<Item = (K, V)>,
) -> Result<HashMap<K, V, Seeded>, E> {
    Ok(rows.into_iter().collect())
}
