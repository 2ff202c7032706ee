//! The writer, lent.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use rusqlite::Connection;

use super::Error;
use super::manager::SqliteManager;
use crate::pooled::Pooled;

/// What could not be done, as the error says it.
pub(super) const BEGIN: &str = "begin a write";

/// The one writer, inside `BEGIN IMMEDIATE`: a connection by `Deref`. Dropping it rolls back.
#[derive(Debug)]
pub struct Writer {
    conn: Pooled<SqliteManager>,
}

impl Writer {
    pub(super) fn begin(
        conn: Pooled<SqliteManager>,
        wait: Duration,
        busy_timeout: Duration,
    ) -> Result<Self, Error> {
        let begin = || {
            conn.busy_timeout(wait)?;
            let begun = conn.prepare_cached("BEGIN IMMEDIATE").and_then(|mut sql| sql.execute([]));
            conn.busy_timeout(busy_timeout)?;
            begun
        };
        begin().map_err(|cause| Error::manager(BEGIN, cause))?;
        Ok(Writer { conn })
    }

    /// Commits and gives the writer back.
    ///
    /// # Errors
    /// What SQLite says (a deferred foreign key, a full disk); all is rolled back then.
    pub fn commit(self) -> Result<(), Error> {
        let committed = self.end("COMMIT");
        committed.map_err(|cause| Error::manager("commit", cause))
    }

    /// Rolls back and gives the writer back, as dropping it does, but says whether it worked.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn rollback(self) -> Result<(), Error> {
        let rolled_back = self.end("ROLLBACK");
        rolled_back.map_err(|cause| Error::manager("roll back", cause))
    }

    fn end(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute([]).map(drop)
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
            let _ = self.end("ROLLBACK");
        }
    }
}
