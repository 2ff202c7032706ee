//! A file that is empty, cut short, altered, foreign or of another key is a miss, is removed, and
//! is counted; no sequence of bytes makes the parser panic or is taken for an entry.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use larder_files::{FileCache, Key, Limits};
use proptest::prelude::*;
use tempfile::TempDir;

struct Bench {
    dir: TempDir,
    cache: FileCache,
    key: Key,
    whole: Vec<u8>,
}

/// A cache whose every hit is a cold one, with one entry in it.
fn bench(body: &[u8]) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits::new().open_descriptors(0).verify_up_to(u64::MAX);
    let cache = FileCache::open(dir.path(), limits).unwrap();
    let key = Key::new("photo", "1", "w=320");
    cache.get_or_make(&key, |out| out.write_all(body)).unwrap();
    let whole = fs::read(cache.path(&key)).unwrap();
    Bench { dir, cache, key, whole }
}

impl Bench {
    fn path(&self) -> PathBuf {
        self.cache.path(&self.key)
    }

    /// Puts these bytes in the place of the entry, and tells what a look-up makes of them; both
    /// kinds of look-up do the same.
    fn replaced_by(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        fs::write(self.path(), bytes).unwrap();
        let read = self.cache.read(&self.key);
        let found = self.cache.get(&self.key).map(|entry| entry.read().unwrap().to_vec());
        assert_eq!(read.map(Vec::from), found);
        assert_eq!(found.is_some(), self.path().exists(), "kept what is a miss");
        found
    }
}

#[test]
fn every_truncation_is_a_miss_and_is_unlinked() {
    let bench = bench(b"a body of some length");
    for len in 0..bench.whole.len() {
        assert_eq!(bench.replaced_by(&bench.whole[..len]), None, "cut at {len}");
    }
    assert_eq!(bench.cache.stats().torn, bench.whole.len() as u64);
    assert!(bench.replaced_by(&bench.whole).is_some());
}

#[test]
fn every_flipped_bit_is_a_miss() {
    let bench = bench(b"a body of some length");
    for bit in 0..bench.whole.len() * 8 {
        let mut bytes = bench.whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(bench.replaced_by(&bytes), None, "bit {bit}");
    }
}

#[test]
fn a_long_body_from_before_the_last_start_is_summed() {
    let body: Vec<u8> = (0..3_000_000u32).map(|n| (n / 7) as u8).collect();
    let bench = bench(&body);
    assert_eq!(bench.replaced_by(&bench.whole).unwrap(), body);
    for hole in [0, 1_234_567, 2_999_999] {
        let mut bytes = bench.whole.clone();
        bytes[hole] ^= 0x80;
        assert_eq!(bench.replaced_by(&bytes), None);
    }
}

#[test]
fn what_is_no_regular_file_is_removed_and_not_followed() {
    let bench = bench(b"body");
    let elsewhere = bench.dir.path().join("elsewhere");
    fs::write(&elsewhere, &bench.whole).unwrap();

    fs::remove_file(bench.path()).unwrap();
    symlink(&elsewhere, bench.path()).unwrap();
    assert!(bench.cache.get(&bench.key).is_none(), "followed a link");
    assert!(fs::symlink_metadata(bench.path()).is_err(), "kept a link");
    assert!(elsewhere.exists());

    drop(UnixListener::bind(bench.path()).unwrap());
    assert!(bench.cache.get(&bench.key).is_none());
    assert!(!bench.path().exists(), "kept a socket");

    let fifo = std::process::Command::new("mkfifo").arg(bench.path()).status();
    if fifo.is_ok_and(|status| status.success()) {
        assert!(bench.cache.get(&bench.key).is_none());
        assert!(!bench.path().exists(), "kept a fifo");
    }
    assert!(bench.cache.stats().torn >= 2);
}

#[test]
fn a_directory_in_the_place_of_an_entry_costs_the_copy_only() {
    let bench = bench(b"body");
    fs::remove_file(bench.path()).unwrap();
    fs::create_dir(bench.path()).unwrap();
    fs::write(bench.path().join("thesis.tex"), "years of work").unwrap();
    let entry = bench.cache.get_or_make(&bench.key, |out| out.write_all(b"body")).unwrap();
    assert!(entry.file().is_none() && entry.read().unwrap() == "body");
    assert!(bench.cache.stats().faults > 0);
}

