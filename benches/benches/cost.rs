//! How does cost grow, when there is ten, a hundred, a thousand times as much?
//!
//! A table for each series of sizes, larder alone: `cost_<crate>/<what grows>/<size>`.
//!
//! | series | an operation | what there is more of |
//! |---|---|---|
//! | `cost_memo/entries` | a hit of `StaticMemo` | entries |
//! | `cost_vars/names` | a read of an `Array` | names in it |
//! | `cost_pool/threads` | get and drop on 8 connections, by the clock of all threads | threads |
//! | `cost_files/entries`, `cost_files_cold/entries` | a hit on an open file; on one that is not | entries |
//! | `cost_sessions/sessions` | a check in memory | sessions |
//! | `cost_thumbs/megapixels` | a thumbnail of 320 px | the picture's pixels |
//! | `cost_thumbs_many/pictures` | all thumbnails of 320 px | pictures of 2 MP |
//!
//! Keys are drawn evenly, which is the worst for the processor's caches: with a skewed trace large
//! tables cost less. Each number is the median of five runs, after one that is thrown away. Requests
//! to a server are `serve-table grow`'s.

use std::hint::black_box;
use std::time::{Duration, Instant};

use larder_benches::pictures::{QUALITY, generated};
use larder_benches::plan::Plan;
use larder_benches::table;
use larder_benches::threads;
use larder_benches::zipf::Random;
use larder_files::{FileCache, Key, Limits};
use larder_pool::ManageConnection;
use larder_sessions::{MemoryStore, Sessions};
use larder_thumbs::{Source, Thumbnailer};

const RUNS: usize = 5;

fn main() {
    let plan = &Plan::from_args();
    raise_descriptors();
    let tables: &[usize] =
        plan.sized(&[1_000, 10_000, 100_000, 1_000_000], &[1_000, 10_000, 100_000], &[10, 100]);
    series(plan, "cost_memo/entries", tables, memo);
    series(plan, "cost_vars/names", tables, vars);
    let threads: &[usize] = plan.sized(&[1, 2, 4, 8, 16, 32, 64], &[1, 8, 64], &[1, 2]);
    series(plan, "cost_pool/threads", threads, pool);
    // A quarter of 20,000 descriptors is the most that a cache keeps open, and half of them are room.
    let open: &[usize] = plan.sized(&[20, 200, 2_000], &[20, 200, 2_000], &[10, 20]);
    series(plan, "cost_files/entries", open, |plan, entries| files(plan, entries, entries));
    let closed: &[usize] = plan.sized(&[1_000, 10_000, 100_000], &[100, 1_000, 10_000], &[10, 20]);
    series(plan, "cost_files_cold/entries", closed, |plan, entries| files(plan, entries, 0));
    series(plan, "cost_sessions/sessions", tables, sessions);
    let megapixels: &[usize] = plan.sized(&[1, 4, 16, 64], &[1, 4, 16], &[1]);
    series(plan, "cost_thumbs/megapixels", megapixels, |plan, size| thumbs(plan, size, 1));
    let pictures: &[usize] = plan.sized(&[1, 10, 100], &[1, 10, 100], &[1]);
    series(plan, "cost_thumbs_many/pictures", pictures, |plan, count| thumbs(plan, 2, count));
}

/// Prints the costs of some sizes.
fn series(plan: &Plan, group: &str, sizes: &[usize], cost: impl Fn(&Plan, usize) -> f64) {
    if plan.wanted(group, &["larder"]).is_empty() {
        return;
    }
    let mut rows = vec![["size", "cost"].map(String::from).to_vec()];
    for &size in sizes {
        rows.push(vec![size.to_string(), format!("{:.2} ns", cost(plan, size))]);
    }
    table::print(&format!("{group}: one operation"), &rows);
}

/// Nanoseconds of one operation: the median of some runs that each do `count`.
fn each(count: usize, mut run: impl FnMut(usize)) -> f64 {
    run(count);
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            run(count);
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[RUNS / 2].as_secs_f64() * 1e9 / count as f64
}

/// Draws so many of `0..size`.
fn draw(size: usize, count: usize) -> Vec<usize> {
    let mut random = Random::new(7);
    (0..count).map(|_| (random.bits() % size as u64) as usize).collect()
}

fn memo(plan: &Plan, entries: usize) -> f64 {
    let memo = larder_memo::StaticMemo::<u64, u64>::new();
    memo.preload((0..entries as u64).map(|key| (key, key)));
    let trace = draw(entries, plan.sized(1 << 21, 1 << 20, 100));
    each(trace.len(), |_| {
        let sum: u64 = trace.iter().map(|&key| *memo.get(&(key as u64)).expect("there")).sum();
        black_box(sum);
    })
}

