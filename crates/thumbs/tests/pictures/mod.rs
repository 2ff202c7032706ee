//! Pictures made for the tests, and a look at what came out.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::PathBuf;

use image::{DynamicImage, ImageFormat, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Decoded pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    pub rgb: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

impl Pixels {
    pub fn at(&self, x: u32, y: u32) -> [u8; 3] {
        let i = ((y * self.width + x) * 3) as usize;
        [self.rgb[i], self.rgb[i + 1], self.rgb[i + 2]]
    }

    pub fn from_fn(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Pixels {
        let rgb =
            (0..height).flat_map(|y| (0..width).flat_map(|x| pixel(x, y)).collect::<Vec<_>>());
        Pixels { rgb: rgb.collect(), width, height }
    }

    /// Mean absolute difference over all samples.
    pub fn difference(&self, other: &Pixels) -> f64 {
        assert_eq!((self.width, self.height), (other.width, other.height));
        let sum: u64 =
            self.rgb.iter().zip(&other.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / self.rgb.len() as f64
    }
}

/// A scene that looks different in each of its eight orientations: four coloured corners over a
/// slope.
pub fn scene(width: u32, height: u32) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        let slope = (x * 120 / width + y * 60 / height) as u8;
        match (x * 3 / width, y * 3 / height) {
            (0, 0) => [220, 30, 30],
            (2, 0) => [30, 200, 30],
            (2, 2) => [30, 30, 230],
            (0, 2) => [230, 220, 40],
            _ => [slope, slope, slope],
        }
    })
}

/// Stores a scene the way a camera held at `orientation` does: applying the orientation gives it
/// back.
pub fn stored(upright: &Pixels, orientation: u8) -> Pixels {
    let (w, h) = (upright.width, upright.height);
    let (stored_w, stored_h) = if orientation >= 5 { (h, w) } else { (w, h) };
    Pixels::from_fn(stored_w, stored_h, |x, y| match orientation {
        2 => upright.at(w - 1 - x, y),
        3 => upright.at(w - 1 - x, h - 1 - y),
        4 => upright.at(x, h - 1 - y),
        5 => upright.at(y, x),
        6 => upright.at(w - 1 - y, x),
        7 => upright.at(w - 1 - y, h - 1 - x),
        8 => upright.at(y, h - 1 - x),
        _ => upright.at(x, y),
    })
}

#[derive(Default)]
pub struct Extras {
    pub exif: Option<Vec<u8>>,
    pub icc: Option<Vec<u8>>,
    pub progressive: bool,
    pub sampling: Option<SamplingFactor>,
    pub restart_interval: Option<u16>,
    /// A scan for each component, with tables of their own.
    pub apart: bool,
}

pub fn jpeg(pixels: &Pixels) -> Vec<u8> {
    jpeg_with(pixels, Extras::default())
}

pub fn jpeg_with(pixels: &Pixels, extras: Extras) -> Vec<u8> {
    encode(&pixels.rgb, pixels.width, pixels.height, ColorType::Rgb, extras)
}

pub fn encode(bytes: &[u8], width: u32, height: u32, color: ColorType, extras: Extras) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, 92);
    encoder.set_progressive(extras.progressive);
    encoder.set_optimized_huffman_tables(extras.apart);
    if let Some(sampling) = extras.sampling {
        encoder.set_sampling_factor(sampling);
    }
    if let Some(interval) = extras.restart_interval {
        encoder.set_restart_interval(interval);
    }
    if let Some(exif) = extras.exif {
        encoder.add_exif_metadata(&exif).unwrap();
    }
    if let Some(icc) = extras.icc {
        encoder.add_icc_profile(&icc).unwrap();
    }
    encoder.encode(bytes, width as u16, height as u16, color).unwrap();
    out
}

pub fn in_format(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    picture.into().write_to(&mut out, format).unwrap();
    out.into_inner()
}

