//! Small pictures of each kind, to begin from.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

const WIDTH: u32 = 37;
const HEIGHT: u32 = 26;

fn scene() -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        image::Rgb([(x * 6) as u8, (y * 9) as u8, (x ^ y) as u8])
    })
}

fn jpeg(set: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, 60);
    set(&mut encoder);
    encoder.encode(&scene(), WIDTH as u16, HEIGHT as u16, ColorType::Rgb).expect("a sound picture");
    out
}

/// JPEGs, each coded in another way.
pub fn jpegs() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        jpeg(|_| {}),
        jpeg(|encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2)),
        jpeg(|encoder| encoder.set_sampling_factor(SamplingFactor::F_4_1)),
        jpeg(|encoder| encoder.set_optimized_huffman_tables(true)),
        jpeg(|encoder| encoder.set_restart_interval(2)),
        jpeg(|encoder| encoder.set_progressive(true)),
        jpeg(|encoder| {
            encoder.set_progressive_scans(12);
            encoder.set_sampling_factor(SamplingFactor::F_2_1);
        }),
    ];
    let mut grey = Vec::new();
    let luma = DynamicImage::from(scene()).into_luma8();
    Encoder::new(&mut grey, 60)
        .encode(&luma, WIDTH as u16, HEIGHT as u16, ColorType::Luma)
        .expect("a sound picture");
    seeds.push(grey);
    seeds
}

/// One picture of each other format.
pub fn others() -> Vec<Vec<u8>> {
    use ImageFormat::{Bmp, Gif, Png, Tiff, WebP};
    let made = [Png, Gif, WebP, Tiff, Bmp].map(|format| {
        let mut out = Cursor::new(Vec::new());
        DynamicImage::from(scene()).write_to(&mut out, format).expect("a sound picture");
        out.into_inner()
    });
    made.into()
}
