//! The bounded memo.
//!
//! # Who writes what
//!
//! | part | written by | under |
//! |---|---|---|
//! | `shelf` (an entry comes) | leaders, `insert` | the key's flights lock |
//! | `shelf` (an entry goes) | `invalidate` | the key's flights lock |
//! | | the policy | the policy lock |
//! | an entry's credit | hits of that entry, until saturated; the policy | nothing |
//! | `epochs` | `invalidate_all`, bumps | nothing: one atomic addition |
//!
//! Lock order: flights, then the shelf's own. The policy lock is taken with neither held.
//!
//! # Why an invalidated value does not come back
//!
//! *By key.* Storing and invalidating meet in the flights lock of the key. An invalidation takes
//! the flight off the list, so its leader no longer stores, and newcomers lead anew.
//!
//! *All at once.* An entry carries the stamp noted before its load began; a hit compares it with
//! the versions of its tables, read after the entry. A load from before the bump may be stored but
//! is never served. Newcomers compare the stamp of a flight in the same way before they join it.

use crate::builder::Builder;
use crate::clock::Clock;
use crate::error::{Error, LoadError};
use crate::flights::{Flights, Lead, Turn};
use crate::hash::Seeded;
use crate::policy::{Entries, Policy, Record, Worth};
use crate::shelf::{Entry, Expiry, Shelf};
use crate::sync::{Apart, AtomicU32, Mutex, Ordering, lock};
use crate::tables::{Epochs, Stamp};
use std::borrow::Borrow;
use std::fmt::{self, Debug};
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

/// Flights lists: misses of different keys seldom meet.
const SHARDS: usize = if cfg!(loom) { 1 } else { 16 };

/// A bounded memo: for answers that may change, and for keys that a client can choose.
///
/// It holds at most `max_entries`; the least valuable leave first. A hit reads behind a guard and
/// writes at most its entry's own two-bit counter, and nothing once that is saturated.
/// [`get`](Memo::get) clones the value; if the clone would write shared memory, as that of an
/// `Arc` does, [`read`](Memo::read) lends it instead.
///
/// A load that began before an invalidation is never stored, and never returned to a caller that
/// asked after it.
///
/// What was evicted or replaced is dropped a little later, in batches, by whichever thread comes
/// by. `Hash`, `Eq`, `Clone` and `Drop` of keys and values run under the memo's locks and must
/// not call it.
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
    shelf: Shelf<K, V>,
    epochs: Epochs,
    ttl: Option<Duration>,
    clock: Box<dyn Clock>,
    patience: Duration,
    /// What misses write, on lines that no hit reads.
    cold: Apart<Cold<K, V>>,
}

