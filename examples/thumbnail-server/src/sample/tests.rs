//! What must never happen to the gallery: a picture missing, torn, drawn twice, or unlike itself.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use super::canvas::Canvas;
use super::catalogue::PICTURES;
use super::colour::Rgb;
use super::exif;
use super::gallery::{make_these, write_synced};
use super::picture::{Picture, picture};

/// A picture that costs nothing.
fn plain(canvas: &mut Canvas) {
    canvas.fill(|u, v| Rgb([u, v, 0.5]));
}

/// A gallery that costs nothing.
static SMALL: [Picture; 3] = [
    picture("1-a.jpg", "Picture a", (48, 32), 1, "2020:01:01 00:00:00", plain),
    picture("2-b.jpg", "Picture b", (32, 48), 6, "2020:01:02 00:00:00", plain),
    picture("3-c.jpg", "Picture c", (32, 32), 3, "2020:01:03 00:00:00", plain),
];

/// Makes the small gallery on two threads.
fn make_small(dir: &Path) -> io::Result<usize> {
    make_these(&SMALL, dir, 2, &|_, _| {})
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|n| n.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_catalogue_keeps_its_promises() {
    assert!(PICTURES.len() >= 36);
    let orientations: HashSet<u8> = PICTURES.iter().map(|p| p.orientation).collect();
    assert_eq!(orientations, (1..=8).collect());
    let shapes: HashSet<usize> = PICTURES.iter().map(|p| p.width * 100 / p.height).collect();
    assert!(shapes.len() >= 8, "only {} aspect ratios", shapes.len());
    assert!(PICTURES.is_sorted_by(|a, b| a.file < b.file), "two files would be one");
    for p in PICTURES {
        let pixels = p.width * p.height;
        assert!((2_000_000..=12_000_000).contains(&pixels), "{} has {pixels} pixels", p.file);
        assert!(p.title.is_ascii() && p.title.len() >= 4, "{}", p.title);
        assert!(p.taken.len() == 19 && p.taken.as_bytes()[10] == b' ', "{}", p.taken);
    }
    let taken: HashSet<&str> = PICTURES.iter().map(|p| p.taken).collect();
    assert_eq!(taken.len(), PICTURES.len(), "two pictures of one second");
}

#[test]
fn no_scene_is_blank_or_unlike_itself() {
    for p in PICTURES {
        let (one, two) = (p.paint(600), p.paint(600));
        assert_eq!(one.pixels, two.pixels, "{} is drawn by chance", p.file);
        let finite = one.pixels.iter().all(|c| c.0.iter().all(|v| v.is_finite()));
        assert!(finite, "{} has a pixel that is no number", p.file);
        let lumas = || one.pixels.iter().map(|c| c.luma());
        let (low, high) = (lumas().fold(f32::MAX, f32::min), lumas().fold(0.0, f32::max));
        assert!(high - low > 0.05, "{} is blank: {low} to {high}", p.file);
    }
}

#[test]
fn a_second_run_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let gallery = dir.path().join("new/gallery");
    let heard = Mutex::new(Vec::new());
    let listen = |done, total| heard.lock().unwrap().push((done, total));
    assert_eq!(make_these(&SMALL, &gallery, 2, &listen).unwrap(), 3);
    let mut said = std::mem::take(&mut *heard.lock().unwrap());
    said.sort();
    assert_eq!(said, [(0, 3), (1, 3), (2, 3), (3, 3)]);
    let first = fs::read(gallery.join("2-b.jpg")).unwrap();
    assert_eq!(make_these(&SMALL, &gallery, 2, &listen).unwrap(), 0);
    assert!(heard.lock().unwrap().is_empty());
    fs::remove_file(gallery.join("2-b.jpg")).unwrap();
    assert_eq!(make_small(&gallery).unwrap(), 1);
    assert_eq!(fs::read(gallery.join("2-b.jpg")).unwrap(), first);
}

