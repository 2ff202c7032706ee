//! An insert-only memo that keeps so much and no more.
//!
//! # Locks
//!
//! `admission` is taken under the lock of a flight's list and covers the table's own. It is taken
//! by loads alone, never by hits.

use crate::error::{Error, LoadError};
use crate::flights::{Lead, Turn};
use crate::hash::Seeded;
use crate::static_memo::{Iter, StaticMemo};
use crate::sync::{Mutex, const_unless_loom, lock};
use std::borrow::Borrow;
use std::fmt::{self, Debug, Display};
use std::hash::{BuildHasher, Hash};
use std::ops::Deref;

/// A [`StaticMemo`] with a bound: the first so many values are kept for ever, and what is loaded
/// beyond them is handed to its caller and forgotten.
///
/// For a table that is bounded in truth, but whose keys come from outside: a client that asks for
/// keys without end makes the program slower, but not larger. Hits are those of [`StaticMemo`].
///
/// ```
/// use larder_memo::{BoundedMemo, StaticMemo};
///
/// static CITIES: BoundedMemo<u32, String> = StaticMemo::new().bounded(2);
///
/// let city = |zip| CITIES.get_or_load(&zip, || format!("city {zip}"));
/// let kept: Option<&'static str> = city(10115).kept().map(String::as_str);
/// assert_eq!(kept, Some("city 10115"));
/// city(20095);
/// assert!(CITIES.is_full());
/// let passing = city(50667);
/// assert_eq!((&**passing, passing.kept()), ("city 50667", None));
/// assert_eq!(CITIES.len(), 2);
/// ```
pub struct BoundedMemo<K, V, S = Seeded> {
    memo: StaticMemo<K, V, S>,
    max_entries: usize,
    /// Held from the look at the bound to the insert.
    admission: Mutex<()>,
}

/// A value of a [`BoundedMemo`].
pub enum Lent<'a, V> {
    /// The memo keeps it.
    Kept(&'a V),
    /// The memo was full, so that it is the caller's own.
    Passing(V),
}

impl<K, V, S> BoundedMemo<K, V, S> {
    const_unless_loom! {
        pub(crate) fn new(memo: StaticMemo<K, V, S>, max_entries: usize) -> Self {
            assert!(max_entries > 0, "a memo needs room for at least one entry");
            BoundedMemo { memo, max_entries, admission: Mutex::new(()) }
        }
    }

    /// Counts the values that are kept.
    pub fn len(&self) -> usize {
        self.memo.len()
    }

    /// Tells whether nothing was kept so far.
    pub fn is_empty(&self) -> bool {
        self.memo.is_empty()
    }

    /// Tells whether the bound is reached. It stays so.
    pub fn is_full(&self) -> bool {
        self.len() >= self.max_entries
    }

    /// Visits the keys and values that are kept, as [`StaticMemo::iter`] does.
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.memo.iter()
    }
}

