//! One array, and the ways to read it.

use crate::core::Core;
use crate::glob::glob;
use crate::home::{Home, Named, Own};
use crate::slot::{Shown, Slot};
use crate::sync::const_unless_loom;
use crate::view::{Moved, View, view};
use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

/// Variables that every thread reads and updates atomically.
///
/// Everything that is done to it happens at one moment between the call and its return, however
/// many variables it is about: no reader, not even one that reads key by key, ever sees a part of a
/// [`merge`](Self::merge) or of a [`replace`](Self::replace).
///
/// | | lock | closures of the caller run |
/// |---|---|---|
/// | [`get`](Self::get), [`read`](Self::read), [`exists`](Self::exists) | none, and no shared write | once, under none |
/// | [`view`](Self::view), [`get_many`](Self::get_many), [`snapshot`](Self::snapshot), [`keys`](Self::keys), [`len`](Self::len) | none; all of the array's after four tries that updates have spoiled; from within a closure none, and updates of the array pause | until they have seen one moment |
/// | updates of a key | one of the array's 16, by the key's hash | once, under it |
/// | [`merge`](Self::merge), [`replace`](Self::replace), [`clear`](Self::clear) | one for them alone, and those of the keys, of many rows all; all | before it |
///
/// Only updates wait for locks, and readers hold none of them for long: a read of one key never
/// waits. From within a closure, which may hold a lock already, a look at several keys cannot take
/// the others. After four spoiled tries it lets updates of that array wait before they change
/// anything, until it has seen one moment; each thread can spoil one more try, with the change that
/// it had begun. So may any number of closures look at any arrays, and none waits for ever.
///
/// A closure that updates **any** array gets an [`Error`](crate::Error) and never hangs;
/// reads are free there. What it must not do is wait for another thread that updates this array.
/// If it panics, nothing has changed. `Hash` and `Eq` of the key must not panic.
///
/// Values are cloned for whoever asks, so large ones are best behind an `Arc`.
///
/// # Examples
///
/// ```
/// use larder_vars::Array;
///
/// static HITS: Array<String, u64> = Array::new().max_entries(1_000);
///
/// assert_eq!(HITS.get("/"), None);
/// assert_eq!(HITS.incr("/", 1)?, 1);
/// assert_eq!(HITS.incr("/", 1)?, 2);
/// # Ok::<(), larder_vars::Error>(())
/// ```
pub struct Array<K, V, H = Own<K, V>> {
    pub(crate) home: H,
    types: PhantomData<fn() -> (K, V)>,
}

/// An array of a [`Vars`](crate::Vars), by its name.
pub type NamedArray<'v, K, V> = Array<K, V, Named<'v, K, V>>;

impl<K, V> Array<K, V> {
    const_unless_loom! {
        /// Makes an empty array; nothing is allocated before the first variable.
        pub fn new() -> Self {
            Array { home: Own { core: Core::new(usize::MAX) }, types: PhantomData }
        }
    }

    /// Limits how many variables there can be: an update that would make more is refused.
    ///
    /// Default: no limit. Set one wherever a client has a say in keys.
    ///
    /// # Panics
    ///
    /// When it is zero.
    #[must_use]
    pub const fn max_entries(mut self, max_entries: usize) -> Self {
        assert!(max_entries > 0, "room for no variable at all");
        self.home.core.max_entries = max_entries;
        self
    }
}

impl<K, V, H> Array<K, V, H> {
    pub(crate) const fn at(home: H) -> Self {
        Array { home, types: PhantomData }
    }
}

