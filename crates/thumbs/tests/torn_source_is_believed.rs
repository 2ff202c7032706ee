//! A source that is missing, half written or being written is not mistaken for a finished picture.

mod pictures;

use std::error::Error as _;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use larder_files::Limits;
use larder_thumbs::{Source, ThumbCache, Thumbnailer, probe};
use pictures::{Extras, Pixels, decode, jpeg, jpeg_with, scene};

fn io_kind(error: &larder_thumbs::Error) -> Option<io::ErrorKind> {
    error.source()?.downcast_ref::<io::Error>().map(io::Error::kind)
}

#[test]
fn a_missing_file_says_so_with_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gone.jpg");
    let thumbnailer = Thumbnailer::builder().build();
    for error in [
        thumbnailer.make(&Source::path(&path), 100).unwrap_err(),
        probe(&Source::path(&path)).unwrap_err(),
    ] {
        assert!(error.is_io() && error.to_string().contains("gone.jpg"), "{error}");
        assert_eq!(io_kind(&error), Some(io::ErrorKind::NotFound));
    }
}

#[test]
fn a_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(probe(&Source::path(dir.path())).unwrap_err().is_io());
}

/// Somebody writes to the file without pause: no reading of it can be trusted. (On a loaded machine
/// the writer may sleep through both readings of a round, so there are many rounds.)
#[test]
fn a_picture_changed_at_each_reading_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("changing.jpg");
    std::fs::write(&path, jpeg(&scene(2000, 1500))).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let thumbnailer = Thumbnailer::builder().build();
    let done = AtomicBool::new(false);
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut time = SystemTime::UNIX_EPOCH;
            while !done.load(Ordering::Acquire) {
                time += Duration::from_millis(1);
                file.set_modified(time).unwrap();
            }
        });
        let failed = (0..1000).find_map(|_| thumbnailer.make(&Source::path(&path), 100).err());
        done.store(true, Ordering::Release);
        failed.expect("a thousand readings, and no change was noticed")
    });
    assert!(error.is_changed(), "{error}");
    assert!(thumbnailer.make(&Source::path(&path), 100).is_ok());
}

/// As every viewer does, what is there is shown; unlike there, it is said.
#[test]
fn a_truncated_jpeg_is_partial() {
    for progressive in [false, true] {
        let extras = Extras { progressive, ..Extras::default() };
        let picture = Pixels::from_fn(800, 600, |x, y| [(x / 4) as u8, (y / 4) as u8, 90]);
        let whole = jpeg_with(&picture, extras);
        let thumbnailer = Thumbnailer::builder().build();

        let complete = thumbnailer.make(&Source::bytes(whole.clone()), 200).unwrap();
        assert!(!complete.partial);

        let half = thumbnailer.make(&Source::bytes(&whole[..whole.len() * 6 / 10]), 200).unwrap();
        assert!(half.partial);
        assert_eq!((half.width, half.height), (200, 150));
        if !progressive {
            let (half, complete) = (decode(&half.bytes), decode(&complete.bytes));
            let top = |pixels: &Pixels| pixels.rgb[..200 * 3 * 40].to_vec();
            let difference =
                top(&half).iter().zip(top(&complete)).map(|(a, b)| a.abs_diff(b)).max();
            assert!(difference <= Some(12), "the part that is there differs by {difference:?}");
        }
    }
}

#[test]
fn a_jpeg_that_ends_before_its_pixels_is_damaged() {
    let whole = jpeg(&scene(800, 600));
    let scan = whole.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    let error =
        Thumbnailer::builder().build().make(&Source::bytes(&whole[..scan]), 100).unwrap_err();
    assert!(error.is_damaged(), "{error}");
}

/// Where segments of this marker begin.
fn places(jpeg: &[u8], marker: u8) -> Vec<usize> {
    (0..jpeg.len() - 1).filter(|&at| jpeg[at..at + 2] == [0xFF, marker]).collect()
}

/// The segments of Huffman tables.
fn tables(jpeg: &[u8]) -> Vec<u8> {
    let segment = |&at: &usize| {
        let length = u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]);
        &jpeg[at..at + 2 + usize::from(length)]
    };
    places(jpeg, 0xC4).iter().flat_map(segment).copied().collect()
}

/// Encoders that optimise put tables before each scan, and a cut may fall into them.
#[test]
fn a_cut_between_scans_leaves_the_scans_before_it() {
    let thumbnailer = Thumbnailer::builder().build();
    for progressive in [false, true] {
        let extras = Extras { progressive, apart: !progressive, ..Extras::default() };
        let picture = jpeg_with(&scene(160, 120), extras);
        let (last, tables) = (*places(&picture, 0xDA).last().unwrap(), tables(&picture));
        assert!(!tables.is_empty() && last > places(&picture, 0xDA)[0]);
        let whole = [&picture[..last], &tables, &picture[last..]].concat();
        assert!(!thumbnailer.make(&Source::bytes(&whole[..]), 40).unwrap().partial);
        for cut in last..last + tables.len() + 16 {
            let made = thumbnailer.make(&Source::bytes(&whole[..cut]), 40);
            let made = made.unwrap_or_else(|e| panic!("{cut}, {progressive}: {e}"));
            assert!(made.partial, "{cut}, {progressive}");
        }
    }
}

/// The same bytes give the same thumbnail again; what was still being written has another version.
#[test]
fn a_partial_thumbnail_is_kept_under_its_version_alone() {
    let dir = tempfile::tempdir().unwrap();
    let thumbnailer = Thumbnailer::builder().build();
    let whole = jpeg(&scene(400, 300));
    let cut = Source::bytes(&whole[..whole.len() / 2]);
    assert!(thumbnailer.make(&cut, 100).unwrap().partial);
    let thumbs = ThumbCache::open(thumbnailer, dir.path(), Limits::new()).unwrap();
    let torn = thumbs.get_or_make(b"a", "half", &cut, 100).unwrap();
    assert_eq!(thumbs.get(b"a", "half", 100).unwrap().etag(), torn.etag());
    let mended = thumbs.get_or_make(b"a", "whole", &Source::bytes(whole), 100).unwrap();
    assert_ne!(mended.etag(), torn.etag());
}
