//! SQLite: a manager with the right settings for each connection, and a pool of one writer and
//! many readers.
//!
//! - [`SqliteManager`] is an r2d2 manager. [`SqliteManager::pool`] starts a [`Builder`] for it that
//!   has the return gate: a connection that comes back inside an open transaction is rolled back,
//!   and one with a statement still running is closed; the error handler hears of both.
//! - [`SqlitePool`] keeps writers from each other by a queue rather than by SQLite's busy handler,
//!   which sleeps and lets the youngest win; readers go on meanwhile, since the journal is a WAL.
//!
//! ```
//! use larder_pool::sqlite::{SqliteManager, SqlitePool};
//!
//! let pool = SqlitePool::open(SqliteManager::memory(), 4)?;
//! pool.transact(|tx| tx.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (7)"))?;
//! let x: i64 = pool.read()?.query_row("SELECT x FROM t", [], |row| row.get(0))?;
//! assert_eq!(x, 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing else in the process may open the database's file: closing *any* descriptor of it drops
//! the POSIX locks of the whole process. And no connection survives a `fork`.
//!
//! [`Builder`]: crate::Builder

mod gate;
mod manager;
mod opener;
mod pool;
mod writer;

pub use manager::SqliteManager;
pub use pool::SqlitePool;
pub use writer::Writer;

/// Why there is no connection, or no commit; the [`cause`](crate::Error::cause) is SQLite's own.
pub type Error = crate::Error<rusqlite::Error>;
