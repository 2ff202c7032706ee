//! JPEG, scaled in the inverse DCT.
//!
//! Photographs go through [`sequential`] and [`progressive`]; lossless and CMYK pictures through
//! `jpeg-decoder`. With the feature `turbojpeg` libjpeg-turbo is asked first where it may be.

mod bits;
mod coefficients;
mod huffman;
mod idct;
mod measures;
mod progressive;
mod sequential;
mod tables;
#[cfg(feature = "turbojpeg")]
pub(crate) mod turbo;
mod zigzag;

use jpeg_decoder::{Decoder, Error as JpegError, PixelFormat};

use super::{Channels, Decoded, Plan, Raster};
use crate::Error;
use crate::header::jpeg::{Frame, Process};
use crate::watch::Input;

/// How much must be left to the resizer. The inverse DCT at 1/8 is a box filter: at a reduction of
/// 8 from 1/4 the SSIMULACRA2 score is 71, from 1/8 it is 46. Two is what libvips leaves, too.
const LEFT_TO_RESIZER: u32 = 2;

/// Finds the least size that still leaves the resizer its share, in eighths of the picture's.
pub(crate) fn eighths(frame: &Frame, edge: u32) -> u32 {
    if frame.process == Process::Lossless {
        return 8;
    }
    let longest = u64::from(frame.width.max(frame.height));
    let wanted = u64::from(edge) * u64::from(LEFT_TO_RESIZER);
    let eighths = (1..8).find(|&n| longest * u64::from(n) >= wanted * 8).unwrap_or(8);
    // What `jpeg-decoder` has.
    if is_own(frame) { eighths } else { eighths.next_power_of_two() }
}

/// An upper bound of the decoder's memory. That of `jpeg-decoder` follows from the way it works:
///
/// - all coefficients of a progressive CMYK picture are kept until its last scan, two bytes each;
///   those of a sequential one wait in a queue for the inverse DCT, at worst all of them;
/// - a plane for each component, then all of them interleaved;
/// - a lossless picture has four-byte differences and two-byte samples beside its result.
pub(crate) fn needed_bytes(frame: &Frame, eighths: u32, heights: &[u32]) -> u64 {
    if sequential::takes(frame) {
        return sequential::needed_bytes(frame, eighths, heights);
    }
    if progressive::takes(frame) {
        return progressive::needed_bytes(frame, eighths, heights);
    }
    let divisor = 8 / eighths;
    let pixels = |d: u32| {
        let along = |n: u16| u64::from(n).div_ceil(u64::from(d)) + 64;
        along(frame.width) * along(frame.height)
    };
    let components = frame.sampling.len() as u64;
    let samples = |d: u32| {
        let (h_max, v_max) = frame.max_sampling();
        let share = |&(h, v): &(u8, u8)| u64::from(h) * u64::from(v) * pixels(d);
        frame.sampling.iter().map(share).sum::<u64>() / (u64::from(h_max) * u64::from(v_max))
    };
    match frame.process {
        Process::Lossless => pixels(1) * components * (4 + 2 + 2),
        Process::Sequential | Process::Progressive => {
            2 * samples(1) + samples(divisor) + pixels(divisor) * components
        }
    }
}

/// Tells whether the picture is decoded here, rather than by `jpeg-decoder`.
pub(crate) fn is_own(frame: &Frame) -> bool {
    sequential::takes(frame) || progressive::takes(frame)
}

/// The clock is looked at once per buffer. A scan of a progressive picture may touch every block
/// and yet be twenty bytes long, so there the buffer is short.
pub(crate) fn buffer_bytes(frame: &Frame) -> usize {
    if frame.process == Process::Progressive { 1 << 10 } else { 32 << 10 }
}

pub(crate) fn decode(mut input: Input, frame: &Frame, plan: &Plan) -> Result<Decoded, Error> {
    input.end_jpeg_at_eof();
    if sequential::takes(frame) {
        return sequential::decode(input, frame, plan.eighths, &plan.heights).map(Decoded::Planes);
    }
    if progressive::takes(frame) {
        return progressive::decode(input, frame, plan.eighths, &plan.heights).map(Decoded::Planes);
    }
    let divisor = 8 / plan.eighths;
    let mut decoder = Decoder::new(input);
    let scaled = |n: u16| n.div_ceil(divisor as u16);
    decoder.scale(scaled(frame.width), scaled(frame.height)).map_err(failure)?;
    let pixels = decoder.decode().map_err(failure)?;
    let info = decoder.info().ok_or_else(|| Error::damaged("JPEG without a frame"))?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let (pixels, channels) = match info.pixel_format {
        PixelFormat::L8 => (pixels, Channels::Grey),
        PixelFormat::L16 => (super::other::high_bytes(pixels), Channels::Grey),
        PixelFormat::RGB24 => (pixels, Channels::Rgb),
        PixelFormat::CMYK32 => (pixels, Channels::Cmyk),
    };
    let covers = |n: u16, decoded: u32| (f64::from(n) / f64::from(divisor)).min(decoded.into());
    let covers = (covers(frame.width, width), covers(frame.height, height));
    Ok(Decoded::Packed(Raster { pixels, width, height, channels, covers, partial: false }))
}

fn failure(error: JpegError) -> Error {
    match error {
        JpegError::Unsupported(what) => Error::unsupported(format_args!("JPEG with {what:?}")),
        other => Error::damaged(other),
    }
}