#[test]
fn what_a_killed_process_left_is_replaced_and_the_rest_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("1-a.jpg.part"), "torn").unwrap();
    fs::write(dir.path().join("2-b.jpg"), "").unwrap();
    fs::write(dir.path().join("mine.part"), "kept").unwrap();
    assert_eq!(make_small(dir.path()).unwrap(), 3);
    assert_eq!(names(dir.path()), ["1-a.jpg", "2-b.jpg", "3-c.jpg", "mine.part"]);
    assert!(fs::metadata(dir.path().join("2-b.jpg")).unwrap().len() > 100);
}

#[test]
fn a_failure_names_the_picture_and_leaves_no_part() {
    let dir = tempfile::tempdir().unwrap();
    // A directory in the place of a picture fails the rename, for every user.
    fs::create_dir(dir.path().join("2-b.jpg")).unwrap();
    let error = make_small(dir.path()).unwrap_err();
    assert!(error.to_string().contains("cannot write sample picture"), "{error}");
    assert!(error.to_string().contains("2-b.jpg"), "{error}");
    assert!(names(dir.path()).iter().all(|n| !n.ends_with(".part")));
}

#[test]
fn a_full_disk_is_an_error() {
    // Every write to this device fails as on a full disk.
    if !Path::new("/dev/full").exists() {
        return;
    }
    let error = write_synced(Path::new("/dev/full"), b"picture").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_file_in_the_place_of_the_directory_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gallery");
    fs::write(&file, "a file").unwrap();
    let error = make_small(&file).unwrap_err();
    assert!(error.to_string().starts_with("cannot create"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"a file");
}

#[test]
fn the_exif_block_says_what_the_catalogue_says() {
    let tiff = exif::tiff("Dunes at first light", 6, "2020:01:17 07:22:31");
    let main = directory(&tiff, 8);
    assert_eq!(text(&tiff, &main, 0x010e), "Dunes at first light");
    assert_eq!(text(&tiff, &main, 0x010f), "larder");
    assert_eq!(text(&tiff, &main, 0x0110), "sample");
    assert_eq!(value(&main, 0x0112).1, 6);
    let exif = directory(&tiff, value(&main, 0x8769).1 as usize);
    assert_eq!(text(&tiff, &exif, 0x9003), "2020:01:17 07:22:31");
}

#[test]
fn the_stored_file_is_a_jpeg_with_its_exif_block_first() {
    let dir = tempfile::tempdir().unwrap();
    make_small(dir.path()).unwrap();
    let jpeg = fs::read(dir.path().join("2-b.jpg")).unwrap();
    assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
    let at = jpeg.windows(6).position(|w| w == b"Exif\0\0").unwrap();
    let main = directory(&jpeg[at + 6..], 8);
    assert_eq!(value(&main, 0x0112).1, 6);
    // Orientation 6 stores the upright 32 x 48 lying down.
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    assert_eq!(jpeg[frame + 5..frame + 9], [0, 32, 0, 48]);
}

/// The entries (tag, count, value) of a little-endian TIFF directory, in rising order of tags.
fn directory(tiff: &[u8], at: usize) -> Vec<(u16, u32, u32)> {
    let short = |i: usize| u16::from_le_bytes(tiff[i..i + 2].try_into().unwrap());
    let long = |i: usize| u32::from_le_bytes(tiff[i..i + 4].try_into().unwrap());
    let places = (0..usize::from(short(at))).map(|i| at + 2 + i * 12);
    let entries: Vec<_> = places.map(|i| (short(i), long(i + 4), long(i + 8))).collect();
    assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "TIFF wants its tags in order");
    entries
}

/// Count and value of a tag.
fn value(entries: &[(u16, u32, u32)], tag: u16) -> (usize, u32) {
    let entry = entries.iter().find(|e| e.0 == tag).expect("the tag is there");
    (entry.1 as usize, entry.2)
}

/// The text of a tag, without its closing zero.
fn text(tiff: &[u8], entries: &[(u16, u32, u32)], tag: u16) -> String {
    let (count, at) = value(entries, tag);
    let bytes = &tiff[at as usize..at as usize + count];
    String::from_utf8(bytes.strip_suffix(b"\0").expect("a closing zero").to_vec()).unwrap()
}
