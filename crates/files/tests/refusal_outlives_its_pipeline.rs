//! What cannot be made is not tried again before its time, here, elsewhere or after a restart; and
//! is tried again as soon as its time, its source or its pipeline is another.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_files::{Begin, FileCache, Key, Limits, SharedError};

const HOUR: Duration = Duration::from_secs(3600);

fn key() -> Key {
    Key::new("photo.jpg", "1", "w=320")
}

fn open(dir: &Path, pipeline: &str) -> FileCache {
    FileCache::open(dir, Limits::new().pipeline(pipeline)).unwrap()
}

fn refuse(cache: &FileCache, key: &Key, ttl: Duration) {
    let Begin::Make(lease) = cache.begin(key) else { panic!("not ours to make") };
    let reason: SharedError = Arc::from(Box::from("not a picture: ends after 12 bytes"));
    let refusal = lease.refuse(reason, ttl);
    assert!(refusal.retry_after() <= ttl);
}

fn is_refused(cache: &FileCache, key: &Key) -> bool {
    matches!(cache.begin(key), Begin::Refused(_))
}

#[test]
fn a_refusal_holds_after_a_restart_and_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = open(dir.path(), "7");
    refuse(&open(dir.path(), "7"), &key(), HOUR);
    for cache in [elsewhere, open(dir.path(), "7")] {
        let Begin::Refused(refusal) = cache.begin(&key()) else { panic!("forgotten") };
        assert_eq!(refusal.reason().to_string(), "not a picture: ends after 12 bytes");
        let left = refusal.retry_after();
        assert!(left <= HOUR && left > HOUR / 2, "{left:?}");
        let error = cache.get_or_make(&key(), |_| Err("asked")).unwrap_err();
        assert!(error.is_refused() && error.source().is_some(), "{error}");
        assert_eq!((cache.stats().refused, cache.stats().faults), (2, 0));
    }
}

#[test]
fn a_new_pipeline_tries_again_and_the_old_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    refuse(&open(dir.path(), "7"), &key(), HOUR);
    assert!(!is_refused(&open(dir.path(), "8"), &key()));
    assert!(!is_refused(&open(dir.path(), ""), &key()));
    assert!(!is_refused(&open(dir.path(), "7"), &Key::new("photo.jpg", "2", "w=320")));
    assert!(is_refused(&open(dir.path(), "7"), &key()));
}

#[test]
fn a_refusal_that_has_run_out_is_gone_from_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    refuse(&open(dir.path(), "7"), &key(), Duration::from_nanos(1));
    let cache = open(dir.path(), "7");
    assert!(cache.wait_counted(Instant::now() + Duration::from_secs(30)));
    assert_eq!(cache.stats().files, 1);
    assert!(!is_refused(&cache, &key()));
    assert_eq!(cache.stats().files, 0);
}

#[test]
fn a_purge_forgets_what_was_refused_before_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let ways: [fn(&FileCache); 3] = [
        |cache| assert_eq!(cache.purge_source("photo.jpg"), 1),
        |cache| assert!(!cache.remove(&key()), "there was no entry"),
        |cache| assert_eq!(cache.clear(), 1),
    ];
    for forget in ways {
        refuse(&open(dir.path(), "7"), &key(), HOUR);
        let cache = open(dir.path(), "7");
        assert!(is_refused(&cache, &key()));
        forget(&cache);
        assert!(!is_refused(&cache, &key()));
        assert!(!is_refused(&open(dir.path(), "7"), &key()));
    }
}

#[test]
fn a_purge_while_it_was_tried_keeps_the_refusal_away() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), "7");
    let Begin::Make(lease) = cache.begin(&key()) else { panic!("not ours to make") };
    cache.purge_source("photo.jpg");
    let _ = lease.refuse(Arc::from(Box::from("the old file was torn")), HOUR);
    assert!(!is_refused(&cache, &key()));
    assert!(!is_refused(&open(dir.path(), "7"), &key()));
}

#[test]
fn a_cache_that_remembers_none_leaves_none_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new().max_refusals(0)).unwrap();
    refuse(&cache, &key(), HOUR);
    assert!(!is_refused(&cache, &key()));
    assert!(!is_refused(&open(dir.path(), ""), &key()));
}
