//! Where an array lives.

use crate::core::Core;
use crate::error::Error;
use crate::vars::Vars;
use std::hash::Hash;

/// What an [`Array`](crate::Array) asks for its variables: itself, or a [`Vars`] for a name.
pub trait Home<K, V>: Sealed {
    /// Shows the array to `look`, if there is one.
    #[doc(hidden)]
    fn look<R>(&self, look: impl FnOnce(Option<&Core<K, V>>) -> R) -> R;

    /// Shows the array to `attempt`, which gives nothing if it was unset meanwhile, and then the
    /// next one of the name. If there is none, it is made now, or nothing is returned.
    #[doc(hidden)]
    fn change<R>(
        &self,
        or_make: bool,
        attempt: impl FnMut(&Core<K, V>) -> Result<Option<R>, Error>,
    ) -> Result<Option<R>, Error>;
}

/// Nobody else's array can be one.
pub trait Sealed {}

/// The home of an array that owns its variables, such as a `static`.
pub struct Own<K, V> {
    pub(crate) core: Core<K, V>,
}

impl<K, V> Sealed for Own<K, V> {}

impl<K, V> Home<K, V> for Own<K, V> {
    #[inline]
    fn look<R>(&self, look: impl FnOnce(Option<&Core<K, V>>) -> R) -> R {
        look(Some(&self.core))
    }

    #[inline]
    fn change<R>(
        &self,
        _or_make: bool,
        mut attempt: impl FnMut(&Core<K, V>) -> Result<Option<R>, Error>,
    ) -> Result<Option<R>, Error> {
        attempt(&self.core)
    }
}

/// The home of an array that is found by its name, at each call anew.
pub struct Named<'v, K, V> {
    pub(crate) vars: &'v Vars<K, V>,
    pub(crate) name: &'v str,
}

impl<K, V> Sealed for Named<'_, K, V> {}

impl<K: Hash + Eq, V> Home<K, V> for Named<'_, K, V> {
    #[inline]
    fn look<R>(&self, look: impl FnOnce(Option<&Core<K, V>>) -> R) -> R {
        self.vars.look(self.name, look)
    }

    #[inline]
    fn change<R>(
        &self,
        or_make: bool,
        attempt: impl FnMut(&Core<K, V>) -> Result<Option<R>, Error>,
    ) -> Result<Option<R>, Error> {
        self.vars.change(self.name, or_make, attempt).map_err(|error| error.of(self.name))
    }
}
