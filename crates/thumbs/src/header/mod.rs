//! What is known of a picture before one of its pixels is decoded.

pub(crate) mod jpeg;
pub(crate) mod other;
mod tiff;

use std::io::Read;

use crate::exif::Told;
use crate::format::MAGIC_BYTES;
use crate::source::Opened;
use crate::watch::{Allowance, Input, watched};
use crate::{Error, Format};

/// The header, as far as decoding and import need it.
pub(crate) struct Header {
    pub format: Format,
    pub width: u32,
    pub height: u32,
    pub told: Told,
    pub icc: Option<Vec<u8>>,
    /// For a JPEG how it is coded, for the other formats how many bytes their decoder fills.
    pub coding: Coding,
}

pub(crate) enum Coding {
    Jpeg(jpeg::Frame),
    Other { total_bytes: u64 },
}

/// Headers with long metadata (maker notes, profiles, embedded previews) end within this; skipped
/// segments are not read and do not count.
const MAX_HEADER_BYTES: u64 = 4 << 20;

/// Small: segments are skipped by seeking, and a large buffer would read what is skipped.
const BUFFER_BYTES: usize = 4096;

impl Header {
    /// Reads the header of an open source.
    pub(crate) fn read(source: &Opened, time: std::time::Duration) -> Result<Header, Error> {
        let allowed = Allowance { time, bytes: MAX_HEADER_BYTES };
        let format = sniff(source, allowed)?;
        let (input, verdict) = watched(source.origin()?, allowed, BUFFER_BYTES);
        let header = crate::decode::contained(|| read_as(format, input));
        header.map_err(|e| verdict.error(allowed, source.path()).unwrap_or(e))
    }

    pub(crate) fn orientation(&self) -> u8 {
        self.told.orientation.unwrap_or(1)
    }
}

fn sniff(source: &Opened, allowed: Allowance) -> Result<Format, Error> {
    let (mut input, verdict) = watched(source.origin()?, allowed, MAGIC_BYTES);
    let mut first = Vec::with_capacity(MAGIC_BYTES);
    let result = input.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut first);
    if result.is_err() {
        return Err(verdict
            .error(allowed, source.path())
            .unwrap_or_else(|| Error::not_a_picture(&first)));
    }
    Format::of(&first).ok_or_else(|| Error::not_a_picture(&first))
}

fn read_as(format: Format, input: Input) -> Result<Header, Error> {
    match format.image_crate() {
        None => jpeg::read(input),
        Some(other) => other::read(format, other, input),
    }
}
