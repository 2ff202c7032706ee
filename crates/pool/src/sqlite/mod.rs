//! SQLite: a manager with the right settings for each connection, and a pool of one writer and
//! many readers.
//!
//! - [`SqliteManager`] is an r2d2 manager. [`SqliteManager::pool`] starts a [`Builder`] for it that
//!   has the return gate: a connection that comes back inside an open transaction is rolled back,
//!   and a statement still running is reset; the error handler hears of both, and where the
//!   connection was asked for.
//! - [`SqlitePool`] keeps writers from each other by a queue rather than by SQLite's busy handler,
//!   which sleeps and lets the youngest win; readers go on meanwhile, since the journal is a WAL.
//!   - Its listeners are told of each [`Commit`], with the tables touched, for caches to forget what
//!     was computed from them ([`SqlitePool::on_commit`]); and of what other processes wrote.
//!   - A lease interrupts the query that outlives it ([`SqlitePool::read_within`]).
//!   - The WAL is bounded: checkpoints run after the writer was given back, and a reader who keeps
//!     one from its end is named ([`SqliteManager::wal_limit_bytes`]).
//!   - [`SqlitePool::backup`] and [`SqlitePool::optimize`] work beside all of it.
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

mod backup;
mod commit;
mod gate;
mod governor;
mod journal;
mod lease;
mod looks;
mod manager;
mod opener;
mod pool;
mod reset;
mod text;
mod touched;
mod watch;
mod writer;

pub use commit::Commit;
pub use manager::SqliteManager;
pub use pool::SqlitePool;
pub use writer::Writer;

/// Why there is no connection, or no commit; the [`cause`](crate::Error::cause) is SQLite's own.
pub type Error = crate::Error<rusqlite::Error>;
