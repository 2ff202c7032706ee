//! Records as bytes: a checked frame of tagged fields.
//!
//! ```text
//! magic (4) | length of the fields (4) | xxh3 of the fields (8) | fields
//! field: tag (1) | length (4) | bytes
//! ```
//! Numbers are little-endian. A field with a tag that this release does not know is kept and
//! written back, so that two releases can share a store while one replaces the other.

use xxhash_rust::xxh3::xxh3_64;

const FRAME: usize = 16;
const FIELD: usize = 5;

/// Writes a frame.
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    pub(crate) fn new(magic: &[u8; 4], capacity: usize) -> Encoder {
        let mut bytes = Vec::with_capacity(FRAME + capacity);
        bytes.extend_from_slice(magic);
        bytes.resize(FRAME, 0);
        Encoder(bytes)
    }

    pub(crate) fn field(&mut self, tag: u8, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        self.0.push(tag);
        self.0.extend_from_slice(&u32::try_from(len).expect("fields are bounded").to_le_bytes());
        parts.iter().for_each(|part| self.0.extend_from_slice(part));
    }

    pub(crate) fn number(&mut self, tag: u8, number: u64) {
        self.field(tag, &[&number.to_le_bytes()]);
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let len = u32::try_from(self.0.len() - FRAME).expect("records are bounded");
        let sum = xxh3_64(&self.0[FRAME..]);
        self.0[4..8].copy_from_slice(&len.to_le_bytes());
        self.0[8..FRAME].copy_from_slice(&sum.to_le_bytes());
        self.0
    }
}

/// Reads the fields of a frame, which has been checked as a whole.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Checks the frame; `None` for what is cut short, altered, or not ours.
    pub(crate) fn of(bytes: &'a [u8], magic: &[u8; 4]) -> Option<Fields<'a>> {
        let (frame, fields) = bytes.split_at_checked(FRAME)?;
        let len = u32::from_le_bytes(frame[4..8].try_into().ok()?);
        let sum = u64::from_le_bytes(frame[8..].try_into().ok()?);
        let is_whole =
            &frame[..4] == magic && fields.len() == len as usize && xxh3_64(fields) == sum;
        is_whole.then_some(Fields(fields))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (head, rest) = self.0.split_at_checked(FIELD)?;
        let len = u32::from_le_bytes(head[1..].try_into().ok()?);
        let (field, rest) = rest.split_at_checked(len as usize)?;
        self.0 = rest;
        Some((head[0], field))
    }
}

pub(crate) fn number(field: &[u8]) -> Option<u64> {
    field.try_into().ok().map(u64::from_le_bytes)
}
