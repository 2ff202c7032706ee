//! The lease holds between processes: each entry is made once, waiters elsewhere wake when it is
//! published or when its maker dies, and a maker that hangs can be passed by.

mod child;

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use larder_files::{Begin, FileCache, Key, Lease, Limits};

const KEYS: usize = 150;

fn key(n: usize) -> Key {
    Key::new(format!("source {n}"), "1", "p")
}

fn lead(cache: &FileCache, key: &Key) -> Lease {
    match cache.begin(key) {
        Begin::Make(lease) => lease,
        other => panic!("expected to lead, found {other:?}"),
    }
}

/// Opens a cache and waits for its sweep, whose short locks look like a maker's to the other.
fn open(dir: &Path, limits: Limits) -> FileCache {
    let cache = FileCache::open(dir, limits).unwrap();
    assert!(cache.wait_counted(soon()));
    cache
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

#[test]
#[ignore = "a child of the next test"]
fn child_that_makes_all() {
    let Some(dir) = child::dir() else { return };
    let cache = FileCache::open(dir.join("cache"), Limits::new()).unwrap();
    let mut log = OpenOptions::new().append(true).open(dir.join("log")).unwrap();
    for n in 0..KEYS {
        let made = cache.get_or_make(&key(n), |out| {
            log.write_all(format!("{n}\n").as_bytes())?;
            out.write_all(&vec![n as u8; n * 1000])
        });
        assert_eq!(made.unwrap().read().unwrap(), vec![n as u8; n * 1000]);
    }
    assert_eq!((cache.stats().torn, cache.stats().faults), (0, 0));
}

#[test]
fn four_processes_make_each_entry_once() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("log"), "").unwrap();
    let start = || child::command("child_that_makes_all", dir.path()).stdout(Stdio::null()).spawn();
    let children: Vec<_> = (0..4).map(|_| start().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let log = fs::read_to_string(dir.path().join("log")).unwrap();
    let mut made: Vec<usize> = log.lines().map(|line| line.parse().unwrap()).collect();
    made.sort_unstable();
    assert_eq!(made, Vec::from_iter(0..KEYS));
}

/// Two caches on one directory are as strange to one another as two processes are.
#[test]
fn a_waiter_elsewhere_wakes_with_the_entry() {
    let dir = tempfile::tempdir().unwrap();
    let here = open(dir.path(), Limits::new());
    let there = open(dir.path(), Limits::new());
    let lease = lead(&here, &key(1));
    let Begin::Busy(flight) = there.begin(&key(1)) else { panic!("led beside another") };
    let Begin::Busy(parked) = there.begin(&key(1)) else { panic!("led beside another") };
    let (tell, told) = mpsc::channel();
    parked.on_ready(move |outcome| tell.send(outcome.unwrap().read().unwrap()).unwrap());
    lease.publish(b"made here");
    assert_eq!(flight.wait(soon()).unwrap().read().unwrap(), "made here");
    assert_eq!(told.recv_timeout(Duration::from_secs(30)).unwrap(), "made here");
    assert!(there.get_hot(&key(1)).is_some());
}

#[test]
fn a_failure_elsewhere_makes_the_waiter_lead() {
    let dir = tempfile::tempdir().unwrap();
    let here = open(dir.path(), Limits::new());
    let there = open(dir.path(), Limits::new());
    let lease = lead(&here, &key(1));
    let waiter = thread::spawn({
        let there = there.clone();
        move || there.get_or_make(&key(1), |out| out.write_all(b"made there"))
    });
    while there.stats().coalesced == 0 {
        thread::yield_now();
    }
    drop(lease);
    assert_eq!(waiter.join().unwrap().unwrap().read().unwrap(), "made there");
    assert_eq!(here.get(&key(1)).unwrap().read().unwrap(), "made there");
}

#[test]
#[ignore = "the child of the next test"]
fn child_that_dies_leading() {
    let Some(dir) = child::dir() else { return };
    let cache = FileCache::open(dir, Limits::new()).unwrap();
    let _lease = lead(&cache, &key(1));
    println!("\nleading");
    thread::park();
}

