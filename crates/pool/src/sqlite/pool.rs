//! One writer and many readers.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ffi};

use super::Error;
use super::gate;
use super::governor::Governor;
use super::manager::SqliteManager;
use super::opener::Access;
use super::watch::Watch;
use super::writer::{BEGIN, Writer};
use crate::builder::Builder;
use crate::nested::Nested;
use crate::pool::Pool;
use crate::pooled::Pooled;

/// Query-only readers, and one writer lent in the order of asking. Clones are the same pool.
#[derive(Clone)]
pub struct SqlitePool {
    pub(super) readers: Pool<SqliteManager>,
    pub(super) writer: Pool<SqliteManager>,
    pub(super) watch: Arc<Watch>,
    pub(super) busy_timeout: Duration,
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
    /// to that of the writer alike. A [`return_gate`](Builder::return_gate) runs before the pool's
    /// own, which goes on as without it.
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
        let governed = (writable && manager.has_wal()).then(|| Governor::new(manager.clone()));
        let watch = Watch::new(governed);
        let writer = SqliteManager::builder().nested_checkout(Nested::Refuse);
        let writer = settings(writer).min_idle(None).max_size(1).max_capacity(1);
        let writer = gate::last(writer, gate::telling(Arc::clone(&watch)));
        let writer = writer.build(manager.clone().watched_by(Arc::clone(&watch)))?;
        let readers = settings(SqliteManager::builder()).max_size(readers);
        let readers = gate::last(readers, |conn, site| gate::inspect(conn, Some(site)));
        let readers = readers.build(manager.for_readers())?;
        if let Some(governor) = watch.governor() {
            governor.watch_readers(readers.clone());
        }
        Ok(SqlitePool { readers, writer, watch, busy_timeout, writable })
    }

    /// Lends a reader: the thread's last one if it is free.
    ///
    /// It is query-only by a setting, against mistakes and not against malice. What a holder sets
    /// on a connection (pragmas, that one and `busy_timeout` among them), and its temporary tables,
    /// stay for the next one: only transactions and running statements are ended. One who means to
    /// change such things [discards](Pooled::discard) the connection after.
    ///
    /// # Errors
    /// As [`Pool::get`].
    #[track_caller]
    pub fn read(&self) -> Result<Pooled<SqliteManager>, Error> {
        self.read_timeout(self.readers.connection_timeout())
    }

    /// Lends a reader, waiting for one up to `timeout`.
    ///
    /// # Errors
    /// As [`read`](SqlitePool::read).
    #[track_caller]
    pub fn read_timeout(&self, timeout: Duration) -> Result<Pooled<SqliteManager>, Error> {
        if !self.watch.is_look_due() {
            return self.readers.get_timeout(timeout);
        }
        let began = Instant::now();
        if let Err(error) = self.look(timeout) {
            error.into_cause().into_iter().for_each(|cause| self.readers.report(cause));
        }
        self.readers.get_timeout(timeout.saturating_sub(began.elapsed()))
    }

    /// Lends the writer inside `BEGIN IMMEDIATE`, waiting for those who asked earlier up to the
    /// `connection_timeout`. Dropping it rolls back.
    ///
    /// A thread that has the writer and asks again would wait for itself: it is refused at once,
    /// and the error names both call sites. (A guard counts for the thread that asked, wherever it
    /// was moved. Whoever moves one and asks again sets
    /// [`nested_checkout`](Builder::nested_checkout) to `Allow` with
    /// [`open_with`](SqlitePool::open_with).) Another *process* that writes is waited for by SQLite itself, up to the `busy_timeout` and
    /// within the same deadline.
    ///
    /// # Errors
    /// As [`Pool::get`]; [`is_manager`](crate::Error::is_manager) also when the transaction can't
    /// begin; [`is_nested`](crate::Error::is_nested) when this thread has the writer.
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
        let wait = left.min(self.busy_timeout);
        Writer::begin(conn, Arc::clone(&self.watch), wait, self.busy_timeout)
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

    /// Brings the query planner's statistics up to date where that pays (`PRAGMA optimize`): for
    /// an application's own tick, a few times a day. Waits for the writer; mostly it is done at
    /// once.
    ///
    /// # Errors
    /// As [`write`](SqlitePool::write).
    #[track_caller]
    pub fn optimize(&self) -> Result<(), Error> {
        if !self.writable {
            return Err(Error::manager("optimize", read_only()));
        }
        let conn = self.writer.get()?;
        self.check_others(&conn)?;
        // All tables, not only those that this connection has queried: readers do that.
        let optimized = conn.execute_batch("PRAGMA optimize=0x10002");
        // Statistics are nobody's answer.
        self.watch.hush();
        optimized.map_err(|cause| Error::manager("optimize", cause))
    }

    /// Lends nothing more until [`resume`](SqlitePool::resume): [`Pool::pause`] of both pools.
    pub fn pause(&self) {
        self.readers.pause();
        self.writer.pause();
    }

    /// Lends again: [`Pool::resume`] of both pools.
    pub fn resume(&self) {
        self.writer.resume();
        self.readers.resume();
    }

    /// Closes both pools as [`close`](SqlitePool::close) does, then waits until the last connection
    /// is closed: one deadline over readers and writer.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) when some are not after `timeout`:
    /// [`still_lent`](crate::Error::still_lent) says how many of both. They close when they come
    /// back.
    pub fn close_within(&self, timeout: Duration) -> Result<(), Error> {
        let began = Instant::now();
        self.close();
        let readers = self.readers.close_within(timeout);
        let writer = self.writer.close_within(timeout.saturating_sub(began.elapsed()));
        let lent = |closed: Result<(), Error>| closed.err().and_then(|e| e.still_lent());
        match lent(readers).unwrap_or(0) + lent(writer).unwrap_or(0) {
            0 => Ok(()),
            lent => Err(Error::still_out(lent, began.elapsed())),
        }
    }

    /// Closes both pools: idle connections at once, lent ones when they come back.
    pub fn close(&self) {
        self.readers.close();
        self.writer.close();
        if let Some(governor) = self.watch.governor() {
            governor.close();
        }
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

impl fmt::Debug for SqlitePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlitePool")
            .field("readers", &self.readers)
            .field("writer", &self.writer)
            .finish_non_exhaustive()
    }
}

fn read_only() -> rusqlite::Error {
    let message = "the database was opened for reading only".to_string();
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_READONLY), Some(message))
}
