//! One writer and many readers.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ffi};

use super::Error;
use super::backup;
use super::commit::Commit;
use super::gate;
use super::governor::Governor;
use super::lease::Lease;
use super::manager::SqliteManager;
use super::opener::Access;
use super::watch::Watch;
use super::writer::{BEGIN, Writer};
use crate::builder::Builder;
use crate::pool::Pool;
use crate::pooled::Pooled;

/// Query-only readers, and one writer lent in the order of asking. Clones are the same pool.
#[derive(Clone)]
pub struct SqlitePool {
    readers: Pool<SqliteManager>,
    writer: Pool<SqliteManager>,
    watch: Arc<Watch>,
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
        let governed = (writable && manager.has_wal()).then(|| Governor::new(manager.clone()));
        let watch = Watch::new(governed);
        let writer = SqliteManager::pool().return_gate(gate::telling(Arc::clone(&watch)));
        let writer = settings(writer).min_idle(None).max_size(1).max_capacity(1);
        let writer = writer.build(manager.clone().watched_by(Arc::clone(&watch)))?;
        let readers = settings(SqliteManager::pool()).max_size(readers);
        let readers = readers.build(manager.for_readers())?;
        if let Some(governor) = watch.governor() {
            governor.watch_readers(readers.clone());
        }
        Ok(SqlitePool { readers, writer, watch, busy_timeout, writable })
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

    /// Runs `work` with a reader and interrupts whatever query it is in when `limit` is over, which
    /// counts from the asking: one deadline over the wait for a reader and the work. The reader is
    /// as good as before. A long reader keeps the WAL from being cut: this bounds it.
    ///
    /// The query itself looks at the clock every few microseconds, so that a lease costs no thread.
    /// Only SQLite's machine is interrupted: not a sort in its last step, nor other code of `work`.
    ///
    /// ```
    /// use larder_pool::sqlite::{SqliteManager, SqlitePool};
    /// use std::time::Duration;
    ///
    /// let pool = SqlitePool::open(SqliteManager::memory(), 1)?;
    /// let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
    ///     SELECT count(*) FROM n";
    /// let limit = Duration::from_millis(20);
    /// let counted = pool.read_within(limit, |conn| conn.query_row(endless, [], |_| Ok(())));
    /// assert!(counted.unwrap_err().to_string().contains("the lease of 20ms was over"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`read`](SqlitePool::read) at the deadline; what `work` returned, which at the deadline
    /// is an `OperationInterrupted` whose message says that it was the lease.
    #[track_caller]
    pub fn read_within<T>(
        &self,
        limit: Duration,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let lease = Lease::begin(limit);
        let mut conn = self.readers.get_timeout(limit)?;
        lease.hold("read", &mut conn, work)
    }

    /// Runs `work` as [`transact`](SqlitePool::transact) does, within `limit` as
    /// [`read_within`](SqlitePool::read_within) does. The `COMMIT` itself is not interrupted.
    ///
    /// # Errors
    /// As both.
    #[track_caller]
    pub fn transact_within<T>(
        &self,
        limit: Duration,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let lease = Lease::begin(limit);
        let mut writer = self.write_timeout(limit)?;
        let done = lease.hold("write", &mut writer, work)?;
        writer.commit()?;
        Ok(done)
    }

    /// Copies the database, as it is now, to a new file, while readers and the writer go on. (In
    /// memory the writer waits.) The copy has its name only when it is whole and on the disk; a
    /// process killed meanwhile leaves a `.partial` file.
    ///
    /// # Errors
    /// As [`read`](SqlitePool::read); [`is_manager`](crate::Error::is_manager) when there is such a
    /// file already, or a journal that belongs to one, and when it can't be written.
    #[track_caller]
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<(), Error> {
        self.backup_with(to, |_, _| {})
    }

    /// Copies the database as [`backup`](SqlitePool::backup) does, and calls `progress` after each
    /// 256 pages with the number of those copied and of all.
    ///
    /// # Errors
    /// As [`backup`](SqlitePool::backup).
    #[track_caller]
    pub fn backup_with(
        &self,
        to: impl AsRef<Path>,
        mut progress: impl FnMut(u32, u32),
    ) -> Result<(), Error> {
        let conn = self.readers.get()?;
        let copied = backup::copy(&conn, to.as_ref(), &mut progress);
        copied.map_err(|cause| Error::manager("back up", cause))
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
        // All tables, not only those that this connection has queried: readers do that.
        let optimized = conn.execute_batch("PRAGMA optimize=0x10002");
        // Statistics are nobody's answer.
        self.watch.hush();
        optimized.map_err(|cause| Error::manager("optimize", cause))
    }

    /// Has `listener` told of every commit from now on: after it has succeeded, before
    /// [`commit`](Writer::commit) returns and the next writer begins, and in the order of the
    /// commits. What it is told of is named in [`Commit::tables`].
    ///
    /// What is committed on the writer's connection past a [`Writer`] (with
    /// [`writer`](SqlitePool::writer), or as SQL) is told when the connection comes back. What
    /// other processes commit is noticed when a writer begins, and by
    /// [`check_other_writers`](SqlitePool::check_other_writers).
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
    /// It does not wait: while this pool's own writer is lent, nobody else can have written since
    /// it was, and the answer is false.
    ///
    /// # Errors
    /// [`is_manager`](crate::Error::is_manager) when the database can't be read.
    pub fn check_other_writers(&self) -> Result<bool, Error> {
        let Some(conn) = self.writer.try_get() else { return Ok(false) };
        self.watch.check_others(&conn).map_err(|cause| Error::manager("look for writers", cause))
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
