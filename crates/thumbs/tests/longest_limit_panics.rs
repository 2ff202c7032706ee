//! The longest of durations as a limit means no limit.

mod pictures;

use std::time::Duration;

use larder_files::Limits;
use larder_thumbs::{Source, ThumbCache, Thumbnailer};
use pictures::{jpeg, scene};

#[test]
fn limits_beyond_the_clock_are_none() {
    let source = Source::bytes(jpeg(&scene(64, 64)));
    let builder = Thumbnailer::builder;
    for endless in [
        builder().time_limit(Duration::MAX),
        builder().wait_limit(Duration::MAX),
        builder().time_limit(Duration::MAX).wait_limit(Duration::MAX),
    ] {
        let endless = endless.build();
        assert!(endless.make(&source, 32).is_ok());
        let dir = tempfile::tempdir().unwrap();
        let thumbs = ThumbCache::open(endless, dir.path(), Limits::new()).unwrap();
        assert!(thumbs.get_or_make(b"a", "1", &source, 32).is_ok());
    }
}
