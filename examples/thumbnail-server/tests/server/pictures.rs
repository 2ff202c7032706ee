//! Pictures made for tests, and pixels looked at.

use std::path::Path;

use jpeg_encoder::{ColorType, Encoder};

/// The longest edge that a JPEG's header tells; some cameras' files are cut short behind it.
pub fn longest_edge_told(bytes: &[u8]) -> usize {
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    decoder.read_info().expect("a JPEG's header");
    let info = decoder.info().expect("the header was read");
    info.width.max(info.height).into()
}

/// Decoded pixels, three bytes each.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Pixels {
    /// Decodes a JPEG, in grey or in colour, and fails the test when it is not a whole one.
    pub fn of_jpeg(bytes: &[u8]) -> Self {
        let mut decoder = jpeg_decoder::Decoder::new(bytes);
        let pixels = decoder.decode().expect("a whole JPEG");
        let info = decoder.info().expect("a decoded JPEG has a header");
        let rgb = match info.pixel_format {
            jpeg_decoder::PixelFormat::RGB24 => pixels,
            jpeg_decoder::PixelFormat::L8 => pixels.iter().flat_map(|&l| [l, l, l]).collect(),
            other => panic!("a thumbnail in {other:?}"),
        };
        Self { width: info.width.into(), height: info.height.into(), rgb }
    }

    pub fn longest_edge(&self) -> usize {
        self.width.max(self.height)
    }

    /// Mean absolute difference of all channels, 0 to 255; both must be of one size.
    pub fn difference(&self, other: &Self) -> f64 {
        assert_eq!((self.width, self.height), (other.width, other.height));
        let sum: u64 =
            self.rgb.iter().zip(&other.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / self.rgb.len() as f64
    }

    /// What a viewer shows for these stored pixels under an EXIF orientation is `self`: this
    /// gives the pixels to store.
    pub fn stored_as(&self, orientation: u8) -> Self {
        let (w, h) = (self.width, self.height);
        let turned = orientation >= 5;
        let (width, height) = if turned { (h, w) } else { (w, h) };
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for y in 0..height {
            for x in 0..width {
                let (sx, sy) = match orientation {
                    1 => (x, y),
                    2 => (w - 1 - x, y),
                    3 => (w - 1 - x, h - 1 - y),
                    4 => (x, h - 1 - y),
                    5 => (y, x),
                    6 => (w - 1 - y, x),
                    7 => (w - 1 - y, h - 1 - x),
                    8 => (y, h - 1 - x),
                    _ => panic!("orientations are 1 to 8"),
                };
                let at = (sy * w + sx) * 3;
                rgb.extend_from_slice(&self.rgb[at..at + 3]);
            }
        }
        Self { width, height, rgb }
    }
}

/// A picture that looks different in every corner: a gradient with a red mark at the top left.
pub fn scene(width: usize, height: usize, seed: usize) -> Pixels {
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let marked = x < width / 4 && y < height / 4;
            rgb.extend_from_slice(&[
                if marked { 250 } else { (x * 200 / width) as u8 },
                (y * 200 / height) as u8,
                ((x + y + seed * 40) * 255 / (width + height) % 256) as u8,
            ]);
        }
    }
    Pixels { width, height, rgb }
}

/// Writes a JPEG with an orientation tag.
pub fn write_jpeg(path: &Path, upright: &Pixels, orientation: u8) {
    let stored = upright.stored_as(orientation);
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, 92);
    encoder.add_app_segment(1, exif(orientation)).expect("a short segment");
    encoder
        .encode(&stored.rgb, stored.width as u16, stored.height as u16, ColorType::Rgb)
        .expect("encoding to memory");
    std::fs::write(path, out).expect("the folder is writable");
}

/// The least EXIF that says an orientation: one directory with one entry (TIFF 6, little endian).
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0, 0]);
    exif
}

/// A folder with a few pictures of several shapes.
pub fn some_photos() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (number, (width, height)) in
        [(900, 600), (600, 900), (1500, 500), (200, 150)].into_iter().enumerate()
    {
        let name = format!("picture-{number}.jpg");
        write_jpeg(&dir.path().join(name), &scene(width, height, number), 1);
    }
    dir
}
