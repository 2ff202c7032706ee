//! Whatever the disk does, the caller has its bytes: full, read-only, forbidden, removed, out of
//! descriptors. The fault is counted, and reported once a kind.

mod child;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use larder_files::{Begin, Body, Entry, FileCache, Key, Limits};

fn key(n: usize) -> Key {
    Key::new(format!("source {n}"), "1", "p")
}

fn body(n: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 3 + n) as u8).collect()
}

/// Makes an entry in the two ways there are, and checks its bytes.
fn put(cache: &FileCache, n: usize, len: usize) -> Entry {
    let bytes = body(n, len);
    let entry = match cache.begin(&key(n)) {
        Begin::Make(lease) if n.is_multiple_of(2) => lease.publish(&bytes),
        Begin::Make(lease) => {
            lease.write(|out| bytes.chunks(30_000).try_for_each(|c| out.write_all(c))).unwrap()
        }
        Begin::Hit(entry) => entry,
        other => panic!("{other:?}"),
    };
    assert_eq!(entry.read().unwrap(), bytes);
    entry
}

#[test]
fn a_directory_of_something_else_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "years of work").unwrap();
    let error = FileCache::open(dir.path(), Limits::new()).unwrap_err();
    assert!(error.is_not_ours() && error.to_string().contains("not a larder cache"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("larder-files"), "larder files 77\n").unwrap();
    assert!(FileCache::open(other.path(), Limits::new()).unwrap_err().is_not_ours());

    let file = dir.path().join("thesis.tex");
    assert!(FileCache::open(file, Limits::new()).unwrap_err().is_io());
}

#[test]
fn a_claim_cut_short_is_still_a_claim() {
    let dir = tempfile::tempdir().unwrap();
    File::create(dir.path().join("larder-files")).unwrap();
    fs::create_dir(dir.path().join("drafts")).unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    assert!(put(&cache, 0, 10).file().is_some());
    assert!(fs::metadata(dir.path().join("larder-files")).unwrap().len() > 0);
}

#[test]
fn a_directory_removed_underneath_costs_the_copy_only() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("cache");
    let reports = Arc::new(Mutex::new(Vec::new()));
    let log = reports.clone();
    let limits = Limits::new().on_fault(move |fault| log.lock().unwrap().push(fault.to_string()));
    let cache = FileCache::open(&dir, limits).unwrap();
    let before = put(&cache, 0, 100);
    fs::remove_dir_all(&dir).unwrap();

    assert_eq!(before.read().unwrap(), body(0, 100));
    for n in 1..9 {
        assert!(matches!(put(&cache, n, 400_000).body(), Body::Memory(_)));
    }
    assert!(!dir.exists(), "a mount point must stay empty");
    assert_eq!(cache.stats().faults, 8);
    let reports = reports.lock().unwrap().clone();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("cannot create"), "{reports:?}");

    drop(FileCache::open(&dir, Limits::new()).unwrap());
    assert!(put(&cache, 10, 100).file().is_some(), "did not recover");
}

#[test]
fn parts_of_the_tree_removed_underneath_are_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    put(&cache, 0, 100);
    fs::remove_dir_all(dir.path().join("drafts")).unwrap();
    fs::remove_dir_all(cache.path(&key(0)).parent().unwrap()).unwrap();
    for n in 1..4 {
        assert!(put(&cache, n, 100).file().is_some());
    }
    assert_eq!(cache.stats().faults, 0);
}

#[test]
fn a_reporter_that_panics_costs_nothing() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("cache");
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let limits = Limits::new().on_fault(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        panic!("on purpose");
    });
    let cache = FileCache::open(&dir, limits).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    put(&cache, 1, 10);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
#[ignore = "the child of the next test"]
fn child_whose_files_end_at_64_kib() {
    let Some(dir) = child::dir() else { return };
    let cache = FileCache::open(dir, Limits::new()).unwrap();
    for (n, len) in [(0, 400_000), (1, 400_000), (2, 65_500), (3, 65_500), (4, 1000), (5, 1000)] {
        assert_eq!(put(&cache, n, len).file().is_some(), len == 1000, "entry {n}");
    }
    let stats = cache.stats();
    // One more than four: a stream that failed half-way is tried once more when it is complete.
    assert_eq!((stats.faults, stats.files, stats.torn), (5, 2, 0), "{stats:?}");
    assert_eq!(stats.last_fault.unwrap().operation(), "write");
    assert!((0..4).all(|n| cache.get(&key(n)).is_none()));
}

#[test]
fn a_write_that_fails_half_way_costs_the_copy_only() {
    let dir = tempfile::tempdir().unwrap();
    // 128 blocks of 512 bytes in a POSIX shell, of 1024 in some others called `sh`.
    let line = r#"trap "" XFSZ; ulimit -f 128; exec "$0" "$@""#;
    child::run(child::under_shell(line, "child_whose_files_end_at_64_kib", dir.path()));
    let drafts = fs::read_dir(dir.path().join("drafts")).unwrap().count();
    assert_eq!(drafts, 0, "drafts left behind");
}

