//! Whatever way a picture is stored, its thumbnail stands upright.

mod pictures;

use image::ImageFormat;
use larder_thumbs::{Source, Thumbnailer, probe};
use pictures::{
    Extras, crc32, decode, exif, files_in, in_format, jpeg_with, rgb_image, scene, stored,
};

#[test]
fn each_orientation_of_a_jpeg_comes_out_upright() {
    let thumbnailer = Thumbnailer::builder().build();
    let upright = scene(600, 400);
    let expected =
        decode(&thumbnailer.make(&Source::bytes(pictures::jpeg(&upright)), 150).unwrap().bytes);
    assert_eq!((expected.width, expected.height), (150, 100));
    for orientation in 1..=8 {
        let extras =
            Extras { exif: Some(exif(Some(orientation.into()), None, None)), ..Extras::default() };
        let source = Source::bytes(jpeg_with(&stored(&upright, orientation), extras));

        let info = probe(&source).unwrap();
        assert_eq!(info.orientation, orientation);
        assert_eq!((info.upright_width(), info.upright_height()), (600, 400));

        let thumbnail = thumbnailer.make(&source, 150).unwrap();
        assert_eq!((thumbnail.width, thumbnail.height), (150, 100));
        let difference = decode(&thumbnail.bytes).difference(&expected);
        assert!(difference < 2.0, "orientation {orientation} differs by {difference}");
    }
}

#[test]
fn an_orientation_that_does_not_exist_is_ignored() {
    for nonsense in [0, 9, 255, 65535] {
        let extras = Extras { exif: Some(exif(Some(nonsense), None, None)), ..Extras::default() };
        let source = Source::bytes(jpeg_with(&scene(60, 40), extras));
        assert_eq!(probe(&source).unwrap().orientation, 1);
    }
}

#[test]
fn png_with_exif_comes_out_upright() {
    let upright = scene(90, 60);
    let plain = in_format(rgb_image(&stored(&upright, 6)), ImageFormat::Png);
    let png = with_png_chunk(&plain, b"eXIf", &exif(Some(6), None, None));
    let thumbnail = Thumbnailer::builder().build().make(&Source::bytes(png), 90).unwrap();
    assert_eq!((thumbnail.width, thumbnail.height), (90, 60));
    assert!(decode(&thumbnail.bytes).difference(&upright) < 6.0);
}

/// Puts a chunk behind the header chunk.
fn with_png_chunk(png: &[u8], name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    const AFTER_IHDR: usize = 8 + 25;
    let body = [name.as_slice(), data].concat();
    let length = (data.len() as u32).to_be_bytes();
    [&png[..AFTER_IHDR], &length, &body, &crc32(&body).to_be_bytes(), &png[AFTER_IHDR..]].concat()
}

/// Eighteen photographs of two scenes, one for each orientation and one (number 0) without the tag.
#[test]
fn orientation_photographs_equal_their_first() {
    let thumbnailer = Thumbnailer::builder().build();
    let small =
        |path: &std::path::Path| decode(&thumbnailer.make(&Source::path(path), 160).unwrap().bytes);
    for path in files_in("LARDER_PHOTOS", "orientation") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (kind, _) = name.split_once('_').unwrap();
        let first = small(&path.with_file_name(format!("{kind}_1.jpg")));
        let difference = small(&path).difference(&first);
        assert!(difference < 8.0, "{name} differs from number 1 by {difference}");
    }
}
