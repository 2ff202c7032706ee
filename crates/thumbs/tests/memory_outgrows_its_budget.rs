//! Decoded bytes are admitted, not workers: threads wait for room, and too much is refused.

mod pictures;

use std::fs::File;
use std::io::Write;
use std::sync::Barrier;
use std::time::Duration;

use image::ImageFormat;
use larder_thumbs::{Error, Source, Thumbnail, Thumbnailer};
use pictures::{in_format, jpeg, rgb_image, scene, tiff};

/// A PNG needs its 3 bytes a pixel, one more for the resizer, 13 a pixel of the thumbnail, 2 MiB
/// for its chunks, and a little.
const PICTURE_BYTES: u64 = 1000 * 1000 * 4 + 100 * 100 * 13 + (3 << 20);

fn png() -> Source {
    Source::bytes(in_format(rgb_image(&scene(1000, 1000)), ImageFormat::Png))
}

fn two_at_once(thumbnailer: &Thumbnailer, source: &Source) -> [Result<Thumbnail, Error>; 2] {
    let start = Barrier::new(2);
    let make = || {
        start.wait();
        thumbnailer.make(source, 100)
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(make);
        let mine = make();
        [mine, other.join().unwrap()]
    })
}

/// Who may not wait is told so while the other holds the bytes.
#[test]
fn with_room_for_one_the_second_has_to_wait() {
    let source = png();
    let one = Thumbnailer::builder().memory_budget_bytes(PICTURE_BYTES).wait_limit(Duration::ZERO);
    let one = one.build();
    let refused = (0..200)
        .flat_map(|_| two_at_once(&one, &source))
        .find_map(Result::err)
        .expect("two threads never met in 200 rounds: nobody was made to wait");
    assert!(refused.is_timeout(), "{refused}");
    assert!(refused.to_string().contains("budget"), "{refused}");
    // What was lent came back.
    assert!(one.make(&source, 100).is_ok());
}

#[test]
fn with_room_for_two_nobody_waits() {
    let source = png();
    let two = Thumbnailer::builder().memory_budget_bytes(2 * PICTURE_BYTES);
    let two = two.wait_limit(Duration::ZERO).build();
    for _ in 0..20 {
        assert!(two_at_once(&two, &source).iter().all(Result::is_ok));
    }
}

#[test]
fn those_who_wait_are_served_in_the_end() {
    let source = png();
    let one = Thumbnailer::builder().memory_budget_bytes(PICTURE_BYTES).build();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..5).all(|_| one.clone().make(&source, 100).is_ok())))
            .collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    });
}

#[test]
fn a_picture_over_the_whole_budget_is_refused_at_once() {
    let tight = Thumbnailer::builder().memory_budget_bytes(PICTURE_BYTES - 1).build();
    let error = tight.make(&png(), 100).unwrap_err();
    assert!(error.is_too_large() && error.to_string().contains("1000x1000"), "{error}");
}

#[test]
fn pixels_over_the_limit_are_refused() {
    let source = Source::bytes(jpeg(&scene(101, 100)));
    let strict = Thumbnailer::builder().max_pixels(100 * 100).build();
    let error = strict.make(&source, 50).unwrap_err();
    assert!(error.is_too_large() && error.to_string().contains("101x100"), "{error}");
    assert!(Thumbnailer::builder().max_pixels(101 * 100).build().make(&source, 50).is_ok());
}

/// Before it reads the first of a tag's values, the TIFF decoder allocates for all that the tag
/// claims to have.
#[test]
fn values_that_a_tiff_only_claims_to_have_are_not_allocated() {
    let sound = tiff(&scene(20, 10), &[(282, 3, vec![0; 2 * 65_536])]);
    assert!(Thumbnailer::builder().build().make(&Source::bytes(sound), 10).is_ok());
    let claiming = tiff(&scene(20, 10), &[(282, 3, vec![0; 2 * 65_537])]);
    let error = Thumbnailer::builder().build().make(&Source::bytes(claiming), 10).unwrap_err();
    assert!(error.is_damaged() && error.to_string().contains("65537 values"), "{error}");
    // Those of a program's own tags are not asked for.
    let layers = tiff(&scene(20, 10), &[(37_724, 1, vec![0; 200_000])]);
    assert!(Thumbnailer::builder().build().make(&Source::bytes(layers), 10).is_ok());
}

/// What this thread has read so far, from the page cache too.
#[cfg(target_os = "linux")]
fn read_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let read = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.unwrap().parse().unwrap()
}

#[cfg(not(target_os = "linux"))]
fn read_bytes() -> u64 {
    0
}

/// Four gibibytes, of which the first few say what they are not.
#[test]
fn huge_junk_is_refused_from_its_header() {
    let dir = tempfile::tempdir().unwrap();
    for (name, first) in [
        ("zeros", b"".as_slice()),
        ("jpeg", b"\xFF\xD8\xFF\xE0"),
        ("png", b"\x89PNG\r\n\x1A\n"),
        ("gif", b"GIF89a"),
        ("webp", b"RIFF\xFF\xFF\xFF\xFFWEBP"),
        ("tiff", b"II\x2A\0\x08\0\0\0"),
        ("bmp", b"BM\0\0\0\0\0\0\0\0"),
    ] {
        let path = dir.path().join(name);
        let mut file = File::create(&path).unwrap();
        file.write_all(first).unwrap();
        file.set_len(4 << 30).unwrap();
        let before = read_bytes();
        let error = Thumbnailer::builder().build().make(&Source::path(&path), 100).unwrap_err();
        let read = read_bytes() - before;
        assert!(
            error.is_not_a_picture() || error.is_damaged() || error.is_unsupported(),
            "{error}"
        );
        assert!(read < 16 << 20, "{name}: {read} bytes were read");
    }
}
