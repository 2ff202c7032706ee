//! Sizes: the longest edge as asked, the aspect kept, nothing enlarged, nothing of no pixels.

mod pictures;

use larder_thumbs::{Source, Thumbnail, Thumbnailer};
use pictures::{decode, files_in, jpeg, scene};

#[track_caller]
fn assert_size(thumbnail: &Thumbnail, width: u32, height: u32) {
    assert_eq!((thumbnail.width, thumbnail.height), (width, height));
    let pixels = decode(&thumbnail.bytes);
    assert_eq!((pixels.width, pixels.height), (width, height), "the JPEG is of another size");
}

fn make(width: u32, height: u32, edge: u32) -> Thumbnail {
    let source = Source::bytes(jpeg(&scene(width, height)));
    Thumbnailer::builder().build().make(&source, edge).unwrap()
}

#[test]
fn the_longest_edge_is_as_asked() {
    assert_size(&make(1000, 500, 100), 100, 50);
    assert_size(&make(500, 1000, 100), 50, 100);
    assert_size(&make(999, 1001, 320), 319, 320);
    assert_size(&make(641, 479, 160), 160, 120);
}

#[test]
fn a_small_picture_keeps_its_size() {
    assert_size(&make(50, 40, 100), 50, 40);
    assert_size(&make(100, 40, 100), 100, 40);
    assert_size(&make(1, 1, 100), 1, 1);
}

#[test]
fn a_thread_of_a_picture_keeps_one_pixel() {
    assert_size(&make(3000, 2, 100), 100, 1);
    assert_size(&make(1, 3000, 100), 1, 100);
}

#[test]
fn every_reduction_shows_the_same_scene() {
    let source = Source::bytes(jpeg(&scene(1203, 803)));
    let thumbnailer = Thumbnailer::builder().quality(95).build();
    for edge in [1200, 700, 601, 400, 300, 200, 151, 150, 75, 40] {
        let thumbnail = thumbnailer.make(&source, edge).unwrap();
        let difference =
            decode(&thumbnail.bytes).difference(&scene(thumbnail.width, thumbnail.height));
        assert!(difference < 8.0, "at {edge} pixels it differs by {difference}");
    }
}

#[test]
fn many_are_as_good_as_each_alone() {
    let source = Source::bytes(jpeg(&scene(3001, 2003)));
    let thumbnailer = Thumbnailer::builder().quality(95).build();
    let edges = [320, 1280, 160, 640, 200, 4000, 320];
    let many = thumbnailer.make_many(&source, &edges).unwrap();
    assert_eq!(many.len(), edges.len());
    for (thumbnail, edge) in many.iter().zip(edges) {
        let alone = thumbnailer.make(&source, edge).unwrap();
        assert_size(thumbnail, alone.width, alone.height);
        let difference = decode(&thumbnail.bytes).difference(&decode(&alone.bytes));
        assert!(difference < 1.5, "at {edge} pixels it differs by {difference}");
    }
    assert!(thumbnailer.make_many::<u32>(&source, &[]).unwrap().is_empty());
}

#[test]
#[should_panic(expected = "no pixels")]
fn an_edge_of_nothing_is_a_mistake() {
    make(10, 10, 0);
}

#[test]
fn photographs_come_out_in_each_size() {
    let thumbnailer = Thumbnailer::builder().build();
    for path in files_in("LARDER_PHOTOS", "") {
        let edges = [160, 320, 640, 1280];
        let many = thumbnailer.make_many(&Source::path(&path), &edges).unwrap();
        for (thumbnail, edge) in many.iter().zip(edges) {
            assert_eq!(thumbnail.width.max(thumbnail.height), edge, "{}", path.display());
            assert_size(thumbnail, thumbnail.width, thumbnail.height);
        }
    }
}
