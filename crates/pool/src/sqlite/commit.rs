//! What listeners hear of a commit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::Error;
use super::pool::SqlitePool;

/// How long a look may take that must open the writer's connection.
const LOOK: Duration = Duration::from_secs(1);

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
    /// Tables of attached databases go by their bare names, too. (What another *process* writes to
    /// an attached database is not noticed at all: SQLite's version counter is of `main`.) Views are named when they were
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
    /// panics lets the panic out of `commit`, when all the others have been told. One that reads
    /// keeps a clone of [`readers`](SqlitePool::readers), not of this pool, which would never be
    /// dropped then: the pool has the listeners, until the last clone is gone.
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
    /// [is unknown](Commit::is_unknown). True if so, and when it can't be told, because the writer's
    /// connection had been closed since (by a panic, say): then it is opened here. Otherwise costs a
    /// microsecond; it is for an application's own tick.
    ///
    /// It does not wait for the writer: while that is lent, takes more than a second to open, or the
    /// pool is paused or closed, the answer is false, and what others wrote is for a later look. A [`Writer`](super::Writer) has
    /// looked when it began, and until it ends nobody else can write; beside a connection lent by
    /// [`writer`](SqlitePool::writer) others can.
    ///
    /// # Errors
    /// [`is_manager`](crate::Error::is_manager) when the database can't be opened or read.
    #[track_caller]
    pub fn check_other_writers(&self) -> Result<bool, Error> {
        self.look(LOOK)
    }

    /// Looks as `check_other_writers` does, opening a connection within `limit`.
    #[track_caller]
    pub(super) fn look(&self, limit: Duration) -> Result<bool, Error> {
        let conn = match self.writer.try_get() {
            Some(conn) => conn,
            None if self.has_no_writer_open() => match self.writer.get_timeout(limit.min(LOOK)) {
                Ok(conn) => conn,
                // Somebody else opens it, or this one will be there for the next look.
                Err(error) if error.is_timeout() || error.is_closed() => return Ok(false),
                Err(error) => return Err(error),
            },
            None => return Ok(false),
        };
        self.check_others(&conn)
    }

    /// While nobody listens to the database, no later commit would tell of what others write.
    fn has_no_writer_open(&self) -> bool {
        let state = self.writer.state();
        state.connections == 0 && !state.paused && !state.closed
    }

    pub(super) fn check_others(&self, conn: &Connection) -> Result<bool, Error> {
        self.watch.check_others(conn).map_err(|cause| Error::manager("look for writers", cause))
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
