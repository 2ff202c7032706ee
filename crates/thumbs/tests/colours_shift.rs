//! The colours of a thumbnail are those that the picture means, in sRGB.

mod pictures;

use image::{DynamicImage, ImageFormat};
use jpeg_encoder::ColorType;
use larder_thumbs::{Source, Thumbnailer};
use moxcms::ColorProfile;
use pictures::{Extras, Pixels, decode, encode, in_format, jpeg, jpeg_with, scene, tiff};

fn small(bytes: Vec<u8>) -> Pixels {
    let thumbnailer = Thumbnailer::builder().quality(95).build();
    decode(&thumbnailer.make(&Source::bytes(bytes), 64).unwrap().bytes)
}

#[track_caller]
fn assert_middle(picture: &Pixels, expected: [u8; 3], tolerance: u8) {
    let middle = picture.at(picture.width / 2, picture.height / 2);
    let near = middle.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= tolerance);
    assert!(near, "{middle:?} where {expected:?} is meant");
}

fn with_profile(color: [u8; 3], profile: &ColorProfile) -> Vec<u8> {
    let extras = Extras { icc: Some(profile.encode().unwrap()), ..Extras::default() };
    jpeg_with(&Pixels::from_fn(200, 100, |_, _| color), extras)
}

// The expected values follow from the primaries' published chromaticities and curves.

#[test]
fn display_p3_is_converted() {
    let p3 = ColorProfile::new_display_p3();
    assert_middle(&small(with_profile([200, 100, 100], &p3)), [215, 93, 97], 3);
    assert_middle(&small(with_profile([128, 128, 128], &p3)), [128, 128, 128], 2);
}

/// One that is too long to be held while waiting for room is read a second time.
#[test]
fn a_long_profile_is_applied() {
    let mut p3 = ColorProfile::new_display_p3().encode().unwrap();
    p3.resize(200_000, 0);
    let size = u32::try_from(p3.len()).unwrap();
    p3[..4].copy_from_slice(&size.to_be_bytes());
    let extras = Extras { icc: Some(p3), ..Extras::default() };
    let picture = jpeg_with(&Pixels::from_fn(200, 100, |_, _| [200, 100, 100]), extras);
    assert_middle(&small(picture), [215, 93, 97], 3);
}

#[test]
fn the_profile_of_a_tiff_is_read() {
    let p3 = ColorProfile::new_display_p3().encode().unwrap();
    let picture = Pixels::from_fn(200, 100, |_, _| [200, 100, 100]);
    let bare = tiff(&picture, &[]);
    assert_middle(&small(bare), [200, 100, 100], 3);
    assert_middle(&small(tiff(&picture, &[(34_675, 7, p3)])), [215, 93, 97], 3);
}

#[test]
fn adobe_rgb_is_converted() {
    let adobe = ColorProfile::new_adobe_rgb();
    assert_middle(&small(with_profile([150, 180, 140], &adobe)), [137, 181, 139], 3);
}

#[test]
fn srgb_and_broken_profiles_change_nothing() {
    let plain = small(jpeg(&scene(200, 100)));
    let srgb = ColorProfile::new_srgb().encode().unwrap();
    for icc in [srgb, b"no profile at all".to_vec(), vec![0; 200]] {
        let extras = Extras { icc: Some(icc), ..Extras::default() };
        assert_eq!(small(jpeg_with(&scene(200, 100), extras)), plain);
    }
}

#[test]
fn a_profile_of_other_channels_is_ignored() {
    let extras =
        Extras { icc: Some(ColorProfile::new_display_p3().encode().unwrap()), ..Extras::default() };
    let grey = encode(&[90; 200 * 100], 200, 100, ColorType::Luma, extras);
    assert_middle(&small(grey), [90; 3], 2);
}

#[test]
fn grey_profile_is_applied() {
    let linear = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    let extras = Extras { icc: Some(linear), ..Extras::default() };
    let grey = encode(&[55; 200 * 100], 200, 100, ColorType::Luma, extras);
    // 55/255 of the light is sRGB level 128.
    assert_middle(&small(grey), [128; 3], 3);
}

#[test]
fn inks_without_a_profile_become_light() {
    // 0 is no ink here; the encoder stores it inverted, as Adobe's programs do.
    let ink = |c: u8, m: u8, y: u8, k: u8| {
        let pixel = [c, m, y, k];
        encode(&pixel.repeat(200 * 100), 200, 100, ColorType::Cmyk, Extras::default())
    };
    let yellow = small(ink(0, 0, 255, 0));
    let black = small(ink(0, 0, 0, 255));
    let white = small(ink(0, 0, 0, 0));
    let (light, dark) = (white.at(3, 3)[0], black.at(3, 3)[0]);
    assert!(light > 250 && dark < 5, "white is {light}, black is {dark}");
    assert_middle(&yellow, [255, 255, 0], 4);
}

#[test]
fn ycck_is_read_as_inks() {
    let pixel = [0u8, 0, 255, 0];
    let ycck = encode(&pixel.repeat(200 * 100), 200, 100, ColorType::CmykAsYcck, Extras::default());
    assert_middle(&small(ycck), [255, 255, 0], 4);
}

#[test]
fn sixteen_bits_and_grey_keep_their_level() {
    let level = |n: u16| n * 257;
    let deep: image::ImageBuffer<image::Rgb<u16>, _> =
        image::ImageBuffer::from_pixel(90, 60, image::Rgb([level(200), level(40), level(90)]));
    assert_middle(
        &small(in_format(DynamicImage::ImageRgb16(deep), ImageFormat::Png)),
        [200, 40, 90],
        3,
    );
    let grey: image::ImageBuffer<image::Luma<u16>, _> =
        image::ImageBuffer::from_pixel(90, 60, image::Luma([level(77)]));
    assert_middle(&small(in_format(DynamicImage::ImageLuma16(grey), ImageFormat::Png)), [77; 3], 2);
    let grey = image::GrayImage::from_pixel(90, 60, image::Luma([77]));
    assert_middle(&small(in_format(grey, ImageFormat::Png)), [77; 3], 2);
}
