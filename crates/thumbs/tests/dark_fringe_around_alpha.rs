//! Transparent pixels have a colour that nobody is meant to see.

mod pictures;

use image::{ImageFormat, Rgba, RgbaImage};
use larder_thumbs::{Source, Thumbnailer};
use pictures::{decode, in_format};

fn small(picture: RgbaImage) -> pictures::Pixels {
    let thumbnailer = Thumbnailer::builder().quality(95).build();
    let source = Source::bytes(in_format(picture, ImageFormat::Png));
    decode(&thumbnailer.make(&source, 50).unwrap().bytes)
}

/// A light shape on transparent black: mixed in by a careless resize, the black draws a dark line.
#[test]
fn nothing_is_darker_than_the_shape() {
    let light = 240;
    let picture = RgbaImage::from_fn(500, 500, |x, y| {
        let inside = x.abs_diff(250).pow(2) + y.abs_diff(250).pow(2) < 150 * 150;
        if inside { Rgba([light, light, light, 255]) } else { Rgba([0, 0, 0, 0]) }
    });
    let small = small(picture);
    let darkest = small.rgb.iter().min().unwrap();
    assert!(*darkest >= light - 5, "a fringe of {darkest}");
    assert!(small.at(0, 0).iter().all(|sample| *sample >= 253), "the ground is not white");
}

#[test]
fn half_transparent_red_is_pink() {
    let pink = small(RgbaImage::from_pixel(200, 200, Rgba([255, 0, 0, 128])));
    let [r, g, b] = pink.at(25, 25);
    assert!(r >= 252 && g.abs_diff(127) <= 3 && b.abs_diff(127) <= 3, "{r} {g} {b}");
}

#[test]
fn grey_with_alpha_is_laid_over_white() {
    let picture = image::GrayAlphaImage::from_pixel(200, 200, image::LumaA([0, 0]));
    let source = Source::bytes(in_format(picture, ImageFormat::Png));
    let white = Thumbnailer::builder().build().make(&source, 50).unwrap();
    assert!(decode(&white.bytes).rgb.iter().all(|sample| *sample >= 253));
}
