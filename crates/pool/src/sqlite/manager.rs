//! The manager: where a database is and how its connections are set up.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use r2d2::ManageConnection;
use rusqlite::Connection;

use super::gate;
use super::opener::{Access, Place};
use super::watch::Watch;
use crate::builder::Builder;
use crate::gate::Returned;

/// Opens connections to one SQLite database, all set up alike. Clones share the database.
#[derive(Clone)]
pub struct SqliteManager {
    pub(super) place: Place,
    pub(super) access: Access,
    pub(super) busy_timeout: Duration,
    pub(super) statement_cache: usize,
    pub(super) foreign_keys: bool,
    pub(super) durable: bool,
    pub(super) exclusive: bool,
    pub(super) cache_size_kib: u32,
    pub(super) mmap_size_bytes: u64,
    pub(super) wal_limit_bytes: u64,
    pub(super) init: Option<Init>,
    /// Who listens to this connection's commits: the writer's alone.
    pub(super) watch: Option<Arc<Watch>>,
}

pub(super) type Init = Arc<dyn Fn(&mut Connection) -> rusqlite::Result<()> + Send + Sync>;

impl SqliteManager {
    /// Manages the database in a file, which is created when it is missing (its directory is not).
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(Place::File(path.into()))
    }

    /// Manages a new database in memory (`vfs=memdb`), shared by all connections of this manager and
    /// its clones, and gone with the last of these managers, of which each pool has one. It has no
    /// WAL: a reader and the writer wait for each other.
    pub fn memory() -> Self {
        Self::new(Place::new_memory())
    }

    fn new(place: Place) -> Self {
        SqliteManager {
            place,
            access: Access::ReadWrite,
            busy_timeout: Duration::from_secs(5),
            statement_cache: 64,
            foreign_keys: true,
            durable: false,
            exclusive: false,
            cache_size_kib: 8 * 1024,
            mmap_size_bytes: 0,
            wal_limit_bytes: 64 << 20,
            init: None,
            watch: None,
        }
    }

    /// Opens the file for reading only: it must exist. Default: reading and writing.
    ///
    /// In a directory that can't be written either, a database with a WAL can be read only while
    /// its `-shm` and `-wal` files are there; otherwise opening fails, with the path in the error.
    pub fn read_only(mut self) -> Self {
        self.access = Access::ReadOnly;
        self
    }

    /// Opens the file for reading and writing, so that it is created and recovered as need be, but
    /// lets no statement change it. Default: statements may.
    pub fn query_only(mut self) -> Self {
        self.access = Access::QueryOnly;
        self
    }

    /// Sets how long a statement waits for another connection's lock. Default 5 s; zero fails at
    /// once; at most `i32::MAX` milliseconds.
    ///
    /// # Panics
    /// Above that.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        assert!(timeout.as_millis() <= i32::MAX as u128, "busy_timeout must fit in 31 bits of ms");
        self.busy_timeout = timeout;
        self
    }

    /// Sets how many prepared statements a connection keeps for `prepare_cached`. Default 64; zero
    /// keeps none.
    pub fn statement_cache(mut self, statements: usize) -> Self {
        self.statement_cache = statements;
        self
    }

    /// Sets whether foreign keys are enforced. Default true.
    pub fn foreign_keys(mut self, enforced: bool) -> Self {
        self.foreign_keys = enforced;
        self
    }

    /// Sets whether each commit is on the disk when it returns (`synchronous=FULL`). Default false
    /// (`NORMAL`): a power cut may lose the last commits, but never corrupts the database.
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Sets whether the file is this process's alone while it is open (`vfs=unix-excl`), for a
    /// server that shares its database with nobody: a transaction then makes no system call to lock,
    /// and threads that read while another writes do not wait for each other's. Other processes, the `sqlite3` shell among them, find the
    /// database locked, and opening it here fails while one of them uses it. Default false.
    ///
    /// All connections of this process to the file must be opened so. It does nothing in memory or
    /// with [`read_only`](SqliteManager::read_only), and opening fails where SQLite has no such
    /// VFS: elsewhere than on Unix.
    pub fn exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
        self
    }

    /// Sets the bound on the page cache of one connection, in KiB. Default 8,192; at most
    /// `i32::MAX`.
    ///
    /// # Panics
    /// When it is 0 or above that.
    pub fn cache_size_kib(mut self, kib: u32) -> Self {
        assert!((1..=i32::MAX as u32).contains(&kib), "cache_size_kib must be positive and an i32");
        self.cache_size_kib = kib;
        self
    }

    /// Sets how much of the file is read through a memory map, in bytes. Default 0, none, since an
    /// I/O error in a map is a signal and not an error; SQLite's own bound is 2 GiB.
    pub fn mmap_size_bytes(mut self, bytes: u64) -> Self {
        self.mmap_size_bytes = bytes.min(i64::MAX as u64);
        self
    }

    /// Sets the bound on the WAL, in bytes. Default 64 MiB; at least 64 KiB, and counts as 8 pages if that
    /// is more. A [`SqlitePool`] checkpoints so that the WAL stays below it, and reports through the
    /// error handler who reads for so long that it can't; in any pool the file is cut back to it
    /// when the WAL begins anew.
    ///
    /// [`SqlitePool`]: super::SqlitePool
    ///
    /// # Panics
    /// When it is below 64 KiB or above `i64::MAX`.
    pub fn wal_limit_bytes(mut self, bytes: u64) -> Self {
        let bounds = 64 << 10..=i64::MAX as u64;
        assert!(bounds.contains(&bytes), "wal_limit_bytes must be at least 64 KiB and an i64");
        self.wal_limit_bytes = bytes;
        self
    }

    /// Sets what is done to each connection once it is set up: functions, a schema, more pragmas.
    /// Default nothing. It runs before a query-only connection becomes one.
    pub fn with_init(
        mut self,
        init: impl Fn(&mut Connection) -> rusqlite::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.init = Some(Arc::new(init));
        self
    }

    pub(super) fn has_wal(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// The same database for the one writer.
    pub(super) fn watched_by(mut self, watch: Arc<Watch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// The same database for readers; one that is read-only already stays so.
    pub(super) fn for_readers(self) -> Self {
        if self.access == Access::ReadOnly { self } else { self.query_only() }
    }

    /// Starts a pool that reports, through its error handler, what its return gate finds, and keeps
    /// its connections however old: a local file has no reason to be opened again.
    pub fn pool() -> Builder<SqliteManager> {
        Self::builder().return_gate(|conn, site| gate::inspect(conn, Some(site)))
    }

    /// The same without a gate.
    pub(super) fn builder() -> Builder<SqliteManager> {
        Builder::new().max_lifetime(None).idle_timeout(None)
    }
}

impl ManageConnection for SqliteManager {
    type Connection = Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> rusqlite::Result<Connection> {
        self.open().map_err(|error| self.place.name_in(error))
    }

    /// Reads the file's header; a database that is only busy is valid.
    fn is_valid(&self, conn: &mut Connection) -> rusqlite::Result<()> {
        let read = conn.prepare_cached("PRAGMA schema_version")?.query_row([], |_| Ok(()));
        match read {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                Ok(())
            }
            other => other,
        }
    }

    /// Rolls back what was left open, too: the gate of any pool, even one that knows no gates.
    fn has_broken(&self, conn: &mut Connection) -> bool {
        matches!(gate::inspect(conn, None), Returned::Refused(_))
    }
}

impl fmt::Debug for SqliteManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteManager")
            .field("place", &self.place)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
