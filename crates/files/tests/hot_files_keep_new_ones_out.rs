//! Room is made for what is new: among files that are all in use, among files that are much
//! smaller, and whatever else lies in the directory.

use std::fs;
use std::time::{Duration, Instant};

use larder_files::{Entry, FileCache, Key, Limits};

fn key(n: usize) -> Key {
    Key::new("source", "1", format!("{n}"))
}

fn put(cache: &FileCache, n: usize, len: usize) -> Entry {
    cache.get_or_make(&key(n), |out| out.write_all(&vec![7; len])).unwrap()
}

fn counted(dir: &std::path::Path, limits: Limits) -> FileCache {
    let cache = FileCache::open(dir, limits).unwrap();
    assert!(cache.wait_counted(Instant::now() + Duration::from_secs(30)));
    cache
}

/// Sparing a file that was hit counted as evicting one, of which one insertion may do 64.
#[test]
fn a_cache_whose_files_are_all_hot_stores_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let cache = counted(dir.path(), Limits::new().max_files(100).open_descriptors(200));
    (0..100).for_each(|n| drop(put(&cache, n, 100)));
    for round in 0..20 {
        for n in 0..100 + round {
            assert_eq!(cache.get_hot(&key(n)).is_some(), n >= round, "{n} in round {round}");
        }
        let entry = put(&cache, 100 + round, 100);
        assert!(entry.file().is_some(), "the new entry of round {round} was not stored");
    }
    let stats = cache.stats();
    assert_eq!((stats.made, stats.evicted, stats.files, stats.faults), (120, 20, 100, 0));
}

/// One insertion evicted 64 files at most, and then gave up the room that it had made.
#[test]
fn a_large_entry_among_small_ones_is_made_once() {
    for descriptors in [0, 1024] {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits::new().max_bytes(1 << 20).open_descriptors(descriptors);
        let cache = counted(dir.path(), limits);
        (0..256).for_each(|n| drop(put(&cache, n, 100)));
        assert_eq!(cache.stats().files, 256);
        assert!(put(&cache, 5000, 768 << 10).file().is_some());
        let stats = cache.stats();
        assert_eq!((stats.made, stats.evicted, stats.files), (257, 193, 64));
        assert!(stats.bytes <= 1 << 20);
    }
}

#[test]
fn an_empty_directory_in_the_place_of_an_entry_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let cache = counted(dir.path(), Limits::new());
    fs::create_dir_all(cache.path(&key(0))).unwrap();
    assert!(cache.get(&key(0)).is_none());
    assert!(put(&cache, 0, 100).file().is_some());
    assert_eq!((cache.stats().torn, cache.stats().faults), (1, 0));
}

/// It was counted as a file, and the first turn to evict it cost the insertion its room.
#[test]
fn a_full_directory_in_the_place_of_an_entry_is_left_and_not_counted() {
    let dir = tempfile::tempdir().unwrap();
    let place = {
        let cache = counted(dir.path(), Limits::new());
        let place = cache.path(&key(0));
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("thesis.tex"), "years of work").unwrap();
        place
    };
    let cache = counted(dir.path(), Limits::new().max_files(2));
    assert_eq!(cache.stats().files, 0);
    for n in 1..6 {
        assert!(put(&cache, n, 100).file().is_some(), "{n} was not stored");
    }
    assert_eq!((cache.stats().files, cache.stats().faults), (2, 0));
    assert!(put(&cache, 0, 100).file().is_none(), "the answer is there all the same");
    assert_eq!(fs::read_to_string(place.join("thesis.tex")).unwrap(), "years of work");
}
