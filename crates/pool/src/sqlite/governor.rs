//! Keeps the WAL bounded, without keeping writers waiting.
//!
//! | the WAL is            | then                                                                |
//! |-----------------------|---------------------------------------------------------------------|
//! | short                 | nothing                                                             |
//! | due                   | a passive checkpoint, on a connection for it, by the caller whose commit made it due, after it has given the writer back |
//! | beyond its bound      | a restarting one, on the writer's connection before it is given back, which waits for readers for a moment: the next commit begins the WAL anew, over the old one |
//! | beyond twice its bound | a truncating one, the same otherwise |
//! | still beyond          | a report that names who reads, and again after so much growth; and for a second, no writer waits again |
//!
//! SQLite's own automatic checkpoint (which this replaces) runs inside `COMMIT`: its two `fsync`s
//! keep the next writer waiting. It never waits for readers either, so that one that is always
//! there lets the WAL grow without end.
//!
//! A WAL that is only a little too long keeps its file: to free 64 MiB of it takes the file system
//! 20 ms, in which all writers wait, and to grow it again slows each commit after. What a reader
//! let it grow beyond that is freed, here or by the next commit (`journal_size_limit`).
//!
//! Locks: `desk` is only tried, so that one caller at most does the work; inside it there are calls
//! into SQLite, on a connection that nobody else has.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use r2d2::ManageConnection;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, Error, ErrorCode, MAIN_DB, ffi};

use super::manager::SqliteManager;
use crate::clock::{Clock, after};
use crate::held::Holder;
use crate::pool::Pool;

/// A WAL of so many pages is due, as it is to SQLite itself.
const DUE_PAGES: u32 = 1000;
/// The least that the bound on the WAL is taken for: below it each commit would be beyond.
const LEAST_PAGES: u32 = 8;
/// How long a restarting or truncating checkpoint, and so all writers, may wait for readers.
const PATIENCE: Duration = Duration::from_millis(50);
/// For how long after one that waited in vain no other waits.
const RESPITE: Duration = Duration::from_secs(1);
/// Readers that a report names.
const MOST_NAMED: usize = 16;

pub(super) struct Governor {
    manager: SqliteManager,
    /// Who may pin the WAL; set once, when that pool is there.
    readers: OnceLock<Pool<SqliteManager>>,
    desk: Mutex<Desk>,
    /// The length from which on the next passive checkpoint is due. Written under `desk`, and by
    /// whoever sees that the WAL has begun anew.
    due_pages: AtomicU32,
    /// The same of the next restarting or truncating one. Written by the holder of the writer.
    cut_pages: AtomicU32,
    page_bytes: AtomicU32,
    clock: Clock,
    /// From when on a restarting or truncating checkpoint may wait. Written by the holder of the writer.
    patient_at: AtomicU64,
}

#[derive(Default)]
struct Desk {
    /// Opened by the first who needs it.
    conn: Option<Connection>,
    closed: bool,
}

impl Governor {
    pub(super) fn new(manager: SqliteManager) -> Self {
        Governor {
            manager,
            readers: OnceLock::new(),
            desk: Mutex::default(),
            due_pages: AtomicU32::new(0),
            cut_pages: AtomicU32::new(0),
            page_bytes: AtomicU32::new(0),
            clock: Clock::system(),
            patient_at: AtomicU64::new(0),
        }
    }

    pub(super) fn watch_readers(&self, readers: Pool<SqliteManager>) {
        let _ = self.readers.set(readers);
    }

    /// A connection to the database is set up.
    pub(super) fn meet(&self, conn: &Connection) -> rusqlite::Result<()> {
        let bytes: u32 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        self.page_bytes.store(bytes, Ordering::Relaxed);
        self.due_pages.store(self.first_due(), Ordering::Relaxed);
        self.cut_pages.store(self.bound_pages(), Ordering::Relaxed);
        Ok(())
    }

    fn bound_pages(&self) -> u32 {
        let page = u64::from(self.page_bytes.load(Ordering::Relaxed).max(512));
        // Each page has a header of 24 bytes in the WAL.
        let pages = self.manager.wal_limit_bytes / (page + 24);
        u32::try_from(pages).unwrap_or(u32::MAX).max(LEAST_PAGES)
    }

    fn first_due(&self) -> u32 {
        DUE_PAGES.min(self.bound_pages() / 2)
    }

