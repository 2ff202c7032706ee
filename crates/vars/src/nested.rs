//! Dictionaries as values, changed in place as it were.

use crate::array::Array;
use crate::core::Change;
use crate::count::Count;
use crate::error::Error;
use crate::home::Home;
use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash};

/// A map that can be the value of a variable.
pub trait Dict: Clone + Default {
    /// What its values are found by.
    type Key: Hash + Ord;
    /// Its values.
    type Value: Clone;

    /// Returns the value of a key.
    fn find<Q>(&self, key: &Q) -> Option<&Self::Value>
    where
        Self::Key: Borrow<Q>,
        Q: Hash + Ord + ?Sized;

    /// Puts a value.
    fn put(&mut self, key: Self::Key, value: Self::Value);

    /// Takes a value away.
    fn take<Q>(&mut self, key: &Q) -> Option<Self::Value>
    where
        Self::Key: Borrow<Q>,
        Q: Hash + Ord + ?Sized;

    /// Visits the keys, in the map's order.
    fn keys(&self) -> impl Iterator<Item = &Self::Key>;
}

macro_rules! dict {
    ($map:ident<K, V $(, $hasher:ident: $bound:path)?>) => {
        impl<K: Hash + Ord + Clone, V: Clone $(, $hasher: $bound + Clone + Default)?> Dict
            for $map<K, V $(, $hasher)?>
        {
            type Key = K;
            type Value = V;

            fn find<Q>(&self, key: &Q) -> Option<&V>
            where
                K: Borrow<Q>,
                Q: Hash + Ord + ?Sized,
            {
                self.get(key)
            }

            fn put(&mut self, key: K, value: V) {
                self.insert(key, value);
            }

            fn take<Q>(&mut self, key: &Q) -> Option<V>
            where
                K: Borrow<Q>,
                Q: Hash + Ord + ?Sized,
            {
                self.remove(key)
            }

            fn keys(&self) -> impl Iterator<Item = &K> {
                self.keys()
            }
        }
    };
}

dict!(HashMap<K, V, S: BuildHasher>);
dict!(BTreeMap<K, V>);

/// The dictionary that is one variable's value: see [`Array::nested`].
pub struct Nested<'a, K, V, H, Q: ?Sized> {
    array: &'a Array<K, V, H>,
    key: &'a Q,
}

impl<K, V, H> Array<K, V, H> {
    /// Returns the dictionary under a key, to be read and updated entry by entry.
    ///
    /// Each call is one read or one update of the variable, and one moment. An update copies
    /// the dictionary, as readers may still hold the last one: it is for small ones. What is to be
    /// done in one update with several entries, or deeper down, is for [`update`](Self::update).
    ///
    /// # Examples
    ///
    /// ```
    /// use larder_vars::Array;
    /// use std::collections::BTreeMap;
    ///
    /// static USERS: Array<String, BTreeMap<String, u32>> = Array::new();
    ///
    /// let ann = USERS.nested("ann");
    /// ann.set("albums", 2)?;
    /// assert_eq!(ann.incr("photos", 10)?, 10);
    /// assert_eq!(ann.keys(), ["albums", "photos"]);
    /// assert_eq!(USERS.nested("bob").get("photos"), None);
    /// # Ok::<(), larder_vars::Error>(())
    /// ```
    pub fn nested<'a, Q: ?Sized>(&'a self, key: &'a Q) -> Nested<'a, K, V, H, Q>
    where
        K: Borrow<Q>,
        V: Dict,
    {
        Nested { array: self, key }
    }
}

