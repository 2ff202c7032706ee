//! What an import is told about a picture.

mod pictures;

use image::ImageFormat;
use larder_thumbs::{Format, Info, Source, probe};
use pictures::{Extras, exif, files_in, in_format, jpeg_with, rgb_image, scene};

fn probe_with(block: Vec<u8>) -> Info {
    let extras = Extras { exif: Some(block), ..Extras::default() };
    probe(&Source::bytes(jpeg_with(&scene(60, 40), extras))).unwrap()
}

#[test]
fn camera_and_time_are_told() {
    let info = probe_with(exif(Some(6), Some("2012:09:29 16:11:25"), Some("Example & Sons")));
    assert_eq!(info.format, Format::Jpeg);
    assert_eq!((info.width, info.height, info.orientation), (60, 40, 6));
    assert_eq!((info.upright_width(), info.upright_height()), (40, 60));
    assert_eq!(info.taken_at.unwrap().to_string(), "2012-09-29T16:11:25");
    assert_eq!(info.make.as_deref(), Some("Example & Sons"));
    assert_eq!(info.model, None);
}

#[test]
fn dates_that_do_not_exist_are_left_out() {
    let taken_at = |text| probe_with(exif(None, Some(text), None)).taken_at;
    for nonsense in [
        "0000:00:00 00:00:00",
        "2011:02:29 10:00:00",
        "2012:13:01 10:00:00",
        "2012:04:31 10:00:00",
        "2012:04:30 24:00:00",
        "2012-04-30 10:00:00",
        "2012:04:30",
        "    :  :     :  :  ",
        "2012:04:+1 10:00:00",
    ] {
        assert_eq!(taken_at(nonsense), None, "{nonsense}");
    }
    assert_eq!(taken_at("2012:02:29 23:59:59").unwrap().to_string(), "2012-02-29T23:59:59");
    assert!(taken_at("2012:02:29 23:59:59") > taken_at("2012:02:29 23:59:58"));
}

#[test]
fn control_characters_do_not_pass() {
    let info = probe_with(exif(None, None, Some("  Ev\u{1b}il\r\nCamera  ")));
    assert_eq!(info.make.as_deref(), Some("EvilCamera"));
}

#[test]
fn the_content_tells_the_format_not_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("really-a-png.jpg");
    let picture = rgb_image(&scene(60, 40));
    for (format, expected) in [
        (ImageFormat::Png, Format::Png),
        (ImageFormat::Gif, Format::Gif),
        (ImageFormat::WebP, Format::WebP),
        (ImageFormat::Tiff, Format::Tiff),
        (ImageFormat::Bmp, Format::Bmp),
    ] {
        std::fs::write(&path, in_format(picture.clone(), format)).unwrap();
        let info = probe(&Source::path(&path)).unwrap();
        assert_eq!((info.format, info.width, info.height), (expected, 60, 40));
        assert_eq!((info.orientation, info.taken_at), (1, None));
    }
}

#[test]
fn photographs_tell_their_camera_and_time() {
    for path in files_in("LARDER_PHOTOS", "") {
        let info = probe(&Source::path(&path)).unwrap();
        assert!(info.taken_at.is_some() && info.make.is_some(), "{}: {info:?}", path.display());
        assert!(info.width * info.height >= 5_900_000, "{info:?}");
    }
}
