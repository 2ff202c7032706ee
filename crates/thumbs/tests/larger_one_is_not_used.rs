//! A smaller thumbnail comes from a larger one in the cache, if that will do.

mod pictures;

use larder_files::{FileCache, Limits};
use larder_thumbs::{Output, Preset, Source, ThumbCache, Thumbnailer};
use pictures::{decode, jpeg, scene};

struct Kept {
    thumbs: ThumbCache,
    _dir: tempfile::TempDir,
}

fn cache() -> Kept {
    let dir = tempfile::tempdir().unwrap();
    let files = FileCache::open(dir.path(), Limits::new()).unwrap();
    let thumbs = ThumbCache::new(Thumbnailer::builder().build(), files);
    Kept { thumbs: thumbs.derive_from([640, 320]), _dir: dir }
}

fn nowhere() -> Source {
    Source::path("/nonexistent/photograph.jpg")
}

#[test]
fn with_a_larger_one_there_the_picture_is_not_read() {
    let Kept { thumbs, _dir } = cache();
    let photograph = Source::bytes(jpeg(&scene(1200, 800)));
    thumbs.get_or_make(b"a", "1", &photograph, 640).unwrap();
    let small = thumbs.get_or_make(b"a", "1", &nowhere(), 160).unwrap();
    let difference = decode(&small.read().unwrap()).difference(&scene(160, 107));
    assert!(difference < 6.0, "{difference}");
}

#[test]
fn one_that_will_not_do_is_not_used() {
    let Kept { thumbs, _dir } = cache();
    let photograph = Source::bytes(jpeg(&scene(1200, 800)));
    let refused = |id: &[u8], version, preset: Preset| {
        thumbs.get_or_make(id, version, &nowhere(), preset).unwrap_err().is_io()
    };
    thumbs.get_or_make(b"a", "1", &photograph, Preset::new(320).quality(60)).unwrap();
    assert!(refused(b"a", "1", 100.into()), "of another quality");
    thumbs.get_or_make(b"a", "1", &photograph, 320).unwrap();
    assert!(refused(b"a", "1", 200.into()), "not twice as large");
    assert!(refused(b"a", "2", 100.into()), "of another version");
    assert!(refused(b"b", "1", 100.into()), "of another picture");
    assert!(refused(b"a", "1", Preset::new(100).output(Output::Png)), "without alpha");
    assert!(refused(b"a", "1", Preset::new(100).keep_copyright(true)), "without its notice");
    assert!(refused(b"a", "1", Preset::new(100).quality(95)), "of less quality");
    assert!(thumbs.get_or_make(b"a", "1", &nowhere(), 100).is_ok());
}
