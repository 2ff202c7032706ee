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
    /// True when there is a profile that is too long to be kept while waiting for room.
    pub icc_put_off: bool,
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

/// Bytes of a profile; one for printing has some 600,000. A longer one is as good as absent.
pub(crate) const MAX_PROFILE_BYTES: u64 = 2 << 20;

/// Of a longer profile than this no copy is kept while waiting for room.
const PROFILE_BYTES_KEPT: usize = 64 << 10;

/// An upper bound of what reading a header occupies: in a TIFF two lists of strips, elsewhere
/// segments or chunks of a profile and the profile that they make.
pub(crate) fn needed_bytes(format: Format) -> u64 {
    if format == Format::Tiff { 8 << 20 } else { 2 * MAX_PROFILE_BYTES }
}

/// Small: segments are skipped by seeking, and a large buffer would read what is skipped.
const BUFFER_BYTES: usize = 4096;

impl Header {
    /// Reads the header of an open source.
    pub(crate) fn read(source: &Opened, time: std::time::Duration) -> Result<Header, Error> {
        Header::read_as(sniff(source, time)?, source, time)
    }

    /// Reads the header of a source whose first bytes are of `format`.
    pub(crate) fn read_as(
        format: Format,
        source: &Opened,
        time: std::time::Duration,
    ) -> Result<Header, Error> {
        let allowed = Allowance { time, bytes: MAX_HEADER_BYTES };
        let (input, verdict) = watched(source.origin()?, allowed, BUFFER_BYTES);
        let header = crate::decode::contained(|| read_as(format, input));
        header.map_err(|e| verdict.error(allowed, source.path()).unwrap_or(e))
    }

    /// Lets go of what is too much to be held by everybody who waits.
    pub(crate) fn put_off_icc(&mut self) {
        if self.icc.as_ref().is_some_and(|icc| icc.len() > PROFILE_BYTES_KEPT) {
            (self.icc, self.icc_put_off) = (None, true);
        }
    }

    pub(crate) fn orientation(&self) -> u8 {
        self.told.orientation.unwrap_or(1)
    }
}

/// Tells the format from the first bytes.
pub(crate) fn sniff(source: &Opened, time: std::time::Duration) -> Result<Format, Error> {
    let allowed = Allowance { time, bytes: MAX_HEADER_BYTES };
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
