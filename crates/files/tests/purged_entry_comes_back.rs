//! What was removed or purged is gone: from memory, from disk, after a restart, and when a maker
//! that began before comes late.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use larder_files::{Begin, FileCache, Key, Lease, Limits};
use tempfile::TempDir;

fn cache() -> (TempDir, FileCache) {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    (dir, cache)
}

fn put(cache: &FileCache, key: &Key) {
    cache.get_or_make(key, |out| out.write_all(b"body")).unwrap();
}

fn lead(cache: &FileCache, key: &Key) -> Lease {
    match cache.begin(key) {
        Begin::Make(lease) => lease,
        other => panic!("expected to lead, found {other:?}"),
    }
}

#[test]
fn a_purge_takes_all_of_one_source_and_nothing_else() {
    let (dir, cache) = cache();
    let of = |source: &str, n: u32| Key::new(source, n.to_string(), "p");
    for n in 0..10 {
        put(&cache, &of("a", n));
        put(&cache, &of("b", n));
    }
    assert_eq!(cache.purge_source("a"), 10);
    assert!((0..10).all(|n| cache.get(&of("a", n)).is_none()));
    assert!((0..10).all(|n| cache.get(&of("b", n)).is_some()));
    assert_eq!(cache.stats().files, 10);
    drop(cache);
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    assert!((0..10).all(|n| cache.get(&of("a", n)).is_none()));
    assert_eq!((cache.purge_source("a"), cache.purge_source("never seen")), (0, 0));
    assert_eq!(cache.stats().faults, 0);
}

#[test]
fn a_late_maker_answers_its_waiters_and_stores_nothing() {
    type Purge = fn(&FileCache, &Key);
    let purges: [Purge; 3] = [
        |cache, _| assert_eq!(cache.purge_source("photo"), 0),
        |cache, key| assert!(!cache.remove(key)),
        |cache, _| assert_eq!(cache.clear(), 0),
    ];
    for purge in purges {
        let (dir, cache) = cache();
        let key = Key::new("photo", "1", "p");
        let early = lead(&cache, &key);
        let Begin::Busy(flight) = cache.begin(&key) else { panic!("not busy") };
        let (tell, told) = mpsc::channel();
        flight.on_ready(move |outcome| tell.send(outcome.unwrap().read().unwrap()).unwrap());

        purge(&cache, &key);
        let late = lead(&cache, &key);
        assert_eq!(early.publish(b"from before").read().unwrap(), "from before");
        assert_eq!(told.try_recv().unwrap(), "from before");
        assert!(cache.get(&key).is_none(), "stored what began before the purge");
        late.publish(b"from after");
        assert_eq!(cache.get(&key).unwrap().read().unwrap(), "from after");
        drop(cache);
        let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
        assert_eq!(cache.get(&key).unwrap().read().unwrap(), "from after");
    }
}

#[test]
fn a_late_streamed_body_is_whole_in_memory() {
    let (_dir, cache) = cache();
    let key = Key::new("photo", "1", "p");
    let body: Vec<u8> = (0..900_000u32).map(|n| (n / 3) as u8).collect();
    let entry = lead(&cache, &key).write(|out| {
        out.write_all(&body[..800_000])?;
        cache.remove(&key);
        out.write_all(&body[800_000..])
    });
    let entry = entry.unwrap();
    assert!(entry.file().is_none());
    assert_eq!(entry.read().unwrap(), body);
    assert!(cache.get(&key).is_none());
}

#[test]
fn a_purge_under_fire_leaves_nothing_of_before() {
    let (_dir, cache) = cache();
    let key = Key::new("photo", "1", "p");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| put(&cache, &key)));
        }
        for _ in 0..500 {
            cache.purge_source("photo");
        }
    });
    cache.purge_source("photo");
    assert!(cache.get(&key).is_none());
    assert_eq!((cache.stats().files, cache.stats().faults), (0, 0), "{:?}", cache.stats());
}

#[test]
fn clear_takes_everything() {
    let (dir, cache) = cache();
    for n in 0..50 {
        put(&cache, &Key::new(format!("{n}"), "1", "p"));
    }
    assert_eq!(cache.clear(), 50);
    assert_eq!((cache.stats().files, cache.stats().bytes), (0, 0));
    assert!((0..50).all(|n| cache.get(&Key::new(format!("{n}"), "1", "p")).is_none()));
    assert!(dir.path().join("larder-files").exists(), "the claim stays");
    put(&cache, &Key::new("0", "1", "p"));
}

/// When every process is told to purge, the first has unlinked the files when the others begin.
#[test]
fn what_another_process_has_unlinked_is_purged_from_the_open_files() {
    type Purge = fn(&FileCache, &Key) -> u64;
    let purges: [Purge; 3] = [
        |cache, _| cache.purge_source("photo"),
        |cache, key| u64::from(cache.remove(key)),
        |cache, _| cache.clear(),
    ];
    for purge in purges {
        let (dir, here) = cache();
        let there = FileCache::open(dir.path(), Limits::new()).unwrap();
        let key = Key::new("photo", "1", "p");
        put(&here, &key);
        assert!(there.get(&key).is_some() && there.get_hot(&key).is_some());
        assert_eq!(purge(&here, &key), 1);
        assert_eq!(purge(&there, &key), 0);
        assert!(there.get_hot(&key).is_none() && there.get(&key).is_none());
    }
}

/// Who opened a file before it was purged may still be on the way into the table of descriptors
/// when the purge returns: nobody may get it from there, neither then nor after.
#[test]
fn a_file_opened_before_a_purge_is_not_handed_out_after_it() {
    const ROUNDS: usize = 150;
    let (dir, cache) = cache();
    let writer = FileCache::open(dir.path(), Limits::new()).unwrap();
    let key = Key::new("source", "1", "p");
    // To sum it takes longer than the purge, which so comes, in some round or other, at any moment
    // of its being opened.
    let body = vec![7; 1_000_000];
    let [asked, opens, opened] = [const { AtomicUsize::new(0) }; 3];
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=ROUNDS {
                while asked.load(Ordering::SeqCst) < round {
                    thread::yield_now();
                }
                opens.store(round, Ordering::SeqCst);
                let _ = cache.get(&key);
                opened.store(round, Ordering::SeqCst);
            }
        });
        let mut wrong = 0;
        for round in 1..=ROUNDS {
            writer.get_or_make(&key, |out| out.write_all(&body)).unwrap();
            asked.store(round, Ordering::SeqCst);
            while opens.load(Ordering::SeqCst) < round {
                std::hint::spin_loop();
            }
            (0..round * 40).for_each(|_| std::hint::spin_loop());
            cache.purge_source("source");
            while opened.load(Ordering::SeqCst) < round {
                wrong += usize::from(cache.get_hot(&key).is_some());
            }
            wrong += usize::from(cache.get_hot(&key).is_some());
            writer.purge_source("source");
        }
        assert_eq!(wrong, 0, "hits on a purged file");
    });
}
