//! Arrays by their names.

use crate::array::{Array, NamedArray};
use crate::busy::Busy;
use crate::core::{ALL, Core};
use crate::error::Error;
use crate::glob::glob;
use crate::home::Named;
use crate::shelf::{Pin, Shelf};
use crate::sync::{AtomicUsize, Mutex, Ordering, const_unless_loom, lock};
use std::fmt;
use std::hash::Hash;

/// All arrays, as one who makes or looks for one has them.
type Arrays<'p, K, V> = Pin<'p, String, Box<Core<K, V>>>;

/// Named arrays, made for the first variable that is set in them.
///
/// It can be a `static`. To look an array up by its name takes no lock and writes nothing shared;
/// to make or to unset one, or to list the names, takes a lock for a moment.
///
/// An array is there from when an update begins that may set its first variable. If that sets none,
/// since it is refused, panics, or has nothing to set, the array is gone again when it is over,
/// unless another thread has set something in it meanwhile.
///
/// # Examples
///
/// ```
/// use larder_vars::Vars;
///
/// static VARS: Vars<String, String> = Vars::new().max_arrays(100).max_entries(10_000);
///
/// VARS.array("colours").set("sky", "blue".to_owned())?;
/// assert_eq!(VARS.array("colours").get("sky").as_deref(), Some("blue"));
/// assert_eq!(VARS.names("col*"), ["colours"]);
/// assert!(VARS.unset("colours")?);
/// assert!(!VARS.exists("colours"));
/// # Ok::<(), larder_vars::Error>(())
/// ```
pub struct Vars<K, V> {
    /// Written under `names`.
    arrays: Shelf<String, Box<Core<K, V>>>,
    max_arrays: usize,
    max_entries: usize,
    /// Held to make an array or to unset one, and to list them; a leaf.
    names: Mutex<()>,
    /// How many there are; written under `names`.
    len: AtomicUsize,
}

impl<K, V> Vars<K, V> {
    const_unless_loom! {
        /// Makes a registry without arrays; nothing is allocated before the first.
        pub fn new() -> Self {
            Vars {
                arrays: Shelf::new(),
                max_arrays: usize::MAX,
                max_entries: usize::MAX,
                names: Mutex::new(()),
                len: AtomicUsize::new(0),
            }
        }
    }

    /// Limits how many arrays there can be. Each takes more than a kilobyte, be it empty.
    ///
    /// One more can be taken by each thread that is just making one, even if it comes to nothing.
    ///
    /// Default: no limit. Set one wherever a client has a say in names.
    ///
    /// # Panics
    ///
    /// When it is zero.
    #[must_use]
    pub const fn max_arrays(mut self, max_arrays: usize) -> Self {
        assert!(max_arrays > 0, "room for no array at all");
        self.max_arrays = max_arrays;
        self
    }

    /// Limits how many variables each array can have.
    ///
    /// Default: no limit. Set one wherever a client has a say in keys.
    ///
    /// # Panics
    ///
    /// When it is zero.
    #[must_use]
    pub const fn max_entries(mut self, max_entries: usize) -> Self {
        assert!(max_entries > 0, "room for no variable at all");
        self.max_entries = max_entries;
        self
    }

    /// Counts the arrays.
    pub fn len(&self) -> usize {
        // Relaxed: a count for people.
        self.len.load(Ordering::Relaxed)
    }

    /// Tells whether there is no array.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Hash + Eq, V> Vars<K, V> {
    /// Returns the array of a name, whether it exists or not: what is set in it makes it.
    ///
    /// The answer is the name, looked up again by each call on it. So nothing is ever set in an
    /// array that was unset: an update after [`unset`](Self::unset) makes a new array.
    #[inline]
    pub fn array<'v>(&'v self, name: &'v str) -> NamedArray<'v, K, V> {
        Array::at(Named { vars: self, name })
    }

    /// Tells whether an array of this name exists; it does so even when all its variables have been
    /// unset one by one.
    pub fn exists(&self, name: &str) -> bool {
        self.look(name, |core| core.is_some())
    }

