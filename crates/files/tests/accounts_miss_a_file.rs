//! The accounts are of the files that there are: when makers, hits and removals of the same keys
//! race, and when others remove files.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use larder_files::{FileCache, Key, Limits};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn counted(dir: &std::path::Path, limits: Limits) -> FileCache {
    let cache = FileCache::open(dir, limits).unwrap();
    assert!(cache.wait_counted(soon()));
    cache
}

fn put(cache: &FileCache, key: &Key) {
    cache.get_or_make(key, |out| out.write_all(b"body")).unwrap();
}

/// A maker who published between an unlink and its entry in the accounts had his file struck from
/// them, and the bound was passed for good.
#[test]
fn makers_and_removals_of_one_key_leave_the_accounts_as_the_disk() {
    const KEYS: usize = 600;
    for descriptors in [0, 64] {
        let dir = tempfile::tempdir().unwrap();
        let cache = counted(dir.path(), Limits::new().open_descriptors(descriptors));
        let key = |n: usize| Key::new(format!("source {}", n % 40), format!("{n}"), "p");
        let at = AtomicUsize::new(0);
        let make = || {
            for n in 0..KEYS {
                (0..2).for_each(|_| put(&cache, &key(n)));
                at.fetch_max(n, Ordering::Relaxed);
            }
        };
        let follow = |act: &dyn Fn(&Key)| {
            while at.load(Ordering::Relaxed) + 1 < KEYS {
                let now = at.load(Ordering::Relaxed);
                (now..(now + 3).min(KEYS)).for_each(|n| act(&key(n)));
            }
        };
        std::thread::scope(|scope| {
            (0..2).for_each(|_| drop(scope.spawn(make)));
            (0..2).for_each(|_| drop(scope.spawn(|| follow(&|key| _ = cache.remove(key)))));
            scope.spawn(|| follow(&|key| drop(cache.get(key))));
        });
        assert_eq!(cache.stats().files as usize, cache.entries().count(), "{:?}", cache.stats());
        (0..40).for_each(|n| _ = cache.purge_source(format!("source {n}")));
        assert_eq!((cache.stats().files, cache.stats().bytes), (0, 0), "{:?}", cache.stats());
    }
}

/// A recount entered what it saw, and never struck what it did not see.
#[test]
fn what_others_removed_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let key = |n: usize| Key::new(format!("source {n}"), "1", "p");
    let limits = Limits::new().max_files(100).recount_every(Duration::from_millis(20));
    let ours = counted(dir.path(), limits);
    let theirs = counted(dir.path(), Limits::new());
    (0..100).for_each(|n| put(&ours, &key(n)));
    for n in 50..100 {
        assert!(theirs.remove(&key(n)));
    }
    let patience = soon();
    while ours.stats().files != 50 {
        assert!(Instant::now() < patience, "still {} files", ours.stats().files);
        std::thread::yield_now();
    }
    (100..150).for_each(|n| put(&ours, &key(n)));
    assert_eq!((ours.stats().evicted, ours.entries().count()), (0, 100));
}
