//! The database, and the memo or the table in front of it.

use crate::history::{Keys, Ticks};
use larder_memo::{Load, Memo, StaticTable, Tables};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
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
    /// Not a memo, but a table that is loaded as a whole, and depends on the table of all keys.
    Whole,
}

/// A row as a load of the whole table brought it.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    /// The number of the load.
    pub load: u64,
    pub version: u64,
}

impl Kind {
    pub fn of(seed: u64) -> Self {
        [Kind::Plain, Kind::Named, Kind::Tight, Kind::Aging, Kind::Whole][seed as usize % 5]
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
    /// Unused where the kind is `Whole`.
    pub memo: Memo<u8, u64>,
    /// Used there only.
    pub table: StaticTable<u8, Loaded>,
    pub tables: Tables,
    pub ticks: Ticks,
    rows: Arc<Rows>,
}

type Rows = [Row; KEYS as usize];

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
            Kind::Plain | Kind::Whole => Memo::builder(64).depends_on(&tables, [TABLE]),
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
        let rows = Arc::<Rows>::default();
        let table = whole(rows.clone()).depends_on(&tables, [TABLE]);
        World { kind, seconds, memo, table, tables, ticks: Ticks::default(), rows }
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

/// A table whose every fourth load fails, after some time like all of them.
fn whole(rows: Arc<Rows>) -> StaticTable<u8, Loaded> {
    let (loads, loading) = (AtomicU64::new(0), AtomicBool::new(false));
    StaticTable::with_loader(move || {
        assert!(!loading.swap(true, Ordering::SeqCst), "two loads at once");
        let load = loads.fetch_add(1, Ordering::SeqCst);
        let row = |key: u8| {
            thread::yield_now();
            let version = rows[key as usize].version.load(Ordering::SeqCst);
            (key, Loaded { load, version })
        };
        let rows = (0..KEYS).map(row).collect();
        loading.store(false, Ordering::SeqCst);
        if load % 4 == 2 { Err("no".into()) } else { Ok(rows) }
    })
}
