//! The ways to ask a `Memo` for a value and bring a loader: they differ in what a loader may say,
//! and in what becomes of its errors. `answer` answers them all.

use crate::error::LoadError;
use crate::load::Load;
use crate::memo::Memo;
use std::borrow::Borrow;
use std::convert::Infallible;
use std::fmt::Debug;
use std::hash::Hash;

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

impl<K: Hash + Eq + Clone, V: Clone> Memo<K, V> {
    /// Returns the value of a key, loaded now if it is not there.
    ///
    /// However many threads ask at once, one loads and the others wait for it; callers of other
    /// keys never do. If the loader panics, its caller panics and a waiter loads in its place.
    /// A load that a caller has waited for too long ([`Builder::wait`](crate::Builder::wait)) is
    /// overtaken: that caller runs its own loader, and who comes now waits for the new load. What
    /// began last is kept. Others who have waited too long for the same load run their own loaders
    /// too, and what those bring is not kept.
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
    /// the [`wait`](crate::Builder::wait); nobody waits for that load after this, and the next
    /// caller runs its own loader. With
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
}