#[test]
fn the_death_of_a_maker_wakes_the_waiter() {
    let dir = tempfile::tempdir().unwrap();
    let mut maker = child::command("child_that_dies_leading", dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(maker.stdout.take().unwrap()).lines();
    lines.map(Result::unwrap).find(|line| line.ends_with("leading")).unwrap();
    let cache = open(dir.path(), Limits::new());
    let waiter = thread::spawn({
        let cache = cache.clone();
        move || cache.get_or_make(&key(1), |out| out.write_all(b"made after all"))
    });
    while cache.stats().coalesced == 0 {
        thread::yield_now();
    }
    maker.kill().unwrap();
    maker.wait().unwrap();
    let entry = waiter.join().unwrap().unwrap();
    assert!(entry.file().is_some());
    assert_eq!(entry.read().unwrap(), "made after all");
}

#[test]
fn a_maker_elsewhere_that_hangs_is_passed_by() {
    let dir = tempfile::tempdir().unwrap();
    let here = open(dir.path(), Limits::new());
    let limits = Limits::new().wait(Duration::from_millis(30));
    let there = open(dir.path(), limits);
    let lease = lead(&here, &key(1));
    let timed_out = there.get_or_make(&key(1), |out| out.write_all(b"body")).unwrap_err();
    assert!(timed_out.is_timeout(), "{timed_out}");
    let uncached = there.get_or_make(&key(1), |out| out.write_all(b"body")).unwrap();
    assert!(uncached.file().is_none() && uncached.read().unwrap() == "body");
    lease.publish(b"body");
    assert_eq!(there.get(&key(1)).unwrap().etag(), uncached.etag());
}

/// Each leader waited for it anew, with one more thread; after 16 of these nobody was waited for.
#[test]
fn a_maker_elsewhere_that_hangs_is_waited_for_once() {
    let dir = tempfile::tempdir().unwrap();
    let here = open(dir.path(), Limits::new());
    let there = open(dir.path(), Limits::new().wait(Duration::from_millis(30)));
    let lease = lead(&here, &key(1));
    let timed_out = there.get_or_make(&key(1), |out| out.write_all(b"body")).unwrap_err();
    assert!(timed_out.is_timeout(), "{timed_out}");
    for n in 0..40 {
        let uncached = there.get_or_make(&key(1), |out| out.write_all(b"body"));
        assert!(uncached.is_ok_and(|entry| entry.file().is_none()), "asked again {n} times");
    }
    let other = lead(&here, &key(2));
    let Begin::Busy(flight) = there.begin(&key(2)) else { panic!("led beside another") };
    other.publish(b"made here");
    assert_eq!(flight.wait(soon()).unwrap().read().unwrap(), "made here");

    // The thread that waited ends with the maker, and then a maker is waited for again.
    drop(lease);
    let patience = soon();
    while there.get_or_make(&key(1), |out| out.write_all(b"body")).unwrap().file().is_none() {
        assert!(Instant::now() < patience, "the dead maker keeps the entry from the disk");
    }
}

#[test]
#[ignore = "a child of the next test"]
fn child_that_hammers() {
    let Some(dir) = child::dir() else { return };
    // Room for a third of it: both evict what the other is serving.
    let limits = Limits::new().max_files(20).open_descriptors(8);
    let cache = FileCache::open(dir, limits).unwrap();
    let body = |n: usize| vec![n as u8; [0, 700, 20_000, 300_000][n % 4] + n];
    let mut turn = std::process::id() as usize;
    for _ in 0..4000 {
        turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let n = (turn >> 33) % 60;
        match (turn >> 20) % 16 {
            0 => drop(cache.remove(&key(n))),
            1 => drop(cache.purge_source(format!("source {n}"))),
            _ => {
                let made = cache.get_or_make(&key(n), |out| out.write_all(&body(n)));
                assert_eq!(made.unwrap().read().unwrap(), body(n), "entry {n} is torn");
            }
        }
    }
    let stats = cache.stats();
    assert_eq!((stats.torn, stats.collisions), (0, 0), "{stats:?}");
    assert!(stats.evicted > 0 && stats.hits_cold > 0, "{stats:?}");
    assert_eq!(stats.faults, 0, "{stats:?}");
}

#[test]
fn two_processes_that_hammer_one_directory_serve_nothing_torn() {
    let dir = tempfile::tempdir().unwrap();
    let start = || child::command("child_that_hammers", dir.path()).stdout(Stdio::null()).spawn();
    let children: Vec<_> = (0..2).map(|_| start().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let cache = open(dir.path(), Limits::new().verify_up_to(u64::MAX));
    let listed: Vec<_> = cache.entries().collect();
    assert!(listed.iter().all(|found| cache.get(found.key()).is_some()));
    assert_eq!(cache.stats().torn, 0);
    assert_eq!(fs::read_dir(dir.path().join("drafts")).unwrap().count(), 0);
}