#[test]
#[ignore = "the child of the next test"]
fn child_with_few_descriptors() {
    let Some(dir) = child::dir() else { return };
    let cache = FileCache::open(&dir, Limits::new().open_descriptors(u64::MAX)).unwrap();
    (0..200).for_each(|n| drop(put(&cache, n, 100)));
    assert!(cache.stats().open_descriptors <= 16, "more than a quarter of 64");

    let mut hoard = Vec::new();
    while let Ok(file) = File::open(&dir) {
        hoard.push(file);
    }
    // The table's own descriptors are given back first, and then there are none.
    let entries: Vec<_> = (200..280).map(|n| put(&cache, n, 100)).collect();
    assert!(entries.iter().any(|entry| entry.file().is_none()));
    assert!(cache.stats().faults > 0);
    drop((hoard, entries));
    assert!(put(&cache, 300, 100).file().is_some(), "did not recover");
    assert!(cache.get(&key(0)).is_some());
}

#[test]
fn a_process_without_descriptors_still_answers() {
    let dir = tempfile::tempdir().unwrap();
    let line = r#"ulimit -n 64; exec "$0" "$@""#;
    child::run(child::under_shell(line, "child_with_few_descriptors", dir.path()));
}

#[test]
#[ignore = "the child of the next test"]
fn child_that_gives_its_descriptors_back() {
    let Some(dir) = child::dir() else { return };
    let cache = FileCache::open(&dir, Limits::new().max_files(4)).unwrap();
    assert!(cache.wait_counted(std::time::Instant::now() + std::time::Duration::from_secs(30)));
    (0..4).for_each(|n| drop(put(&cache, n, 100)));
    assert!(cache.get_hot(&key(0)).is_some());
    let mut hoard = Vec::new();
    while let Ok(file) = File::open(&dir) {
        hoard.push(file);
    }
    assert!(cache.get(&key(99)).is_none());
    assert_eq!(cache.stats().open_descriptors, 0, "none was given back");
    drop(hoard);
    assert!(put(&cache, 4, 100).file().is_some());
    let there = |n: &usize| cache.path(&key(*n)).exists();
    assert_eq!((0..5).filter(there).collect::<Vec<_>>(), [0, 2, 3, 4], "the hot file went first");
}

#[test]
fn descriptors_that_are_given_back_leave_their_last_use() {
    let dir = tempfile::tempdir().unwrap();
    let line = r#"ulimit -n 64; exec "$0" "$@""#;
    child::run(child::under_shell(line, "child_that_gives_its_descriptors_back", dir.path()));
}

#[test]
fn a_directory_among_the_drafts_does_not_end_the_sweep() {
    let dir = tempfile::tempdir().unwrap();
    drop(FileCache::open(dir.path(), Limits::new()).unwrap());
    let drafts = dir.path().join("drafts");
    (0..50).for_each(|n| fs::write(drafts.join(format!("left {n}")), "half of it").unwrap());
    (0..50).for_each(|n| fs::create_dir(drafts.join(format!("kept {n}"))).unwrap());
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    assert!(cache.wait_counted(std::time::Instant::now() + std::time::Duration::from_secs(30)));
    let left: Vec<_> = fs::read_dir(&drafts).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(left.len() == 50 && left.iter().all(|entry| entry.path().is_dir()), "{left:?}");
    assert_eq!(cache.stats().faults, 50);
}

#[test]
#[ignore = "the child of the next test"]
fn child_that_may_only_read() {
    let Some(dir) = child::dir() else { return };
    serves_and_stores_nothing(&dir);
}

fn serves_and_stores_nothing(dir: &Path) {
    let cache = FileCache::open(dir, Limits::new().max_files(1)).unwrap();
    assert!(cache.stats().read_only);
    for n in 0..4 {
        assert!(cache.get(&key(n)).unwrap().file().is_some(), "what is there is served");
        assert!(cache.get_hot(&key(n)).is_some());
    }
    assert!(put(&cache, 4, 1000).file().is_none());
    assert!(put(&cache, 5, 400_000).file().is_none());
    assert!(cache.wait_counted(std::time::Instant::now() + std::time::Duration::from_secs(30)));
    assert!(!cache.remove(&key(0)));
    assert!((0..4).all(|n| cache.get(&key(n)).is_some()));
    assert!(cache.stats().faults >= 3);
}

#[test]
fn a_directory_that_may_only_be_read_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    (0..4).for_each(|n| drop(put(&cache, n, 100)));
    drop(cache);
    let everywhere = ["drafts", "."].map(|below| dir.path().join(below));
    let below = (0..4).map(|n| key_directory(dir.path(), n)).chain(everywhere);
    let below: Vec<_> = below.collect();
    let set = |mode| {
        below.iter().for_each(|d| fs::set_permissions(d, Permissions::from_mode(mode)).unwrap())
    };
    set(0o555);
    if rustix::process::geteuid().is_root() {
        // Root may write anyway: look at it as nobody, who must be able to start this program.
        let mut command = child::command("child_that_may_only_read", dir.path());
        command.uid(65534);
        match command.output() {
            Ok(_) => drop(child::run(command)),
            Err(e) => println!("skipped: cannot start this program as nobody: {e}"),
        }
    } else {
        serves_and_stores_nothing(dir.path());
    }
    set(0o755);
}