impl<K, V, H, Q> Nested<'_, K, V, H, Q>
where
    K: Hash + Eq + Borrow<Q>,
    V: Dict,
    H: Home<K, V>,
    Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
{
    /// Returns an entry's value, if there is such a variable with such an entry.
    pub fn get<E>(&self, entry: &E) -> Option<V::Value>
    where
        V::Key: Borrow<E>,
        E: Hash + Ord + ?Sized,
    {
        self.array.read(self.key, |dict| dict.find(entry).cloned()).flatten()
    }

    /// Tells whether there is such a variable with such an entry.
    pub fn exists<E>(&self, entry: &E) -> bool
    where
        V::Key: Borrow<E>,
        E: Hash + Ord + ?Sized,
    {
        self.array.read(self.key, |dict| dict.find(entry).is_some()).unwrap_or(false)
    }

    /// Returns the keys of the entries; none, if there is no such variable.
    pub fn keys(&self) -> Vec<V::Key>
    where
        V::Key: Clone,
    {
        self.array.read(self.key, |dict| dict.keys().cloned().collect()).unwrap_or_default()
    }

    /// Counts the entries; none, if there is no such variable.
    pub fn len(&self) -> usize {
        self.array.read(self.key, |dict| dict.keys().count()).unwrap_or(0)
    }

    /// Tells whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets an entry, in a dictionary that begins empty.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant).
    pub fn set<E>(&self, entry: &E, value: V::Value) -> Result<(), Error>
    where
        V::Key: Borrow<E>,
        E: Hash + Ord + ToOwned<Owned = V::Key> + ?Sized,
    {
        self.change(|dict| {
            dict.put(entry.to_owned(), value);
            Ok(())
        })
    }

    /// Unsets an entry and tells whether it was set. The dictionary stays, be it empty.
    ///
    /// # Errors
    ///
    /// [`is_reentrant`](Error::is_reentrant).
    pub fn unset<E>(&self, entry: &E) -> Result<bool, Error>
    where
        V::Key: Borrow<E>,
        E: Hash + Ord + ?Sized,
    {
        let unset = self.array.change(false, self.key, |now| {
            let Some(dict) = now.filter(|dict| dict.find(entry).is_some()) else {
                return Ok((Change::Keep, false));
            };
            let mut next = dict.clone();
            next.take(entry);
            Ok((Change::Put(next), true))
        });
        unset.map(|was_set| was_set.unwrap_or(false))
    }

    /// Makes of an entry whatever `update` makes of its value, and returns that. `None` stands for
    /// an entry that is not set, before and after.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant).
    pub fn update<E>(
        &self,
        entry: &E,
        update: impl FnOnce(Option<V::Value>) -> Option<V::Value>,
    ) -> Result<Option<V::Value>, Error>
    where
        V::Key: Borrow<E>,
        E: Hash + Ord + ToOwned<Owned = V::Key> + ?Sized,
    {
        self.change(|dict| {
            let next = update(dict.take(entry));
            if let Some(next) = &next {
                dict.put(entry.to_owned(), next.clone());
            }
            Ok(next)
        })
    }

    /// Adds to an entry, a count which begins at zero, and returns the sum.
    ///
    /// # Errors
    ///
    /// [`is_overflow`](Error::is_overflow) if the sum is out of range, and the count stays as it
    /// was; [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant).
    pub fn incr<E>(&self, entry: &E, by: V::Value) -> Result<V::Value, Error>
    where
        V::Key: Borrow<E>,
        E: Hash + Ord + ToOwned<Owned = V::Key> + Debug + ?Sized,
        V::Value: Count,
    {
        self.change(|dict| {
            let now = dict.find(entry).copied().unwrap_or_default();
            let sum = now.plus(by);
            let sum = sum.ok_or_else(|| Error::overflow(entry, format_args!("{now} + {by}")))?;
            dict.put(entry.to_owned(), sum);
            Ok(sum)
        })
    }

    /// Adds pieces to the end of an entry, a string or a list which begins empty, and returns the
    /// whole of it.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant).
    pub fn append<E, T>(
        &self,
        entry: &E,
        pieces: impl IntoIterator<Item = T>,
    ) -> Result<V::Value, Error>
    where
        V::Key: Borrow<E>,
        E: Hash + Ord + ToOwned<Owned = V::Key> + ?Sized,
        V::Value: Default + Extend<T>,
    {
        self.change(|dict| {
            let mut whole = dict.take(entry).unwrap_or_default();
            whole.extend(pieces);
            dict.put(entry.to_owned(), whole.clone());
            Ok(whole)
        })
    }

    /// Adds one item to the end of an entry, as [`append`](Self::append) does.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full), [`is_reentrant`](Error::is_reentrant).
    pub fn push<E, T>(&self, entry: &E, item: T) -> Result<V::Value, Error>
    where
        V::Key: Borrow<E>,
        E: Hash + Ord + ToOwned<Owned = V::Key> + ?Sized,
        V::Value: Default + Extend<T>,
    {
        self.append(entry, [item])
    }

    /// Changes a copy of the dictionary and puts it in place of the last one.
    fn change<R>(&self, change: impl FnOnce(&mut V) -> Result<R, Error>) -> Result<R, Error> {
        self.array.make_or_change(self.key, |now| {
            let mut dict = now.cloned().unwrap_or_default();
            let answer = change(&mut dict)?;
            Ok((Change::Put(dict), answer))
        })
    }
}
