//! Several ranges in one answer: `multipart/byteranges` (RFC 9110, 14.6).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;

use super::{Representation, push};

/// The parts of an answer, with what stands before each and after the last.
pub(crate) struct Multipart {
    pub(super) boundary: String,
    /// The head of each part, with the delimiter before it, and the bytes that follow it.
    pub(crate) parts: Vec<(Vec<u8>, Range<u64>)>,
    /// The delimiter after the last part.
    pub(crate) end: Vec<u8>,
}

impl Multipart {
    pub(super) fn new(whole: &Representation, parts: Vec<Range<u64>>) -> Self {
        let boundary = boundary();
        let with_head = |(nth, part): (usize, Range<u64>)| {
            let mut head = Vec::with_capacity(160);
            let line_end = if nth == 0 { "" } else { "\r\n" };
            push(&mut head, format_args!("{line_end}--{boundary}\r\n"));
            head.extend_from_slice(&whole.content[..whole.type_len]);
            let (first, last, len) = (part.start, part.end - 1, whole.len);
            push(&mut head, format_args!("Content-Range: bytes {first}-{last}/{len}\r\n\r\n"));
            (head, part)
        };
        let parts = parts.into_iter().enumerate().map(with_head).collect();
        let end = format!("\r\n--{boundary}--\r\n").into_bytes();
        Self { boundary, parts, end }
    }

    /// Bytes of the whole body, delimiters included.
    pub(super) fn len(&self) -> u64 {
        let of_part =
            |(head, part): &(Vec<u8>, Range<u64>)| head.len() as u64 + (part.end - part.start);
        self.parts.iter().map(of_part).sum::<u64>() + self.end.len() as u64
    }
}

/// Random, since nobody looks whether the content holds it, and whoever made the content must not
/// be able to guess it.
fn boundary() -> String {
    let word = || RandomState::new().build_hasher().finish();
    format!("larder-{:016x}{:016x}", word(), word())
}
