//! How a `Memo` is made.

use crate::clock::Clock;
use crate::life::{Lifetimes, NEVER, nanos};
use crate::listener::{Cause, Listener};
use crate::memo::Memo;
use crate::policy::Bound;
use crate::static_memo::PATIENCE;
use crate::tables::{Epochs, Tables, Version};
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

/// What tells the weight of an entry.
pub(crate) type Weigher<K, V> = Box<dyn Fn(&K, &V) -> u32 + Send + Sync>;

/// Settings of a [`Memo`]; made by [`Memo::builder`].
pub struct Builder<K, V> {
    pub(crate) bound: Bound,
    pub(crate) weigher: Option<Weigher<K, V>>,
    pub(crate) life: Lifetimes,
    /// The bound of negative entries and their time to live, in nanoseconds.
    pub(crate) negative: Option<(usize, u64)>,
    pub(crate) patience: Duration,
    /// `None` is the monotonic clock of the system.
    pub(crate) clock: Option<Box<dyn Clock>>,
    pub(crate) listener: Option<Listener<K, V>>,
    tables: Option<Tables>,
    versions: Vec<Version>,
}

impl<K, V> Builder<K, V> {
    pub(crate) fn new(max_entries: usize) -> Self {
        assert!(max_entries > 0, "a memo needs room for at least one entry");
        Builder {
            bound: Bound { max_entries, max_weight: u64::MAX },
            weigher: None,
            life: Lifetimes::ENDLESS,
            negative: None,
            patience: PATIENCE,
            clock: None,
            listener: None,
            tables: None,
            versions: Vec::new(),
        }
    }

    /// Bounds what the entries weigh together, beside their number.
    ///
    /// Default: every entry weighs one, and their number is the only bound. `weigher` is called
    /// once for each value that is to be kept, under no lock. An entry may weigh nothing. One that
    /// is heavier than `max_weight` is returned to those who asked for it and not kept.
    ///
    /// # Panics
    ///
    /// When `max_weight` is zero.
    #[must_use]
    pub fn weigher(
        mut self,
        max_weight: u64,
        weigher: impl Fn(&K, &V) -> u32 + Send + Sync + 'static,
    ) -> Self {
        assert!(max_weight > 0, "a memo needs room for some weight");
        // The largest number stands for no weigher; nobody will miss it.
        self.bound.max_weight = max_weight.min(u64::MAX - 1);
        self.weigher = Some(Box::new(weigher));
        self
    }

