//! What listeners hear of a commit.

use std::fmt;
use std::sync::Arc;

/// A commit that has succeeded, as the listeners of
/// [`SqlitePool::on_commit`](super::SqlitePool::on_commit) see it.
#[derive(Clone, Copy)]
pub struct Commit<'a> {
    pub(super) tables: &'a [Arc<str>],
    pub(super) schema_changed: bool,
    pub(super) unknown: bool,
}

impl<'a> Commit<'a> {
    /// Returns the names of the tables that the transaction may have changed, as the schema spells
    /// them: none is missing, and one may be here whose rows are what they were (a condition that
    /// no row met, a savepoint rolled back, a trigger that did not fire).
    ///
    /// Tables of attached databases go by their bare names, too. Views are named when they were
    /// written to, and not when what they show has changed; temporary tables and SQLite's own
    /// book-keeping (`sqlite_sequence`) are not.
    pub fn tables(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.tables.iter().map(|name| &**name)
    }

    /// Whether tables, indexes, views or triggers were made, altered or dropped: every answer
    /// computed before may be out of date, those about tables that [`tables`](Commit::tables) does
    /// not name included.
    pub fn schema_changed(&self) -> bool {
        self.schema_changed
    }

    /// Whether it can't be told what changed, so that any table may have: another process wrote, or
    /// something was written past SQL (a blob handle, `PRAGMA user_version`).
    pub fn is_unknown(&self) -> bool {
        self.unknown
    }

    /// Whether answers computed from `table` may be out of date, for any of these reasons.
    pub fn touches(&self, table: &str) -> bool {
        self.unknown || self.schema_changed || self.tables().any(|name| name == table)
    }
}

impl fmt::Debug for Commit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commit")
            .field("tables", &self.tables)
            .field("schema_changed", &self.schema_changed)
            .field("unknown", &self.unknown)
            .finish()
    }
}
