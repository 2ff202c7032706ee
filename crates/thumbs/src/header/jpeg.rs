//! A walk over the segments of a JPEG up to its first scan.

use std::io::{self, BufRead, Read, Seek};

use super::{Coding, Header, MAX_PROFILE_BYTES};
use crate::exif::{self, Told};
use crate::watch::Input;
use crate::{Error, Format};

/// The frame header (SOF): what the decoder will have to do.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub width: u16,
    pub height: u16,
    pub process: Process,
    /// Sampling factors, horizontal and vertical, of each component.
    pub sampling: Vec<(u8, u8)>,
    /// Identifier and number of the quantization table of each component.
    pub components: Vec<(u8, u8)>,
    /// True when the first scan has all components.
    pub interleaved: bool,
}

impl Frame {
    /// The largest factors, which the picture's own size belongs to.
    pub(crate) fn max_sampling(&self) -> (u8, u8) {
        self.sampling.iter().fold((1, 1), |max, s| (max.0.max(s.0), max.1.max(s.1)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Process {
    Sequential,
    Progressive,
    Lossless,
}

/// Chunks that a profile may be cut into; their number is a byte.
const MAX_CHUNKS: usize = 255;

#[derive(Default)]
struct Found {
    frame: Option<Frame>,
    told: Option<Told>,
    icc_chunks: Vec<(u8, Vec<u8>)>,
    icc_bytes: u64,
}

pub(crate) fn read(mut input: Input) -> Result<Header, Error> {
    let found =
        walk(&mut input).map_err(|e| Error::damaged(format_args!("JPEG header: {e}")))??;
    let frame = found.frame.ok_or_else(|| Error::damaged("JPEG scan without a frame header"))?;
    if frame.width == 0 || frame.height == 0 {
        return Err(Error::damaged(format_args!(
            "JPEG of {}x{} pixels",
            frame.width, frame.height
        )));
    }
    Ok(Header {
        format: Format::Jpeg,
        width: frame.width.into(),
        height: frame.height.into(),
        told: found.told.unwrap_or_default(),
        icc: join(found.icc_chunks),
        icc_put_off: false,
        coding: Coding::Jpeg(frame),
    })
}

/// The outer error is of reading (the end included), the inner one of what was read.
fn walk(input: &mut Input) -> io::Result<Result<Found, Error>> {
    let mut found = Found::default();
    loop {
        let marker = next_marker(input)?;
        match marker {
            // Start of image, restart markers and TEM stand alone.
            0x01 | 0xD0..=0xD8 => continue,
            0xD9 => return Ok(Err(Error::damaged("JPEG ends before its first scan"))),
            0xDA => {
                // A scan that is cut short is the decoder's business.
                let scanned = read_u16(input).and_then(|_| read_u8(input)).unwrap_or(0);
                if let Some(frame) = &mut found.frame {
                    frame.interleaved = usize::from(scanned) == frame.components.len();
                }
                return Ok(Ok(found));
            }
            _ => {}
        }
        let length = read_u16(input)?;
        let Some(length) = length.checked_sub(2) else {
            return Ok(Err(Error::damaged(format_args!(
                "JPEG segment {marker:02x} of length {length}"
            ))));
        };
        match marker {
            0xC4 | 0xC8 | 0xCC => skip(input, length)?,
            0xC0..=0xCF => match frame(marker, &segment(input, length)?) {
                Ok(frame) => found.frame = Some(frame),
                Err(e) => return Ok(Err(e)),
            },
            0xE1 if found.told.is_none() => found.told = exif_block(segment(input, length)?),
            // One chunk more than there may be says that there are too many.
            0xE2 if found.icc_chunks.len() <= MAX_CHUNKS => {
                if let Some(chunk) = icc_chunk(segment(input, length)?) {
                    found.icc_bytes += chunk.1.len() as u64;
                    found.icc_chunks.push(chunk);
                }
                if found.icc_bytes > MAX_PROFILE_BYTES {
                    found.icc_chunks = vec![(0, Vec::new()); MAX_CHUNKS + 1];
                }
            }
            _ => skip(input, length)?,
        }
    }
}

/// Bytes between segments are passed over, as libjpeg does: some cameras leave padding there.
fn next_marker(input: &mut Input) -> io::Result<u8> {
    loop {
        input.skip_until(0xFF)?;
        let mut code = read_u8(input)?;
        while code == 0xFF {
            code = read_u8(input)?;
        }
        if code != 0 {
            return Ok(code);
        }
    }
}

fn frame(marker: u8, bytes: &[u8]) -> Result<Frame, Error> {
    let [precision, h1, h0, w1, w0, count, components @ ..] = bytes else {
        return Err(Error::damaged("JPEG frame header is cut short"));
    };
    let process = match marker {
        0xC0 | 0xC1 => Process::Sequential,
        0xC2 => Process::Progressive,
        0xC3 => Process::Lossless,
        0xC9..=0xCB => return Err(Error::unsupported("JPEG with arithmetic coding")),
        _ => return Err(Error::unsupported("hierarchical JPEG")),
    };
    if *precision != 8 && process != Process::Lossless {
        return Err(Error::unsupported(format_args!("JPEG with {precision} bits a sample")));
    }
    let sampling: Vec<(u8, u8)> =
        components.chunks_exact(3).map(|c| (c[1] >> 4, c[1] & 15)).collect();
    if sampling.len() != usize::from(*count) || !matches!(count, 1 | 3 | 4) {
        return Err(Error::unsupported(format_args!("JPEG with {count} components")));
    }
    if sampling.iter().any(|&(h, v)| !(1..=4).contains(&h) || !(1..=4).contains(&v)) {
        return Err(Error::damaged("JPEG sampling factor outside 1 to 4"));
    }
    let components = components.chunks_exact(3).map(|c| (c[0], c[2])).collect();
    let (width, height) = (u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0]));
    Ok(Frame { width, height, process, sampling, components, interleaved: false })
}

fn exif_block(mut bytes: Vec<u8>) -> Option<Told> {
    if !bytes.starts_with(b"Exif\0\0") {
        return None;
    }
    bytes.drain(..6);
    Some(exif::read(bytes))
}

fn icc_chunk(mut bytes: Vec<u8>) -> Option<(u8, Vec<u8>)> {
    if !bytes.starts_with(b"ICC_PROFILE\0") || bytes.len() < 14 {
        return None;
    }
    let number = bytes[12];
    bytes.drain(..14);
    Some((number, bytes))
}

/// A profile is cut into numbered chunks of less than 64 KB; with one missing or doubled it is
/// none.
fn join(mut chunks: Vec<(u8, Vec<u8>)>) -> Option<Vec<u8>> {
    chunks.sort_by_key(|(number, _)| *number);
    let complete = chunks.iter().zip(1u8..).all(|((number, _), expected)| *number == expected);
    (complete && !chunks.is_empty() && chunks.len() <= MAX_CHUNKS)
        .then(|| chunks.into_iter().flat_map(|(_, bytes)| bytes).collect())
}

fn segment(input: &mut Input, length: u16) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length.into()];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn skip(input: &mut Input, length: u16) -> io::Result<()> {
    input.seek_relative(length.into())
}

fn read_u8(input: &mut Input) -> io::Result<u8> {
    let mut byte = [0];
    input.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn read_u16(input: &mut Input) -> io::Result<u16> {
    Ok(u16::from_be_bytes([read_u8(input)?, read_u8(input)?]))
}