    /// Sets how long an entry is served, counted from when its load began.
    ///
    /// Default: until it is evicted or invalidated. With a time to live each hit reads the clock.
    /// A load may set its own: see [`Load::expires_in`](crate::Load::expires_in).
    ///
    /// # Panics
    ///
    /// When `ttl` is zero.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        assert!(!ttl.is_zero(), "a time to live of zero would make every hit a miss");
        self.life.ttl = nanos(ttl);
        self
    }

    /// Sets how long an entry is served that nobody asks for, counted from its last hit.
    ///
    /// Default: for ever. Each hit reads the clock, and writes its time into the entry if the
    /// time there is older than a sixteenth of `idle`; so an entry may leave that much too early.
    ///
    /// # Panics
    ///
    /// When `idle` is zero.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        assert!(!idle.is_zero(), "an idle time of zero would make every hit a miss");
        self.life.idle = nanos(idle);
        self
    }

    /// Sets how long before its expiry an entry is loaded anew.
    ///
    /// Default: not at all; the first who asks after the expiry loads, and those who come
    /// meanwhile wait. With it, one of those who load (`get_or_load` and its kin) in this window
    /// runs its own loader, on its own thread, and returns the new value; the others get the
    /// present one at once. If the loader fails, its caller gets the present value too, and nobody
    /// tries again for an eighth of `ahead`.
    ///
    /// # Panics
    ///
    /// When `ahead` is zero; in [`build`](Builder::build), when it is not shorter than the
    /// [`ttl`](Builder::ttl).
    #[must_use]
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        assert!(!ahead.is_zero(), "a refresh ahead of zero would never come");
        self.life.refresh = nanos(ahead);
        self
    }

    /// Sets how long after its expiry a value is still returned if its load fails, or if another
    /// thread's load of it outlasts the [`wait`](Builder::wait).
    ///
    /// Default: not at all. It is for expired values alone: one that was invalidated, or whose
    /// tables have changed, is never returned to anyone who asks after that. Nor does `get` return
    /// an expired one. After a load that failed, the old value is returned without another try for
    /// a 128th of `grace`, so that a source that is down is not asked by every caller.
    ///
    /// # Panics
    ///
    /// When `grace` is zero.
    #[must_use]
    pub fn stale_on_error(mut self, grace: Duration) -> Self {
        assert!(!grace.is_zero(), "a grace of zero would never be granted");
        self.life.grace = nanos(grace);
        self
    }

    /// Remembers keys that have no value: those for which the loader of `get_or_find` found none.
    ///
    /// Default: they are not remembered, and each caller looks for itself. They are bounded apart
    /// from the values, by number and by a time to live from when their load began: keys that a
    /// client makes up push out one another and nothing else.
    ///
    /// # Panics
    ///
    /// When `max_entries` or `ttl` is zero.
    #[must_use]
    pub fn negative(mut self, max_entries: usize, ttl: Duration) -> Self {
        assert!(max_entries > 0, "negative entries need room for at least one");
        assert!(!ttl.is_zero(), "a negative time to live of zero would make every hit a miss");
        self.negative = Some((max_entries, nanos(ttl)));
        self
    }

    /// Sets how long a caller waits for another thread's load of its key.
    ///
    /// Default: 30 seconds. `Duration::MAX` waits for ever. Make it longer than a load takes: a
    /// load that outlasts it is overtaken, and then its key is loaded more than once at a time.
    #[must_use]
    pub fn wait(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes every entry depend on these tables: a bump of one of them makes all stale.
    ///
    /// Default: none; each call adds to those of the earlier ones, and a table that is named again
    /// counts once. Each hit reads the version of each table, so name a handful at most.
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
        self = self.tables(tables);
        self.versions.extend(names.into_iter().map(|name| tables.version(name.as_ref())));
        self
    }

    /// Lets loads name tables that their own value depends on: see
    /// [`Load::depends_on`](crate::Load::depends_on).
    ///
    /// Default: none, unless [`depends_on`](Builder::depends_on) has named the set already.
    ///
    /// # Panics
    ///
    /// When the tables are not of the set that an earlier call named.
    #[must_use]
    pub fn tables(mut self, tables: &Tables) -> Self {
        let set = self.tables.get_or_insert_with(|| tables.clone());
        assert!(set.is(tables), "a memo depends on tables of one set");
        self
    }

    /// Sets what is told of each value that leaves the memo, and why.
    ///
    /// Default: nobody. It is called on the thread whose call made the entry leave, under no lock:
    /// it may use the memo. When it is called the entry has left already, and its key may be back.
    /// If it panics, that call does. Values that are in the memo when it is dropped are not
    /// announced, nor are negative entries.
    #[must_use]
    pub fn on_eviction(mut self, listener: impl Fn(&K, &V, Cause) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// Sets the clock that lives are measured by. It must not use the memo.
    ///
    /// Default: the monotonic clock of the system; on Linux the coarse one, exact to a few
    /// milliseconds, since hits read it.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Makes the memo.
    ///
    /// # Panics
    ///
    /// When entries would be due for a [refresh](Builder::refresh_ahead) all their life.
    pub fn build(mut self) -> Memo<K, V>
    where
        K: Hash + Eq,
    {
        let Lifetimes { ttl, refresh, .. } = self.life;
        assert!(refresh < ttl, "entries would be due for a refresh all their life");
        let epochs = Epochs::new(self.tables.take(), std::mem::take(&mut self.versions));
        Memo::from_builder(self, epochs)
    }
}

impl<K, V> fmt::Debug for Builder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |nanos| Some(nanos).filter(|&n| n != NEVER).map(Duration::from_nanos);
        f.debug_struct("Builder")
            .field("max_entries", &self.bound.max_entries)
            .field("max_weight", &self.weigher.is_some().then_some(self.bound.max_weight))
            .field("ttl", &length(self.life.ttl))
            .field("idle", &length(self.life.idle))
            .field("refresh_ahead", &Duration::from_nanos(self.life.refresh))
            .field("stale_on_error", &Duration::from_nanos(self.life.grace))
            .field("negative", &self.negative.map(|(max, ttl)| (max, Duration::from_nanos(ttl))))
            .field("wait", &self.patience)
            .finish_non_exhaustive()
    }
}
