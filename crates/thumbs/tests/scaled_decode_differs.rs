//! A scaled decode shows what a full decode and a good resize show, however the JPEG is coded.
//!
//! The reference is another decoder (`jpeg-decoder` at full size), then Lanczos3 of the `image`
//! crate, then the same loss of colour resolution that every thumbnail suffers.

mod pictures;

use image::imageops::FilterType;
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};
use larder_thumbs::{Source, Thumbnailer};
use pictures::{Extras, Pixels, decode, files_in, jpeg_with, rgb_image};

/// Smooth shapes with some detail, coloured throughout: a shift or a lost component shows at once.
fn picture(width: u32, height: u32) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        let wave = |period: f32, at: u32| (at as f32 / period).sin() * 60.0 + 120.0;
        let dot = if (x / 23 + y / 17) % 7 == 0 { 60 } else { 0 };
        [wave(31.0, x + y) as u8 + dot, wave(47.0, x) as u8, wave(29.0, y) as u8]
    })
}

fn reference(jpeg: &[u8], width: u32, height: u32) -> Pixels {
    let mut decoder = jpeg_decoder::Decoder::new(jpeg);
    let rgb = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    let full = Pixels { rgb, width: info.width.into(), height: info.height.into() };
    let small = image::imageops::resize(&rgb_image(&full), width, height, FilterType::Lanczos3);
    let mut encoded = Vec::new();
    let mut encoder = Encoder::new(&mut encoded, 100);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder.encode(&small, width as u16, height as u16, ColorType::Rgb).unwrap();
    decode(&encoded)
}

#[track_caller]
fn assert_same(jpeg: Vec<u8>, edge: u32, tolerance: f64, what: &str) {
    let thumbnailer = Thumbnailer::builder().quality(100).build();
    let made = thumbnailer.make(&Source::bytes(jpeg.as_slice()), edge).unwrap();
    let reference = reference(&jpeg, made.width, made.height);
    let difference = decode(&made.bytes).difference(&reference);
    assert!(difference < tolerance, "{what} at {edge} px differs by {difference}");
}

/// Sizes around whole blocks and units, each divisor of the decoder, each way of sampling.
#[test]
fn every_sampling_and_divisor_agrees() {
    use SamplingFactor::*;
    for sampling in [F_1_1, F_2_1, F_1_2, F_2_2, F_4_1, F_4_2, F_1_4, F_2_4] {
        for (width, height) in [(640, 480), (641, 479), (655, 337), (257, 801)] {
            let extras = Extras { sampling: Some(sampling), ..Extras::default() };
            let jpeg = jpeg_with(&picture(width, height), extras);
            for edge in [1000, 300, 260, 220, 180, 150, 110, 75, 38] {
                let what = format!("{sampling:?} {width}x{height}");
                assert_same(jpeg.clone(), edge, 3.0, &what);
            }
        }
    }
}

#[test]
fn restarts_and_scans_apart_agree() {
    for restart_interval in [None, Some(1), Some(7), Some(40), Some(1000)] {
        for apart in [false, true] {
            let extras = Extras {
                sampling: Some(SamplingFactor::F_2_2),
                restart_interval,
                apart,
                ..Extras::default()
            };
            let jpeg = jpeg_with(&picture(333, 222), extras);
            let what = format!("restart {restart_interval:?}, apart {apart}");
            assert_same(jpeg.clone(), 333, 1.0, &what);
            // libjpeg-turbo scales by a transform of its own.
            let far = if cfg!(feature = "turbojpeg") { 1.5 } else { 1.0 };
            assert_same(jpeg, 60, far, &what);
        }
    }
}

#[test]
fn progressive_agrees() {
    let extras = Extras { progressive: true, ..Extras::default() };
    let jpeg = jpeg_with(&picture(640, 480), extras);
    for edge in [640, 200, 50] {
        assert_same(jpeg.clone(), edge, 1.0, "progressive");
    }
}

/// What restarts are for: the first missing one ends the picture, what came before is shown.
#[test]
fn truncated_between_restarts_is_partial() {
    let extras = Extras { restart_interval: Some(16), ..Extras::default() };
    let jpeg = jpeg_with(&picture(640, 480), extras);
    let half = Source::bytes(&jpeg[..jpeg.len() / 2]);
    let thumbnail = Thumbnailer::builder().build().make(&half, 160).unwrap();
    assert!(thumbnail.partial);
    let bottom = decode(&thumbnail.bytes).at(80, 115);
    assert!(bottom.iter().all(|sample| sample.abs_diff(128) < 4), "{bottom:?} is not grey");
}

#[test]
fn photographs_agree() {
    for path in files_in("LARDER_PHOTOS", "").into_iter().step_by(5) {
        let jpeg = std::fs::read(&path).unwrap();
        let upright = larder_thumbs::probe(&Source::path(&path)).unwrap().orientation == 1;
        if upright {
            assert_same(jpeg, 256, 2.0, path.to_str().unwrap());
        }
    }
}
