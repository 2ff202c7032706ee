//! Any bytes are answered with a picture or an error: no panic, no hang, no memory beyond the
//! budget.

mod pictures;

use std::time::{Duration, Instant};

use image::ImageFormat;
use larder_thumbs::{Error, Output, Preset, Source, Thumbnail, Thumbnailer, probe};
use pictures::{Extras, decode, files_in, in_format, jpeg, jpeg_with, rgb_image, scene};
use proptest::prelude::*;

/// Asks in every way there is; what comes out is checked, and must come soon.
fn answer(bytes: &[u8]) -> Result<Thumbnail, Error> {
    let thumbnailer = Thumbnailer::builder().memory_budget_bytes(64 << 20).build();
    let source = Source::bytes(bytes);
    let started = Instant::now();
    let _ = probe(&source);
    let result = thumbnailer.make(&source, 64);
    assert!(started.elapsed() < Duration::from_secs(20), "took {:?}", started.elapsed());
    match &result {
        Ok(thumbnail) => {
            let pixels = decode(&thumbnail.bytes);
            assert_eq!((pixels.width, pixels.height), (thumbnail.width, thumbnail.height));
            assert!(thumbnail.width.max(thumbnail.height) <= 64);
        }
        Err(e) => {
            let message = e.to_string();
            assert!(
                !message.contains("panicked"),
                "contained, but a panic all the same: {message}"
            );
            assert!(message.len() > 10 && !message.ends_with('.'), "{message:?} diagnoses nothing");
        }
    }
    result
}

fn each_format() -> Vec<(ImageFormat, Vec<u8>)> {
    let picture = rgb_image(&scene(160, 120));
    let formats = [
        ImageFormat::Png,
        ImageFormat::Gif,
        ImageFormat::WebP,
        ImageFormat::Tiff,
        ImageFormat::Bmp,
    ];
    let others = formats.map(|format| (format, in_format(picture.clone(), format)));
    [(ImageFormat::Jpeg, jpeg(&scene(160, 120)))].into_iter().chain(others).collect()
}

#[test]
fn every_hostile_picture_is_answered() {
    for path in files_in("LARDER_HOSTILE", "") {
        eprintln!("{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        let as_jpeg = answer(&bytes);
        each_output_agrees(&bytes, &as_jpeg);
    }
}

/// Whatever it is encoded as, a picture is good or it is not.
fn each_output_agrees(bytes: &[u8], as_jpeg: &Result<Thumbnail, Error>) {
    let thumbnailer = Thumbnailer::builder().memory_budget_bytes(64 << 20).build();
    let source = Source::bytes(bytes);
    let others: &[Output] = &[
        Output::Png,
        #[cfg(feature = "webp")]
        Output::WebP,
        #[cfg(feature = "avif")]
        Output::Avif,
    ];
    for &output in others {
        let made = thumbnailer.make(&source, Preset::new(64).output(output).keep_copyright(true));
        match (made, as_jpeg) {
            (Ok(made), Ok(jpeg)) => {
                assert!(!made.bytes.is_empty() && made.output == output);
                assert_eq!((made.width, made.height), (jpeg.width, jpeg.height));
            }
            (Err(made), Err(jpeg)) => assert_eq!(made.to_string(), jpeg.to_string()),
            (made, jpeg) => panic!("{made:?} as {output:?}, but {jpeg:?} as JPEG"),
        }
    }
}

#[test]
fn each_format_is_read() {
    for (format, bytes) in each_format() {
        let thumbnail = answer(&bytes).unwrap_or_else(|e| panic!("{format:?}: {e}"));
        assert_eq!((thumbnail.width, thumbnail.height), (64, 48));
        let difference = decode(&thumbnail.bytes)
            .difference(&decode(&answer(&each_format()[0].1).unwrap().bytes));
        assert!(difference < 12.0, "{format:?} differs by {difference}");
    }
}

#[test]
fn truncations_at_each_sixteenth_are_answered() {
    let progressive = Extras { progressive: true, ..Extras::default() };
    let progressive = (ImageFormat::Jpeg, jpeg_with(&scene(160, 120), progressive));
    for (_, bytes) in each_format().into_iter().chain([progressive]) {
        for sixteenth in 0..16 {
            let _ = answer(&bytes[..bytes.len() * sixteenth / 16]);
        }
    }
}

#[test]
fn flipped_bytes_are_answered() {
    for (_, bytes) in each_format() {
        for at in (0..bytes.len()).step_by(1 + bytes.len() / 300) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0xFF;
            let as_jpeg = answer(&bytes);
            if at % 16 == 0 {
                each_output_agrees(&bytes, &as_jpeg);
            }
        }
    }
}