impl<K: Hash + Eq, V, H: Home<K, V>> Array<K, V, H> {
    /// Returns a variable's value, if it is set.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        self.read(key, V::clone)
    }

    /// Shows a variable's value to `look`, if it is set, and returns its answer.
    ///
    /// Nothing waits for `look`: updates go on, and it keeps seeing the value it was given.
    #[inline]
    pub fn read<Q, R>(&self, key: &Q, look: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.home.look(|core| core?.read(key, look))
    }

    /// Tells whether a variable is set.
    #[inline]
    pub fn exists<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.read(key, |_| ()).is_some()
    }

    /// Returns the values of several variables, as they were at one moment.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder_vars::Array;
    ///
    /// let balance: Array<String, i64> = Array::new();
    /// balance.merge([("ann".to_owned(), 10), ("bob".to_owned(), -10)])?;
    /// assert_eq!(balance.get_many(["ann", "bob", "eve"]), [Some(10), Some(-10), None]);
    /// # Ok::<(), larder_vars::Error>(())
    /// ```
    pub fn get_many<Q, const N: usize>(&self, keys: [&Q; N]) -> [Option<V>; N]
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        self.view(|view| {
            let mut values = [const { None }; N];
            for (value, key) in values.iter_mut().zip(keys) {
                *value = view.show(key)?.map(Shown::owned);
            }
            Ok(values)
        })
    }

    /// Shows the array to `look` as it is at one moment, and returns its answer.
    ///
    /// `look` reads key by key. When a key that it has read changes before it reads the next one,
    /// that read fails; `look` returns the failure (by `?`), and is run again. Changes of other keys
    /// rarely disturb it. After four such runs it holds up the updates of this array and runs
    /// for the last time; from within another closure, until no update is left that had begun
    /// before. It may read any array, and update none.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder_vars::Array;
    ///
    /// let balance: Array<String, i64> = Array::new();
    /// balance.merge([("ann".to_owned(), 10), ("bob".to_owned(), -10)])?;
    /// let sum = balance.view(|view| {
    ///     let ann = view.get("ann")?.copied().unwrap_or(0);
    ///     let bob = view.get("bob")?.copied().unwrap_or(0);
    ///     Ok(ann + bob)
    /// });
    /// assert_eq!(sum, 0);
    /// # Ok::<(), larder_vars::Error>(())
    /// ```
    ///
    /// What says that something moved cannot be kept for later:
    ///
    /// ```compile_fail
    /// let array = larder_vars::Array::<String, i64>::new();
    /// let mut kept = None;
    /// array.view(|view| {
    ///     kept = view.get("a").err();
    ///     Ok(())
    /// });
    /// ```
    pub fn view<R>(
        &self,
        look: impl for<'v> FnMut(&'v View<'_, K, V>) -> Result<R, Moved<'v>>,
    ) -> R {
        self.home.look(|core| view(core, look))
    }

    /// Counts the variables that were set at one moment.
    pub fn len(&self) -> usize {
        self.home.look(|core| core.map_or(0, |core| core.steady(|_| core.len())))
    }

    /// Tells whether no variable is set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all variables as they were at one moment, in no order.
    pub fn snapshot(&self) -> Vec<(K, V)>
    where
        K: Clone,
        V: Clone,
    {
        self.pick(|key, value| Some((key.clone(), value.clone())))
    }

    /// Returns the variables whose names a [pattern](glob()) describes, as they were at one moment,
    /// in no order.
    pub fn snapshot_like(&self, pattern: &str) -> Vec<(K, V)>
    where
        K: Clone + AsRef<str>,
        V: Clone,
    {
        self.pick(|key, value| glob(pattern, key.as_ref()).then(|| (key.clone(), value.clone())))
    }

    /// Returns the names of all variables that were set at one moment, in no order.
    pub fn keys(&self) -> Vec<K>
    where
        K: Clone,
    {
        self.pick(|key, _| Some(key.clone()))
    }

    /// Returns the names that a [pattern](glob()) describes, as they were at one moment, in no
    /// order.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder_vars::Array;
    ///
    /// let seen: Array<String, ()> = Array::new();
    /// seen.merge(["photo:1", "photo:2", "album:1"].map(|name| (name.to_owned(), ())))?;
    /// assert_eq!(seen.keys_like("photo:*").len(), 2);
    /// # Ok::<(), larder_vars::Error>(())
    /// ```
    pub fn keys_like(&self, pattern: &str) -> Vec<K>
    where
        K: Clone + AsRef<str>,
    {
        self.pick(|key, _| glob(pattern, key.as_ref()).then(|| key.clone()))
    }

    /// Collects what `pick` makes of the variables of one moment.
    fn pick<T>(&self, mut pick: impl FnMut(&K, &V) -> Option<T>) -> Vec<T> {
        self.home.look(|core| {
            let Some(core) = core else { return Vec::new() };
            core.steady(|pin| {
                let set = pin.iter().filter_map(|(key, slot): (&K, &Slot<V>)| {
                    pick(key, &*slot.value(&core.legend)?)
                });
                set.collect()
            })
        })
    }
}

impl<K, V> Default for Array<K, V> {
    fn default() -> Self {
        Array::new()
    }
}

impl<K: Hash + Eq, V, H: Home<K, V>> fmt::Debug for Array<K, V, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Array").field("len", &self.len()).finish_non_exhaustive()
    }
}
