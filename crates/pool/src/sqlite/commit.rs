//! What listeners hear of a commit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::pool::SqlitePool;

/// A commit that has succeeded, as the listeners of
/// [`SqlitePool::on_commit`] see it.
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

impl SqlitePool {
    /// Has `listener` told of every commit from now on: after it has succeeded, before
    /// [`commit`](super::Writer::commit) returns and the next writer begins, and in the order of the
    /// commits. What it is told of is named in [`Commit::tables`].
    ///
    /// What is committed on the writer's connection past a [`Writer`](super::Writer) (with
    /// [`writer`](SqlitePool::writer), or as SQL) is told when the connection comes back. What
    /// other processes commit is noticed when a writer begins, and by
    /// [`check_other_writers`](SqlitePool::check_other_writers).
    ///
    /// A listener may read, and may not ask for the writer: it has not been given back. One that
    /// panics lets the panic out of `commit`, when all the others have been told.
    ///
    /// It listens with SQLite's authorizer, its trace, and its hooks for commits and the WAL on
    /// the writer's connection: whoever sets one of these there makes it deaf. So do blob handles:
    /// what is written through one, beside statements in the same transaction, goes unnoticed.
    ///
    /// ```
    /// use larder_pool::sqlite::{SqliteManager, SqlitePool};
    /// use std::sync::{Arc, Mutex};
    ///
    /// let pool = SqlitePool::open(SqliteManager::memory(), 4)?;
    /// pool.transact(|tx| tx.execute_batch("CREATE TABLE photo (id); CREATE TABLE tag (id)"))?;
    /// let touched = Arc::new(Mutex::new(Vec::new()));
    /// let log = touched.clone();
    /// pool.on_commit(move |commit| log.lock().unwrap().extend(commit.tables().map(String::from)));
    /// pool.transact(|tx| tx.execute("INSERT INTO photo VALUES (1)", []))?;
    /// assert_eq!(*touched.lock().unwrap(), ["photo"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_commit(&self, listener: impl Fn(&Commit<'_>) + Send + Sync + 'static) {
        self.watch.listen(Arc::new(listener));
    }

    /// Looks whether another process has written since the last look (each
    /// [`write`](SqlitePool::write) is one), and if so tells the listeners of a commit that
    /// [is unknown](Commit::is_unknown). True if so. Costs a microsecond; it is for an
    /// application's own tick.
    ///
    /// It does not wait for the writer: while that is lent, the answer is false. Whoever has it has
    /// looked when it began, and since then nobody else can have written.
    ///
    /// # Errors
    /// [`is_manager`](crate::Error::is_manager) when the database can't be read.
    pub fn check_other_writers(&self) -> Result<bool, Error> {
        let Some(conn) = self.writer.try_get() else { return Ok(false) };
        self.watch.check_others(&conn).map_err(|cause| Error::manager("look for writers", cause))
    }

    /// Has each [`read`](SqlitePool::read) look for other processes' commits, as
    /// [`check_other_writers`](SqlitePool::check_other_writers) does, when nobody has for `every`:
    /// before its reader is lent, so that what is computed with it is no older than what is
    /// forgotten. Default never. Exact to the coarse clock, a few milliseconds.
    pub fn check_other_writers_every(&self, every: Duration) {
        self.watch.look_every(every);
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
