//! The writer, lent.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::Error;
use super::manager::SqliteManager;
use super::watch::Watch;
use crate::pooled::Pooled;

/// What could not be done, as the error says it.
pub(super) const BEGIN: &str = "begin a write";

/// The one writer, inside `BEGIN IMMEDIATE`: a connection by `Deref`. Dropping it rolls back.
pub struct Writer {
    conn: Pooled<SqliteManager>,
    watch: Arc<Watch>,
}

impl Writer {
    pub(super) fn begin(
        conn: Pooled<SqliteManager>,
        watch: Arc<Watch>,
        wait: Duration,
        busy_timeout: Duration,
    ) -> Result<Self, Error> {
        let begin = || {
            if wait != busy_timeout {
                conn.busy_timeout(wait)?;
            }
            let begun = conn.prepare_cached("BEGIN IMMEDIATE").and_then(|mut sql| sql.execute([]));
            if wait != busy_timeout {
                conn.busy_timeout(busy_timeout)?;
            }
            begun
        };
        begin().map_err(|cause| Error::manager(BEGIN, cause))?;
        let writer = Writer { conn, watch };
        writer.watch.begin(&writer.conn).map_err(|cause| Error::manager(BEGIN, cause))?;
        Ok(writer)
    }

    /// Commits, tells the [listeners](super::SqlitePool::on_commit), and gives the writer back.
    ///
    /// # Errors
    /// What SQLite says (a deferred foreign key, a full disk); all is rolled back then.
    ///
    /// # Panics
    /// When a listener does. It is committed then, and all listeners have been told.
    pub fn commit(self) -> Result<(), Error> {
        self.commit_then(|_, committed| committed)
    }

    /// Commits as `commit` does; `after` has the connection before it is given back, and the last
    /// word.
    pub(super) fn commit_then(
        self,
        after: impl FnOnce(&Connection, rusqlite::Result<()>) -> rusqlite::Result<()>,
    ) -> Result<(), Error> {
        let committed = after(&self.conn, self.watch.commit(&self.conn));
        committed.map_err(|cause| Error::manager("commit", cause))?;
        let pages = self.watch.cut(&self.conn);
        let watch = Arc::clone(&self.watch);
        drop(self);
        watch.backfill(pages);
        Ok(())
    }

    /// Rolls back and gives the writer back, as dropping it does, but says whether it worked.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn rollback(self) -> Result<(), Error> {
        let rolled_back = self.undo();
        rolled_back.map_err(|cause| Error::manager("roll back", cause))
    }

    fn undo(&self) -> rusqlite::Result<()> {
        self.watch.roll_back();
        self.conn.prepare_cached("ROLLBACK")?.execute([]).map(drop)
    }
}

impl Deref for Writer {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.conn
    }
}

/// For savepoints.
impl DerefMut for Writer {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.conn
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // A panicking thread's connection is closed instead, and that rolls back too. What fails
        // here the return gate meets again, and reports.
        if !std::thread::panicking() && !self.conn.is_autocommit() {
            let _ = self.undo();
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("conn", &self.conn).finish_non_exhaustive()
    }
}
