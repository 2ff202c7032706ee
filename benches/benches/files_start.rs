//! How long until a cache of very many files answers, and does it still know which were used last?
//!
//! `files_start/larder`: fills a directory with 100,000 entries (`LARDER_ENTRIES` says otherwise;
//! a short run has 500), marks the first hundredth of them as the last used, and opens it with
//! room for three quarters. The table tells the times from before `open` to the first hit, to the
//! first entry made, and to the end of the count; the longest of the hits asked for one after
//! another meanwhile; how many of the marked are still there in the end, and how many of the
//! quarter that was used before all others.

use std::fs::File;
use std::time::{Duration, Instant, SystemTime};

use larder_benches::plan::Plan;
use larder_benches::table;
use larder_benches::waits::{Waits, ms};
use larder_files::{Begin, FileCache, Key, Limits};

const FULL: usize = 100_000;
const QUICK: usize = 20_000;
const SHORT: usize = 500;

fn main() {
    let plan = Plan::from_args();
    let head = [
        "system",
        "entries",
        "first hit",
        "first made",
        "counted",
        "hits p50",
        "p99",
        "p99.9",
        "max",
        "marked kept",
        "oldest left",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    let entries = || std::env::var("LARDER_ENTRIES").ok()?.parse().ok();
    let entries = match plan.is_test() {
        true => SHORT,
        false => entries().unwrap_or(plan.sized(FULL, QUICK, SHORT)),
    };
    for _ in plan.wanted("files_start", &["larder"]) {
        rows.push(start(entries));
    }
    table::print("files_start: from before the open", &rows);
}

fn key(n: usize) -> Key {
    Key::new(format!("photos/{n:08}.jpg"), "1", "w=320")
}

fn start(entries: usize) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    fill(dir.path(), entries);
    let limits = Limits::new().max_bytes(1 << 40).max_files(entries - entries / 4);

    let began = Instant::now();
    let cache = FileCache::open(dir.path(), limits).expect("it is a cache");
    assert!(cache.get(&key(entries - 1)).is_some(), "the first answer is no hit");
    let first_hit = began.elapsed();
    let Begin::Make(lease) = cache.begin(&key(entries)) else { panic!("it is not there") };
    assert!(lease.publish(b"made at once").file().is_some());
    let first_made = began.elapsed();

    let mut waits = Waits::default();
    let marked = entries / 100;
    let mut turn = 0;
    while !cache.wait_counted(Instant::now()) {
        let asked = Instant::now();
        turn = (turn + 7919) % (entries / 2);
        // Of the newer half, which stays; asking keeps it for longer, as in life.
        assert!(cache.get(&key(entries - 1 - turn)).is_some());
        waits.add(asked.elapsed());
    }
    let counted = began.elapsed();

    let kept = (0..marked).filter(|n| cache.get(&key(*n)).is_some()).count();
    let oldest = marked..marked + entries / 4 - 1;
    let left = oldest.clone().filter(|n| cache.path(&key(*n)).exists()).count();
    let mut row =
        vec!["larder".into(), entries.to_string(), ms(first_hit), ms(first_made), ms(counted)];
    row.extend(waits.cells());
    row.extend([format!("{kept} of {marked}"), format!("{left} of {}", oldest.len())]);
    row
}

/// Makes the entries in their order, each a second younger than the one before.
fn fill(dir: &std::path::Path, entries: usize) {
    let limits = Limits::new().max_bytes(1 << 40).max_files(2 * entries).open_descriptors(0);
    let cache = FileCache::open(dir, limits).expect("the directory is new");
    let long_ago = SystemTime::now() - Duration::from_secs(2 * entries as u64);
    for n in 0..entries {
        let made = cache.get_or_make(&key(n), |out| out.write_all(&n.to_le_bytes()));
        assert!(made.expect("it is made").file().is_some());
        let age = if n < entries / 100 { entries + n } else { n };
        let file = File::options().write(true).open(cache.path(&key(n))).expect("it is there");
        file.set_modified(long_ago + Duration::from_secs(age as u64)).expect("it is ours");
    }
}
