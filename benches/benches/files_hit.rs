//! What does a hit cost, when the file is open already and when it is not?
//!
//! `files_hit/<system>/<case>`, 256 files asked for in turn, all in the page cache:
//!
//! - `hot` and `hot-2` (each of two threads): `larder` asks for a key that it keeps, `larder-key`
//!   builds the key for each request, as a handler does; `moka` is the bare table, with the same
//!   names, hash and values behind an `Arc`: the floor of the design.
//! - `cold-8k` and `cold-64k`: from the key to the bytes in memory. `larder` keeps no descriptor, so
//!   it opens, verifies key and sum, and reads; `larder-read` asks for the bytes at once, and so
//!   reads what is short but once; `larder-open` leaves the reading to `sendfile`;
//!   `larder-table` does as `larder`, and each time closes another file to keep this one open;
//!   `open-read` is `std::fs::read` and checks nothing; `cacache` reads by its hash (xxh3, its
//!   quickest) and `cacache-key` by its key, through its index, and checks the sum; `foyer` reads
//!   its block file with its default engine, in a runtime of its own and under a future.
//!
//! After the numbers, where `strace` is on the PATH, a table of the system calls of processes that
//! make 1 and 1,000,000 hot hits. The proof is a test of `larder-files`, in which the kernel kills
//! whoever makes one.

use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use larder_benches::plan::Plan;
use larder_benches::table;
use larder_files::{FileCache, Key, Limits};

const FILES: usize = 256;
const COLD: [(&str, usize); 2] = [("cold-8k", 8 << 10), ("cold-64k", 64 << 10)];
/// How this program is told to do nothing but hot hits.
const HITS: &str = "--hot-hits";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, hits] = &arguments[..]
        && flag == HITS
    {
        return hot_hits(hits.parse().expect("a number of hits"));
    }
    let mut criterion = Criterion::default()
        .sample_size(20)
        .measurement_time(Duration::from_secs(1))
        .warm_up_time(Duration::from_millis(300))
        .configure_from_args();
    hot(&mut criterion);
    for (case, len) in COLD {
        cold(&mut criterion, case, len);
    }
    criterion.final_summary();
    let plan = Plan::from_args();
    let is_full = !plan.length(Duration::from_secs(1), Duration::ZERO).is_zero();
    if is_full && !plan.wanted("files_hit", &["larder/hot"]).is_empty() {
        table_of_calls();
    }
}

fn key(n: usize) -> Key {
    Key::new(format!("photos/2007/{n:08}.jpg"), "size=4711 mtime=1700000000", "w=320 q=80 jpeg")
}

fn body(n: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 3 * 31 + n) as u8).collect()
}

fn filled(dir: &Path, limits: Limits, len: usize) -> (FileCache, Vec<Key>) {
    let cache = FileCache::open(dir, limits).expect("the directory is new");
    let keys: Vec<Key> = (0..FILES).map(key).collect();
    for (n, key) in keys.iter().enumerate() {
        let made = cache.get_or_make(key, |out| out.write_all(&body(n, len)));
        assert!(made.expect("it is made").file().is_some());
    }
    (cache, keys)
}

fn hot(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let (cache, keys) = filled(dir.path(), Limits::new(), 100);
    let hit = |key: &Key| cache.get_hot(key).expect("it is open").len();
    measure_hot(criterion, "larder", &|n| hit(&keys[n]));
    measure_hot(criterion, "larder-key", &|n| hit(&key(n)));

    let names: Vec<[u8; 24]> = keys.iter().map(|key| name(&cache, key)).collect();
    let table = moka::sync::Cache::builder()
        .max_capacity(1024)
        .build_with_hasher(BuildHasherDefault::<Last8>::default());
    names.iter().for_each(|name| table.insert(*name, Arc::new(name.len() as u64)));
    measure_hot(criterion, "moka", &|n| *table.get(&names[n]).expect("it is there"));
}

/// The bytes of the file's name, which are what larder's own table is asked by.
fn name(cache: &FileCache, key: &Key) -> [u8; 24] {
    let path = cache.path(key);
    let digits = path.file_name().and_then(|name| name.to_str()).expect("a name in hexadecimal");
    std::array::from_fn(|n| {
        u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).expect("a name in hexadecimal")
    })
}

/// Takes the last eight bytes written, which are random already.
#[derive(Default)]
struct Last8(u64);

impl Hasher for Last8 {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk() {
            self.0 = u64::from_le_bytes(*last);
        }
    }

    fn write_usize(&mut self, _: usize) {}
}

fn measure_hot(criterion: &mut Criterion, system: &str, hit: &(dyn Fn(usize) -> u64 + Sync)) {
    let mut group = criterion.benchmark_group("files_hit");
    for (case, threads) in [("hot", 1), ("hot-2", 2)] {
        group.bench_function(BenchmarkId::new(system, case), |b| {
            b.iter_custom(|count| together(threads, count, hit));
        });
    }
}

/// The time of `count` hits of one thread while all do as many.
fn together(threads: usize, count: u64, hit: &(dyn Fn(usize) -> u64 + Sync)) -> Duration {
    let start = Barrier::new(threads);
    let run = |first: usize| {
        start.wait();
        let began = Instant::now();
        for n in 0..count as usize {
            black_box(hit((first + n) % FILES));
        }
        began.elapsed()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|n| scope.spawn(move || run(n * 100))).collect();
        let times = threads.into_iter().map(|thread| thread.join().expect("a hit panicked"));
        let times: Vec<Duration> = times.collect();
        times.iter().sum::<Duration>() / times.len() as u32
    })
}

