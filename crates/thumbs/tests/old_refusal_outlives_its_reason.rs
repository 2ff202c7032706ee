//! A picture that was refused is tried again by a thumbnailer that may take it.

mod pictures;

use std::path::Path;

use larder_files::{Begin, Limits};
use larder_thumbs::{Source, ThumbCache, Thumbnailer, ThumbnailerBuilder};
use pictures::{jpeg, scene};

fn strict() -> ThumbnailerBuilder {
    Thumbnailer::builder().max_pixels(100 * 100 - 1)
}

/// Opens the cache anew, as after a restart.
fn open(dir: &Path, thumbnailer: ThumbnailerBuilder) -> ThumbCache {
    ThumbCache::open(thumbnailer.build(), dir, Limits::new()).unwrap()
}

fn picture() -> Source {
    Source::bytes(jpeg(&scene(100, 100)))
}

/// A cache that remembers, after its restart, what could not be made before.
fn refusing(dir: &Path) {
    let refused = open(dir, strict()).get_or_make(b"a", "1", &picture(), 50).unwrap_err();
    assert!(refused.is_too_large());
    let again = open(dir, strict()).begin(b"a", "1", 50);
    assert!(matches!(again, Begin::Refused(_)), "{again:?}");
}

#[test]
fn the_same_limits_refuse_it_from_memory() {
    let dir = tempfile::tempdir().unwrap();
    refusing(dir.path());
    let nothing_to_read = Source::path("/nonexistent/photograph.jpg");
    let again = open(dir.path(), strict()).get_or_make(b"a", "1", &nothing_to_read, 50);
    assert!(again.unwrap_err().to_string().contains("100x100"));
}

#[test]
fn other_limits_try_it() {
    for other in [
        strict().max_pixels(100 * 100),
        Thumbnailer::builder(),
        Thumbnailer::builder().memory_budget_bytes(1 << 30),
    ] {
        let dir = tempfile::tempdir().unwrap();
        refusing(dir.path());
        assert!(open(dir.path(), other).get_or_make(b"a", "1", &picture(), 50).is_ok());
    }
    for still in
        [strict().memory_budget_bytes(1 << 30), strict().time_limit(std::time::Duration::MAX)]
    {
        let dir = tempfile::tempdir().unwrap();
        refusing(dir.path());
        let tried = open(dir.path(), still).begin(b"a", "1", 50);
        assert!(matches!(tried, Begin::Make(_)), "{tried:?}");
    }
}

/// What could be made stays: only refusals are forgotten.
#[test]
fn thumbnails_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let made = open(dir.path(), Thumbnailer::builder()).get_or_make(b"b", "1", &picture(), 50);
    let kept = open(dir.path(), strict()).get(b"b", "1", 50).expect("it is on disk");
    assert_eq!(made.unwrap().etag(), kept.etag());
}
