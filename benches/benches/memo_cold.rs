//! How long does a cold key take, when its loader takes 10 ms?
//!
//! - `two keys`: two threads ask for a cold key each, at the same time; until both have their
//!   answer. Under 15 ms is asked of ours: one is not to wait for the other's loader.
//! - `64 ask`: sixty-four threads ask for one cold key at the same time; until all have it, and
//!   how many loaders ran, at most.
//!
//! Medians in milliseconds, threads being there already when the time begins. It fails if one of
//! ours runs a loader twice. The time only prints: it is the scheduler's as much as ours.
//! `cargo bench -p larder-benches --bench memo_cold`; with `-- --test`, a few rounds only.

use foldhash::fast::RandomState;
use larder_benches::plan::Plan;
use larder_benches::table;
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

const LOAD: Duration = Duration::from_millis(10);
const CROWD: usize = 64;

/// Answers a key, by the loader if it is cold.
type Ask<'a> = &'a (dyn Fn(u64, &dyn Fn() -> u64) -> u64 + Sync);

type Rows = Vec<Vec<String>>;

struct Round {
    ms: f64,
    loads: usize,
}

/// Lets a thread for each key ask for it, all at once.
fn round(keys: &[u64], ask: Ask<'_>) -> Round {
    let loads = AtomicUsize::new(0);
    let start = Barrier::new(keys.len() + 1);
    let one = |key: u64| {
        let load = || {
            loads.fetch_add(1, SeqCst);
            thread::sleep(LOAD);
            key
        };
        start.wait();
        assert_eq!(ask(key, &load), key);
        Instant::now()
    };
    let took = thread::scope(|scope| {
        let one = &one;
        let asking: Vec<_> = keys.iter().map(|&key| scope.spawn(move || one(key))).collect();
        start.wait();
        let begun = Instant::now();
        let ends = asking.into_iter().map(|thread| thread.join().expect("a loader panicked"));
        ends.max().map_or(Duration::ZERO, |end| end.saturating_duration_since(begun))
    });
    Round { ms: took.as_secs_f64() * 1000.0, loads: loads.into_inner() }
}

/// The median time of many rounds, and the most loads of one.
fn rounds(count: usize, mut run: impl FnMut() -> Round) -> Round {
    let mut all: Vec<Round> = (0..count).map(|_| run()).collect();
    all.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    let loads = all.iter().map(|round| round.loads).max().unwrap_or(0);
    Round { ms: all[count / 2].ms, loads }
}

/// Adds one system; false if a key was loaded twice.
fn row(rows: &mut Rows, system: &str, count: usize, ask: Ask<'_>) -> bool {
    let fresh = AtomicU64::new(0);
    let next = || fresh.fetch_add(1, SeqCst);
    let two = rounds(count, || round(&[next(), next()], ask));
    let crowd = rounds(count, || round(&[next(); CROWD], ask));
    let [two_ms, crowd_ms] = [two.ms, crowd.ms].map(|ms| format!("{ms:.1} ms"));
    rows.push(vec![system.to_owned(), two_ms, crowd_ms, crowd.loads.to_string()]);
    two.loads == 2 && crowd.loads == 1
}

fn main() -> ExitCode {
    let count = Plan::from_args().sized(51, 21, 5);
    let rows = &mut vec![["system", "two keys", "64 ask", "loaders"].map(String::from).to_vec()];
    let memo = larder_memo::StaticMemo::<u64, u64>::new();
    let mut once = row(rows, "larder-static", count, &|key, load| *memo.get_or_load(&key, load));
    let memo = larder_memo::Memo::<u64, u64>::builder(10_000).build();
    once &= row(rows, "larder-memo", count, &|key, load| memo.get_or_load(&key, load));
    let cache =
        moka::sync::Cache::builder().max_capacity(10_000).build_with_hasher(RandomState::default());
    row(rows, "moka", count, &|key, load| cache.get_with(key, load));
    let cache = quick_cache::sync::Cache::<u64, u64>::new(10_000);
    row(rows, "quick_cache", count, &|key, load| {
        cache.get_or_insert_with(&key, || Ok::<_, ()>(load())).unwrap_or_default()
    });
    table::print("memo_cold: a loader takes 10 ms, medians", rows);
    if !once {
        eprintln!("a memo of ours ran the loader of a cold key more than once");
        return ExitCode::FAILURE;
    }
    println!("Success");
    ExitCode::SUCCESS
}
