//! The table that is loaded as a whole.

use crate::aside::Aside;
use crate::clock::Clock;
use crate::error::{Error, Failure};
use crate::hash::Seeded;
use crate::reloads::{Lead, Reloads, Turn};
use crate::snapshot::{Snapshot, Whole};
use crate::static_memo::PATIENCE;
use crate::status::Status;
use crate::swap::Swap;
use crate::sync::{Arc, const_unless_loom};
use crate::tables::{Epochs, Tables};
use crate::transaction::Watch;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::error;
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::time::Duration;

/// What a loader returns: all rows of the table, or any error. Of two rows with the same key the
/// later counts.
pub type Loaded<K, V> = Result<Vec<(K, V)>, Box<dyn error::Error + Send + Sync>>;

/// A small table that is loaded as a whole, and as a whole again when it has changed.
///
/// It is loaded by whoever asks first. A look-up writes nothing that another thread reads and
/// takes no lock; a reload prepares the new table beside the old one and swaps them in one step,
/// so a reader sees the one or the other, never a mixture. The old one is freed when its last
/// reader is done.
///
/// ```
/// use larder_memo::{Loaded, StaticTable};
///
/// static COUNTRIES: StaticTable<String, String> = StaticTable::new(countries);
///
/// fn countries() -> Loaded<String, String> {
///     // select code, name from countries
///     Ok([("no", "Norway"), ("se", "Sweden")].map(|(k, v)| (k.into(), v.into())).into())
/// }
///
/// assert_eq!(COUNTRIES.get("no")?, Some("Norway".to_owned()));
/// assert_eq!(COUNTRIES.read("se", |name| name.len())?, Some(6));
/// assert_eq!(COUNTRIES.get("xx")?, None);
/// # Ok::<(), larder_memo::Error>(())
/// ```
///
/// # When it is loaded again
///
/// | why | who loads | the others meanwhile | if the load fails |
/// |---|---|---|---|
/// | nobody has yet | the first caller | wait for it | an error to all of them |
/// | [`reload`](Self::reload) | its caller | read the old table | an error to its caller |
/// | [`every`](Self::every) | the first caller that is due | read the old table | all read the old table |
/// | a bump ([`depends_on`](Self::depends_on)) | the next caller | wait for it | an error to all of them |
///
/// After a bump the old table is known to be wrong: nobody who asks after it gets it as an answer,
/// not even when the reload fails. It is kept, though, and [`last`](Self::last) has it for those
/// who would rather have an old answer than none. Whatever fails, [`status`](Self::status) and
/// [`on_error`](Self::on_error) tell.
///
/// One load runs at a time. Callers that wait share its outcome if it began after they asked; so
/// each of them waits for two loads at most, and a loader that cannot succeed is not called once
/// by each of a crowd. A loader that panics panics its caller only, and counts as failed. The
/// loader may read the table while there is one that is not known to be wrong; else it gets an
/// error, since it asks for what it is loading.
///
/// Inside a [`Transaction`](crate::Transaction) of the tables that it depends on, each look-up
/// loads the table for itself and keeps nothing: take one [`snapshot`](Self::snapshot) there. A
/// loader that opens one itself loads for its caller alone too.
///
/// The rows of an old table are dropped under no lock and after the load that replaced it has
/// ended, by its caller or by the last reader: their `Drop` may use the table. If it reloads the
/// table each time, that has no end: the next old table is dropped within it.
pub struct StaticTable<K, V> {
    table: Swap<Whole<K, V>>,
    /// Whether a hit has more to ask than the table: set with `every` and `depends_on`.
    watched: bool,
    epochs: Option<Epochs>,
    patience: Duration,
    loader: Loader<K, V>,
    on_error: Option<Box<Hook>>,
    reloads: Reloads,
}

type Hook = dyn Fn(&Error) + Send + Sync;

enum Loader<K, V> {
    Plain(fn() -> Loaded<K, V>),
    Boxed(Box<dyn Fn() -> Loaded<K, V> + Send + Sync>),
}

