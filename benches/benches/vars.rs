//! What do a read and an update of a shared variable cost, alone and beside another thread?
//!
//! | system | a read | an update | a bulk update |
//! |---|---|---|---|
//! | `larder`, `larder-named` | `Array::get`; through a `Vars`, by the array's name | `incr`, in place | `merge`: one moment; in place, as all of these have been counted |
//! | `nsv` | NaviServer's design: 8 buckets by the array's name, each a lock for all its arrays, their keys and a counter | the same lock | the same lock |
//! | `rwlock` | the same buckets as `RwLock<HashMap>`, without the counter | the same lock | the same lock |
//! | `dashmap`, `papaya` | `get` | in place; `update`, which may run again | key by key, not at one moment |
//!
//! foldhash with random seeds everywhere. Values are `i64`, keys of 1,000 strings, asked for by
//! Zipf(0.9); both threads share one array, as pages do that count their hits.
//!
//! `vars_merge/larder-uncounted` merges rows whose variables nobody has counted: each is a new value
//! in the index, twice.
//!
//! Ids are `vars_read/<system>/<threads>`, `vars_incr/<system>/<threads>`, and, on one thread,
//! `vars_merge/<system>/<rows>`. `vars_read_beside_incr/<system>/2` is a read while the other
//! thread counts. The time is that of one operation of one thread.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use foldhash::fast::RandomState;
use larder_benches::zipf;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Barrier, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

const KEYS: u32 = 1_000;
const TRACE: usize = 1 << 16;
const BUCKETS: usize = 8;
const THREADS: [usize; 2] = [1, 2];
const ROWS: usize = 100;

type Map = HashMap<String, i64, RandomState>;

/// Keys, and which of them each thread asks for in turn.
struct Load {
    keys: Vec<String>,
    traces: Vec<Vec<u32>>,
}

impl Load {
    fn new() -> Self {
        let popularity = zipf::Popularity::new(KEYS, 0.9, 7);
        let keys = (0..KEYS).map(|key| format!("/photos/{key:04}")).collect();
        Load { keys, traces: (8..10).map(|seed| popularity.draw(TRACE, seed)).collect() }
    }

    /// Times `count` operations along a trace. Generic, so that each system's own operation is
    /// inlined into its loop.
    fn timed(&self, nth: usize, count: u64, mut work: impl FnMut(&str) -> i64) -> Duration {
        let trace = &self.traces[nth];
        let start = Instant::now();
        let mut sum = 0_i64;
        for at in 0..count as usize {
            sum = sum.wrapping_add(work(&self.keys[trace[at % TRACE] as usize]));
        }
        black_box(sum);
        start.elapsed()
    }
}

/// Operations of one system, by thread; how long they took.
type Work<'a> = &'a (dyn Fn(usize, u64) -> Duration + Sync);

fn together(threads: usize, count: u64, work: Work<'_>) -> Duration {
    if threads == 1 {
        return work(0, count);
    }
    let barrier = Barrier::new(threads);
    let run = |nth| {
        barrier.wait();
        work(nth, count)
    };
    thread::scope(|scope| {
        let run = &run;
        let all: Vec<_> = (0..threads).map(|nth| scope.spawn(move || run(nth))).collect();
        let times = all.into_iter().map(|thread| thread.join().expect("an operation panicked"));
        times.sum::<Duration>() / threads as u32
    })
}

/// Times reads on this thread while another counts.
fn beside(load: &Load, count: u64, read: Work<'_>, incr: &(dyn Fn(&str) + Sync)) -> Duration {
    let done = AtomicBool::new(false);
    let start = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            for key in load.traces[1].iter().cycle() {
                if done.load(Relaxed) {
                    return;
                }
                incr(&load.keys[*key as usize]);
            }
        });
        start.wait();
        let time = read(0, count);
        done.store(true, Relaxed);
        time
    })
}

