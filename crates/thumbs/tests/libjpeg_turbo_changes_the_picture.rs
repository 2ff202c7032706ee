//! With libjpeg-turbo and without, a sound picture is the same: its pixels, how it lies, its
//! colours; and so is what becomes of one that is cut short.
#![cfg(feature = "turbojpeg")]

mod pictures;

use std::time::Duration;

use jpeg_encoder::{ColorType, SamplingFactor};
use larder_thumbs::{Error, Source, Thumbnail, Thumbnailer, ThumbnailerBuilder};
use pictures::{Extras, Pixels, decode, encode, exif, files_in, jpeg_with, scene, stored};

fn waves(width: u32, height: u32) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        let wave = |period: f32, at: u32| (at as f32 / period).sin() * 60.0 + 120.0;
        let dot = if (x / 23 + y / 17) % 7 == 0 { 60 } else { 0 };
        [wave(31.0, x + y) as u8 + dot, wave(47.0, x) as u8, wave(29.0, y) as u8]
    })
}

fn builder() -> ThumbnailerBuilder {
    Thumbnailer::builder().quality(100).memory_budget_bytes(64 << 20)
}

/// By libjpeg-turbo, and by Rust alone.
fn both(jpeg: &[u8], edge: u32) -> [Result<Thumbnail, Error>; 2] {
    let source = Source::bytes(jpeg);
    [true, false].map(|turbo| builder().turbojpeg(turbo).build().make(&source, edge))
}

#[track_caller]
fn assert_alike(jpeg: &[u8], edge: u32, tolerance: f64, what: &str) {
    match both(jpeg, edge) {
        [Ok(turbo), Ok(rust)] => {
            assert_eq!(turbo.partial, rust.partial, "{what}");
            let difference = decode(&turbo.bytes).difference(&decode(&rust.bytes));
            assert!(difference <= tolerance, "{what} at {edge} px differs by {difference}");
        }
        [Err(turbo), Err(rust)] => assert_eq!(turbo.to_string(), rust.to_string(), "{what}"),
        [turbo, rust] => panic!("{what}: {turbo:?}, but {rust:?}"),
    }
}

/// libjpeg-turbo halves by averages where the decoder in Rust drops frequencies; of the progressive
/// ones the decoders in Rust round more coarsely.
#[test]
fn each_sampling_and_scale_is_alike() {
    use SamplingFactor::*;
    for (progressive, tolerance) in [(false, 2.0), (true, 3.0)] {
        for sampling in [F_1_1, F_2_1, F_1_2, F_2_2, F_4_1, F_4_2, F_1_4, F_2_4] {
            for (width, height) in [(641, 479), (257, 801)] {
                let sampling = Some(sampling);
                let extras = Extras { sampling, progressive, ..Extras::default() };
                let jpeg = jpeg_with(&waves(width, height), extras);
                for edge in [1000, 300, 260, 220, 180, 150, 110, 75, 38] {
                    let what = format!("{sampling:?} {width}x{height}, progressive {progressive}");
                    assert_alike(&jpeg, edge, tolerance, &what);
                }
            }
        }
    }
}

/// Were libjpeg-turbo never asked, all else here would hold, too.
#[test]
fn it_is_asked_where_it_may_be() {
    for progressive in [false, true] {
        let sampling = Some(SamplingFactor::F_2_2);
        let extras = Extras { progressive, sampling, ..Extras::default() };
        let [turbo, rust] = both(&jpeg_with(&waves(640, 480), extras), 150).map(Result::unwrap);
        assert_ne!(turbo.bytes, rust.bytes, "progressive {progressive}");
    }
}

#[test]
fn grey_inks_scans_apart_and_a_picture_on_its_side_are_alike() {
    let waves = waves(330, 220);
    let grey: Vec<u8> = waves.rgb.iter().step_by(3).copied().collect();
    let inks: Vec<u8> = waves.rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], 30]).collect();
    for progressive in [false, true] {
        let extras = || Extras { progressive, ..Extras::default() };
        let grey = encode(&grey, 330, 220, ColorType::Luma, extras());
        assert_alike(&grey, 100, 2.0, "grey");
        let inks = encode(&inks, 330, 220, ColorType::Cmyk, extras());
        assert_alike(&inks, 100, 0.0, "four inks");
        let apart = jpeg_with(&waves, Extras { apart: true, ..extras() });
        assert_alike(&apart, 100, 3.0, "scans apart");
        for orientation in 1..=8 {
            let told = exif(Some(orientation), None, None);
            let lying = stored(&scene(320, 240), orientation as u8);
            let lying = jpeg_with(&lying, Extras { exif: Some(told), ..extras() });
            assert_alike(&lying, 100, 2.0, "orientation");
            let upright = both(&lying, 100).map(|made| decode(&made.unwrap().bytes));
            assert!(upright.iter().all(|made| (made.width, made.height) == (100, 75)));
        }
    }
}

