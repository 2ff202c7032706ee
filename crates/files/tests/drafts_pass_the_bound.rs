//! What is being written is within the bounds of the cache: it gets room before it takes it, and
//! where there is none, the entry is made all the same, in memory.

use std::fs;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use larder_files::{Begin, Entry, FileCache, Key, Limits};

const BLOCK: u64 = 4096;
/// What a writer holds in memory before it writes to its draft.
const STEP: usize = 256 << 10;

fn key(name: &str) -> Key {
    Key::new(name, "1", "p")
}

fn put(cache: &FileCache, name: &str, len: usize) -> Entry {
    cache.get_or_make(&key(name), |out| out.write_all(&vec![7; len])).unwrap()
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
fn a_draft_that_grows_takes_the_room_of_the_oldest() {
    let dir = tempfile::tempdir().unwrap();
    let max = 4 << 20;
    let cache = FileCache::open(dir.path(), Limits::new().max_bytes(max)).unwrap();
    (0..16).for_each(|n| drop(put(&cache, &n.to_string(), 200 << 10)));
    let entry = cache.get_or_make(&key("large"), |out| {
        for _ in 0..12 {
            out.write_all(&[7; STEP])?;
            assert!(blocks_on_disk(dir.path()) <= max);
            let stats = cache.stats();
            assert!(stats.bytes + stats.bytes_being_written <= max, "{stats:?}");
        }
        assert!(cache.stats().bytes_being_written >= 3 << 20);
        io::Result::Ok(())
    });
    assert!(entry.unwrap().file().is_some(), "the oldest had room for it");
    let stats = cache.stats();
    assert_eq!((stats.bytes_being_written, stats.faults), (0, 0), "{stats:?}");
    assert!(stats.evicted >= 8 && stats.bytes <= max, "{stats:?}");
}

#[test]
fn makers_that_want_more_than_there_is_write_to_memory() {
    let dir = tempfile::tempdir().unwrap();
    let max = 4 << 20;
    let cache = FileCache::open(dir.path(), Limits::new().max_bytes(max)).unwrap();
    let in_step = Barrier::new(3);
    let most = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let makers: Vec<_> = ["a", "b", "c"]
            .map(|name| {
                let (cache, in_step, most, dir) = (&cache, &in_step, &most, dir.path());
                scope.spawn(move || {
                    let Begin::Make(lease) = cache.begin(&key(name)) else { panic!("not ours") };
                    let entry = lease.write(|out| {
                        for step in 0..12 {
                            out.write_all(&[step; STEP])?;
                            in_step.wait();
                            // No assertion here: the others would wait for ever.
                            most.fetch_max(blocks_on_disk(dir), Ordering::Relaxed);
                            in_step.wait();
                        }
                        io::Result::Ok(())
                    });
                    entry.unwrap()
                })
            })
            .into();
        for maker in makers {
            let bytes = maker.join().unwrap().read().unwrap();
            assert_eq!(bytes.len(), 12 * STEP);
            assert!((0..bytes.len()).step_by(1000).all(|at| bytes[at] == (at / STEP) as u8));
        }
    });
    let stats = cache.stats();
    assert!(most.into_inner() <= max && blocks_on_disk(dir.path()) <= max);
    assert_eq!((stats.bytes_being_written, stats.faults, stats.made), (0, 0, 3), "{stats:?}");
    assert!(stats.files >= 1, "room that was given back serves those who are done later");
}

#[test]
fn what_is_not_made_gives_its_room_back() {
    let dir = tempfile::tempdir().unwrap();
    let max = 2 << 20;
    let limits = Limits::new().max_bytes(max).max_files(1);
    let cache = FileCache::open(dir.path(), limits).unwrap();
    let large = vec![7; 1 << 20];
    let failed = cache.get_or_make(&key("failed"), |out| {
        out.write_all(&large)?;
        Err(io::Error::other("on purpose"))
    });
    assert!(failed.unwrap_err().is_failed());
    let endless = cache.get_or_copy(&key("endless"), || io::Result::Ok(io::repeat(7)));
    assert!(endless.unwrap_err().is_too_large());
    let Begin::Make(lease) = cache.begin(&key("purged")) else { panic!("not ours") };
    let purged = lease.write(|out| {
        out.write_all(&large)?;
        cache.purge_source("purged");
        // The file is gone by its name, and its bytes are not before we are done with it.
        assert!(cache.stats().bytes_being_written >= 1 << 20);
        out.write_all(&large[1000..])
    });
    assert_eq!(purged.unwrap().len(), (2 << 20) - 1000);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        cache.get_or_make(&key("panicked"), |out: &mut dyn Write| -> io::Result<()> {
            out.write_all(&large)?;
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!((cache.stats().bytes_being_written, blocks_on_disk(dir.path())), (0, 0));
    assert!(put(&cache, "last", (2 << 20) - 8192).file().is_some());
}

#[test]
fn the_draft_of_a_dead_process_is_swept_while_we_run() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits::new().recount_every(Duration::from_millis(20));
    let cache = FileCache::open(dir.path(), limits).unwrap();
    assert!(cache.wait_counted(Instant::now() + Duration::from_secs(30)));
    let draft = dir.path().join("drafts").join("0123456789abcdef".repeat(3));
    fs::write(&draft, [7; 10_000]).unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    while draft.exists() {
        assert!(Instant::now() < patience, "it was not swept");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(cache.stats().faults, 0);
}