impl<K: Hash + Eq, V, S: BuildHasher> BoundedMemo<K, V, S> {
    /// Returns the value of a key that is kept. It neither locks nor waits.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.memo.get(key)
    }

    /// Returns the value of a key, loaded now if it is not kept.
    ///
    /// While there is room, it is as [`StaticMemo::get_or_load`]. When there is none, each
    /// caller loads for itself and waits for nobody.
    ///
    /// # Panics
    ///
    /// When a loader asks for the key that it is loading.
    #[inline]
    pub fn get_or_load<Q>(&self, key: &Q, loader: impl FnOnce() -> V) -> Lent<'_, V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        let hash = self.memo.hasher.hash_one(key);
        match self.memo.find(hash, key) {
            Some(value) => Lent::Kept(value),
            None => self.load(hash, key, loader),
        }
    }

    /// Returns the value of a key, loaded now if it is not kept; an error is not remembered.
    ///
    /// # Errors
    ///
    /// As [`StaticMemo::get_or_try_load`].
    #[inline]
    pub fn get_or_try_load<Q, E>(
        &self,
        key: &Q,
        loader: impl FnOnce() -> Result<V, E>,
    ) -> Result<Lent<'_, V>, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        let hash = self.memo.hasher.hash_one(key);
        match self.memo.find(hash, key) {
            Some(value) => Ok(Lent::Kept(value)),
            None => self.try_load(hash, key, loader),
        }
    }

    /// Adds rows that the caller has at hand, as far as there is room; a key that is there keeps
    /// its value.
    pub fn preload(&self, rows: impl IntoIterator<Item = (K, V)>) {
        for (key, value) in rows {
            let hash = self.memo.hasher.hash_one(&key);
            self.admit(hash, key, value);
            if self.is_full() {
                return;
            }
        }
    }

    #[cold]
    fn load<Q>(&self, hash: u64, key: &Q, loader: impl FnOnce() -> V) -> Lent<'_, V>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        match self.turn(hash, key) {
            Ok(Duty::None(value)) => Lent::Kept(value),
            Ok(Duty::Lead(lead)) => self.land(lead, hash, loader()),
            Ok(Duty::Pass(_aside)) => Lent::Passing(loader()),
            Err(error) if error.is_timeout() => match self.memo.overtake(hash, key) {
                Ok(Ok(value)) => Lent::Kept(value),
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
    ) -> Result<Lent<'_, V>, LoadError<E>>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        match self.turn(hash, key)? {
            Duty::None(value) => Ok(Lent::Kept(value)),
            Duty::Lead(lead) => {
                let value = loader().map_err(LoadError::Loader)?;
                Ok(self.land(lead, hash, value))
            }
            Duty::Pass(_aside) => loader().map(Lent::Passing).map_err(LoadError::Loader),
        }
    }

    /// The value that is there by now, or how the caller has to load it.
    fn turn<Q>(&self, hash: u64, key: &Q) -> Result<Duty<'_, K, V>, Error>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + Debug + ?Sized,
    {
        // What filled the last place may have been this key.
        let kept_or_pass = || match self.memo.find(hash, key) {
            Some(value) => Ok(Duty::None(value)),
            None => self.memo.aside(hash, key).map(Duty::Pass),
        };
        if self.is_full() {
            return kept_or_pass();
        }
        match self.memo.wait_turn(hash, key) {
            Turn::Known(value) => Ok(Duty::None(value)),
            // Another thread has loaded it; whether it found room is another matter.
            Turn::Landed(()) => kept_or_pass(),
            Turn::Lead(lead) => Ok(Duty::Lead(lead)),
            Turn::TimedOut => Err(Error::timeout(key, self.memo.patience)),
            Turn::Recursion => Err(Error::recursion(key)),
        }
    }

    fn land(&self, lead: Lead<'_, K, ()>, hash: u64, value: V) -> Lent<'_, V> {
        let (lent, _refused) = lead.land_first((), |key| self.admit(hash, key, value));
        lent
    }

    /// Keeps a value, if there is room and the key has none. What is refused of the key and the
    /// value is for the caller to drop where no lock is held.
    fn admit(&self, hash: u64, key: K, value: V) -> (Lent<'_, V>, (Option<K>, Option<V>)) {
        let admission = lock(&self.admission);
        if !self.is_full() {
            let (kept, refused) = self.memo.keep(hash, key, value);
            return (Lent::Kept(kept), refused.unzip());
        }
        drop(admission);
        match self.memo.find(hash, &key) {
            Some(kept) => (Lent::Kept(kept), (Some(key), Some(value))),
            None => (Lent::Passing(value), (Some(key), None)),
        }
    }
}

/// What is left to do for a caller whose key was not there.
enum Duty<'a, K, V> {
    /// Nothing: it is there.
    None(&'a V),
    /// To load it for all who wait.
    Lead(Lead<'a, K, ()>),
    /// To load it for itself, since there is no room to keep it.
    Pass(Lead<'a, K, ()>),
}

impl<'a, V> Lent<'a, V> {
    /// Returns the value for as long as the memo lives, if the memo keeps it.
    pub fn kept(&self) -> Option<&'a V> {
        match self {
            Lent::Kept(value) => Some(value),
            Lent::Passing(_) => None,
        }
    }

    /// Returns the value, cloned if the memo keeps it.
    pub fn into_owned(self) -> V
    where
        V: Clone,
    {
        match self {
            Lent::Kept(value) => value.clone(),
            Lent::Passing(value) => value,
        }
    }
}

impl<V> Deref for Lent<'_, V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        match self {
            Lent::Kept(value) => value,
            Lent::Passing(value) => value,
        }
    }
}

impl<V: Debug> Debug for Lent<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<V: Display> Display for Lent<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<K, V, S> Debug for BoundedMemo<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedMemo")
            .field("len", &self.len())
            .field("max_entries", &self.max_entries)
            .finish_non_exhaustive()
    }
}

impl<'a, K, V, S> IntoIterator for &'a BoundedMemo<K, V, S> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
