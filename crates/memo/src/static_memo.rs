//! The insert-only memo.

use crate::bounded::BoundedMemo;
use crate::error::{Error, LoadError};
use crate::flights::{Boarding, Flights, Lead, Patience, Turn};
use crate::hash::Seeded;
use crate::sync::{Apart, const_unless_loom};
use crate::table::{Entries, Table};
use std::borrow::Borrow;
use std::fmt::{self, Debug};
use std::hash::{BuildHasher, Hash};
use std::iter::FusedIterator;
use std::time::Duration;

/// How long a caller waits for another thread's load unless told otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A table that is filled as it is asked and never forgets: for what changes only when the
/// program is started again.
///
/// It can be a `static`, and then it lends its values as `&'static V`. A hit is a probe without
/// a lock that writes nothing, so it costs a thread the same however many others do it too.
/// It is not bounded: memoise only keys that you choose, or set a bound beyond which it keeps
/// nothing new ([`bounded`](Self::bounded)), or take [`Memo`](crate::Memo), which makes room.
///
/// It depends on no tables, so a [`Transaction`](crate::Transaction) does not bypass it: what is
/// loaded inside one is kept and lent to all, committed or not. Memoise only what transactions do
/// not change.
///
/// `Hash`, `Eq` and `Clone` of the key run under the memo's locks and must not load from it.
///
/// ```
/// use larder_memo::StaticMemo;
///
/// static COUNTRIES: StaticMemo<String, String> = StaticMemo::new();
///
/// let name: &'static str = COUNTRIES.get_or_load("no", || "Norway".to_owned());
/// assert_eq!(name, "Norway");
/// assert_eq!(COUNTRIES.get("se"), None);
/// ```
///
/// It lends to all threads at once, so what it holds has to be `Sync`:
///
/// ```compile_fail,E0277
/// static CELLS: larder_memo::StaticMemo<u32, std::cell::Cell<u32>> =
///     larder_memo::StaticMemo::new();
/// ```
pub struct StaticMemo<K, V, S = Seeded> {
    table: Table<K, V>,
    pub(crate) hasher: S,
    pub(crate) patience: Duration,
    /// Loads in progress, on lines that no hit reads.
    flights: Apart<Flights<K, ()>>,
}

impl<K, V> StaticMemo<K, V> {
    const_unless_loom! {
        /// Makes an empty memo; nothing is allocated before the first insert.
        pub fn new() -> Self {
            Self::with_hasher(Seeded::new())
        }
    }
}

impl<K, V, S> StaticMemo<K, V, S> {
    const_unless_loom! {
        /// Makes an empty memo that hashes its keys in another way.
        pub fn with_hasher(hasher: S) -> Self {
            StaticMemo {
                table: Table::new(),
                hasher,
                patience: PATIENCE,
                flights: Apart(Flights::new()),
            }
        }
    }

    /// Sets how long a caller waits for another thread's load of its key.
    ///
    /// Default: 30 seconds. `Duration::MAX` waits for ever.
    #[must_use]
    pub const fn wait(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    const_unless_loom! {
        /// Limits the memo to this many values: what is loaded beyond them is handed to its caller
        /// and not kept.
        ///
        /// # Panics
        ///
        /// When `max_entries` is zero.
        pub fn bounded(self, max_entries: usize) -> BoundedMemo<K, V, S> {
            BoundedMemo::new(self, max_entries)
        }
    }

    /// Counts the values.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Tells whether nothing was kept so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Visits keys and values in no order. What is added meanwhile may be seen or not; the rest
    /// is seen once.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { entries: self.table.iter() }
    }
}