    /// Returns the names of all arrays that a [pattern](glob()) describes, sorted, as they were at
    /// one moment.
    pub fn names(&self, pattern: &str) -> Vec<String> {
        let pin = self.arrays.pin();
        // A leaf: closures of users may come here, and nobody waits for one who holds it.
        let names = lock(&self.names);
        let all = pin.iter().map(|(name, _)| name.clone());
        let mut found: Vec<_> = all.filter(|name| glob(pattern, name)).collect();
        drop(names);
        found.sort();
        found
    }

    /// Unsets a whole array at one moment; tells whether it existed.
    ///
    /// # Errors
    ///
    /// [`is_reentrant`](Error::is_reentrant) from within a closure that an array is running.
    pub fn unset(&self, name: &str) -> Result<bool, Error> {
        let pin = self.arrays.pin();
        let _busy = Busy::enter_to_change().map_err(|error| error.of(name))?;
        while let Some(core) = pin.get(name) {
            // Who holds one of these may finish; who waits finds it closed and makes another.
            let _locks = core.lock(ALL);
            if !core.is_gone() {
                self.end(name, core, &pin);
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[inline]
    pub(crate) fn look<R>(&self, name: &str, look: impl FnOnce(Option<&Core<K, V>>) -> R) -> R {
        look(self.arrays.pin().get(name).map(|core| &**core))
    }

    pub(crate) fn change<R>(
        &self,
        name: &str,
        or_make: bool,
        mut attempt: impl FnMut(&Core<K, V>) -> Result<Option<R>, Error>,
    ) -> Result<Option<R>, Error> {
        let pin = self.arrays.pin();
        // Dropped when the update is over, also by a panic.
        let mut _fresh = None;
        loop {
            match pin.get(name) {
                Some(core) => {
                    if let Some(answer) = attempt(core)? {
                        return Ok(Some(answer));
                    }
                }
                None if or_make => _fresh = self.make(name, &pin)?,
                None => return Ok(None),
            }
        }
    }

    /// Makes an array, unless another thread has.
    #[cold]
    fn make<'p>(
        &'p self,
        name: &'p str,
        pin: &'p Arrays<'_, K, V>,
    ) -> Result<Option<Fresh<'p, K, V>>, Error> {
        let _busy = Busy::enter_to_change()?;
        let _names = lock(&self.names);
        if pin.get(name).is_some() {
            return Ok(None);
        }
        if self.len() >= self.max_arrays {
            return Err(Error::too_many_arrays(self.max_arrays));
        }
        pin.put(name.to_owned(), Box::new(Core::new(self.max_entries)));
        self.len.fetch_add(1, Ordering::Relaxed);
        Ok(pin.get(name).map(|core| Fresh { vars: self, name, core, pin }))
    }
}

impl<K, V> Vars<K, V> {
    /// Ends an array that is there; the caller holds all its stripes.
    fn end(&self, name: &str, core: &Core<K, V>, pin: &Arrays<'_, K, V>) {
        let _names = lock(&self.names);
        core.close();
        pin.remove(name);
        self.len.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An array that this thread has made for an update.
struct Fresh<'p, K, V> {
    vars: &'p Vars<K, V>,
    name: &'p str,
    core: &'p Core<K, V>,
    pin: &'p Arrays<'p, K, V>,
}

impl<K, V> Drop for Fresh<'_, K, V> {
    /// Ends it, if nobody has set anything in it; the thread holds no stripe.
    fn drop(&mut self) {
        if self.core.was_set() {
            return;
        }
        // Who holds one of these may yet set something; who waits finds it closed, and makes
        // another, which is his to end.
        let _locks = self.core.lock(ALL);
        if !self.core.was_set() && !self.core.is_gone() {
            self.vars.end(self.name, self.core, self.pin);
        }
    }
}

impl<K, V> Default for Vars<K, V> {
    fn default() -> Self {
        Vars::new()
    }
}

impl<K, V> fmt::Debug for Vars<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vars").field("len", &self.len()).finish_non_exhaustive()
    }
}