impl<K, V> StaticTable<K, V> {
    const_unless_loom! {
        /// Makes a table of what this function loads; it is first called when the table is first
        /// asked.
        pub fn new(loader: fn() -> Loaded<K, V>) -> Self {
            Self::from_loader(Loader::Plain(loader))
        }
    }

    const_unless_loom! {
        fn from_loader(loader: Loader<K, V>) -> Self {
            StaticTable {
                table: Swap::new(),
                watched: false,
                epochs: None,
                patience: PATIENCE,
                loader,
                on_error: None,
                reloads: Reloads::new(),
            }
        }
    }

    /// Makes a table of what this closure loads: one that has a pool of connections, say, which a
    /// function cannot have.
    ///
    /// ```
    /// use larder_memo::StaticTable;
    ///
    /// let ports = "http 80\nhttps 443".to_owned();
    /// let ports: StaticTable<String, u16> = StaticTable::with_loader(move || {
    ///     let rows = ports.lines().filter_map(|line| line.split_once(' '));
    ///     rows.map(|(name, port)| Ok((name.to_owned(), port.parse()?))).collect()
    /// });
    /// assert_eq!(ports.get("https")?, Some(443));
    /// # Ok::<(), larder_memo::Error>(())
    /// ```
    pub fn with_loader(loader: impl Fn() -> Loaded<K, V> + Send + Sync + 'static) -> Self {
        Self::from_loader(Loader::Boxed(Box::new(loader)))
    }

    /// Has the table loaded again this long after each load.
    ///
    /// The first caller after that loads, on its own thread; all others go on with the old table
    /// and wait for nothing. A load that failed is tried again after an eighth of the interval,
    /// and the old table stays. Nothing happens while nobody asks.
    ///
    /// Default: never. With a schedule each look-up reads the clock.
    ///
    /// # Panics
    ///
    /// When `interval` is zero.
    #[must_use]
    pub const fn every(mut self, interval: Duration) -> Self {
        assert!(!interval.is_zero(), "an interval of zero would load the table at each look-up");
        self.reloads.schedule.every = Some(interval);
        self.watched = true;
        self
    }

    /// Sets how long a caller waits for another thread's load.
    ///
    /// Default: 30 seconds. `Duration::MAX` waits for ever.
    #[must_use]
    pub const fn wait(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes the table depend on these: when one of them is bumped, nobody who asks from then on
    /// gets what was loaded before.
    ///
    /// Default: none; what an earlier call named is forgotten. Each look-up reads the version of
    /// each of them, so name a handful at most.
    ///
    /// ```
    /// use larder_memo::{StaticTable, Tables};
    ///
    /// let tables = Tables::new();
    /// let names = StaticTable::with_loader(|| Ok(vec![(7, "Dawn")])).depends_on(&tables, ["photos"]);
    /// assert_eq!(names.get(&7)?, Some("Dawn"));
    /// tables.bump("photos");
    /// assert_eq!(names.get(&7)?, Some("Dawn"));
    /// assert_eq!(names.status().loads, 2);
    /// # Ok::<(), larder_memo::Error>(())
    /// ```
    #[must_use]
    pub fn depends_on<T: AsRef<str>>(
        mut self,
        tables: &Tables,
        names: impl IntoIterator<Item = T>,
    ) -> Self {
        let versions = names.into_iter().map(|name| tables.version(name.as_ref())).collect();
        self.epochs = Some(Epochs::new(Some(tables.clone()), versions));
        self.watched = true;
        self
    }

    /// Sets the clock of the schedule and of [`Status::age`]. It must not use the table.
    ///
    /// Default: the monotonic clock of the system; on Linux the coarse one, exact to a few
    /// milliseconds, since look-ups read it.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.reloads.schedule.clock = Some(Box::new(clock));
        self
    }

    /// Sets what is told of each load that failed, on the thread that loaded and under no lock. A
    /// loader that panics tells by itself.
    ///
    /// Default: nothing.
    #[must_use]
    pub fn on_error(mut self, hook: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.on_error = Some(Box::new(hook));
        self
    }

