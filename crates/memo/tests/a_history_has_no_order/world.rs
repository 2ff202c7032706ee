//! The database and the memo in front of it.

use crate::history::{Keys, Ticks};
use larder_memo::{Load, Memo, Tables};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const KEYS: u8 = 3;
pub const ALL: Keys = (1 << KEYS) - 1;
/// The table that all keys are of.
pub const TABLE: &str = "rows";

/// What the memo is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It keeps everything, and all of it depends on the table.
    Plain,
    /// Each load names the table itself.
    Named,
    /// It has room for one key of three.
    Tight,
    /// Values expire, are refreshed, and returned late; time flies.
    Aging,
}

impl Kind {
    pub fn of(seed: u64) -> Self {
        [Kind::Plain, Kind::Named, Kind::Tight, Kind::Aging][seed as usize % 4]
    }

    /// Tells whether nothing leaves but by invalidation.
    pub fn keeps_everything(self) -> bool {
        matches!(self, Kind::Plain | Kind::Named)
    }
}

pub struct World {
    pub kind: Kind,
    /// The memo's clock, in seconds.
    pub seconds: Arc<AtomicU64>,
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
    pub fn new(kind: Kind) -> Self {
        let tables = Tables::new();
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = {
            let seconds = seconds.clone();
            move || Duration::from_secs(seconds.load(Ordering::SeqCst))
        };
        let memo = match kind {
            Kind::Plain => Memo::builder(64).depends_on(&tables, [TABLE]),
            Kind::Named => Memo::builder(64).tables(&tables),
            Kind::Tight => Memo::builder(1).depends_on(&tables, [TABLE]),
            Kind::Aging => Memo::builder(64)
                .depends_on(&tables, [TABLE])
                .ttl(Duration::from_secs(10))
                .idle(Duration::from_secs(9))
                .refresh_ahead(Duration::from_secs(4))
                .stale_on_error(Duration::from_secs(20)),
        };
        let memo = memo.clock(clock).build();
        World { kind, seconds, memo, tables, ticks: Ticks::default(), rows: Default::default() }
    }

    /// What a loader says of its value.
    pub fn name(&self, load: &Load<'_>) {
        if self.kind == Kind::Named {
            load.depends_on(TABLE);
        }
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
