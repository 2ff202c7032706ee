//! What does an entry cost in memory, beyond its key and its value?
//!
//! Every system is given `u64` keys and clones of one `Arc<str>`, 24 bytes together, one after
//! another; after each insert all bytes that it has from the allocator, and its own size, are
//! divided by its entries. The columns, in bytes an entry beyond those 24:
//!
//! - `full`: when it holds as many as it was made for;
//! - `worst`: the worst point from half full on, where a table has just grown and is half empty.
//!   The bounded ones go on to three times as many inserts, so that what they keep about entries
//!   that left is in it.
//!
//! What an allocator adds to each block (8 to 16 bytes with most) is not counted.
//!
//! It fails if a memo of ours is above its bound: 48 bytes for `StaticMemo`, 200 for `Memo`.
//! `cargo bench -p larder-benches --bench memo_memory`; with `-- --test`, small sizes only.

use foldhash::fast::RandomState;
use larder_benches::plan::Plan;
use larder_benches::table;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::process::ExitCode;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PAYLOAD_BYTES: usize = size_of::<(u64, Arc<str>)>();
const STATIC_MOST: f64 = 48.0;
const MEMO_MOST: f64 = 200.0;

type Value = Arc<str>;

/// What is filled. Its entries are counted after what it does late is done.
trait Subject {
    fn insert(&mut self, key: u64, value: Value);
    fn settled_len(&mut self) -> usize;
}

/// Bytes an entry beyond key and value.
struct Overhead {
    full: f64,
    worst: f64,
}

/// Fills what `make` makes with `entries`, then goes on up to `inserts`.
fn measure<S: Subject>(entries: u64, inserts: u64, make: impl Fn(usize) -> S) -> Overhead {
    let value: Value = "photos/00000001.jpg".into();
    let before = live_bytes();
    let mut subject = make(entries as usize);
    let mut overhead = Overhead { full: 0.0, worst: 0.0 };
    for key in 0..inserts {
        subject.insert(key, value.clone());
        let count = key + 1;
        // Looking often is slow with those that do their work late, and growth is no sharp event.
        let is_due = count >= entries / 2 && count % (entries / 500).max(1) == 0;
        if is_due || count == entries {
            let held = subject.settled_len();
            let bytes = live_bytes() - before + size_of::<S>();
            let each = bytes as f64 / held as f64 - PAYLOAD_BYTES as f64;
            overhead.worst = overhead.worst.max(each);
            if count == entries {
                overhead.full = each;
            }
        }
    }
    overhead
}

fn live_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

type StaticMemo = larder_memo::StaticMemo<u64, Value>;

impl Subject for StaticMemo {
    fn insert(&mut self, key: u64, value: Value) {
        self.get_or_load(&key, || value);
    }

    fn settled_len(&mut self) -> usize {
        self.len()
    }
}

type Memo = larder_memo::Memo<u64, Value>;

impl Subject for Memo {
    fn insert(&mut self, key: u64, value: Value) {
        Memo::insert(self, key, value);
    }

    fn settled_len(&mut self) -> usize {
        self.len()
    }
}

type Moka = moka::sync::Cache<u64, Value, RandomState>;

impl Subject for Moka {
    fn insert(&mut self, key: u64, value: Value) {
        Moka::insert(self, key, value);
    }

    fn settled_len(&mut self) -> usize {
        self.run_pending_tasks();
        self.entry_count() as usize
    }
}

type QuickCache =
    quick_cache::sync::Cache<u64, Value, quick_cache::UnitWeighter, RandomState, Lifecycle>;
type Lifecycle = quick_cache::sync::DefaultLifecycle<u64, Value>;

impl Subject for QuickCache {
    fn insert(&mut self, key: u64, value: Value) {
        QuickCache::insert(self, key, value);
    }

    fn settled_len(&mut self) -> usize {
        self.len()
    }
}

type Papaya = papaya::HashMap<u64, Value, RandomState>;

impl Subject for Papaya {
    fn insert(&mut self, key: u64, value: Value) {
        self.pin().insert(key, value);
    }

    fn settled_len(&mut self) -> usize {
        self.len()
    }
}

type HashMap = hashbrown::HashMap<u64, Value, RandomState>;

impl Subject for HashMap {
    fn insert(&mut self, key: u64, value: Value) {
        HashMap::insert(self, key, value);
    }

    fn settled_len(&mut self) -> usize {
        self.len()
    }
}

fn moka_of(entries: usize) -> Moka {
    moka::sync::Cache::builder()
        .max_capacity(entries as u64)
        .build_with_hasher(RandomState::default())
}

fn quick_cache_of(entries: usize) -> QuickCache {
    let (weight, lifecycle) = (entries as u64, Lifecycle::default());
    QuickCache::with(entries, weight, quick_cache::UnitWeighter, RandomState::default(), lifecycle)
}

/// Adds the rows of one size; false if one of ours is above its bound.
fn compare(entries: u64, table: &mut Vec<Vec<String>>) -> bool {
    let once = entries;
    let turned_over = entries * 3;
    let ours = measure(entries, once, |_| StaticMemo::new());
    let bounded = measure(entries, turned_over, |entries| Memo::builder(entries).build());
    let rows = [
        ("larder-memo", &bounded),
        ("moka", &measure(entries, turned_over, moka_of)),
        ("quick_cache", &measure(entries, turned_over, quick_cache_of)),
        ("larder-static", &ours),
        ("papaya", &measure(entries, once, |_| Papaya::with_hasher(RandomState::default()))),
        ("hashmap", &measure(entries, once, |_| HashMap::with_hasher(RandomState::default()))),
    ];
    for (system, overhead) in rows {
        let bytes = [overhead.full, overhead.worst].map(|bytes| format!("{bytes:.1} B"));
        table.push([&[system.to_owned(), entries.to_string()], &bytes[..]].concat());
    }
    ours.worst <= STATIC_MOST && bounded.worst <= MEMO_MOST
}

fn main() -> ExitCode {
    let all: &[u64] = &[1_000, 10_000, 100_000, 1_000_000];
    let sizes = Plan::from_args().sized(all, &all[..3], &all[..2]);
    let mut rows = vec![["system", "entries", "full", "worst"].map(String::from).to_vec()];
    // All sizes are shown, whatever the first one says.
    let mut within = true;
    for &entries in sizes {
        within &= compare(entries, &mut rows);
    }
    table::print("memo_memory: bytes an entry beyond key and value", &rows);
    if !within {
        eprintln!("a memo is above its bound: {STATIC_MOST} (static), {MEMO_MOST} (bounded)");
        return ExitCode::FAILURE;
    }
    println!("Success");
    ExitCode::SUCCESS
}
