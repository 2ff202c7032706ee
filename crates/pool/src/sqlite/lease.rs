//! A deadline over what a borrower does, queries included.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, ffi};

use super::Error;
use super::pool::SqlitePool;

/// How many instructions of SQLite's virtual machine run between two looks at the clock: some ten
/// microseconds.
const INSTRUCTIONS: i32 = 1000;

impl SqlitePool {
    /// Runs `work` with a reader and interrupts whatever query it is in when `limit` is over, which
    /// counts from the asking: one deadline over the wait for a reader and the work. The reader is
    /// as good as before. A long reader keeps the WAL from being cut: this bounds it.
    ///
    /// The query itself looks at the clock every few microseconds, so that a lease costs no thread.
    /// Only SQLite's machine is interrupted: not a sort in its last step, nor other code of `work`.
    /// A statement waits for another connection's lock no longer than the lease had left when `work`
    /// began.
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
    /// is an `OperationInterrupted`, or a `DatabaseBusy` or `DatabaseLocked` of a statement that
    /// waited for a lock: its message says that it was the lease.
    #[track_caller]
    pub fn read_within<T>(
        &self,
        limit: Duration,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let lease = Lease::begin(limit);
        let mut conn = self.read_timeout(limit)?;
        lease.hold("read", &mut conn, self.busy_timeout, work)
    }

    /// Runs `work` as [`transact`](SqlitePool::transact) does, within `limit` as
    /// [`read_within`](SqlitePool::read_within) does. The `COMMIT` itself is not interrupted; in
    /// memory, where it waits for readers, it does so for what is left.
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
        let done = lease.hold("write", &mut writer, self.busy_timeout, work)?;
        lease.wait_within(&writer, self.busy_timeout)?;
        writer.commit_then(|conn, committed| {
            let restored = conn.busy_timeout(self.busy_timeout);
            committed.map_err(|cause| lease.explain(cause)).and(restored)
        })?;
        Ok(done)
    }
}

/// One deadline over the wait for a connection and the work with it.
#[derive(Clone, Copy)]
pub(super) struct Lease {
    limit: Duration,
    began: Instant,
}

impl Lease {
    pub(super) fn begin(limit: Duration) -> Self {
        Lease { limit, began: Instant::now() }
    }

    /// Runs `work`, interrupting any statement of `conn` at the deadline. No thread waits for that:
    /// the statement itself looks at the clock.
    pub(super) fn hold<T>(
        self,
        action: &'static str,
        conn: &mut Connection,
        busy_timeout: Duration,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.wait_within(conn, busy_timeout)?;
        conn.progress_handler(INSTRUCTIONS, Some(move || self.is_over()))
            .map_err(|cause| Error::manager("begin a lease", cause))?;
        // If it panics, the connection is closed.
        let done = work(conn);
        conn.progress_handler(0, None::<fn() -> bool>)
            .and_then(|()| conn.busy_timeout(busy_timeout))
            .map_err(|cause| Error::manager("end a lease", cause))?;
        done.map_err(|cause| Error::manager(action, self.explain(cause)))
    }

    /// Has statements wait for locks as long as the lease has left: nobody interrupts that wait.
    fn wait_within(&self, conn: &Connection, busy_timeout: Duration) -> Result<(), Error> {
        // Rounded up, as SQLite counts in milliseconds: who has waited in vain is to find it over.
        let left = self.limit.saturating_sub(self.began.elapsed());
        let left = left.saturating_add(Duration::from_millis(1));
        conn.busy_timeout(left.min(busy_timeout))
            .map_err(|cause| Error::manager("begin a lease", cause))
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= self.limit
    }

    /// Says in the error of a statement that was interrupted by whom it was.
    fn explain(&self, error: rusqlite::Error) -> rusqlite::Error {
        let fate = match error.sqlite_error_code() {
            _ if !self.is_over() => return error,
            Some(ErrorCode::OperationInterrupted) => "the query was interrupted".to_string(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                format!("a statement waited for another connection's lock in vain: {error}")
            }
            _ => return error,
        };
        let code = error.sqlite_error().map_or(ffi::SQLITE_INTERRUPT, |error| error.extended_code);
        let Lease { limit, began } = self;
        let message =
            format!("the lease of {limit:?} was over after {:?}, and {fate}", began.elapsed());
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(message))
    }
}