/// What a system does, measured in all ways.
fn measure(
    c: &mut Criterion,
    load: &Load,
    system: &str,
    read: impl Fn(&str) -> i64 + Sync,
    incr: impl Fn(&str) -> i64 + Sync,
) {
    for key in &load.keys {
        black_box(incr(key));
    }
    let reads = |nth, count| load.timed(nth, count, &read);
    let incrs = |nth, count| load.timed(nth, count, &incr);
    let ways: [(&str, Work<'_>); 2] = [("vars_read", &reads), ("vars_incr", &incrs)];
    for (group, work) in ways {
        let mut group = c.benchmark_group(group);
        for threads in THREADS {
            let id = BenchmarkId::new(system, threads);
            group.bench_function(id, |b| b.iter_custom(|count| together(threads, count, work)));
        }
    }
    let count = |key: &str| {
        black_box(incr(key));
    };
    c.benchmark_group("vars_read_beside_incr").bench_function(BenchmarkId::new(system, 2), |b| {
        b.iter_custom(|times| beside(load, times, &reads, &count));
    });
}

fn measure_merge(
    c: &mut Criterion,
    load: &Load,
    system: &str,
    mut merge: impl FnMut(Vec<(String, i64)>),
) {
    let rows: Vec<_> = load.keys[..ROWS].iter().map(|key| (key.clone(), 1)).collect();
    c.benchmark_group("vars_merge").bench_function(BenchmarkId::new(system, ROWS), |b| {
        b.iter_batched(|| rows.clone(), &mut merge, criterion::BatchSize::SmallInput);
    });
}

fn larder(c: &mut Criterion, load: &Load) {
    static ARRAY: larder_vars::Array<String, i64> = larder_vars::Array::new();
    static VARS: larder_vars::Vars<String, i64> = larder_vars::Vars::new();
    let read = |key: &str| ARRAY.get(key).unwrap_or(0);
    measure(c, load, "larder", read, |key| ARRAY.incr(key, 1).expect("a small sum"));
    measure_merge(c, load, "larder", |rows| ARRAY.merge(rows).expect("no limit"));

    static SET: larder_vars::Array<String, i64> = larder_vars::Array::new();
    measure_merge(c, load, "larder-uncounted", |rows| SET.merge(rows).expect("no limit"));

    let array = VARS.array("hits");
    let read = |key: &str| array.get(key).unwrap_or(0);
    measure(c, load, "larder-named", read, |key| array.incr(key, 1).expect("a small sum"));
}

/// A bucket of NaviServer: one lock, and under it the arrays and a counter.
type Bucket = Mutex<(u64, HashMap<String, Map, RandomState>)>;

fn nsv(c: &mut Criterion, load: &Load) {
    let hasher = RandomState::default();
    let buckets: [Bucket; BUCKETS] = Default::default();
    let bucket = |array: &str| &buckets[hasher.hash_one(array) as usize % BUCKETS];
    let read = |key: &str| {
        let (locks, arrays) = &mut *bucket("hits").lock().expect("nobody panics");
        *locks += 1;
        arrays.get("hits").and_then(|array| array.get(key)).copied().unwrap_or(0)
    };
    let incr = |key: &str| {
        let (locks, arrays) = &mut *bucket("hits").lock().expect("nobody panics");
        *locks += 1;
        match arrays.get_mut("hits") {
            Some(array) => count(array, key),
            None => count(arrays.entry("hits".to_owned()).or_default(), key),
        }
    };
    measure(c, load, "nsv", read, incr);
    measure_merge(c, load, "nsv", |rows| {
        let (locks, arrays) = &mut *bucket("hits").lock().expect("nobody panics");
        *locks += 1;
        arrays.entry("hits".to_owned()).or_default().extend(rows);
    });
}

fn rwlock(c: &mut Criterion, load: &Load) {
    let hasher = RandomState::default();
    let buckets: [RwLock<HashMap<&str, Map, RandomState>>; BUCKETS] = Default::default();
    let bucket = |array: &str| &buckets[hasher.hash_one(array) as usize % BUCKETS];
    let read = |key: &str| {
        let arrays = bucket("hits").read().expect("nobody panics");
        arrays.get("hits").and_then(|array| array.get(key)).copied().unwrap_or(0)
    };
    let incr = |key: &str| {
        let mut arrays = bucket("hits").write().expect("nobody panics");
        count(arrays.entry("hits").or_default(), key)
    };
    measure(c, load, "rwlock", read, incr);
    measure_merge(c, load, "rwlock", |rows| {
        bucket("hits").write().expect("nobody panics").entry("hits").or_default().extend(rows);
    });
}

fn count(array: &mut Map, key: &str) -> i64 {
    match array.get_mut(key) {
        Some(count) => {
            *count += 1;
            *count
        }
        None => *array.entry(key.to_owned()).or_insert(1),
    }
}

fn maps(c: &mut Criterion, load: &Load) {
    let map: dashmap::DashMap<String, i64, RandomState> = dashmap::DashMap::default();
    let read = |key: &str| map.get(key).map_or(0, |value| *value);
    let incr = |key: &str| match map.get_mut(key) {
        Some(mut count) => {
            *count += 1;
            *count
        }
        None => *map.entry(key.to_owned()).or_insert(1),
    };
    measure(c, load, "dashmap", read, incr);
    measure_merge(c, load, "dashmap", |rows| {
        for (key, value) in rows {
            map.insert(key, value);
        }
    });

    let map: papaya::HashMap<String, i64, RandomState> =
        papaya::HashMap::with_hasher(RandomState::default());
    let read = |key: &str| map.pin().get(key).copied().unwrap_or(0);
    // Not `update_or_insert`: a map that it has filled answers reads five times slower.
    let incr = |key: &str| {
        let map = map.pin();
        let next = map.update(key.to_owned(), |count| count + 1).copied();
        next.unwrap_or_else(|| {
            map.insert(key.to_owned(), 1);
            1
        })
    };
    measure(c, load, "papaya", read, incr);
    measure_merge(c, load, "papaya", |rows| {
        let map = map.pin();
        for (key, value) in rows {
            map.insert(key, value);
        }
    });
}

fn vars(c: &mut Criterion) {
    let load = &Load::new();
    larder(c, load);
    nsv(c, load);
    rwlock(c, load);
    maps(c, load);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800));
    targets = vars
}
criterion_main!(benches);
