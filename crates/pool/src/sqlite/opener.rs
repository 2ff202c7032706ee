//! Opening one connection: where, how, and with which pragmas.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rusqlite::{Connection, Error, OpenFlags, ffi};

use super::manager::SqliteManager;

/// SQLite's own: one lock on the file for the whole process, for as long as it is open, and the
/// WAL's index in the process's memory. A transaction then makes no system call to lock.
const EXCLUSIVE_VFS: &str = "unix-excl";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    ReadWrite,
    QueryOnly,
    ReadOnly,
}

#[derive(Clone)]
pub(super) enum Place {
    File(PathBuf),
    Memory(Arc<Memory>),
}

/// A database that exists for as long as some connection has it open: this one does.
pub(super) struct Memory {
    uri: String,
    /// Opened by the first to connect; never used again.
    anchor: OnceLock<Mutex<Connection>>,
}

impl Place {
    pub(super) fn new_memory() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let ordinal = NEXT.fetch_add(1, Ordering::Relaxed);
        // The leading slash is what makes the memdb VFS share it between connections.
        let uri = format!("file:/larder-{ordinal}?vfs=memdb");
        Place::Memory(Arc::new(Memory { uri, anchor: OnceLock::new() }))
    }

    fn open(&self, flags: OpenFlags, exclusive: bool) -> rusqlite::Result<Connection> {
        match self {
            Place::File(path) if exclusive => {
                Connection::open_with_flags_and_vfs(path, flags, EXCLUSIVE_VFS)
            }
            Place::File(path) => Connection::open_with_flags(path, flags),
            Place::Memory(memory) => {
                let flags = flags | OpenFlags::SQLITE_OPEN_URI;
                let conn = Connection::open_with_flags(&memory.uri, flags)?;
                if memory.anchor.get().is_none() {
                    // A second anchor, of two first callers at once, is dropped: one is enough.
                    let anchor = Connection::open_with_flags(&memory.uri, flags)?;
                    let _ = memory.anchor.set(Mutex::new(anchor));
                }
                Ok(conn)
            }
        }
    }

    /// Says in an error which database it is about.
    pub(super) fn name_in(&self, error: Error) -> Error {
        let name = self.to_string();
        match error {
            Error::SqliteFailure(code, Some(message)) if message.contains(&name) => {
                Error::SqliteFailure(code, Some(message))
            }
            Error::SqliteFailure(code, message) => {
                let message = message.unwrap_or_else(|| code.to_string());
                Error::SqliteFailure(code, Some(format!("{message}: {name}")))
            }
            other => other,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => path.display().fmt(f),
            Place::Memory(memory) => f.write_str(&memory.uri),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SqliteManager {
    pub(super) fn open(&self) -> rusqlite::Result<Connection> {
        let access = match self.access {
            Access::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
            _ => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        };
        // One thread at a time has it, by the pool: SQLite's own mutex would be a second lock.
        let mut conn = self.place.open(access | OpenFlags::SQLITE_OPEN_NO_MUTEX, self.exclusive)?;
        conn.busy_timeout(self.busy_timeout)?;
        conn.set_prepared_statement_cache_capacity(self.statement_cache);
        if self.access != Access::ReadOnly {
            self.use_wal(&conn)?;
        }
        conn.execute_batch(&self.pragmas())?;
        // What can't be read is to fail here, by name, and not in somebody's first query.
        conn.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
        if let Some(init) = &self.init {
            init(&mut conn)?;
        }
        if let Some(watch) = &self.watch {
            watch.hook(&mut conn)?;
        }
        if self.access == Access::QueryOnly {
            conn.execute_batch("PRAGMA query_only=ON")?;
        }
        Ok(conn)
    }

    /// The mode is the file's own and lasts: this only asks, but for the first time.
    fn use_wal(&self, conn: &Connection) -> rusqlite::Result<()> {
        if matches!(self.place, Place::Memory(_)) {
            return Ok(());
        }
        let mode: String = conn.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
        if mode == "wal" {
            return Ok(());
        }
        let code = ffi::Error::new(ffi::SQLITE_CANTOPEN);
        let message = format!("the journal mode stays {mode} where wal is needed");
        Err(Error::SqliteFailure(code, Some(message)))
    }

    fn pragmas(&self) -> String {
        let synchronous = if self.durable { "FULL" } else { "NORMAL" };
        let foreign_keys = if self.foreign_keys { "ON" } else { "OFF" };
        format!(
            "PRAGMA synchronous={synchronous}; PRAGMA foreign_keys={foreign_keys}; \
             PRAGMA cache_size=-{}; PRAGMA mmap_size={}; PRAGMA temp_store=MEMORY; \
             PRAGMA journal_size_limit={};",
            self.cache_size_kib, self.mmap_size_bytes, self.wal_limit_bytes,
        )
    }
}
