//! The bounded memo: what it is made of, and how it is read and changed. `answer` loads,
//! `fate` stores.
//!
//! # Who writes what
//!
//! | part | written by | under |
//! |---|---|---|
//! | `present`, `absent` (an entry comes) | leaders, `insert` | the key's flights lock |
//! | `present`, `absent` (an entry goes) | `invalidate`, leaders, `insert` | the key's flights lock |
//! | | the policy of the store | its policy lock |
//! | | `invalidate_if` | nothing: entry by entry, if it is still the one that was judged |
//! | an entry's credit, last use, turn | hits of that entry, seldom; the policy | nothing |
//! | `judge.epochs` | `invalidate_all`, bumps | nothing: atomic maxima |
//! | `counters` | everybody | nothing: a line for each thread, for what hits count |
//!
//! Lock order: flights, then the shelf's own. A policy lock is taken with neither held. Loaders,
//! weighers, predicates and listeners run under none of them; keys and values are dropped under
//! none (see `shelf`).
//!
//! # Why an invalidated value does not come back
//!
//! *By key.* Storing and invalidating meet in the flights lock of the key. An invalidation takes
//! the flight off the list, so its leader no longer stores, and newcomers lead anew.
//!
//! *All at once.* An entry carries the stamp noted before its load began; a hit compares it with
//! the versions of its tables, read after the entry. A load from before the bump may be stored but
//! is never served. Newcomers compare the stamp of a flight in the same way before they join it,
//! and what it gives them with the tables that its loader named.
//!
//! *By predicate.* All flights are taken off their lists, then all entries are judged: what came
//! between the two was loaded since the call. Then the flights that are there now are taken off
//! too: the leader of one may have read an entry that was judged later, to return it late.

use crate::answer::Landed;
use crate::builder::{Builder, Weigher};
use crate::entry::{Entry, Sources};
use crate::fate::Origin;
use crate::flights::Flights;
use crate::hash::Seeded;
use crate::judge::{Judge, Verdict};
use crate::life::{Lifetimes, Phase};
use crate::listener::{Cause, Departures, Listener};
use crate::policy::Bound;
use crate::shelf::Pin;
use crate::stats::{Counters, Stats};
use crate::store::Store;
use crate::sync::Apart;
use crate::tables::Epochs;
use std::borrow::Borrow;
use std::fmt::{self, Debug};
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

/// Flights lists: misses of different keys seldom meet.
const SHARDS: usize = if cfg!(loom) { 1 } else { 16 };

/// A bounded memo: for answers that may change, and for keys that a client can choose.
///
/// It holds at most `max_entries`, and with a [`weigher`](Builder::weigher) at most so much
/// weight; the least valuable leave first. (While several threads store at once, each may be one
/// entry ahead of the bound.) A hit reads behind a guard; it counts itself on a line that no other
/// thread writes, as long as at most 1,023 threads that count are alive, and writes its entry's
/// two-bit counter until that is saturated.
/// [`get`](Memo::get) clones the value; if the clone would write shared memory, as that of an
/// `Arc` does, [`read`](Memo::read) lends it instead.
///
/// A load that began before an invalidation is never stored, and never returned to a caller that
/// asked after it. That holds for values, for [negative entries](Builder::negative), for
/// [refreshes](Builder::refresh_ahead), and for values that are
/// [returned late](Builder::stale_on_error).
///
/// What was evicted or replaced is dropped a little later, in batches, by whichever thread comes
/// by: beside what the bounds allow, a batch of each thread that stores stays in memory until that
/// thread stores again. It holds 32 values, or more where there are more processors.
///
/// `Hash`, `Eq` and `Clone` of keys, `Clone` of values, and a [clock](Builder::clock) of your own
/// run under the memo's locks and must not call it. `Hash` and `Eq` must not panic either: the memo
/// stays safe to use, but may count wrong from then on. Loaders, listeners, weighers and predicates
/// run under none.
///
/// A thread-local's destructor must not call it either: the storage that guards its readers may be
/// gone by then, and a panic there aborts the process.
///
/// A memo that was built with [`tables`](Builder::tables) or [`depends_on`](Builder::depends_on) is
/// bypassed inside a [`Transaction`](crate::Transaction) of them. One without is not.
///
/// ```
/// use larder_memo::Memo;
/// use std::time::Duration;
///
/// let titles: Memo<u64, String> = Memo::builder(10_000).ttl(Duration::from_secs(60)).build();
///
/// let title = titles.get_or_load(&7, || "Seven Sisters".to_owned());
/// assert_eq!(title, "Seven Sisters");
/// titles.invalidate(&7);
/// assert_eq!(titles.get(&7), None);
/// ```
pub struct Memo<K, V> {
    pub(crate) present: Store<K, V>,
    pub(crate) judge: Judge,
    pub(crate) counters: Counters,
    /// What hits do not read.
    pub(crate) cold: Apart<Cold<K, V>>,
}

