//! An encoding that has alpha keeps it; one that has none shows white.

mod pictures;

use image::{GrayAlphaImage, ImageFormat, LumaA, Rgba, RgbaImage};
use larder_thumbs::{Output, Preset, Source, Thumbnail, Thumbnailer};
use pictures::{decode, in_format};

fn outputs() -> Vec<Output> {
    vec![
        Output::Png,
        #[cfg(feature = "webp")]
        Output::WebP,
        #[cfg(feature = "avif")]
        Output::Avif,
    ]
}

fn made(picture: Vec<u8>, output: Output) -> Thumbnail {
    let thumbnailer = Thumbnailer::builder().quality(95).build();
    let made = thumbnailer.make(&Source::bytes(picture), Preset::new(50).output(output)).unwrap();
    assert_eq!((made.output, made.width, made.height), (output, 50, 50));
    made
}

/// Nothing here decodes AVIF; that one is only looked at.
fn rgba(made: &Thumbnail) -> Option<RgbaImage> {
    match image::load_from_memory(&made.bytes) {
        Ok(picture) => Some(picture.into_rgba8()),
        Err(_) => {
            assert_eq!(&made.bytes[4..12], b"ftypavif", "{:?}", made.output);
            None
        }
    }
}

/// A light disc on transparent black: the colour of the edge is the disc's, whatever is left of it.
#[test]
fn a_disc_keeps_its_ground_and_its_edge() {
    let disc = RgbaImage::from_fn(500, 500, |x, y| {
        let inside = x.abs_diff(250).pow(2) + y.abs_diff(250).pow(2) < 200 * 200;
        if inside { Rgba([240, 240, 240, 255]) } else { Rgba([0, 0, 0, 0]) }
    });
    let disc = in_format(disc, ImageFormat::Png);
    for output in outputs() {
        let Some(small) = rgba(&made(disc.clone(), output)) else { continue };
        assert_eq!(small.get_pixel(0, 0)[3], 0, "{output:?}");
        assert_eq!(small.get_pixel(25, 25)[3], 255, "{output:?}");
        let half_there = |pixel: &&Rgba<u8>| pixel[3] > 64;
        let darkest = small.pixels().filter(half_there).map(|pixel| pixel[0]).min().unwrap();
        assert!(darkest >= 220, "an edge of {darkest} in {output:?}");
    }
    let white = made(disc, Output::Jpeg);
    assert!(decode(&white.bytes).at(0, 0).iter().all(|sample| *sample >= 253));
}

#[test]
fn half_transparent_grey_stays_both() {
    let picture = GrayAlphaImage::from_pixel(200, 200, LumaA([100, 128]));
    let small = rgba(&made(in_format(picture, ImageFormat::Png), Output::Png)).unwrap();
    let [r, g, b, a] = small.get_pixel(25, 25).0;
    assert!(r == g && g == b && r.abs_diff(100) <= 1 && a == 128, "{r} {g} {b} {a}");
}

/// Alpha that hides nothing costs a quarter of the bytes.
#[test]
fn an_opaque_picture_has_no_alpha() {
    let picture = RgbaImage::from_fn(200, 200, |x, y| Rgba([x as u8, y as u8, 90, 255]));
    let small = made(in_format(picture, ImageFormat::Png), Output::Png);
    let color = image::load_from_memory(&small.bytes).unwrap().color();
    assert_eq!(color, image::ColorType::Rgb8);
}

#[test]
fn alpha_is_turned_with_the_picture() {
    let left = RgbaImage::from_fn(100, 100, |x, _| Rgba([9, 9, 9, if x < 50 { 255 } else { 0 }]));
    let png = in_format(left, ImageFormat::Png);
    let at = png.windows(4).position(|name| name == b"IDAT").unwrap() - 4;
    let exif = pictures::exif(Some(6), None, None);
    let mut chunk = [(exif.len() as u32).to_be_bytes().as_slice(), b"eXIf", &exif].concat();
    chunk.extend(pictures::crc32(&chunk[4..]).to_be_bytes());
    let turned = [&png[..at], &chunk, &png[at..]].concat();
    let small = rgba(&made(turned, Output::Png)).unwrap();
    assert_eq!([small.get_pixel(25, 5)[3], small.get_pixel(25, 45)[3]], [255, 0]);
}
