//! Versions of the tables that memoised answers were computed from.
//!
//! # One sequence for all
//!
//! | step | of | does |
//! |---|---|---|
//! | 1 | a change | commits the row |
//! | 2 | its bump | takes the next number of `sequence`: from here on the table has changed |
//! | 3 | | raises the table's version to that number |
//! | a | a load | notes the last number of `sequence` |
//! | b | | reads the row |
//! | c | whoever is offered the value | compares the note with the version of each table |
//!
//! A load whose note has the number of the bump (a after 2) read the row as committed (b after 1).
//! One whose note lacks it may have read the old row, and is stale as soon as the version says so:
//! at the latest when the bump returns. The note is of all tables at once, so that a load need
//! not know which tables it is going to read: they may be named when it has ended.
//!
//! `sequence` and the versions only grow. Nothing but the table of names is locked, and only by
//! bumps and by whoever names a table.

use crate::sync::{Apart, AtomicU64, Ordering, RwLock};
use crate::transaction::{Queue, Watch, within};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError};

/// Named tables, each with a version, for as many memos as depend on them.
///
/// Clones share the versions. [`bump`](Tables::bump) makes all answers that were computed from a
/// table stale at once, in every memo built with
/// [`depends_on`](crate::Builder::depends_on) it, whatever their number.
///
/// A table is remembered by its name from the moment that something depends on it, for as long
/// as the set lives. Names come from the program, not from its clients: nothing bounds their
/// number.
///
/// ```
/// use larder_memo::{Memo, Tables};
///
/// let tables = Tables::new();
/// let titles: Memo<u64, String> = Memo::builder(100).depends_on(&tables, ["photos"]).build();
///
/// titles.get_or_load(&1, || "sunset".to_owned());
/// tables.bump("photos");
/// assert_eq!(titles.get(&1), None);
/// ```
#[derive(Clone, Default)]
pub struct Tables {
    set: Arc<Set>,
}

#[derive(Default)]
struct Set {
    /// The number of the last bump. Bumps add to it, loads read it.
    sequence: Apart<AtomicU64>,
    /// Grows when something depends on a new table.
    versions: RwLock<HashMap<String, Version>>,
}

impl Tables {
    /// Makes an empty set of tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes stale what was computed from this table, loads in progress included.
    ///
    /// Call it after the change is committed. Inside a [`Transaction`](crate::Transaction) it
    /// takes effect at once, and again at the commit, since it may be meant for either.
    /// A table that nothing depends on is ignored.
    pub fn bump(&self, table: &str) {
        self.bump_all([table]);
    }

    /// Makes stale what was computed from any of these tables, as [`bump`](Tables::bump) does.
    pub fn bump_all<T: AsRef<str>>(&self, tables: impl IntoIterator<Item = T>) {
        self.raise_all(tables.into_iter().inspect(|table| {
            within(self, |queue| queue.add(table.as_ref()));
        }));
    }

    /// Makes stale what was computed from any table of the set: for a change of unknown extent.
    pub fn bump_every(&self) {
        within(self, |queue| queue.every = true);
        self.raise_every();
    }

    /// Applies what a transaction has queued.
    pub(crate) fn apply(&self, queue: &Queue) {
        match queue.every {
            true => self.raise_every(),
            false if queue.tables.is_empty() => {}
            false => self.raise_all(&queue.tables),
        }
    }

    /// Raises versions, whatever transaction is open.
    pub(crate) fn raise_all<T: AsRef<str>>(&self, tables: impl IntoIterator<Item = T>) {
        let number = self.next();
        for table in tables {
            // Locked for one table at a time: the iterator is the caller's code.
            let versions = self.set.versions.read().unwrap_or_else(PoisonError::into_inner);
            let version = versions.get(table.as_ref());
            version.into_iter().for_each(|version| version.raise(number));
        }
    }

    pub(crate) fn raise_every(&self) {
        let number = self.next();
        let versions = self.set.versions.read().unwrap_or_else(PoisonError::into_inner);
        versions.values().for_each(|version| version.raise(number));
    }

    /// The version of a table, from now on remembered.
    ///
    /// A new one begins at the last number: a bump of a table that is not remembered leaves no
    /// other trace, and the load that names the table now may have begun before that bump.
    pub(crate) fn version(&self, table: &str) -> Version {
        let mut versions = self.set.versions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = versions.get(table) {
            return version.clone();
        }
        // The lock orders this after the number of each bump that looked for the table in vain.
        let version = Version(Arc::new(Apart(AtomicU64::new(self.last()))));
        versions.insert(table.to_owned(), version.clone());
        version
    }