fn key_directory(dir: &Path, n: usize) -> std::path::PathBuf {
    let cache = FileCache::open(dir, Limits::new()).unwrap();
    cache.path(&key(n)).parent().unwrap().into()
}

#[test]
#[ignore = "the child of the next test"]
fn child_on_a_megabyte() {
    let Some(dir) = child::dir() else { return };
    let cache = FileCache::open(dir.join("cache"), Limits::new().max_bytes(1 << 30)).unwrap();
    for n in 0..200 {
        put(&cache, n, 20_000);
    }
    let stats = cache.stats();
    assert!(stats.faults > 0, "a megabyte held four");
    assert!(stats.evicted > 0, "a full disk is given what the oldest had");
    let latest = put(&cache, 200, 20_000);
    assert!(latest.file().is_some(), "the latest is not kept: {:?}", cache.stats());
    let evicted = cache.stats().evicted;
    assert!(put(&cache, 301, 3_000_000).file().is_none());
    assert!(put(&cache, 302, 3_000_000).file().is_none());
    assert_eq!(cache.stats().evicted, evicted, "emptied for what cannot fit");
    let kept: Vec<_> = (0..=200).filter_map(|n| Some((n, cache.get(&key(n))?))).collect();
    assert!(kept.len() > 20, "{} kept", kept.len());
    for (n, entry) in &kept {
        assert_eq!(entry.read().unwrap(), body(*n, 20_000));
    }

    remount(&dir, "ro");
    assert!(put(&cache, 401, 1000).file().is_none() && cache.stats().read_only);
    assert!(kept.iter().all(|(n, _)| cache.get(&key(*n)).is_some()));
    assert_eq!(cache.stats().torn, 0);
}

fn remount(dir: &Path, how: &str) {
    let mut remount = Command::new("mount");
    remount.args(["-o", &format!("remount,{how}")]).arg(dir);
    assert!(remount.status().unwrap().success());
}

#[test]
fn a_full_disk_costs_the_copy_only() {
    run_on_a_disk_of_its_own("child_on_a_megabyte", "1m");
}

#[test]
#[ignore = "the child of the next test"]
fn child_whose_disk_becomes_read_only() {
    let Some(dir) = child::dir() else { return };
    let reports = Arc::new(Mutex::new(Vec::new()));
    let log = reports.clone();
    let limits = Limits::new().open_descriptors(4).max_files(10);
    let limits = limits.on_fault(move |fault| log.lock().unwrap().push(fault.to_string()));
    let cache = FileCache::open(dir.join("cache"), limits).unwrap();
    (0..10).for_each(|n| drop(put(&cache, n, 1000)));
    remount(&dir, "ro");
    assert!(cache.stats().read_only);
    for round in 0..3 {
        for n in 0..10 {
            let entry = cache.get(&key(n)).expect("what is there is served");
            assert_eq!(entry.read().unwrap(), body(n, 1000), "entry {n}");
        }
        assert!(put(&cache, 20 + round, 1000).file().is_none());
        assert!(put(&cache, 30 + round, 400_000).file().is_none());
        assert!(!cache.remove(&key(0)), "it is still there");
    }
    let stats = cache.stats();
    assert!(stats.hits_cold > 0 && stats.faults >= 9, "{stats:?}");
    assert_eq!((stats.torn, stats.evicted, stats.files), (0, 0, 10), "{stats:?}");
    let reported = reports.lock().unwrap().clone();
    assert_eq!(reported.len(), 2, "once for creating, once for removing: {reported:?}");

    remount(&dir, "rw");
    assert!(!cache.stats().read_only && cache.remove(&key(1)));
    assert!(put(&cache, 40, 1000).file().is_some(), "did not recover");
    assert!(put(&cache, 41, 400_000).file().is_some(), "did not recover");
}

#[test]
fn a_disk_that_becomes_read_only_costs_the_copy_only() {
    run_on_a_disk_of_its_own("child_whose_disk_becomes_read_only", "16m");
}

/// Runs a child whose directory is a file system in memory that only it sees, or says why not.
fn run_on_a_disk_of_its_own(child: &str, size: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut probe = Command::new("unshare");
    probe.args(["--mount", "--map-root-user", "mount", "-t", "tmpfs", "none"]).arg(dir.path());
    if !probe.output().is_ok_and(|output| output.status.success()) {
        println!("skipped: this machine lets us mount nothing");
        return;
    }
    let mut command = Command::new("unshare");
    let line =
        format!(r#"mount -t tmpfs -o size={size} none "$LARDER_FILES_TEST_DIR" && exec "$0" "$@""#);
    command.args(["--mount", "--map-root-user"]);
    let inner = child::under_shell(&line, child, dir.path());
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    child::run(command);
}