/// What libjpeg-turbo complains about is decoded in Rust, and comes out the same to the bit.
#[test]
fn what_is_cut_short_is_the_same() {
    for progressive in [false, true] {
        let extras = Extras { progressive, ..Extras::default() };
        let jpeg = jpeg_with(&waves(640, 480), extras);
        for sixteenth in 1..16 {
            assert_alike(&jpeg[..jpeg.len() * sixteenth / 16], 100, 0.0, "cut short");
        }
    }
}

/// libjpeg-turbo may pass over a wrong code in silence and show what it makes of it. It never
/// refuses what the decoders in Rust take, and when both refuse, the reason is the same.
#[track_caller]
fn assert_no_worse(jpeg: &[u8], what: &str) {
    match both(jpeg, 64) {
        [Ok(turbo), Ok(rust)] => {
            let told = |made: &Thumbnail| (made.width, made.height, made.partial);
            assert_eq!(told(&turbo), told(&rust), "{what}");
        }
        [Ok(_), Err(rust)] => assert!(rust.is_damaged(), "{what}: {rust}"),
        [Err(turbo), Err(rust)] => assert_eq!(turbo.to_string(), rust.to_string(), "{what}"),
        [Err(turbo), Ok(_)] => panic!("{what}: only libjpeg-turbo refused it: {turbo}"),
    }
}

#[test]
fn a_changed_byte_is_no_worse() {
    for progressive in [false, true] {
        let jpeg = jpeg_with(&scene(160, 120), Extras { progressive, ..Extras::default() });
        for at in (0..jpeg.len()).step_by(1 + jpeg.len() / 400) {
            let mut jpeg = jpeg.clone();
            jpeg[at] ^= 0x55;
            assert_no_worse(&jpeg, &format!("byte {at}, progressive {progressive}"));
        }
    }
}

#[test]
fn hostile_pictures_are_no_worse() {
    for path in files_in("LARDER_HOSTILE", "") {
        assert_no_worse(&std::fs::read(&path).unwrap(), path.to_str().unwrap());
    }
}

#[test]
fn photographs_are_alike() {
    for path in files_in("LARDER_PHOTOS", "").into_iter().step_by(6) {
        let jpeg = std::fs::read(&path).unwrap();
        assert_alike(&jpeg, 320, 2.0, path.to_str().unwrap());
    }
}

/// It takes the file into memory as a whole: with no room for that it is not asked.
#[test]
fn without_room_for_the_file_it_is_decoded_in_rust() {
    let jpeg = jpeg_with(&waves(1200, 900), Extras::default());
    let source = Source::bytes(jpeg.as_slice());
    let [turbo, rust] = [true, false].map(|turbo| {
        let thumbnailer = builder().turbojpeg(turbo).memory_budget_bytes(1 << 20).build();
        thumbnailer.make(&source, 100).expect("the decoder in Rust needs little").bytes
    });
    assert_eq!(turbo, rust);
    assert_ne!(both(&jpeg, 100)[0].as_ref().unwrap().bytes, rust);
}

#[test]
fn a_file_is_read_as_its_bytes_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("waves.jpg");
    let jpeg = jpeg_with(&waves(1200, 900), Extras::default());
    std::fs::write(&path, &jpeg).unwrap();
    let thumbnailer = builder().build();
    let from_file = thumbnailer.make(&Source::path(&path), 200).unwrap();
    assert_eq!(from_file, thumbnailer.make(&Source::bytes(jpeg), 200).unwrap());
}

#[test]
fn the_time_limit_holds() {
    let jpeg = jpeg_with(&waves(1200, 900), Extras::default());
    let none = builder().time_limit(Duration::ZERO).build();
    let error = none.make(&Source::bytes(jpeg), 200).unwrap_err();
    assert!(error.is_timeout(), "{error}");
}