#[test]
fn an_entry_of_another_key_is_a_collision() {
    let bench = bench(b"body");
    for other in ["w=640", "w=3", "w=320 and much more than that"] {
        let key = Key::new("photo", "1", other);
        bench.cache.get_or_make(&key, |out| out.write_all(b"of the other")).unwrap();
        let before = bench.cache.stats();
        assert_eq!(bench.replaced_by(&fs::read(bench.cache.path(&key)).unwrap()), None);
        let after = bench.cache.stats();
        assert_eq!(after.collisions + after.torn, before.collisions + before.torn + 1);
    }
    assert!(bench.cache.stats().collisions > 0);
}

#[test]
fn bytes_are_the_body_alone_short_or_long_open_or_not() {
    for descriptors in [0, 10] {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits::new().open_descriptors(descriptors);
        let cache = FileCache::open(dir.path(), limits).unwrap();
        for len in [0, 1, 8000, 65_000, 65_536, 200_000] {
            let key = Key::new(len.to_string(), "1", "p");
            assert_eq!(cache.read(&key), None);
            let body: Vec<u8> = (0..len).map(|at| (at / 3) as u8).collect();
            cache.get_or_make(&key, |out| out.write_all(&body)).unwrap();
            assert_eq!(cache.read(&key).unwrap(), body, "{len} bytes, {descriptors} descriptors");
        }
        let stats = cache.stats();
        let (hot, cold) = if descriptors == 0 { (0, 6) } else { (6, 0) };
        assert_eq!((stats.hits_hot, stats.hits_cold, stats.faults), (hot, cold, 0), "{stats:?}");
    }
}

#[test]
fn what_is_made_anew_is_served() {
    let bench = bench(b"body");
    File::create(bench.path()).unwrap();
    let entry = bench.cache.get_or_make(&bench.key, |out| out.write_all(b"body")).unwrap();
    assert!(entry.file().is_some());
    assert_eq!(fs::read(bench.path()).unwrap(), bench.whole);
    assert_eq!((bench.cache.stats().torn, bench.cache.stats().files), (1, 1));
}

#[test]
fn a_body_that_holds_a_whole_file_is_itself() {
    let inner = bench(b"inner");
    let outer = bench(&inner.whole);
    assert_eq!(outer.cache.get(&outer.key).unwrap().read().unwrap(), inner.whole);
}

#[test]
fn parts_of_a_key_do_not_run_together() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    let long = "p".repeat(5000);
    let keys = [
        Key::new("ab", "c", ""),
        Key::new("a", "bc", ""),
        Key::new("abc", "", ""),
        Key::new("", "", "abc"),
        Key::new("", "", &long),
        Key::new("", "", &long[1..]),
    ];
    for (n, key) in keys.iter().enumerate() {
        cache.get_or_make(key, |out| write!(out, "{n}")).unwrap();
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(cache.get(key).unwrap().read().unwrap(), n.to_string());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn arbitrary_bytes_are_never_an_entry(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(bench(b"body").replaced_by(&bytes), None);
    }

    /// The trailer's own fields, changed at will before a footer that is otherwise right.
    #[test]
    fn an_altered_file_is_an_entry_only_if_equal(
        body in prop::collection::vec(any::<u8>(), 0..100),
        at in any::<prop::sample::Index>(),
        patch in prop::collection::vec(any::<u8>(), 0..24),
        extra in prop::collection::vec(any::<u8>(), 0..8),
        front in any::<bool>(),
    ) {
        let bench = bench(&body);
        let mut bytes = bench.whole.clone();
        let at = at.index(bytes.len());
        for (byte, new) in bytes[at..].iter_mut().zip(&patch) {
            *byte = *new;
        }
        if front {
            bytes.splice(0..0, extra);
        } else {
            bytes.extend(extra);
        }
        let found = bench.replaced_by(&bytes);
        prop_assert_eq!(found, (bytes == bench.whole).then_some(body));
    }
}