    /// Tells whether two handles are of one set.
    pub(crate) fn is(&self, other: &Tables) -> bool {
        Arc::ptr_eq(&self.set, &other.set)
    }

    /// Where the set is: no other is there while somebody has a handle.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.set).addr()
    }

    /// The number of the last bump.
    fn last(&self) -> Stamp {
        // Acquire: partner of the Release in `next`. Whoever sees the number of a bump sees what
        // the bumper wrote before it.
        self.set.sequence.0.load(Ordering::Acquire)
    }

    /// Takes the number of a bump.
    fn next(&self) -> Stamp {
        // Release: partner of the Acquire in `last`.
        self.set.sequence.0.fetch_add(1, Ordering::Release) + 1
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions = self.set.versions.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Tables").field("names", &versions.keys()).finish_non_exhaustive()
    }
}

/// When a load began: the number of the last bump at that moment.
pub(crate) type Stamp = u64;

/// The number of the last bump of one table. Only bumps write it, every hit reads it.
#[derive(Clone)]
pub(crate) struct Version(Arc<Apart<AtomicU64>>);

impl Version {
    /// Tells whether the table has not changed since a load began.
    #[inline]
    pub(crate) fn is_fresh(&self, begun: Stamp) -> bool {
        // Acquire: partner of the Release in `raise`. Who is told that a value is stale and then
        // begins a load begins it under the number that made it stale, or a later one.
        self.0.0.load(Ordering::Acquire) <= begun
    }

    /// Tells whether two handles are of one table.
    pub(crate) fn is(&self, other: &Version) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn raise(&self, number: Stamp) {
        // Release: partner of the Acquire in `is_fresh`. A bump with a later number may have been
        // here before.
        self.0.0.fetch_max(number, Ordering::Release);
    }
}

/// Adds a table to a list of a few, unless it is there: a hit would read it twice.
pub(crate) fn add_once(versions: &mut Vec<Version>, version: Version) {
    if !versions.iter().any(|known| known.is(&version)) {
        versions.push(version);
    }
}

/// Everything that can make all entries of one memo stale: its own epoch and its tables.
pub(crate) struct Epochs {
    /// The number of the last `invalidate_all`.
    own: AtomicU64,
    /// What all entries depend on.
    versions: Box<[Version]>,
    /// Where the numbers come from; a memo without tables has a set of its own.
    tables: Tables,
    /// Whether the program has the set too.
    is_shared: bool,
}

impl Epochs {
    /// Starts with entries that depend on these versions, all of them of `tables`.
    pub(crate) fn new(tables: Option<Tables>, versions: Vec<Version>) -> Self {
        let is_shared = tables.is_some();
        let tables = tables.unwrap_or_default();
        let mut once = Vec::new();
        versions.into_iter().for_each(|version| add_once(&mut once, version));
        Epochs { own: AtomicU64::new(0), versions: once.into(), tables, is_shared }
    }

    /// Makes all entries stale whose load has begun by now.
    pub(crate) fn advance(&self) {
        let number = self.tables.next();
        // Release: partner of the Acquire in `is_fresh`.
        self.own.fetch_max(number, Ordering::Release);
    }

    /// Tells whether this thread is inside a transaction of the tables: nothing that is kept may
    /// be read then, and nothing that is read may be kept.
    #[inline]
    pub(crate) fn is_bypassed(&self) -> bool {
        within(&self.tables, |_| {})
    }

    /// Begins to watch for transactions of the tables on this thread.
    pub(crate) fn watch(&self) -> Watch {
        Watch::begin(&self.tables)
    }

    /// The version of a table that one load names; none if nobody could ever bump it.
    pub(crate) fn version(&self, table: &str) -> Option<Version> {
        self.is_shared.then(|| self.tables.version(table))
    }

    /// How many versions each hit reads.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn reads(&self) -> usize {
        self.versions.len()
    }

    /// What a load notes before it reads anything.
    pub(crate) fn begin(&self) -> Stamp {
        self.tables.last()
    }

    /// Tells whether nothing has made a value stale whose load began then.
    #[inline]
    pub(crate) fn is_fresh(&self, begun: Stamp) -> bool {
        // Acquire: partner of the Release in `advance`, as in `Version::is_fresh`.
        self.own.load(Ordering::Acquire) <= begun
            && (self.versions.is_empty() || self.are_tables_fresh(begun))
    }

    fn are_tables_fresh(&self, begun: Stamp) -> bool {
        self.versions.iter().all(|version| version.is_fresh(begun))
    }
}
