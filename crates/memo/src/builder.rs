//! How a `Memo` is made.

use crate::clock::{Clock, system};
use crate::memo::Memo;
use crate::static_memo::PATIENCE;
use crate::tables::{Epochs, Tables, Version};
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::time::Duration;

/// Settings of a [`Memo`]; made by [`Memo::builder`].
pub struct Builder<K, V> {
    pub(crate) max_entries: usize,
    pub(crate) ttl: Option<Duration>,
    pub(crate) patience: Duration,
    pub(crate) clock: Box<dyn Clock>,
    tables: Option<Tables>,
    versions: Vec<Version>,
    makes: PhantomData<fn() -> Memo<K, V>>,
}

impl<K, V> Builder<K, V> {
    pub(crate) fn new(max_entries: usize) -> Self {
        assert!(max_entries > 0, "a memo needs room for at least one entry");
        Builder {
            max_entries,
            ttl: None,
            patience: PATIENCE,
            clock: Box::new(system()),
            tables: None,
            versions: Vec::new(),
            makes: PhantomData,
        }
    }

    /// Sets how long an entry is served, counted from when its load began.
    ///
    /// Default: until it is evicted or invalidated. With a time to live each hit reads the clock.
    ///
    /// # Panics
    ///
    /// When `ttl` is zero.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        assert!(!ttl.is_zero(), "a time to live of zero would make every hit a miss");
        self.ttl = Some(ttl);
        self
    }

    /// Sets how long a caller waits for another thread's load of its key.
    ///
    /// Default: 30 seconds. `Duration::MAX` waits for ever.
    #[must_use]
    pub fn wait(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes every entry depend on these tables: a bump of one of them makes all stale.
    ///
    /// Default: none. Each hit reads the version of each table, so name a handful at most.
    ///
    /// # Panics
    ///
    /// When the tables are not of the set that an earlier call named.
    #[must_use]
    pub fn depends_on<T: AsRef<str>>(
        mut self,
        tables: &Tables,
        names: impl IntoIterator<Item = T>,
    ) -> Self {
        let set = self.tables.get_or_insert_with(|| tables.clone());
        assert!(set.is(tables), "a memo depends on tables of one set");
        self.versions.extend(names.into_iter().map(|name| tables.version(name.as_ref())));
        self
    }

    /// Sets the clock that times to live are measured by.
    ///
    /// Default: the monotonic clock of the system.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Makes the memo.
    pub fn build(mut self) -> Memo<K, V>
    where
        K: Hash + Eq,
    {
        let epochs = Epochs::new(self.tables.take(), std::mem::take(&mut self.versions));
        Memo::from_builder(self, epochs)
    }
}

impl<K, V> fmt::Debug for Builder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("max_entries", &self.max_entries)
            .field("ttl", &self.ttl)
            .field("wait", &self.patience)
            .finish_non_exhaustive()
    }
}