struct Cold<K, V> {
    /// Loads in progress, by hash.
    flights: Box<[Flights<K, V>]>,
    /// The order of eviction; inserts take this lock.
    policy: Mutex<Policy<K>>,
    /// The next serial of an entry; inserts add to it.
    serials: AtomicU32,
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
        Memo {
            shelf: Shelf::new(),
            epochs,
            ttl: builder.ttl,
            clock: builder.clock,
            patience: builder.patience,
            cold: Apart(Cold {
                flights: (0..SHARDS).map(|_| Flights::new()).collect(),
                policy: Mutex::new(Policy::new(builder.max_entries)),
                serials: AtomicU32::new(0),
            }),
        }
    }

    /// Counts the entries, with those that are stale or expired but still take up room.
    pub fn len(&self) -> usize {
        self.shelf.len()
    }

    /// Tells whether no entry takes up room.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
        if self.epochs.is_bypassed() {
            return None;
        }
        let look = |entry: &Entry<V>| {
            self.is_fresh(entry).then(|| {
                entry.touch();
                look(&entry.value)
            })
        };
        self.shelf.read(key, look).flatten()
    }

    /// Forgets a key. A load of it that is in progress is not stored, and callers from now on
    /// do not get its value.
    pub fn invalidate<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = Seeded::new().hash_one(key);
        self.flights(hash).detach(hash, key, || self.shelf.remove(key));
    }

    /// Forgets everything, loads in progress included, in one step whatever the number.
    ///
    /// The entries take up room until the policy comes to them; they are the first to go.
    pub fn invalidate_all(&self) {
        self.epochs.advance();
    }

    /// Tells whether an entry may be served.
    #[inline]
    fn is_fresh(&self, entry: &Entry<V>) -> bool {
        self.epochs.is_fresh(entry.stamp) && !entry.expires.is_past(|| self.clock.now())
    }

    /// When an entry expires whose load begins now.
    fn expiry(&self) -> Expiry {
        self.ttl.map_or(Expiry::NEVER, |ttl| Expiry::at(self.clock.now().saturating_add(ttl)))
    }

    fn flights(&self, hash: u64) -> &Flights<K, V> {
        &self.cold.0.flights[hash as usize % SHARDS]
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

impl<K: Hash + Eq + Clone, V: Clone> Memo<K, V> {
    /// Returns the value of a key, loaded now if it is not there.
    ///
    /// However many threads ask at once, one loads and the others wait for it; callers of other
    /// keys never do. If the loader panics, its caller panics and a waiter loads in its place.
    /// A caller that has waited too long ([`Builder::wait`]) runs its own loader, whose value is
    /// returned but not kept.
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
        match self.get(key) {
            Some(value) => value,
            None => self.load(key, loader),
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
    /// the [`wait`](Builder::wait).
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
        match self.get(key) {
            Some(value) => Ok(value),
            None => self.try_load(key, loader),
        }
    }

    /// Stores a value, in place of the one that is there and of any load in progress.
    ///
    /// Inside a [`Transaction`](crate::Transaction) of its tables it does nothing more than
    /// [`invalidate`](Memo::invalidate): the value may come from rows that are never committed.
    pub fn insert(&self, key: K, value: V) {
        if self.epochs.is_bypassed() {
            return self.invalidate(&key);
        }
        let hash = Seeded::new().hash_one(&key);
        let entry = self.entry(value, self.epochs.begin(), self.expiry());
        let record = Record { key: key.clone(), hash, serial: entry.serial };
        self.flights(hash).detach(hash, &record.key, || self.shelf.put(key, entry));
        self.admit(record);
    }

    #[cold]
    fn load<Q>(&self, key: &Q, loader: impl FnOnce() -> V) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        if self.epochs.is_bypassed() {
            return loader();
        }
        let hash = Seeded::new().hash_one(key);
        match self.turn(hash, key) {
            Ok(Ok(value)) => value,
            Ok(Err((lead, expires))) => self.land(lead, hash, expires, loader()),
            Err(error) if error.is_timeout() => loader(),
            Err(error) => panic!("{error}"),
        }
    }

    #[cold]
    fn try_load<Q, E>(
        &self,
        key: &Q,
        loader: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        if self.epochs.is_bypassed() {
            return loader().map_err(LoadError::Loader);
        }
        let hash = Seeded::new().hash_one(key);
        match self.turn(hash, key)? {
            Ok(value) => Ok(value),
            Err((lead, expires)) => {
                let value = loader().map_err(LoadError::Loader)?;
                Ok(self.land(lead, hash, expires, value))
            }
        }
    }

    /// The value that is there by now, or the duty to load one that expires then.
    #[expect(clippy::type_complexity, reason = "private, and each part says what it is")]
    fn turn<Q>(&self, hash: u64, key: &Q) -> Result<Result<V, (Lead<'_, K, V>, Expiry)>, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        let look = || self.get(key).ok_or_else(|| self.epochs.begin());
        let is_fresh = |stamp| self.epochs.is_fresh(stamp);
        match self.flights(hash).turn(hash, key, self.patience, look, is_fresh) {
            Turn::Known(value) | Turn::Landed(value) => Ok(Ok(value)),
            Turn::Lead(lead) => Ok(Err((lead, self.expiry()))),
            Turn::Refused(error) => Err(error),
        }
    }

    fn land(&self, lead: Lead<'_, K, V>, hash: u64, expires: Expiry, value: V) -> V {
        let mut stored = None;
        let kept = value.clone();
        lead.land(value.clone(), |key, stamp| {
            let entry = self.entry(kept, stamp, expires);
            stored = Some(Record { key: key.clone(), hash, serial: entry.serial });
            self.shelf.put(key, entry);
        });
        if let Some(record) = stored {
            self.admit(record);
        }
        value
    }

    fn entry(&self, value: V, stamp: Stamp, expires: Expiry) -> Entry<V> {
        let serial = self.cold.0.serials.fetch_add(1, Ordering::Relaxed);
        Entry::new(value, stamp, expires, serial)
    }

    fn admit(&self, record: Record<K>) {
        lock(&self.cold.0.policy).admit(record, self);
    }
}

impl<K: Hash + Eq, V> Entries<K> for Memo<K, V> {
    fn len(&self) -> usize {
        self.shelf.len()
    }

    fn worth(&self, record: &Record<K>) -> Worth {
        let worth = |entry: &Entry<V>| match () {
            () if entry.serial != record.serial => Worth::Gone,
            () if !self.is_fresh(entry) => Worth::Dead,
            () => Worth::Credit(entry.credit()),
        };
        self.shelf.read(&record.key, worth).unwrap_or(Worth::Gone)
    }

    fn set_credit(&self, record: &Record<K>, credit: u8) {
        self.shelf.read(&record.key, |entry| {
            if entry.serial == record.serial {
                entry.set_credit(credit);
            }
        });
    }

    fn remove(&self, record: &Record<K>) -> bool {
        self.shelf.remove_serial(&record.key, record.serial)
    }
}

impl<K: Hash + Eq, V> Debug for Memo<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("len", &self.len()).finish_non_exhaustive()
    }
}
