//! A walk over the cache meets every entry once, with the key it was made under, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use larder_files::{Begin, FileCache, Key, Limits};

fn parts(key: &Key) -> [Option<String>; 3] {
    let text = |part: Option<&[u8]>| part.map(|part| String::from_utf8(part.into()).unwrap());
    [text(key.source()), text(key.version()), text(key.parameters())]
}

fn put(cache: &FileCache, key: &Key, len: usize) {
    cache.get_or_make(key, |out| out.write_all(&vec![7; len])).unwrap();
}

#[test]
fn every_entry_is_met_once_by_its_own_key() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    let keys = (0..300).map(|n| (Key::new(format!("photo {}", n / 3), "", format!("w={n}")), n));
    let keys: Vec<(Key, usize)> = keys.collect();
    keys.iter().for_each(|(key, n)| put(&cache, key, n * 100));

    let listed: Vec<_> = cache.entries().collect();
    let met: BTreeSet<_> = listed.iter().map(|found| (parts(found.key()), found.len())).collect();
    let made: BTreeSet<_> = keys.iter().map(|(key, n)| (parts(key), *n as u64 * 100)).collect();
    assert_eq!((listed.len(), &met), (300, &made));
    for found in &listed {
        assert!(keys.iter().any(|(key, _)| key == found.key()), "another key: {found:?}");
        assert!(found.touched().elapsed().unwrap_or_default() < Duration::from_secs(3600));
        assert!(cache.remove(found.key()), "{found:?} is not what it says");
    }
    assert_eq!(cache.entries().count(), 0);
}

#[test]
fn what_is_no_entry_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    let [good, torn, renamed] = ["good", "torn", "renamed"].map(|name| Key::new(name, "1", "p"));
    [&good, &torn, &renamed].into_iter().for_each(|key| put(&cache, key, 100_000));
    let Begin::Make(lease) = cache.begin(&Key::new("hopeless", "1", "p")) else { panic!() };
    let _ = lease.refuse(std::sync::Arc::from(Box::from("no picture")), Duration::from_secs(60));
    fs::File::options().write(true).open(cache.path(&torn)).unwrap().set_len(99_999).unwrap();
    let elsewhere = cache.path(&good).with_file_name(cache.path(&renamed).file_name().unwrap());
    fs::rename(cache.path(&renamed), elsewhere).unwrap();
    fs::write(cache.path(&good).with_file_name("notes.txt"), "not ours").unwrap();

    let met: Vec<_> = cache.entries().map(|found| parts(found.key())).collect();
    let whole = ["good", "renamed"].map(|name| [name, "1", "p"].map(|part| Some(part.into())));
    assert!(met.contains(&whole[0]) && met.iter().all(|key| whole.contains(key)), "{met:?}");
}

#[test]
fn a_part_that_is_kept_as_its_digest_is_not_taken_for_the_part() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    let long = "x".repeat(1025);
    let key = Key::new(&long, &long[..1024], &long);
    put(&cache, &key, 1);
    let found = cache.entries().next().unwrap();
    assert_eq!(parts(found.key()), [None, Some("x".repeat(1024)), None]);
    assert_eq!(found.key(), &key);
    assert!(cache.get(found.key()).is_some());
}
