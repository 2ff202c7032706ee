//! PNG, GIF, WebP, TIFF and BMP, through the `image` crate; samples have 8 bits afterwards, and
//! alpha is premultiplied.

use image::{ColorType, ImageDecoder};

use super::{Channels, Raster};
use crate::header::{self, Header};
use crate::watch::Input;
use crate::{Error, Format, alpha};

pub(crate) const BUFFER_BYTES: usize = 32 << 10;

/// What the PNG decoder may take for chunks beside the pixels: it reads profile and texts again,
/// and inflates the profile.
const PNG_CHUNK_BYTES: u64 = 2 << 20;

/// For the decoder's tables, row buffers and windows; a TIFF's lists of strips, 32 bytes a number,
/// are more.
fn small_change(format: Format) -> u64 {
    match format {
        Format::Tiff => 6 << 20,
        Format::Png => (1 << 20) + PNG_CHUNK_BYTES,
        _ => 1 << 20,
    }
}

/// An upper bound of what the decoder and its result occupy. GIF, WebP and TIFF keep a frame, a
/// canvas or strips (which may be the whole picture) of their own beside the result, and more while
/// they convert; PNG and BMP only rows, but the resizer takes a plane beside the result later.
pub(crate) fn needed_bytes(format: Format, total_bytes: u64) -> u64 {
    let beside = match format {
        Format::Png | Format::Bmp => total_bytes.div_ceil(3),
        _ => total_bytes.saturating_mul(2),
    };
    total_bytes.saturating_add(beside).saturating_add(small_change(format))
}

pub(crate) fn decode(input: Input, header: &Header, max_alloc: u64) -> Result<Raster, Error> {
    let Some(name) = header.format.image_crate() else {
        return Err(Error::unsupported(header.format.media_type()));
    };
    let within = if header.format == Format::Png { PNG_CHUNK_BYTES } else { max_alloc };
    let decoder = header::other::open(name, input, within)?;
    let (width, height) = decoder.dimensions();
    if (width, height) != (header.width, header.height) || decoder.total_bytes() > max_alloc {
        return Err(Error::damaged("header changed between two readings"));
    }
    let color = decoder.color_type();
    let mut pixels = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut pixels).map_err(header::other::failure)?;
    let (pixels, channels) = plain(pixels, color)?;
    let covers = (width.into(), height.into());
    Ok(Raster { pixels, width, height, channels, covers, partial: false })
}

/// Reduces samples to 8 bits and premultiplies them, all within the same buffer.
fn plain(pixels: Vec<u8>, color: ColorType) -> Result<(Vec<u8>, Channels), Error> {
    Ok(match color {
        ColorType::L8 => (pixels, Channels::Grey),
        ColorType::L16 => (high_bytes(pixels), Channels::Grey),
        ColorType::La8 => (premultiplied::<2>(pixels), Channels::GreyAlpha),
        ColorType::La16 => (premultiplied::<2>(high_bytes(pixels)), Channels::GreyAlpha),
        ColorType::Rgb8 => (pixels, Channels::Rgb),
        ColorType::Rgb16 => (high_bytes(pixels), Channels::Rgb),
        ColorType::Rgb32F => (from_floats(pixels), Channels::Rgb),
        ColorType::Rgba8 => (premultiplied::<4>(pixels), Channels::Rgba),
        ColorType::Rgba16 => (premultiplied::<4>(high_bytes(pixels)), Channels::Rgba),
        ColorType::Rgba32F => (premultiplied::<4>(from_floats(pixels)), Channels::Rgba),
        other => return Err(Error::unsupported(format_args!("pixels of type {other:?}"))),
    })
}

/// Rounds native-endian 16-bit samples to 8 bits.
pub(crate) fn high_bytes(mut pixels: Vec<u8>) -> Vec<u8> {
    shrink::<2>(&mut pixels, |sample| {
        ((u32::from(u16::from_ne_bytes(sample)) * 255 + 32_767) / 65_535) as u8
    });
    pixels
}

/// Rounds native-endian floats, of which 0 to 1 can be shown, to 8 bits.
fn from_floats(mut pixels: Vec<u8>) -> Vec<u8> {
    shrink::<4>(&mut pixels, |sample| (f32::from_ne_bytes(sample) * 255.0).round() as u8);
    pixels
}

fn shrink<const N: usize>(pixels: &mut Vec<u8>, convert: impl Fn([u8; N]) -> u8) {
    let count = pixels.len() / N;
    for i in 0..count {
        let mut sample = [0; N];
        sample.copy_from_slice(&pixels[i * N..][..N]);
        pixels[i] = convert(sample);
    }
    pixels.truncate(count);
}

fn premultiplied<const N: usize>(mut pixels: Vec<u8>) -> Vec<u8> {
    alpha::premultiply::<N>(&mut pixels);
    pixels
}
