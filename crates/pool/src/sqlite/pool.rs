//! One writer and many readers.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ffi};

use super::Error;
use super::manager::SqliteManager;
use super::opener::Access;
use super::writer::{BEGIN, Writer};
use crate::builder::Builder;
use crate::pool::Pool;
use crate::pooled::Pooled;

/// Query-only readers, and one writer lent in the order of asking. Clones are the same pool.
#[derive(Clone, Debug)]
pub struct SqlitePool {
    readers: Pool<SqliteManager>,
    writer: Pool<SqliteManager>,
    busy_timeout: Duration,
    /// SQLite itself would begin, and refuse the first statement that writes.
    writable: bool,
}

impl SqlitePool {
    /// Opens the database (the writer first, which creates it) with at most `readers` readers. With
    /// a manager that is read-only or query-only there are only readers: `write` is an error.
    ///
    /// # Errors
    /// [`is_manager`](crate::Error::is_manager) when it can't be opened; the message has the path.
    ///
    /// # Panics
    /// When `readers` is 0 or above 65,536.
    pub fn open(manager: SqliteManager, readers: u32) -> Result<Self, Error> {
        Self::open_with(manager, readers, |builder| builder)
    }

    /// Opens the database with further settings, which are applied to the pool of the readers and
    /// to that of the writer alike.
    ///
    /// # Errors
    /// As [`open`](SqlitePool::open).
    ///
    /// # Panics
    /// As [`open`](SqlitePool::open), and as the settings do.
    pub fn open_with(
        manager: SqliteManager,
        readers: u32,
        settings: impl Fn(Builder<SqliteManager>) -> Builder<SqliteManager>,
    ) -> Result<Self, Error> {
        let busy_timeout = manager.busy_timeout;
        let writable = manager.access == Access::ReadWrite;
        let writer = settings(SqliteManager::pool()).min_idle(None).max_size(1).max_capacity(1);
        let writer = writer.build(manager.clone())?;
        let readers = settings(SqliteManager::pool()).max_size(readers);
        let readers = readers.build(manager.for_readers())?;
        Ok(SqlitePool { readers, writer, busy_timeout, writable })
    }

    /// Lends a reader: the thread's last one if it is free.
    ///
    /// # Errors
    /// As [`Pool::get`].
    #[track_caller]
    pub fn read(&self) -> Result<Pooled<SqliteManager>, Error> {
        self.readers.get()
    }

    /// Lends the writer inside `BEGIN IMMEDIATE`, waiting for those who asked earlier up to the
    /// `connection_timeout`. Dropping it rolls back.
    ///
    /// A thread that has the writer and asks again waits for itself: until the deadline, in vain.
    /// Another *process* that writes is waited for by SQLite itself, up to the `busy_timeout` and
    /// within the same deadline.
    ///
    /// # Errors
    /// As [`Pool::get`]; [`is_manager`](crate::Error::is_manager) also when the transaction can't
    /// begin.
    #[track_caller]
    pub fn write(&self) -> Result<Writer, Error> {
        self.write_timeout(self.writer.connection_timeout())
    }

    /// Lends the writer as [`write`](SqlitePool::write) does, waiting up to `timeout`.
    ///
    /// # Errors
    /// As [`write`](SqlitePool::write).
    #[track_caller]
    pub fn write_timeout(&self, timeout: Duration) -> Result<Writer, Error> {
        if !self.writable {
            return Err(Error::manager(BEGIN, read_only()));
        }
        let began = Instant::now();
        let conn = self.writer.get_timeout(timeout)?;
        let left = timeout.saturating_sub(began.elapsed());
        Writer::begin(conn, left.min(self.busy_timeout), self.busy_timeout)
    }

    /// Runs `work` in a write transaction and commits it when `work` succeeds, or else rolls back.
    ///
    /// # Errors
    /// As [`write`](SqlitePool::write); what `work` returned; and what `COMMIT` says.
    #[track_caller]
    pub fn transact<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let writer = self.write()?;
        let done = work(&writer).map_err(|cause| Error::manager("write", cause))?;
        writer.commit()?;
        Ok(done)
    }

    /// Closes both pools: idle connections at once, lent ones when they come back.
    pub fn close(&self) {
        self.readers.close();
        self.writer.close();
    }

    /// Returns the pool of the readers.
    pub fn readers(&self) -> &Pool<SqliteManager> {
        &self.readers
    }

    /// Returns the pool of the one writer.
    pub fn writer(&self) -> &Pool<SqliteManager> {
        &self.writer
    }
}

fn read_only() -> rusqlite::Error {
    let message = "the database was opened for reading only".to_string();
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_READONLY), Some(message))
}