pub(crate) struct Cold<K, V> {
    /// Loads in progress, by hash.
    flights: Box<[Flights<K, Landed<V>>]>,
    /// Keys that are known to have no value.
    pub(crate) absent: Option<Store<K, ()>>,
    pub(crate) patience: Duration,
    pub(crate) weigher: Option<Weigher<K, V>>,
    listener: Option<Listener<K, V>>,
}

/// Pins on both stores: see `shelf`.
pub(crate) struct Pins<'m> {
    pub(crate) present: Pin<'m>,
    absent: Option<Pin<'m>>,
}

impl<K: Hash + Eq, V> Memo<K, V> {
    /// Starts a memo that holds at most `max_entries`.
    ///
    /// # Panics
    ///
    /// When `max_entries` is zero.
    pub fn builder(max_entries: usize) -> Builder<K, V> {
        Builder::new(max_entries)
    }

    pub(crate) fn from_builder(builder: Builder<K, V>, epochs: Epochs) -> Self {
        let absent = builder.negative.map(|(max_entries, ttl)| {
            let bound = Bound { max_entries, max_weight: u64::MAX };
            Store::new(bound, Lifetimes { ttl, ..Lifetimes::ENDLESS })
        });
        Memo {
            present: Store::new(builder.bound, builder.life),
            judge: Judge::new(epochs, builder.clock),
            counters: Counters::new(),
            cold: Apart(Cold {
                flights: (0..SHARDS).map(|_| Flights::new()).collect(),
                absent,
                patience: builder.patience,
                weigher: builder.weigher,
                listener: builder.listener,
            }),
        }
    }

    /// Counts the entries, with those that are stale or expired but still take up room.
    ///
    /// Negative entries have a count of their own: see [`stats`](Memo::stats).
    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// Tells whether no entry takes up room.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds up what the entries weigh: their number, unless there is a
    /// [`weigher`](Builder::weigher).
    pub fn weight(&self) -> u64 {
        self.present.weight()
    }

    /// Tells what the memo has done so far, and what it holds.
    ///
    /// Adding up the counters of all threads takes about a microsecond.
    pub fn stats(&self) -> Stats {
        let absent = self.cold.0.absent.as_ref();
        Stats {
            entries: self.len() as u64,
            negative_entries: absent.map_or(0, |absent| absent.len() as u64),
            weight: self.weight(),
            ..self.counters.snapshot()
        }
    }

    /// Shows the value of a key to `look` and returns its answer, or `None` on a miss.
    ///
    /// The value stays readable while `look` runs, and memory freed meanwhile waits for it:
    /// keep it short.
    #[inline]
    pub fn read<Q, R>(&self, key: &Q, look: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let look = |entry: &Entry<V>| self.serve(entry).map(|_| look(&entry.value));
        let seen = self.present(key, look).flatten();
        if seen.is_none() {
            self.counters.count_miss();
        }
        seen
    }

