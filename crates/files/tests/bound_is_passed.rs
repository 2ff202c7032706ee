//! Bytes and files stay within their bounds, and what goes is what was not used for longest: in a
//! running cache, across restarts, and in a directory that was over-full from the start.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use larder_files::{Entry, FileCache, Key, Limits};

const BLOCK: u64 = 4096;

fn key(n: usize) -> Key {
    Key::new(format!("source {n}"), "1", "p")
}

fn put(cache: &FileCache, n: usize) -> Entry {
    cache.get_or_make(&key(n), |out| out.write_all(format!("body {n}").as_bytes())).unwrap()
}

fn has(cache: &FileCache, n: usize) -> bool {
    cache.path(&key(n)).exists()
}

fn present(cache: &FileCache, of: usize) -> Vec<usize> {
    (0..of).filter(|n| has(cache, *n)).collect()
}

fn counted(dir: &Path, limits: Limits) -> FileCache {
    let cache = FileCache::open(dir, limits).unwrap();
    assert!(cache.wait_counted(Instant::now() + Duration::from_secs(30)));
    cache
}

fn set_age(cache: &FileCache, n: usize, hours: u64) {
    let time = SystemTime::now() - Duration::from_secs(hours * 3600);
    File::open(cache.path(&key(n))).unwrap().set_modified(time).unwrap();
}

fn blocks_on_disk(dir: &Path) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            sum += blocks_on_disk(&entry.path());
        } else if entry.file_name() != "larder-files" {
            sum += metadata.len().div_ceil(BLOCK) * BLOCK;
        }
    }
    sum
}

#[test]
fn the_byte_bound_holds_and_the_oldest_goes() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new().max_bytes(5 * BLOCK)).unwrap();
    for n in 0..20 {
        put(&cache, n);
        assert!(blocks_on_disk(dir.path()) <= 5 * BLOCK);
    }
    assert_eq!(present(&cache, 20), [15, 16, 17, 18, 19]);
    let stats = cache.stats();
    assert_eq!((stats.evicted, stats.files, stats.bytes), (15, 5, 5 * BLOCK));
}

#[test]
fn a_hit_saves_a_file_hot_or_cold() {
    for descriptors in [0, 100] {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits::new().max_files(3).open_descriptors(descriptors);
        let cache = FileCache::open(dir.path(), limits).unwrap();
        (0..3).for_each(|n| drop(put(&cache, n)));
        assert!(cache.get(&key(0)).is_some());
        put(&cache, 3);
        assert_eq!(present(&cache, 4), [0, 2, 3], "{descriptors} descriptors");
    }
}

#[test]
fn an_entry_stays_readable_after_its_eviction() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new().max_files(1)).unwrap();
    let (first, other) = (put(&cache, 0), cache.get(&key(0)).unwrap());
    put(&cache, 1);
    assert!(!has(&cache, 0) && cache.get(&key(0)).is_none());
    assert_eq!(first.read().unwrap(), "body 0");
    drop((first, cache));
    assert_eq!(other.read().unwrap(), "body 0");
}

#[test]
fn an_entry_larger_than_the_cache_evicts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits::new().max_bytes(2 * BLOCK);
    let cache = FileCache::open(dir.path(), limits).unwrap();
    put(&cache, 0);
    let larder_files::Begin::Make(lease) = cache.begin(&key(1)) else { panic!("not ours") };
    let entry = lease.publish(&vec![7; 100_000]);
    assert_eq!((entry.len(), entry.file().is_none()), (100_000, true));
    assert!(has(&cache, 0) && !has(&cache, 1));
    let streamed = cache.get_or_make(&key(2), |out| out.write_all(&[7; 100_000])).unwrap_err();
    assert!(streamed.is_too_large() && streamed.to_string().contains("8192"), "{streamed}");
}

#[test]
fn order_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    (0..6).for_each(|n| drop(put(&cache, n)));
    for (n, hours) in [(0, 30), (1, 60), (2, 10), (3, 50), (4, 20), (5, 40)] {
        set_age(&cache, n, hours);
    }
    drop(cache);
    let cache = counted(dir.path(), Limits::new().max_files(6));
    assert_eq!(cache.stats().files, 6);
    for (new, gone) in [1, 3, 5, 0, 4, 2].into_iter().enumerate() {
        put(&cache, 6 + new);
        assert!(!has(&cache, gone), "{gone} outlived its turn");
    }
}

#[test]
fn an_over_full_directory_is_worked_off_to_the_most_recent() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    for n in 0..300 {
        put(&cache, n);
        set_age(&cache, n, (n as u64 * 101) % 300); // 101 and 300 share no factor: all differ
    }
    drop(cache);
    let cache = counted(dir.path(), Limits::new().max_bytes(10 * BLOCK));
    let mut left = present(&cache, 300);
    left.sort_by_key(|n| (n * 101) % 300);
    assert_eq!(left.iter().map(|n| (n * 101) % 300).collect::<Vec<_>>(), Vec::from_iter(0..10));
    assert_eq!(cache.stats().evicted, 290);
}