    /// Counts the rows of the table that was loaded last; it loads nothing.
    pub fn len(&self) -> usize {
        self.table.read(|table| table.map_or(0, |table| table.rows.len()))
    }

    /// Tells whether there is no row, or nothing was loaded so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the table that was loaded last, however old, and loads nothing: for those who would
    /// rather have an old answer than none.
    pub fn last(&self) -> Option<Snapshot<K, V>> {
        self.table.get().map(|whole| Snapshot { whole })
    }

    /// Tells how the loads went so far.
    pub fn status(&self) -> Status {
        let tally = self.reloads.tally();
        let now = self.reloads.schedule.now();
        self.table.read(|table| Status {
            rows: table.map_or(0, |table| table.rows.len()),
            age: table.map(|table| now.saturating_sub(table.at)),
            is_stale: !table.is_some_and(|table| self.is_fresh(table)),
            loads: tally.loads,
            failures: tally.failures,
            last_error: tally.last_failure.map(Error::table_load::<V>),
        })
    }

    /// Tells whether nothing that the table depends on was bumped since its load began.
    fn is_fresh(&self, table: &Whole<K, V>) -> bool {
        self.epochs.as_ref().is_none_or(|epochs| epochs.is_fresh(table.begun))
    }
}

impl<K: Hash + Eq, V> StaticTable<K, V> {
    /// Returns a clone of the value of a key.
    ///
    /// # Errors
    ///
    /// As [`snapshot`](Self::snapshot). Once it is loaded, a table that depends on nothing that
    /// is bumped never returns one.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Result<Option<V>, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        self.read(key, V::clone)
    }

    /// Shows the value of a key to `look` and returns its answer, or `None` if there is none.
    ///
    /// The table that the value is of stays in memory while `look` runs, reloaded or not. `look`
    /// may read this table and others, and may reload them.
    ///
    /// # Errors
    ///
    /// As [`snapshot`](Self::snapshot).
    #[inline]
    pub fn read<Q, R>(&self, key: &Q, look: impl FnOnce(&V) -> R) -> Result<Option<R>, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let answer = self.table.read(|table| match table {
            Some(table) if !self.watched || self.may_serve(table) => {
                Ok(table.rows.get(key).map(look))
            }
            _ => Err(look),
        });
        match answer {
            Ok(found) => Ok(found),
            Err(look) => Ok(self.fetch()?.rows.get(key).map(look)),
        }
    }

    /// Returns the whole table as it is now, for look-ups that have to agree and for iteration.
    ///
    /// It locks for a moment and counts where all threads count: for a single look-up take
    /// [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// When there is no table that may be served and it could not be loaded: the loader failed
    /// or panicked ([`Error::is_load_failure`]), another thread's load outlasted the
    /// [`wait`](Self::wait), or the loader itself asks.
    pub fn snapshot(&self) -> Result<Snapshot<K, V>, Error> {
        let table = self.table.get().filter(|table| !self.watched || self.may_serve(table));
        Ok(Snapshot { whole: table.map_or_else(|| self.fetch(), Ok)? })
    }

    /// Loads the table anew, or waits for another thread's load that begins after this call.
    /// From its return on nobody gets an older table.
    ///
    /// Inside a [`Transaction`](crate::Transaction) of the tables that it depends on, where a load
    /// could see rows that are never committed, it leaves the load to the next caller outside. So
    /// it does when the loader opens one.
    ///
    /// # Errors
    ///
    /// When the loader failed or panicked, and the old table is kept; when the
    /// [`wait`](Self::wait) for another thread's load is over; when the loader calls it.
    pub fn reload(&self) -> Result<(), Error> {
        match &self.epochs {
            Some(epochs) if epochs.is_bypassed() => epochs.advance(),
            Some(epochs) => {
                let watch = epochs.watch();
                drop(self.load(|| None)?);
                // The loader opened a transaction: what it brought was not kept.
                watch.saw_scope().then(|| epochs.advance());
            }
            None => drop(self.load(|| None)?),
        }
        Ok(())
    }

    /// Tells whether a reader has to do no more than read.
    #[inline]
    fn may_serve(&self, table: &Whole<K, V>) -> bool {
        self.is_fresh(table) && !self.is_bypassed() && !self.reloads.schedule.is_due()
    }

    /// Tells whether the caller is inside a transaction of the tables that this one depends on.
    #[inline]
    fn is_bypassed(&self) -> bool {
        self.epochs.as_ref().is_some_and(Epochs::is_bypassed)
    }

    /// The table of a caller that found none, an old one, or that a load is due.
    #[cold]
    fn fetch(&self) -> Result<Arc<Whole<K, V>>, Error> {
        if self.is_bypassed() {
            return self.load_aside();
        }
        let fresh = || self.table.get().filter(|table| self.is_fresh(table));
        let Some(table) = fresh() else { return self.load(fresh) };
        match self.reloads.claim() {
            None => Ok(table),
            Some(lead) => Ok(self.lead(lead).unwrap_or(table)),
        }
    }

    /// What `fresh` has, or else what a load gives that begins from now on.
    fn load(
        &self,
        fresh: impl Fn() -> Option<Arc<Whole<K, V>>>,
    ) -> Result<Arc<Whole<K, V>>, Error> {
        match self.reloads.turn(self.patience, fresh) {
            Turn::Fresh(table) => Ok(table),
            Turn::Lead(lead) => self.lead(lead),
            Turn::Ended(Ok(())) => Ok(self.table.get().expect("a load that ended well has set it")),
            Turn::Ended(Err(failure)) => Err(Error::table_load::<V>(failure)),
            Turn::Recursion => Err(Error::table_recursion::<V>()),
            Turn::TimedOut => Err(Error::table_timeout::<V>(self.patience)),
        }
    }

    /// Runs the loader for the caller alone.
    fn load_aside(&self) -> Result<Arc<Whole<K, V>>, Error> {
        let _aside = Aside::begin(self).ok_or_else(Error::table_recursion::<V>)?;
        let failure = |error: Box<dyn error::Error + Send + Sync>| Failure::Loader(error.into());
        let whole = self.run_loader().map_err(|error| Error::table_load::<V>(failure(error)))?;
        Ok(Arc::new(whole))
    }

    /// Runs the loader for all.
    fn lead(&self, lead: Lead<'_>) -> Result<Arc<Whole<K, V>>, Error> {
        let watch = self.epochs.as_ref().map(Epochs::watch);
        match self.run_loader() {
            Ok(whole) if watch.as_ref().is_some_and(Watch::saw_scope) => {
                lead.forgo();
                Ok(Arc::new(whole))
            }
            Ok(whole) => {
                let whole = Arc::new(whole);
                self.table.set(whole.clone());
                lead.end(None);
                // Rows are dropped when nobody waits for this load: a `Drop` may panic, or reload.
                self.table.free();
                Ok(whole)
            }
            Err(error) => {
                let failure = Failure::Loader(error.into());
                let error = Error::table_load::<V>(failure.clone());
                lead.end(Some(failure));
                self.on_error.iter().for_each(|hook| hook(&error));
                Err(error)
            }
        }
    }

    fn run_loader(&self) -> Result<Whole<K, V>, Box<dyn error::Error + Send + Sync>> {
        let begun = self.epochs.as_ref().map_or(0, Epochs::begin);
        let at = self.reloads.schedule.now();
        let rows = match &self.loader {
            Loader::Plain(loader) => loader(),
            Loader::Boxed(loader) => loader(),
        }?;
        let mut map = HashMap::with_capacity_and_hasher(rows.len(), Seeded::new());
        map.extend(rows);
        Ok(Whole { rows: map, begun, at })
    }
}

impl<K, V> Debug for StaticTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticTable").field("len", &self.len()).finish_non_exhaustive()
    }
}