    /// With the writer still lent: cuts a WAL of `pages` that is beyond its bound.
    pub(super) fn cut(&self, conn: &Connection, pages: u32) {
        let bound = self.bound_pages();
        if pages < bound {
            if self.cut_pages.load(Ordering::Relaxed) != bound {
                self.cut_pages.store(bound, Ordering::Relaxed);
            }
            return;
        }
        if pages < self.cut_pages.load(Ordering::Relaxed) {
            return;
        }
        // A passive one of our own would be taken for a reader; the next commit tries again.
        let Some(_desk) = self.desk.try_lock() else { return };
        let mode =
            if pages / 2 < bound { CheckpointMode::RESTART } else { CheckpointMode::TRUNCATE };
        if let Err(error) = self.begin_anew(conn, mode) {
            let growth = (bound / 4).max(DUE_PAGES);
            self.cut_pages.store(pages.saturating_add(growth), Ordering::Relaxed);
            let pinned = error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
            self.report(if pinned { self.pinned(pages) } else { error });
        }
    }

    fn begin_anew(&self, conn: &Connection, mode: CheckpointMode) -> rusqlite::Result<()> {
        conn.busy_timeout(self.patience().min(self.manager.busy_timeout))?;
        let cut = conn.wal_checkpoint_v2(Some(MAIN_DB), mode);
        if cut.is_err() {
            self.patient_at.store(after(self.clock.now(), RESPITE), Ordering::Relaxed);
        }
        conn.busy_timeout(self.manager.busy_timeout)?;
        cut.map(drop)
    }

    fn patience(&self) -> Duration {
        let may_wait = self.clock.now() >= self.patient_at.load(Ordering::Relaxed);
        if may_wait { PATIENCE } else { Duration::ZERO }
    }

    /// After the writer was given back: moves pages from a long WAL into the database.
    pub(super) fn backfill(&self, pages: u32) {
        let due = self.due_pages.load(Ordering::Relaxed);
        if pages < due {
            // It has begun anew.
            if pages < self.first_due() && due != self.first_due() {
                self.due_pages.store(self.first_due(), Ordering::Relaxed);
            }
            return;
        }
        let Some(mut desk) = self.desk.try_lock() else { return };
        if pages < self.due_pages.load(Ordering::Relaxed) || desk.closed {
            return;
        }
        // What readers pin now is tried again after as much growth, not at each commit.
        let next = pages.saturating_add(self.first_due());
        self.due_pages.store(next, Ordering::Relaxed);
        if let Err(error) = self.checkpoint(&mut desk) {
            self.report(error);
        }
    }

    fn checkpoint(&self, desk: &mut Desk) -> rusqlite::Result<()> {
        let conn = match &mut desk.conn {
            Some(conn) => conn,
            none => none.insert(self.manager.connect()?),
        };
        match conn.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE) {
            // Somebody else, another process perhaps, is doing it.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
            other => other.map(drop),
        }
    }

    fn pinned(&self, pages: u32) -> Error {
        let who = name(&self.readers.get().map_or_else(Vec::new, Pool::holders));
        let page = u64::from(self.page_bytes.load(Ordering::Relaxed)) + 24;
        let message = format!(
            "the WAL of {} has {} KiB, its bound is {}, and it can't be cut because of {who}",
            self.manager.place,
            u64::from(pages) * page / 1024,
            self.manager.wal_limit_bytes / 1024,
        );
        Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY_SNAPSHOT), Some(message))
    }

    fn report(&self, error: Error) {
        if let Some(readers) = self.readers.get() {
            readers.report(error);
        }
    }

    /// Closes its connection: the last one to close deletes the WAL.
    pub(super) fn close(&self) {
        let mut desk = self.desk.lock();
        desk.closed = true;
        desk.conn = None;
    }
}

/// Says who may be in the way. Which of several readers it is that is on an old snapshot, only
/// SQLite could tell, on a connection that is lent.
fn name(holders: &[Holder]) -> String {
    match holders {
        [] => "a reader of another process".to_string(),
        [holder] => format!("a reader, {holder}"),
        holders => {
            let named: Vec<_> = holders.iter().take(MOST_NAMED).map(Holder::to_string).collect();
            let more = match holders.len() - named.len() {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            format!("one of {} readers: {}{more}", holders.len(), named.join("; "))
        }
    }
}