fn measure_cold(
    criterion: &mut Criterion,
    (system, case): (&str, &str),
    mut hit: impl FnMut(usize) -> usize,
) {
    let mut turn = 0;
    criterion.benchmark_group("files_hit").bench_function(BenchmarkId::new(system, case), |b| {
        b.iter(|| {
            turn = (turn + 1) % FILES;
            hit(turn)
        });
    });
}

fn cold(criterion: &mut Criterion, case: &str, len: usize) {
    let dir = tempfile::tempdir().expect("a directory");
    for (system, descriptors) in [("larder", 0), ("larder-table", FILES as u64 / 4)] {
        let limits = Limits::new().open_descriptors(descriptors);
        let (cache, keys) = filled(&dir.path().join(system), limits, len);
        measure_cold(criterion, (system, case), |n| {
            cache.get(&keys[n]).expect("it is there").read().expect("it is whole").len()
        });
        if descriptors == 0 {
            measure_cold(criterion, ("larder-read", case), |n| {
                cache.read(&keys[n]).expect("it is there and whole").len()
            });
            measure_cold(criterion, ("larder-open", case), |n| {
                cache.get(&keys[n]).expect("it is there").len() as usize
            });
        }
        assert_eq!(cache.stats().hits_hot, 0, "a hit that should be cold was hot");
    }

    let plain: Vec<_> = (0..FILES).map(|n| dir.path().join(format!("{n}.jpg"))).collect();
    for (n, path) in plain.iter().enumerate() {
        std::fs::write(path, body(n, len)).expect("the disk has room");
    }
    measure_cold(criterion, ("open-read", case), |n| {
        std::fs::read(&plain[n]).expect("it is there").len()
    });
    cold_cacache(criterion, &dir.path().join("cacache"), case, len);
    cold_foyer(criterion, &dir.path().join("foyer"), case, len);
}

fn cold_cacache(criterion: &mut Criterion, dir: &Path, case: &str, len: usize) {
    let by = cacache::Algorithm::Xxh3;
    let name = |n: usize| format!("photos/2007/{n:08}.jpg w=320 q=80 jpeg");
    let (names, sums): (Vec<_>, Vec<_>) = (0..FILES)
        .map(|n| (name(n), cacache::write_sync_with_algo(by, dir, name(n), body(n, len)).unwrap()))
        .unzip();
    measure_cold(criterion, ("cacache", case), |n| {
        cacache::read_hash_sync(dir, &sums[n]).expect("it is there").len()
    });
    measure_cold(criterion, ("cacache-key", case), |n| {
        cacache::read_sync(dir, &names[n]).expect("it is there").len()
    });
}

fn cold_foyer(criterion: &mut Criterion, dir: &Path, case: &str, len: usize) {
    use foyer::{BlockEngineConfig, DeviceBuilder, FsDeviceBuilder, HybridCacheBuilder};
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let cache: foyer::HybridCache<u64, Vec<u8>> = runtime
        .block_on(async {
            let device = FsDeviceBuilder::new(dir).with_capacity(64 << 20).build()?;
            HybridCacheBuilder::new()
                .with_policy(foyer::HybridCachePolicy::WriteOnInsertion)
                // Room for one or none: what is read comes from the disk.
                .memory(1)
                .with_shards(1)
                .storage()
                .with_engine_config(BlockEngineConfig::new(device).with_block_size(4 << 20))
                .build()
                .await
        })
        .expect("foyer opens");
    for n in 0..FILES {
        cache.insert(n as u64, body(n, len));
        // One at a time, lest its queue be full and drop some.
        runtime.block_on(cache.storage().wait());
    }
    let there: Vec<u64> = (0..FILES as u64)
        .filter(|n| runtime.block_on(cache.get(n)).is_ok_and(|found| found.is_some()))
        .collect();
    assert!(there.len() > FILES / 2, "foyer kept {} of {FILES}", there.len());
    measure_cold(criterion, ("foyer", case), |n| {
        let found = runtime.block_on(cache.get(&there[n % there.len()]));
        found.expect("foyer reads").map_or(0, |entry| entry.value().len())
    });
    runtime.block_on(cache.close()).expect("foyer closes");
}

fn hot_hits(hits: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let (cache, keys) = filled(dir.path(), Limits::new(), 100);
    assert!(cache.wait_counted(Instant::now() + Duration::from_secs(60)));
    for n in 0..hits as usize {
        assert!(cache.get_hot(&keys[n % FILES]).is_some());
    }
    assert_eq!(cache.stats().hits_hot, hits);
}

fn table_of_calls() {
    let program = std::env::current_exe().expect("our own path");
    let calls = |hits: &str| -> Option<u64> {
        let mut strace = Command::new("strace");
        let output = strace.args(["-c", "-f"]).arg(&program).args([HITS, hits]).output().ok()?;
        // `100.00    0.012345          5      2345        12 total`
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let total = words.lines().find(|line| line.ends_with(" total"))?;
        total.split_whitespace().nth(3)?.parse().ok()
    };
    let mut rows = vec![vec!["hot hits".into(), "system calls of the process".into()]];
    for hits in ["1", "1000000"] {
        let Some(calls) = calls(hits) else { return println!("\nno strace: calls not counted") };
        rows.push(vec![hits.into(), calls.to_string()]);
    }
    table::print("files_calls: making 256 entries, and then", &rows);
}