fn vars(plan: &Plan, names: usize) -> f64 {
    let array = larder_vars::Array::<String, i64>::new();
    let names: Vec<String> = (0..names).map(|name| format!("/photos/{name:07}")).collect();
    for name in &names {
        array.incr(name.as_str(), 1).expect("a small sum");
    }
    let trace = draw(names.len(), plan.sized(1 << 20, 1 << 18, 100));
    each(trace.len(), |_| {
        let sum: i64 =
            trace.iter().map(|&nth| array.get(names[nth].as_str()).expect("there")).sum();
        black_box(sum);
    })
}

/// Makes connections of nothing.
struct Null;

impl ManageConnection for Null {
    type Connection = u64;
    type Error = std::convert::Infallible;

    fn connect(&self) -> Result<u64, Self::Error> {
        Ok(1)
    }

    fn is_valid(&self, _: &mut u64) -> Result<(), Self::Error> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}

fn pool(plan: &Plan, threads: usize) -> f64 {
    let builder = larder_pool::Pool::builder().max_size(8).min_idle(Some(8));
    let pool = builder.build(Null).expect("nothing is connected to");
    let each_thread = (plan.sized(1 << 20, 1 << 18, 1 << 7) / threads).max(1);
    each(each_thread * threads, |count| {
        threads::run(threads, (count / threads) as u64, &|_, count| {
            for _ in 0..count {
                black_box(&*pool.get().expect("nobody waits for long"));
            }
        });
    })
}

fn files(plan: &Plan, entries: usize, descriptors: usize) -> f64 {
    let dir = tempfile::tempdir().expect("a directory");
    let limits = Limits::new().max_bytes(1 << 40).max_files(2 * entries);
    // Twice the room, since no part of the table is to be full before the others.
    let limits = limits.open_descriptors(2 * descriptors as u64);
    let cache = FileCache::open(dir.path(), limits).expect("the directory is new");
    let key = |nth: usize| Key::new(format!("photos/{nth:08}.jpg"), "1", "w=320");
    let keys: Vec<Key> = (0..entries).map(key).collect();
    for key in &keys {
        let made = cache.get_or_make(key, |out| out.write_all(b"a small picture"));
        assert!(made.expect("it is made").file().is_some());
    }
    let is_hot = descriptors > 0;
    let count = if is_hot { 1 << 20 } else { 1 << 15 };
    let trace = draw(entries, plan.sized(count, count / 4, 20));
    let cost = each(trace.len(), |_| {
        for &nth in &trace {
            black_box(cache.get(&keys[nth]).expect("it is there").len());
        }
    });
    let hot = cache.stats().hits_hot;
    assert_eq!(hot > 0, is_hot, "{hot} hits on open files");
    cost
}

fn sessions(plan: &Plan, count: usize) -> f64 {
    let sessions = Sessions::builder(MemoryStore::new(4 * count)).build();
    let headers: Vec<String> = (0..count)
        .map(|nth| {
            let mut session = sessions.open(None).expect("empty");
            session.set("visit", &nth).expect("it is short");
            let _ = session.save().expect("stored");
            let line = session.set_cookie().expect("a new id");
            line.split(';').next().expect("a pair").to_owned()
        })
        .collect();
    let trace = draw(count, plan.sized(1 << 18, 1 << 16, 20));
    each(trace.len(), |_| {
        for &nth in &trace {
            let visit: Option<usize> = sessions.peek([&*headers[nth]], "visit").expect("read");
            assert_eq!(black_box(visit), Some(nth));
        }
    })
}

/// A thumbnail of each of so many equal pictures of so many megapixels, four wide and three high.
fn thumbs(plan: &Plan, megapixels: usize, count: usize) -> f64 {
    let part = (megapixels as f64 * 1e6 / 12.0).sqrt();
    let jpeg = generated((4.0 * part) as u32, (3.0 * part) as u32);
    let thumbnailer = Thumbnailer::builder().quality(QUALITY).build();
    let source = Source::bytes(&jpeg[..]);
    let times = plan.sized(4, 2, 1);
    each(times, |times| {
        for _ in 0..times * count {
            black_box(thumbnailer.make(&source, 320).expect("it is a picture"));
        }
    })
}

/// As many as the machine allows: the files of the largest series are all open.
fn raise_descriptors() {
    let resource = rustix::process::Resource::Nofile;
    let mut limit = rustix::process::getrlimit(resource);
    limit.current = limit.maximum;
    rustix::process::setrlimit(resource, limit).expect("what is allowed is allowed");
}