/// A TIFF of one strip, whose directory `more` entries follow: number, type and bytes of each.
pub fn tiff(pixels: &Pixels, more: &[(u16, u16, Vec<u8>)]) -> Vec<u8> {
    let short = |tag, value: u32| (tag, 3, u16::try_from(value).unwrap().to_be_bytes().to_vec());
    let long = |tag, value: usize| (tag, 4, (value as u32).to_be_bytes().to_vec());
    let mut entries = vec![
        short(256, pixels.width),
        short(257, pixels.height),
        (258, 3, vec![0, 8, 0, 8, 0, 8]),
        short(259, 1),
        short(262, 2),
        long(273, 8),
        short(277, 3),
        short(278, pixels.height),
        long(279, pixels.rgb.len()),
    ];
    entries.extend_from_slice(more);
    let mut out = b"MM\0\x2A".to_vec();
    out.extend_from_slice(&(8 + pixels.rgb.len() as u32).to_be_bytes());
    out.extend_from_slice(&pixels.rgb);
    directory(&mut out, &entries);
    out
}

pub fn rgb_image(pixels: &Pixels) -> RgbImage {
    RgbImage::from_raw(pixels.width, pixels.height, pixels.rgb.clone()).unwrap()
}

pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    })
}

/// Decodes a thumbnail; grey comes back as three equal samples.
pub fn decode(jpeg: &[u8]) -> Pixels {
    let mut decoder = jpeg_decoder::Decoder::new(jpeg);
    let decoded = decoder.decode().expect("a thumbnail is a sound JPEG");
    let info = decoder.info().unwrap();
    assert_eq!(info.coding_process, jpeg_decoder::CodingProcess::DctSequential);
    assert!(decoder.exif_data().is_none() && decoder.icc_profile().is_none(), "not stripped");
    let rgb = match info.pixel_format {
        jpeg_decoder::PixelFormat::L8 => decoded.iter().flat_map(|grey| [*grey; 3]).collect(),
        jpeg_decoder::PixelFormat::RGB24 => decoded,
        other => panic!("a thumbnail of {other:?}"),
    };
    Pixels { rgb, width: info.width.into(), height: info.height.into() }
}

/// A big-endian EXIF block; each entry is (tag, type, value bytes), `original` goes to its
/// sub-directory.
pub fn exif(orientation: Option<u16>, original: Option<&str>, make: Option<&str>) -> Vec<u8> {
    const ASCII: u16 = 2;
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    let mut entries: Vec<(u16, u16, Vec<u8>)> = Vec::new();
    if let Some(make) = make {
        entries.push((0x010F, ASCII, [make.as_bytes(), b"\0"].concat()));
    }
    if let Some(orientation) = orientation {
        entries.push((0x0112, SHORT, orientation.to_be_bytes().to_vec()));
    }
    let sub = original.map(|at| vec![(0x9003, ASCII, [at.as_bytes(), b"\0"].concat())]);
    if sub.is_some() {
        entries.push((0x8769, LONG, vec![0; 4]));
    }
    let mut block = b"MM\0\x2A\0\0\0\x08".to_vec();
    let pointer = directory(&mut block, &entries);
    if let Some(sub) = sub {
        let at = block.len() as u32;
        block[pointer..pointer + 4].copy_from_slice(&at.to_be_bytes());
        directory(&mut block, &sub);
    }
    block
}

/// Appends a directory; returns where the value of its last entry is.
fn directory(block: &mut Vec<u8>, entries: &[(u16, u16, Vec<u8>)]) -> usize {
    let mut values_at = block.len() + 2 + entries.len() * 12 + 4;
    let mut values: Vec<u8> = Vec::new();
    block.extend((entries.len() as u16).to_be_bytes());
    for (tag, kind, value) in entries {
        let bytes_each = [1, 1, 2, 4].get(usize::from(*kind) - 1).unwrap_or(&1);
        let count = value.len() as u32 / bytes_each;
        block.extend(tag.to_be_bytes());
        block.extend(kind.to_be_bytes());
        block.extend(count.to_be_bytes());
        let mut field = value.clone();
        if value.len() > 4 {
            field = (values_at as u32).to_be_bytes().to_vec();
            values.extend(value);
            values_at += value.len();
        }
        field.resize(4, 0);
        block.extend(field);
    }
    let last = block.len() - 4;
    block.extend([0; 4]);
    block.extend(values);
    last
}

/// The files of a directory named by an environment variable; empty when it is not set.
pub fn files_in(variable: &str, sub: &str) -> Vec<PathBuf> {
    let Some(dir) = std::env::var_os(variable) else {
        eprintln!("{variable} is not set: only pictures made here are tested");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(PathBuf::from(dir).join(sub))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "jpg"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{variable} holds no pictures");
    files
}
