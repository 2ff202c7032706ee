//! Versions of the tables that memoised answers were computed from.

use crate::flights::Stamp;
use crate::sync::{AtomicU64, Ordering, RwLock};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError};

/// Named tables, each with a version, for as many memos as depend on them.
///
/// Clones share the versions. [`bump`](Tables::bump) makes all answers that were computed from a
/// table stale at once, in every memo built with
/// [`depends_on`](crate::Builder::depends_on) it, whatever their number.
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
    /// Grows when a memo is built; a bump and a build are all that lock it.
    versions: Arc<RwLock<HashMap<String, Version>>>,
}

/// The version of a table; only bumps write it, every hit reads it.
pub(crate) type Version = Arc<AtomicU64>;

impl Tables {
    /// Makes an empty set of tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes stale what was computed from this table, loads in progress included. A table that
    /// no memo depends on is ignored.
    pub fn bump(&self, table: &str) {
        let versions = self.versions.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = versions.get(table) {
            advance(version);
        }
    }

    pub(crate) fn version(&self, table: String) -> Version {
        let mut versions = self.versions.write().unwrap_or_else(PoisonError::into_inner);
        versions.entry(table).or_default().clone()
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").finish_non_exhaustive()
    }
}

/// Everything that can make all entries of one memo stale: its own epoch and its tables.
pub(crate) struct Epochs {
    /// Advanced by `invalidate_all`.
    own: AtomicU64,
    tables: Box<[Version]>,
}

impl Epochs {
    pub(crate) fn new(tables: Vec<Version>) -> Self {
        Epochs { own: AtomicU64::new(0), tables: tables.into() }
    }

    pub(crate) fn advance(&self) {
        advance(&self.own);
    }

    /// The present stamp. Versions only grow, so a sum serves: two stamps, the later read of
    /// which happens after the earlier, are equal only if no version moved between them.
    #[inline]
    pub(crate) fn stamp(&self) -> Stamp {
        // Acquire: partner of the Release in `advance`. What the bumper wrote before its bump
        // (the committed row) is what a load under the new stamp reads.
        let mut stamp = self.own.load(Ordering::Acquire);
        for table in &self.tables {
            stamp = stamp.wrapping_add(table.load(Ordering::Acquire));
        }
        stamp
    }
}

fn advance(version: &AtomicU64) {
    // Release: partner of the Acquire in `stamp`.
    version.fetch_add(1, Ordering::Release);
}