#[test]
fn a_hit_renews_the_mtime_at_most_once_in_an_interval() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    put(&cache, 0);
    put(&cache, 1);
    set_age(&cache, 0, 2);
    drop(cache);
    let mtime = |cache: &FileCache, n| cache.path(&key(n)).metadata().unwrap().modified().unwrap();

    let cache = counted(dir.path(), Limits::new());
    let fresh = mtime(&cache, 1);
    assert!(cache.get(&key(0)).is_some() && cache.get(&key(1)).is_some());
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let patience = Instant::now() + Duration::from_secs(20);
    while mtime(&cache, 0) < hour_ago {
        assert!(Instant::now() < patience, "the mtime was not renewed");
        std::thread::yield_now();
    }
    let renewed = mtime(&cache, 0);
    for _ in 0..100 {
        cache.get(&key(0)).unwrap();
    }
    drop(cache);
    let cache = counted(dir.path(), Limits::new());
    assert_eq!((mtime(&cache, 0), mtime(&cache, 1)), (renewed, fresh));
}

#[test]
fn what_others_add_is_counted_when_it_is_met() {
    let dir = tempfile::tempdir().unwrap();
    let ours = counted(dir.path(), Limits::new().max_files(2));
    let theirs = FileCache::open(dir.path(), Limits::new()).unwrap();
    (0..4).for_each(|n| drop(put(&theirs, n)));
    (0..4).for_each(|n| drop(ours.get(&key(n)).unwrap()));
    put(&ours, 4);
    assert_eq!(present(&ours, 5), [3, 4]);
}

/// What this process has open in `dir`, as the system sees it.
fn open_in(dir: &Path) -> Vec<PathBuf> {
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let files = links.filter_map(|link| fs::read_link(link.path()).ok());
    files.filter(|file| file.starts_with(dir)).collect()
}

#[test]
fn descriptors_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let cache = counted(dir.path(), Limits::new().open_descriptors(8));
    for n in 0..600 {
        put(&cache, n);
        assert!(open_in(dir.path()).len() <= 8);
    }
    assert_eq!(cache.stats().open_descriptors, 8);
    for n in 0..600 {
        assert!(cache.get(&key(n)).is_some());
        assert!(open_in(dir.path()).len() <= 8);
    }
    drop(cache);
    assert_eq!(open_in(dir.path()), [""; 0].map(PathBuf::from));
}

#[test]
fn a_file_that_was_evicted_or_removed_is_closed_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let cache = counted(dir.path(), Limits::new().max_files(4));
    for n in 0..40 {
        put(&cache, n);
        assert!(open_in(dir.path()).len() <= 4, "an open file keeps its room on the disk");
    }
    cache.remove(&key(39));
    cache.purge_source("source 38");
    assert_eq!(open_in(dir.path()).len(), 2);
    cache.clear();
    assert!(open_in(dir.path()).is_empty());
}

#[test]
fn a_scan_does_not_close_what_is_hot() {
    let dir = tempfile::tempdir().unwrap();
    let cache = counted(dir.path(), Limits::new().open_descriptors(50));
    for n in 0..20 {
        put(&cache, n);
        assert!(cache.get_hot(&key(n)).is_some());
    }
    for n in 20..1000 {
        put(&cache, n);
        // Now and then someone asks for what is hot.
        if n % 5 == 0 {
            assert!(cache.get_hot(&key(n / 5 % 20)).is_some(), "{} was closed", n / 5 % 20);
        }
    }
    let open = (0..20).filter(|n| cache.get_hot(&key(*n)).is_some()).count();
    assert_eq!((open, cache.stats().open_descriptors), (20, 50));
}

#[test]
fn the_use_of_an_open_file_outlives_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let cache = counted(dir.path(), Limits::new().touch_every(Duration::ZERO));
    (0..4).for_each(|n| drop(put(&cache, n)));
    assert!(cache.get_hot(&key(0)).is_some());
    drop(cache);
    let cache = counted(dir.path(), Limits::new().max_files(3));
    put(&cache, 4);
    assert_eq!(present(&cache, 5), [0, 3, 4]);
}

#[test]
fn many_threads_keep_the_bound() {
    const THREADS: usize = 8;
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new().max_bytes(16 * BLOCK)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let cache = &cache;
            scope.spawn(move || {
                for n in 0..200 {
                    let entry = put(cache, (thread * 37 + n) % 100);
                    let expected = format!("body {}", (thread * 37 + n) % 100);
                    assert_eq!(entry.read().unwrap(), expected);
                    // Who has just opened a file that another thread evicts enters it for a
                    // moment, before he sees that it is gone: one a thread.
                    assert!(cache.stats().bytes <= (16 + THREADS as u64) * BLOCK);
                }
            });
        }
    });
    assert!(blocks_on_disk(dir.path()) <= 16 * BLOCK);
    assert_eq!(cache.stats().files as usize, present(&cache, 100).len());
}
