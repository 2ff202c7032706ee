//! The database and the memo in front of it.

use crate::history::{Keys, Ticks};
use larder_memo::{Memo, Tables};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

pub const KEYS: u8 = 3;
pub const ALL: Keys = (1 << KEYS) - 1;
/// The table that all keys are of.
pub const TABLE: &str = "rows";

pub struct World {
    pub memo: Memo<u8, u64>,
    pub tables: Tables,
    pub ticks: Ticks,
    rows: [Row; KEYS as usize],
}

/// A row of the database: its version is all that there is to it.
#[derive(Default)]
struct Row {
    version: AtomicU64,
    /// Held by a writer until the memo knows, by those who write through it.
    writer: Mutex<()>,
}

impl World {
    pub fn new() -> Self {
        let tables = Tables::new();
        let memo = Memo::builder(64).depends_on(&tables, [TABLE]).build();
        World { memo, tables, ticks: Ticks::default(), rows: Default::default() }
    }

    /// Reads the committed version of a row.
    pub fn select(&self, key: u8) -> u64 {
        self.rows[key as usize].version.load(Ordering::SeqCst)
    }

    /// Commits the next version of a row, and tells of it before another writer can come.
    pub fn update(&self, key: u8, committed: impl FnOnce(u64)) {
        let row = &self.rows[key as usize];
        let _writer = row.writer.lock().unwrap();
        committed(row.version.fetch_add(1, Ordering::SeqCst) + 1);
    }
}
