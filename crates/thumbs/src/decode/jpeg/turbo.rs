//! JPEG by libjpeg-turbo: the feature `turbojpeg`.
//!
//! It is given what it does best, and what it can be held to: sequential pictures in one scan, and
//! progressive ones. It reads from memory, calls nobody back and keeps its result whole, hence:
//!
//! - the file is read first, under the clock, and its bytes and the planes are in the budget; where
//!   they do not fit, the decoders in Rust may do;
//! - nothing can stop it, so its work is bounded instead: by the limit of pixels, and by a number of
//!   scans that no encoder reaches;
//! - whatever it complains about, be it an extra byte, is left to the decoders in Rust, so that a
//!   picture cut short becomes the same, and what is refused is refused with the same words. (Some
//!   wrong codes it passes over in silence, and shows what it makes of them.)

use std::io::Read;
use std::time::Instant;

use turbojpeg::{Colorspace, Decompressor, ScalingFactor, Subsamp, YuvImage};

use crate::Error;
use crate::decode::planes::{Plane, Planes};
use crate::decode::strips::{Shrunk, shrink_whole};
use crate::header::jpeg::{Frame, Process};
use crate::source::Opened;
use crate::watch::{Allowance, watched};

/// Encoders write ten scans; a hostile picture may have thousands, each over all blocks.
const MAX_SCANS: u32 = 64;

/// Rows of planes begin where SIMD likes it.
const ALIGN: usize = 32;

const BUFFER_BYTES: usize = 64 << 10;

/// Its own tables and rows, generously.
const SMALL_CHANGE: u64 = 1 << 20;

/// True for the pictures that it is given.
fn takes(frame: &Frame) -> bool {
    let one_scan = frame.process == Process::Sequential && frame.interleaved;
    let luma_leads = frame.max_sampling() == frame.sampling[0];
    let chroma_is_alike = frame.sampling.len() == 1 || frame.sampling[1..] == [(1, 1); 2];
    luma_leads && chroma_is_alike && (one_scan || frame.process == Process::Progressive)
}

/// What it occupies with a source of so many bytes; `None` when the picture is not for it.
pub(crate) fn needed_bytes(
    frame: &Frame,
    source_bytes: u64,
    eighths: u32,
    heights: &[u32],
) -> Option<u64> {
    if !takes(frame) {
        return None;
    }
    let (h_max, v_max) = frame.max_sampling();
    let whole = |n: u16, max: u8| u64::from(n).next_multiple_of(8 * u64::from(max));
    let (width, height) = (whole(frame.width, h_max), whole(frame.height, v_max));
    let units = u64::from(h_max) * u64::from(v_max);
    let in_unit: u64 = frame.sampling.iter().map(|&(h, v)| u64::from(h) * u64::from(v)).sum();
    let samples = |pixels: u64| pixels * in_unit / units;
    let scale = |n: u64| n * u64::from(eighths) / 8;
    let scaled = (scale(width) + ALIGN as u64) * (scale(height) + 8);
    let coefficients = match frame.process {
        Process::Progressive => 2 * samples(width * height),
        _ => 0,
    };
    let heights: u64 = heights.iter().map(|&height| u64::from(height)).sum();
    // A shrunk component is as wide as its plane.
    let shrunk = frame.sampling.len() as u64 * (scale(width) + 64) * heights;
    Some(source_bytes + samples(scaled) * 2 + coefficients + shrunk + SMALL_CHANGE)
}

/// Decodes to `eighths` of the picture's size; `None` when it had anything to complain about.
pub(crate) fn decode(
    source: &Opened,
    source_bytes: u64,
    frame: &Frame,
    eighths: u32,
    heights: &[u32],
    allowed: Allowance,
) -> Result<Option<Planes>, Error> {
    let started = Instant::now();
    let read;
    let jpeg = match source.in_memory() {
        Some(bytes) => bytes,
        None => {
            read = read_whole(source, source_bytes, allowed)?;
            &read
        }
    };
    let planes = scaled(jpeg, frame, eighths)
        .map(|image| apart(&image, frame, eighths, heights))
        .transpose()?;
    if started.elapsed() > allowed.time {
        return Err(Error::too_slow(allowed.time));
    }
    Ok(planes)
}

fn read_whole(source: &Opened, bytes: u64, allowed: Allowance) -> Result<Vec<u8>, Error> {
    let (input, verdict) = watched(source.origin()?, allowed, BUFFER_BYTES);
    let mut jpeg = Vec::with_capacity(bytes as usize);
    let result = input.take(bytes).read_to_end(&mut jpeg);
    result.map_err(|e| verdict.error(allowed, source.path()).unwrap_or(Error::damaged(e)))?;
    Ok(jpeg)
}

fn scaled(jpeg: &[u8], frame: &Frame, eighths: u32) -> Option<YuvImage<Vec<u8>>> {
    let mut decompressor = Decompressor::new().ok()?;
    decompressor.set_scan_limit(MAX_SCANS).ok()?;
    let header = decompressor.read_header(jpeg).ok()?;
    let colours = [Colorspace::YCbCr, Colorspace::Gray].contains(&header.colorspace);
    let same = (header.width, header.height) == (frame.width.into(), frame.height.into());
    if !colours || !same || header.is_lossless || header.subsamp == Subsamp::Unknown {
        return None;
    }
    let factor = ScalingFactor::new(eighths as usize, 8);
    decompressor.set_scaling_factor(factor).ok()?;
    // The sampling has to be the library's own finding: it writes by that, whatever is said here.
    let (subsamp, header) = (header.subsamp, header.scaled(factor));
    let (width, height) = (header.width, header.height);
    let bytes = turbojpeg::yuv_pixels_len(width, ALIGN, height, subsamp).ok()?;
    let mut image = YuvImage { pixels: vec![0; bytes], width, align: ALIGN, height, subsamp };
    decompressor.decompress_to_yuv(jpeg, image.as_deref_mut()).ok()?;
    Some(image)
}

/// Takes the planes out of the one buffer that they lie in.
fn apart(
    image: &YuvImage<Vec<u8>>,
    frame: &Frame,
    eighths: u32,
    heights: &[u32],
) -> Result<Planes, Error> {
    let mut rest = image.pixels.as_slice();
    let luma = (image.y_width(), image.y_height(), (1, 1));
    let chroma = (image.uv_width(), image.uv_height(), image.subsamp.size());
    let mut planes = Vec::with_capacity(frame.sampling.len());
    for (width, height, (h, v)) in [luma, chroma, chroma].into_iter().take(frame.sampling.len()) {
        let stride = width.next_multiple_of(ALIGN);
        let (samples, after) = rest
            .split_at_checked(stride * height)
            .ok_or_else(|| Error::damaged("JPEG planes are short"))?;
        rest = after;
        let covers =
            |n: u16, share: usize| f64::from(n) * f64::from(eighths) / (8.0 * share as f64);
        let covered_rows = covers(frame.height, v).min(height as f64);
        let shrunk: Vec<Shrunk> = shrink_whole(samples, stride, covered_rows, heights)?;
        planes.push(Plane { shrunk, stride, covers: covers(frame.width, h).min(width as f64) });
    }
    Ok(Planes { planes, rgb: false, partial: false })
}