    /// Tells whether a key has a value that `get` would return. It is no hit: nothing is counted.
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.present(key, |entry| self.is_live(entry)).unwrap_or(false)
    }

    /// Shows the keys and values that `get` would return, in no order.
    ///
    /// What comes or goes meanwhile may be shown or not; the rest is shown once. Memory freed
    /// meanwhile waits for the end.
    pub fn for_each(&self, mut look: impl FnMut(&K, &V)) {
        let is_bypassed = self.judge.epochs.is_bypassed();
        self.present.for_each(&self.present.pin(), |key, entry| {
            if !is_bypassed && self.is_live(entry) {
                look(key, &entry.value);
            }
        });
    }

    /// Forgets a key, also that it has no value. A load of it that is in progress is not stored,
    /// and callers from now on do not get its value.
    pub fn invalidate<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = Seeded::new().hash_one(key);
        let pins = self.pins();
        let mut gone = self.departures();
        let flights = self.flights(hash);
        flights.detach(hash, key, || self.clear(key, Cause::Invalidated, &pins, &mut gone));
        gone.announce();
    }

    /// Forgets everything, loads in progress included, in one step whatever the number.
    ///
    /// The entries take up room until the policy comes to them; they are the first to go.
    pub fn invalidate_all(&self) {
        self.judge.epochs.advance();
    }

    /// Forgets the entries for which `is_it`, in time proportional to their number.
    ///
    /// What has no value to be judged is forgotten too: loads in progress, which are not stored
    /// and not returned to callers from now on, and negative entries.
    pub fn invalidate_if(&self, mut is_it: impl FnMut(&K, &V) -> bool) {
        self.cold.0.flights.iter().for_each(Flights::detach_all);
        let pins = self.pins();
        let mut gone = self.departures();
        if let Some((absent, pin)) = self.absent(&pins) {
            absent.take_if(|_, _| true, pin, drop);
        }
        let is_it = |key: &K, entry: &Entry<V>| is_it(key, &entry.value);
        self.present.take_if(is_it, &pins.present, |taken| gone.add(taken, Cause::Invalidated));
        self.cold.0.flights.iter().for_each(Flights::detach_all);
        gone.announce();
    }

    /// Shows the entry of a key, unless this thread is inside a transaction.
    #[inline]
    pub(crate) fn present<Q, R>(&self, key: &Q, look: impl FnOnce(&Entry<V>) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        match self.judge.epochs.is_bypassed() {
            true => None,
            false => self.present.read(key, look),
        }
    }

    /// Tells whether an entry may be served, and counts that it is.
    #[inline]
    pub(crate) fn serve(&self, entry: &Entry<V>) -> Option<Phase> {
        let phase = self.judge.serve(entry, &self.present.life)?;
        self.counters.count_hit(entry.cost);
        Some(phase)
    }

    fn is_live(&self, entry: &Entry<V>) -> bool {
        self.judge.verdict(entry, &self.present.life) == Verdict::Live
    }

    pub(crate) fn flights(&self, hash: u64) -> &Flights<K, Landed<V>> {
        &self.cold.0.flights[hash as usize % SHARDS]
    }

    pub(crate) fn pins(&self) -> Pins<'_> {
        Pins { present: self.present.pin(), absent: self.cold.0.absent.as_ref().map(Store::pin) }
    }

    pub(crate) fn departures(&self) -> Departures<'_, K, V> {
        Departures::new(self.cold.0.listener.as_ref(), &self.counters)
    }

    pub(crate) fn absent<'p>(
        &'p self,
        pins: &'p Pins<'_>,
    ) -> Option<(&'p Store<K, ()>, &'p Pin<'p>)> {
        self.cold.0.absent.as_ref().zip(pins.absent.as_ref())
    }
}

impl<K: Hash + Eq, V: Clone> Memo<K, V> {
    /// Returns a clone of the value of a key. It neither locks nor waits.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.read(key, V::clone)
    }
}

impl<K: Hash + Eq + Clone, V> Memo<K, V> {
    /// Stores a value, in place of the one that is there and of any load in progress.
    ///
    /// Inside a [`Transaction`](crate::Transaction) of its tables it does nothing more than
    /// [`invalidate`](Memo::invalidate): the value may come from rows that are never committed.
    ///
    /// The value counts as fresh as of this call. If it was read before it, a bump or an
    /// invalidation in between is not noticed, and the old value stays. So bring what is read with
    /// a load, and what is changed with a transaction, whose commit forgets the old value.
    pub fn insert(&self, key: K, value: V) {
        self.store(key, value, None);
    }

    /// Stores a value, as [`insert`](Memo::insert) does, that is served for so long, in place of
    /// the memo's [`ttl`](Builder::ttl).
    ///
    /// # Panics
    ///
    /// When `ttl` is zero.
    pub fn insert_with_ttl(&self, key: K, value: V, ttl: Duration) {
        assert!(!ttl.is_zero(), "a value with no time to live is not to be inserted");
        self.store(key, value, Some(ttl));
    }

    fn store(&self, key: K, value: V, expires_in: Option<Duration>) {
        if self.judge.epochs.is_bypassed() {
            return self.invalidate(&key);
        }
        let hash = Seeded::new().hash_one(&key);
        let (stamp, now) = (self.judge.epochs.begin(), self.judge.now());
        let sources = Sources::default();
        let origin = Origin { stamp, sources, begun: now, ended: now, took: 0, expires_in };
        let (fate, record) = self.fate(key.clone(), hash, Some(value), origin);
        let pins = self.pins();
        let mut gone = self.departures();
        let settle = || self.settle(key, fate, &pins, &mut gone);
        let settled = self.flights(hash).detach(hash, &record.key, settle);
        self.admit(settled, record, &pins, &mut gone);
        gone.announce();
    }
}

impl<K: Hash + Eq, V> Debug for Memo<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("len", &self.len()).finish_non_exhaustive()
    }
}
