//! What does a hit cost, alone and beside another thread?
//!
//! Every system holds the same keys (`u64`) and values (`Arc<str>`) and answers the same traces,
//! Zipf(0.9) over all keys; each look-up reads the length of the string. The threads share their
//! taste, as those of a server do: what is popular with one is popular with the other. Rows are
//! inserted in the order in which the traces first ask for them, as a memo fills in life, so the
//! popular ones lie together wherever a system keeps that order.
//!
//! Each system is used in the quickest way that a request handler could use:
//!
//! | system | a hit | hasher |
//! |---|---|---|
//! | `larder-static`, `elsa` | lends for as long as the map lives | foldhash; elsa admits SipHash only |
//! | `larder-memo`, `papaya`, `scc`, `arc-swap-hashmap` | lends under a guard of this look-up | foldhash |
//! | `dashmap` | lends under the read lock of a shard | foldhash |
//! | `moka`, `quick_cache` | can only clone: a shared count, up and down | foldhash |
//! | `hashmap` | lends; no synchronisation, nobody may write: the floor | foldhash |
//!
//! foldhash is the fast one, with random seeds, everywhere. scc is its `HashIndex`, made for
//! reading. moka and quick_cache have room for twice the keys, since parts of theirs can be full
//! while others are not; larder-memo is bounded to just the keys. None evicts.
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

/// What is asked for, and what all systems hold.
struct Load {
    keys: u32,
    /// One for each thread.
    traces: Vec<Vec<u32>>,
    /// Every key, in the order of the first request.
    order: Vec<u32>,
}

impl Load {
    fn new(keys: u32) -> Self {
        let popularity = zipf::Popularity::new(keys, 0.9, 7);
        let most = THREADS.iter().max().copied().unwrap_or(1);
        let traces: Vec<_> =
            (0..most).map(|thread| popularity.draw(TRACE, 8 + thread as u64)).collect();
        let asked = (0..TRACE).flat_map(|at| traces.iter().map(move |trace| trace[at]));
        let mut seen = vec![false; keys as usize];
        let first = |key: &u32| !std::mem::replace(&mut seen[*key as usize], true);
        let order = asked.chain(0..keys).filter(first).collect();
        Load { keys, traces, order }
    }

    fn rows(&self) -> impl Iterator<Item = (u64, Arc<str>)> {
        self.order.iter().map(|key| (u64::from(*key), format!("photos/{key:08}.jpg").into()))
    }

    fn measure(&self, c: &mut Criterion, system: &str, lookup: Lookup<'_>) {
        let mut group = c.benchmark_group("memo_hit");
        for threads in THREADS {
            let traces = &self.traces[..threads];
            let id = BenchmarkId::new(system, format!("{}x{threads}", self.keys));
            group.bench_function(id, |b| b.iter_custom(|count| together(traces, count, lookup)));
        }
    }
}

fn larder(c: &mut Criterion, load: &Load) {
    let memo = larder_memo::StaticMemo::<u64, Arc<str>>::new();
    memo.preload(load.rows());
    load.measure(c, "larder-static", &|trace, count| {
        timed(trace, count, |key| memo.get(&key).map_or(0, |value| value.len()))
    });

    let rows: Vec<_> = load.rows().collect();
    let table = larder_memo::StaticTable::with_loader(move || Ok(rows.clone()));
    table.reload().expect("the loader does not fail");
    load.measure(c, "larder-table", &|trace, count| {
        timed(trace, count, |key| match table.read(&key, |value: &Arc<str>| value.len()) {
            Ok(Some(length)) => length,
            _ => 0,
        })
    });

    let memo = larder_memo::Memo::<u64, Arc<str>>::builder(load.keys as usize).build();
    load.rows().for_each(|(key, value)| memo.insert(key, value));
    load.measure(c, "larder-memo", &|trace, count| {
        timed(trace, count, |key| memo.read(&key, |value| value.len()).unwrap_or(0))
    });
}

fn caches(c: &mut Criterion, load: &Load) {
    let cache = moka::sync::Cache::builder()
        .max_capacity(u64::from(load.keys) * 2)
        .build_with_hasher(RandomState::default());
    load.rows().for_each(|(key, value)| cache.insert(key, value));
    cache.run_pending_tasks();
    load.measure(c, "moka", &|trace, count| {
        timed(trace, count, |key| cache.get(&key).map_or(0, |value: Arc<str>| value.len()))
    });

    let room = load.keys as usize * 2;
    let cache = quick_cache::sync::Cache::with(
        room,
        room as u64,
        quick_cache::UnitWeighter,
        RandomState::default(),
        quick_cache::sync::DefaultLifecycle::default(),
    );
    load.rows().for_each(|(key, value)| cache.insert(key, value));
    load.measure(c, "quick_cache", &|trace, count| {
        timed(trace, count, |key| cache.get(&key).map_or(0, |value: Arc<str>| value.len()))
    });
}

fn maps(c: &mut Criterion, load: &Load) {
    let map = papaya::HashMap::with_hasher(RandomState::default());
    load.rows().for_each(|(key, value)| {
        map.pin().insert(key, value);
    });
    load.measure(c, "papaya", &|trace, count| {
        timed(trace, count, |key| map.pin().get(&key).map_or(0, |value: &Arc<str>| value.len()))
    });

    let map = dashmap::DashMap::with_hasher(RandomState::default());
    load.rows().for_each(|(key, value)| {
        map.insert(key, value);
    });
    load.measure(c, "dashmap", &|trace, count| {
        timed(trace, count, |key| map.get(&key).map_or(0, |value| value.value().len()))
    });

    let map: hashbrown::HashMap<u64, Arc<str>, RandomState> = load.rows().collect();
    load.measure(c, "hashmap", &|trace, count| {
        timed(trace, count, |key| map.get(&key).map_or(0, |value| value.len()))
    });
}

fn read_mostly_maps(c: &mut Criterion, load: &Load) {
    let map = scc::HashIndex::with_hasher(RandomState::default());
    load.rows().for_each(|(key, value)| drop(map.insert_sync(key, value)));
    load.measure(c, "scc", &|trace, count| {
        timed(trace, count, |key| {
            map.peek_with(&key, |_, value: &Arc<str>| value.len()).unwrap_or(0)
        })
    });

    let map: hashbrown::HashMap<u64, Arc<str>, RandomState> = load.rows().collect();
    let map = arc_swap::ArcSwap::from_pointee(map);
    load.measure(c, "arc-swap-hashmap", &|trace, count| {
        timed(trace, count, |key| map.load().get(&key).map_or(0, |value| value.len()))
    });

    let map = elsa::sync::FrozenMap::<u64, Arc<str>>::new();
    load.rows().for_each(|(key, value)| {
        map.insert(key, value);
    });
    load.measure(c, "elsa", &|trace, count| {
        timed(trace, count, |key| map.get(&key).map_or(0, str::len))
    });
}

fn memo_hit(c: &mut Criterion) {
    for keys in KEYS {
        let load = &Load::new(keys);
        larder(c, load);
        caches(c, load);
        maps(c, load);
        read_mostly_maps(c, load);
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