#[test]
fn giant_sizes_are_refused_before_anything_is_allocated() {
    let mut giant_jpeg = jpeg(&scene(16, 16));
    let sof = giant_jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    giant_jpeg[sof + 5..sof + 9].fill(0xFF);
    let mut giant_png = in_format(rgb_image(&scene(16, 16)), ImageFormat::Png);
    giant_png[16..24].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]);
    let crc = pictures::crc32(&giant_png[12..29]);
    giant_png[29..33].copy_from_slice(&crc.to_be_bytes());
    let mut giant_gif = in_format(rgb_image(&scene(16, 16)), ImageFormat::Gif);
    giant_gif[6..10].fill(0xFF);
    let mut giant_bmp = in_format(rgb_image(&scene(16, 16)), ImageFormat::Bmp);
    giant_bmp[18..26].copy_from_slice(&[0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0, 0]);

    assert_eq!(probe(&Source::bytes(giant_jpeg.clone())).unwrap().width, 65535);
    for (giant, size) in [(giant_jpeg, "65535x65535"), (giant_gif, "65535x65535")] {
        let error = answer(&giant).unwrap_err();
        assert!(error.is_too_large() && error.to_string().contains(size), "{error}");
    }
    for giant in [giant_png, giant_bmp] {
        let error = answer(&giant).unwrap_err();
        assert!(error.is_too_large(), "{error}");
    }
}

#[test]
fn nothing_and_text_are_no_pictures() {
    for bytes in [b"".as_slice(), b"\0", b"BM", b"<html>not found</html>", &[0; 4096]] {
        let error = answer(bytes).unwrap_err();
        assert!(error.is_not_a_picture(), "{error}");
    }
}

/// A progressive picture may repeat a scan of a few bytes that walks over all blocks; sizes do not
/// show it.
#[test]
fn a_picture_of_a_million_scans_runs_into_the_time_limit() {
    let grey = vec![128; 3000 * 3000];
    let extras = Extras { progressive: true, ..Extras::default() };
    let sound = pictures::encode(&grey, 3000, 3000, jpeg_encoder::ColorType::Luma, extras);
    let last = sound.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    let end = sound.len() - 2;
    let mut bomb = sound[..end].to_vec();
    for _ in 0..3000 {
        bomb.extend_from_slice(&sound[last..end]);
    }
    let thumbnailer = Thumbnailer::builder().time_limit(Duration::from_millis(200)).build();
    let started = Instant::now();
    let error = thumbnailer.make(&Source::bytes(bomb), 100).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_bytes_are_answered(tail in proptest::collection::vec(any::<u8>(), 0..600), kind in 0usize..7) {
        let magic: &[u8] = [
            b"\xFF\xD8\xFF".as_slice(), b"\x89PNG\r\n\x1A\n", b"GIF89a", b"RIFF\x40\0\0\0WEBP",
            b"II\x2A\0", b"BM\0\0\0\0\0\0\0\0", b"",
        ][kind];
        let _ = answer(&[magic, &tail].concat());
    }

    #[test]
    fn damaged_pictures_are_answered(
        format in 0usize..6,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let (_, mut bytes) = each_format().swap_remove(format);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = answer(&bytes);
    }

    #[test]
    fn random_exif_is_survived(mut block in proptest::collection::vec(any::<u8>(), 0..400), header: bool) {
        if header {
            block.splice(0..0, *b"II\x2A\0\x08\0\0\0");
        }
        let extras = Extras { exif: Some(block), ..Extras::default() };
        let source = Source::bytes(jpeg_with(&scene(16, 16), extras));
        prop_assert!(probe(&source).is_ok());
    }
}
