//! The ways to update an array.

use crate::array::Array;
use crate::core::{Change, Core};
use crate::count::Count;
use crate::error::Error;
use crate::home::Home;
use std::borrow::Borrow;
use std::fmt::Debug;
use std::hash::Hash;

/// Every update can be refused with [`is_reentrant`](Error::is_reentrant), from within a closure
/// that an array is running, and those that make a variable with [`is_full`](Error::is_full).
/// What was refused has changed nothing: an array of a [`Vars`](crate::Vars) that was made for it is
/// gone again when it returns.
impl<K, V, H> Array<K, V, H>
where
    K: Hash + Eq,
    V: Clone,
    H: Home<K, V>,
{
    /// Sets a variable.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant).
    #[inline]
    pub fn set<Q>(&self, key: &Q, value: V) -> Result<(), Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.make_or_change(key, |_| Ok((Change::Put(value), ())))
    }

    /// Sets a variable if it is not set, and returns the value that it then has: of all who try at
    /// once one wins, and all get the winner's.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant).
    pub fn get_or_set<Q>(&self, key: &Q, value: V) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(winner) = self.get(key) {
            return Ok(winner);
        }
        self.make_or_change(key, |now| match now {
            Some(winner) => Ok((Change::Keep, winner.clone())),
            None => Ok((Change::Put(value.clone()), value)),
        })
    }

    /// Sets a variable and returns what it was before.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant).
    pub fn swap<Q>(&self, key: &Q, value: V) -> Result<Option<V>, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.make_or_change(key, |before| Ok((Change::Put(value), before.cloned())))
    }

    /// Unsets a variable and returns what it was: of all who try at once, one gets it.
    ///
    /// # Errors
    ///
    /// [`is_reentrant`](Error::is_reentrant).
    pub fn take<Q>(&self, key: &Q) -> Result<Option<V>, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let taken = self.change(false, key, |before| Ok((Change::Unset, before.cloned())));
        taken.map(Option::flatten)
    }

    /// Unsets a variable and tells whether it was set.
    ///
    /// # Errors
    ///
    /// [`is_reentrant`](Error::is_reentrant).
    pub fn unset<Q>(&self, key: &Q) -> Result<bool, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let unset = self.change(false, key, |before| Ok((Change::Unset, before.is_some())));
        unset.map(|was_set| was_set.unwrap_or(false))
    }

    /// Makes of a variable whatever `update` makes of its value, and returns that. `None` stands for
    /// a variable that is not set, before and after.
    ///
    /// `update` runs once, under the lock of the key; it may read any array and update none. If it
    /// leaves a variable that is not set as it is, that makes no array of a [`Vars`](crate::Vars).
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant).
    ///
    /// # Examples
    ///
    /// ```
    /// use larder_vars::Array;
    ///
    /// static TURNS: Array<String, u32> = Array::new();
    ///
    /// // Three turns, and the variable is gone.
    /// let turn = |turns: Option<u32>| Some(turns.unwrap_or(0) + 1).filter(|turns| *turns < 3);
    /// assert_eq!(TURNS.update("ann", turn)?, Some(1));
    /// assert_eq!(TURNS.update("ann", turn)?, Some(2));
    /// assert_eq!(TURNS.update("ann", turn)?, None);
    ///
    /// // An update from within would wait for itself.
    /// TURNS.update("bob", |_| {
    ///     assert!(TURNS.set("bob", 7).unwrap_err().is_reentrant());
    ///     TURNS.get("ann")
    /// })?;
    /// # Ok::<(), larder_vars::Error>(())
    /// ```
    pub fn update<Q>(
        &self,
        key: &Q,
        update: impl FnOnce(Option<V>) -> Option<V>,
    ) -> Result<Option<V>, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.make_or_change(key, |now| match update(now.cloned()) {
            Some(next) => Ok((Change::Put(next.clone()), Some(next))),
            None => Ok((Change::Unset, None)),
        })
    }

    /// Adds to a count, which begins at zero, and returns the sum.
    ///
    /// It is changed in place, without an allocation, under a lock that is one atomic exchange. Only
    /// the first sum of a variable, and every sum of a type of 128 bits, is a new value in the index.
    ///
    /// # Errors
    ///
    /// [`is_overflow`](Error::is_overflow) if the sum is out of range, and the count stays as it
    /// was; [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant).
    #[inline]
    pub fn incr<Q>(&self, key: &Q, by: V) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
        V: Count,
    {
        self.count(
            key,
            |now| now.plus(by),
            |now| Error::overflow(key, format_args!("{now} + {by}")),
        )
    }

    /// Subtracts from a count, which begins at zero, and returns the difference.
    ///
    /// # Errors
    ///
    /// As for [`incr`](Self::incr): for an unsigned count also below zero.
    #[inline]
    pub fn decr<Q>(&self, key: &Q, by: V) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + Debug + ?Sized,
        V: Count,
    {
        self.count(
            key,
            |now| now.minus(by),
            |now| Error::overflow(key, format_args!("{now} - {by}")),
        )
    }

    #[inline]
    fn count<Q>(
        &self,
        key: &Q,
        sum: impl Fn(V) -> Option<V>,
        overflow: impl Fn(V) -> Error,
    ) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        V: Count,
    {
        if let Some(bits) = V::BITS {
            let counted = self.home.change(false, |core| core.count(key, &bits, &sum))?;
            if let Some(sum) = counted.flatten() {
                return Ok(sum);
            }
        }
        self.count_anew(key, sum, overflow)
    }

    /// Counts by a new value in the index, after which it can be done in place.
    #[cold]
    #[inline(never)]
    fn count_anew<Q>(
        &self,
        key: &Q,
        sum: impl Fn(V) -> Option<V>,
        overflow: impl Fn(V) -> Error,
    ) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        V: Count,
    {
        let counted = self.home.change(true, |core: &Core<K, V>| {
            let Some(held) = core.hold(key)? else { return Ok(None) };
            let count = |now: Option<&V>| {
                let now = now.copied().unwrap_or_default();
                let sum = sum(now).ok_or_else(|| overflow(now))?;
                V::BITS.into_iter().for_each(|bits| core.legend.learn(bits));
                Ok((Change::Put(sum), sum))
            };
            held.change(key, count).map(Some)
        })?;
        Ok(counted.expect("an array that is not there is made"))
    }

    /// Adds pieces to the end of a string or a list, which begins empty, and returns the whole.
    ///
    /// It copies the whole, as readers may still hold the last one. `pieces` are produced under
    /// the lock of the key.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant).
    pub fn append<Q, T>(&self, key: &Q, pieces: impl IntoIterator<Item = T>) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        V: Default + Extend<T>,
    {
        self.make_or_change(key, |now| {
            let mut whole = now.cloned().unwrap_or_default();
            whole.extend(pieces);
            Ok((Change::Put(whole.clone()), whole))
        })
    }

    /// Adds one item to the end of a list, which begins empty, and returns the whole, as
    /// [`append`](Self::append) does.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant).
    pub fn push<Q, T>(&self, key: &Q, item: T) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        V: Default + Extend<T>,
    {
        self.append(key, [item])
    }

    /// Sets all these variables at one moment and leaves the others as they are. Of two rows with
    /// one key the later counts.
    ///
    /// Counts are changed in place. Of other values two copies are made. The rows are produced under
    /// no lock. To other updates of these keys, and to other bulk updates of the array, it is as long
    /// as it takes; to readers it is one moment.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant): then nothing is set.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder_vars::Array;
    ///
    /// let sizes: Array<String, (u32, u32)> = Array::new().max_entries(2);
    /// let rows = [("dawn", (640, 480)), ("dusk", (320, 240))];
    /// sizes.merge(rows.map(|(name, size)| (name.to_owned(), size)))?;
    /// assert!(sizes.merge([("noon".to_owned(), (1, 1))]).unwrap_err().is_full());
    /// # Ok::<(), larder_vars::Error>(())
    /// ```
    pub fn merge(&self, rows: impl IntoIterator<Item = (K, V)>) -> Result<(), Error>
    where
        K: Clone,
    {
        let rows: Vec<(K, V)> = rows.into_iter().collect();
        self.home.change(true, |core| core.merge(&rows)).map(drop)
    }

    /// Sets all these variables and unsets all others, at one moment.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant): then all is as it was.
    pub fn replace(&self, rows: impl IntoIterator<Item = (K, V)>) -> Result<(), Error>
    where
        K: Clone,
    {
        let rows: Vec<(K, V)> = rows.into_iter().collect();
        self.home.change(true, |core| core.replace(&rows)).map(drop)
    }

    /// Unsets all variables at one moment. An array of a [`Vars`](crate::Vars) still exists then;
    /// [`Vars::unset`](crate::Vars::unset) ends it.
    ///
    /// # Errors
    ///
    /// [`is_reentrant`](Error::is_reentrant).
    pub fn clear(&self) -> Result<(), Error>
    where
        K: Clone,
    {
        self.home.change(false, |core| core.replace(&[])).map(drop)
    }

    #[inline]
    pub(crate) fn make_or_change<Q, R>(
        &self,
        key: &Q,
        change: impl FnOnce(Option<&V>) -> Result<(Change<V>, R), Error>,
    ) -> Result<R, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let made = self.change(true, key, change)?;
        Ok(made.expect("an array that is not there is made"))
    }

    /// Changes a variable under the lock of its key; nothing if there is no array, nor one to be
    /// made.
    #[inline]
    pub(crate) fn change<Q, R>(
        &self,
        or_make: bool,
        key: &Q,
        change: impl FnOnce(Option<&V>) -> Result<(Change<V>, R), Error>,
    ) -> Result<Option<R>, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let mut change = Some(change);
        self.home.change(or_make, |core: &Core<K, V>| {
            let Some(held) = core.hold(key)? else { return Ok(None) };
            let change = change.take().expect("an array that is held ends the search");
            held.change(key, change).map(Some)
        })
    }
}
