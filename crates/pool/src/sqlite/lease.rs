//! A deadline over what a borrower does, queries included.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, ffi};

use super::Error;

/// How many instructions of SQLite's virtual machine run between two looks at the clock: some ten
/// microseconds.
const INSTRUCTIONS: i32 = 1000;

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
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        conn.progress_handler(INSTRUCTIONS, Some(move || self.is_over()))
            .map_err(|cause| Error::manager("begin a lease", cause))?;
        // If it panics, the connection is closed.
        let done = work(conn);
        conn.progress_handler(0, None::<fn() -> bool>)
            .map_err(|cause| Error::manager("end a lease", cause))?;
        done.map_err(|cause| Error::manager(action, self.explain(cause)))
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= self.limit
    }

    /// Says in the error of a statement that was interrupted by whom it was.
    fn explain(&self, error: rusqlite::Error) -> rusqlite::Error {
        if error.sqlite_error_code() != Some(ErrorCode::OperationInterrupted) || !self.is_over() {
            return error;
        }
        let Lease { limit, began } = self;
        let message = format!(
            "the lease of {limit:?} was over after {:?}, and the query was interrupted",
            began.elapsed()
        );
        let code = ffi::Error::new(ffi::SQLITE_INTERRUPT);
        rusqlite::Error::SqliteFailure(code, Some(message))
    }
}