impl<K: Hash + Eq, V, S: BuildHasher> StaticMemo<K, V, S> {
    /// Returns the value of a key that was loaded. It neither locks nor waits.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.find(self.hasher.hash_one(key), key)
    }

    /// Returns the value of a key, loaded now if nobody has.
    ///
    /// However many threads ask at once, one loads and the others wait for it; callers of other
    /// keys never do. If the loader panics, its caller panics and a waiter loads in its place.
    /// A caller that has waited too long ([`wait`](Self::wait)) runs its own loader, and who comes
    /// now waits for that; all get the value that is stored first.
    ///
    /// # Panics
    ///
    /// When a loader asks for the key that it is loading.
    #[inline]
    pub fn get_or_load<Q>(&self, key: &Q, loader: impl FnOnce() -> V) -> &V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        match self.find(hash, key) {
            Some(value) => value,
            None => self.load(hash, key, loader),
        }
    }

    /// Returns the value of a key, loaded now if nobody has; an error is not remembered.
    ///
    /// Waiters of a load that failed load for themselves, one after another.
    ///
    /// # Errors
    ///
    /// [`LoadError::Loader`] is this caller's loader's own error. [`LoadError::Memo`] says that
    /// the loader asked for the key that it is loading, or that another thread's load outlasted
    /// the [`wait`](Self::wait); nobody waits for that load after this, and the next caller runs
    /// its own loader.
    #[inline]
    pub fn get_or_try_load<Q, E>(
        &self,
        key: &Q,
        loader: impl FnOnce() -> Result<V, E>,
    ) -> Result<&V, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        match self.find(hash, key) {
            Some(value) => Ok(value),
            None => self.try_load(hash, key, loader),
        }
    }

    /// Adds rows that the caller has at hand; a key that is there keeps its value.
    pub fn preload(&self, rows: impl IntoIterator<Item = (K, V)>) {
        let rows = rows.into_iter();
        self.table.reserve(rows.size_hint().0, |key| self.hasher.hash_one(key));
        for (key, value) in rows {
            self.keep(self.hasher.hash_one(&key), key, value);
        }
    }

    #[inline]
    pub(crate) fn find<Q>(&self, hash: u64, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.table.get(hash, |other| other.borrow() == key).map(|entry| &entry.value)
    }

    /// Adds a value unless the key has one; the pair refused is for the caller to drop.
    pub(crate) fn keep(&self, hash: u64, key: K, value: V) -> (&V, Option<(K, V)>) {
        self.table.insert(hash, key, value, |key| self.hasher.hash_one(key))
    }

    #[cold]
    fn load<Q>(&self, hash: u64, key: &Q, loader: impl FnOnce() -> V) -> &V
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        match self.turn(hash, key) {
            Ok(Ok(value)) => value,
            Ok(Err(lead)) => self.land(lead, hash, loader()),
            Err(error) if error.is_timeout() => match self.overtake(hash, key) {
                Ok(Ok(value)) => value,
                Ok(Err(lead)) => self.land(lead, hash, loader()),
                Err(error) => panic!("{error}"),
            },
            Err(error) => panic!("{error}"),
        }
    }

    #[cold]
    fn try_load<Q, E>(
        &self,
        hash: u64,
        key: &Q,
        loader: impl FnOnce() -> Result<V, E>,
    ) -> Result<&V, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        match self.turn(hash, key)? {
            Ok(value) => Ok(value),
            Err(lead) => {
                let value = loader().map_err(LoadError::Loader)?;
                Ok(self.land(lead, hash, value))
            }
        }
    }

    /// The value that is there by now, or the duty to load it.
    fn turn<Q>(&self, hash: u64, key: &Q) -> Result<Result<&V, Lead<'_, K, ()>>, Error>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        match self.wait_turn(hash, key) {
            Turn::Known(value) => Ok(Ok(value)),
            Turn::Landed(()) => {
                Ok(Ok(self.find(hash, key).expect("what has landed is in the table")))
            }
            Turn::Lead(lead) => Ok(Err(lead)),
            Turn::TimedOut => Err(Error::timeout(key, self.patience)),
            Turn::Recursion => Err(Error::recursion(key)),
        }
    }

    /// The value that is there by now, or the duty to load it beside those that take too long.
    pub(crate) fn overtake<Q>(
        &self,
        hash: u64,
        key: &Q,
    ) -> Result<Result<&V, Lead<'_, K, ()>>, Error>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        match self.board(hash, key) {
            Boarding::Known(value) => Ok(Ok(value)),
            Boarding::Lead(lead) => Ok(Err(lead)),
            // Somebody else has overtaken the load already.
            Boarding::Wait(_) => self.aside(hash, key).map(Err),
            Boarding::Recursion => Err(Error::recursion(key)),
        }
    }

    /// Begins a load that nobody else waits for; refuses one that its own loader asks for.
    pub(crate) fn aside<Q>(&self, hash: u64, key: &Q) -> Result<Lead<'_, K, ()>, Error>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        self.flights.0.aside(hash, key).ok_or_else(|| Error::recursion(key))
    }

    fn land(&self, lead: Lead<'_, K, ()>, hash: u64, value: V) -> &V {
        let (value, _refused) = lead.land_first((), |key| self.keep(hash, key, value));
        value
    }

    /// Waits until it is clear who loads a key.
    pub(crate) fn wait_turn<Q>(&self, hash: u64, key: &Q) -> Turn<'_, K, (), &V>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.flights.0.turn(&mut Patience::new(self.patience), || self.board(hash, key))
    }

    fn board<Q>(&self, hash: u64, key: &Q) -> Boarding<'_, K, (), &V>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        // Nothing is ever invalidated, so every load begins under the same stamp.
        let look = || self.find(hash, key).ok_or(0);
        self.flights.0.board(hash, key, look, |_| true)
    }
}

impl<K, V, S: Default> Default for StaticMemo<K, V, S> {
    fn default() -> Self {
        Self::with_hasher(S::default())
    }
}

impl<K, V, S> Debug for StaticMemo<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticMemo").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Keys and values of a [`StaticMemo`].
pub struct Iter<'a, K, V> {
    entries: Entries<'a, K, V>,
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.entries.next().map(|entry| (&entry.key, &entry.value))
    }
}

impl<K, V> FusedIterator for Iter<'_, K, V> {}

impl<'a, K, V, S> IntoIterator for &'a StaticMemo<K, V, S> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K, V> Debug for Iter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}
