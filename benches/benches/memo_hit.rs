//! What does a hit cost, alone and beside another thread?
//!
//! Every system holds the same keys (`u64`) and values (`Arc<str>`) and answers the same trace,
//! Zipf(0.9) over all keys; each look-up reads the length of the string. All have the same hasher,
//! foldhash, seeded. Each system is used in its quickest way that a request handler could use:
//! larder-static, larder-memo, papaya and dashmap lend the value (papaya and larder-memo pin a
//! guard for each look-up); moka and quick_cache can only clone it. Bounded ones have room for all
//! keys, so none evicts. `hashmap` is hashbrown without any synchronisation: the floor.
//!
//! Ids are `memo_hit/<system>/<keys>x<threads>`; the time is that of one look-up of one thread
//! while all threads look up.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use foldhash::fast::RandomState;
use larder_benches::zipf;
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

const KEYS: [u32; 2] = [1_000, 100_000];
const THREADS: [usize; 2] = [1, 2];
const TRACE: usize = 1 << 18;

/// Look-ups of one system, by key; the length of the value.
type Lookup<'a> = &'a (dyn Fn(&[u32], u64) -> Duration + Sync);

/// Runs `count` look-ups along the trace and times them. Generic, so that each system's own
/// look-up is inlined into its loop.
fn timed(trace: &[u32], count: u64, get: impl Fn(u64) -> usize) -> Duration {
    let start = Instant::now();
    let mut sum = 0;
    let mut left = count as usize;
    while left > 0 {
        let run = left.min(trace.len());
        for &key in &trace[..run] {
            sum += get(u64::from(key));
        }
        left -= run;
    }
    black_box(sum);
    start.elapsed()
}

/// Lets all threads look up at the same time, each along a trace of its own.
fn together(traces: &[Vec<u32>], count: u64, lookup: Lookup<'_>) -> Duration {
    let [alone] = traces else {
        let barrier = Barrier::new(traces.len());
        return thread::scope(|scope| {
            let run = |trace| {
                barrier.wait();
                lookup(trace, count)
            };
            let threads: Vec<_> =
                traces.iter().map(|trace| scope.spawn(move || run(trace))).collect();
            let times =
                threads.into_iter().map(|thread| thread.join().expect("a look-up panicked"));
            times.sum::<Duration>() / traces.len() as u32
        });
    };
    lookup(alone, count)
}

fn rows(keys: u32) -> impl Iterator<Item = (u64, Arc<str>)> {
    (0..u64::from(keys)).map(|key| (key, format!("photos/{key:08}.jpg").into()))
}

fn measure(c: &mut Criterion, system: &str, keys: u32, threads: &[usize], lookup: Lookup<'_>) {
    let mut group = c.benchmark_group("memo_hit");
    for &threads in threads {
        let trace = |thread| zipf::trace(keys, 0.9, TRACE, 7 + thread as u64);
        let traces: Vec<_> = (0..threads).map(trace).collect();
        let id = BenchmarkId::new(system, format!("{keys}x{threads}"));
        group.bench_function(id, |b| b.iter_custom(|count| together(&traces, count, lookup)));
    }
}

fn larder(c: &mut Criterion, keys: u32) {
    let memo = larder_memo::StaticMemo::<u64, Arc<str>>::new();
    memo.preload(rows(keys));
    measure(c, "larder-static", keys, &THREADS, &|trace, count| {
        timed(trace, count, |key| memo.get(&key).map_or(0, |value| value.len()))
    });

    let memo = larder_memo::Memo::<u64, Arc<str>>::builder(keys as usize).build();
    rows(keys).for_each(|(key, value)| memo.insert(key, value));
    measure(c, "larder-memo", keys, &THREADS, &|trace, count| {
        timed(trace, count, |key| memo.read(&key, |value| value.len()).unwrap_or(0))
    });
}

fn caches(c: &mut Criterion, keys: u32) {
    let cache = moka::sync::Cache::builder()
        .max_capacity(u64::from(keys) * 2)
        .build_with_hasher(RandomState::default());
    rows(keys).for_each(|(key, value)| cache.insert(key, value));
    cache.run_pending_tasks();
    measure(c, "moka", keys, &THREADS, &|trace, count| {
        timed(trace, count, |key| cache.get(&key).map_or(0, |value: Arc<str>| value.len()))
    });

    let room = keys as usize * 2;
    let cache = quick_cache::sync::Cache::with(
        room,
        room as u64,
        quick_cache::UnitWeighter,
        RandomState::default(),
        quick_cache::sync::DefaultLifecycle::default(),
    );
    rows(keys).for_each(|(key, value)| cache.insert(key, value));
    measure(c, "quick_cache", keys, &THREADS, &|trace, count| {
        timed(trace, count, |key| cache.get(&key).map_or(0, |value: Arc<str>| value.len()))
    });
}

fn maps(c: &mut Criterion, keys: u32) {
    let map = papaya::HashMap::with_hasher(RandomState::default());
    rows(keys).for_each(|(key, value)| {
        map.pin().insert(key, value);
    });
    measure(c, "papaya", keys, &THREADS, &|trace, count| {
        timed(trace, count, |key| map.pin().get(&key).map_or(0, |value: &Arc<str>| value.len()))
    });

    let map = dashmap::DashMap::with_hasher(RandomState::default());
    rows(keys).for_each(|(key, value)| {
        map.insert(key, value);
    });
    measure(c, "dashmap", keys, &THREADS, &|trace, count| {
        timed(trace, count, |key| map.get(&key).map_or(0, |value| value.value().len()))
    });

    let map: hashbrown::HashMap<u64, Arc<str>, RandomState> = rows(keys).collect();
    measure(c, "hashmap", keys, &THREADS[..1], &|trace, count| {
        timed(trace, count, |key| map.get(&key).map_or(0, |value| value.len()))
    });
}

fn memo_hit(c: &mut Criterion) {
    for keys in KEYS {
        larder(c, keys);
        caches(c, keys);
        maps(c, keys);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800));
    targets = memo_hit
}
criterion_main!(benches);
