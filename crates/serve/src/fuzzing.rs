//! The way to what is private for the fuzz targets; no part of the public surface.

use std::mem::MaybeUninit;

use crate::body::BodyReader;
use crate::head::{self, FieldStore, Framing, MAX_FIELDS, Parsed};
use crate::range::Wanted;

/// What a head comes to, without borrows. A refusal is its status.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Head {
    Partial,
    Refused(u16),
    Complete { len: usize, body: Body, keep_alive: bool, fields: Vec<(String, Vec<u8>)> },
}

/// How the body behind a head is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Body {
    None,
    Length(u64),
    Chunked,
}

/// Parses the head at the start of `bytes`, of at most `limit` bytes.
pub fn head(bytes: &[u8], limit: usize) -> Head {
    let mut store: FieldStore<'_> = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    match head::parse(bytes, limit, &mut store) {
        Ok(Parsed::Partial) => Head::Partial,
        Err(refusal) => Head::Refused(refusal.status.as_u16()),
        Ok(Parsed::Complete(head)) => Head::Complete {
            len: head.len,
            body: match head.framing {
                Framing::None => Body::None,
                Framing::Length(length) => Body::Length(length),
                Framing::Chunked => Body::Chunked,
            },
            keep_alive: head.keep_alive,
            fields: head.fields.iter().map(|f| (f.name.to_owned(), f.value.to_owned())).collect(),
        },
    }
}

/// Looks for the end of a head as a connection does between reads. A refusal is its status.
pub fn is_complete(bytes: &[u8], from: usize, limit: usize) -> Result<bool, u16> {
    head::is_complete(bytes, from, limit).map_err(|refusal| refusal.status.as_u16())
}

/// Reads a body of at most `limit` bytes that arrives in `pieces`: the body, how many bytes it
/// took, and whether it is whole. `None` refuses.
pub fn body<'a>(
    chunked: bool,
    length: u64,
    limit: u64,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Option<(Vec<u8>, usize, bool)> {
    let framing = if chunked { Framing::Chunked } else { Framing::Length(length) };
    let mut reader = BodyReader::new(framing, limit).ok()?;
    for piece in pieces {
        let used = reader.feed(piece).ok()?;
        assert!(used == piece.len() || reader.is_done(), "bytes were left of an unfinished body");
        if reader.is_done() {
            break;
        }
    }
    let (taken, done) = (reader.taken() as usize, reader.is_done());
    Some((reader.take(), taken, done))
}

/// What a `Range` header comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Ranges {
    Whole,
    Parts(Vec<std::ops::Range<u64>>),
    Outside,
}

/// Reads the value of a `Range` header for a representation of `len` bytes.
pub fn range(value: &[u8], len: u64) -> Ranges {
    match crate::range::parse(value, len) {
        Wanted::Whole => Ranges::Whole,
        Wanted::Part(part) => Ranges::Parts(vec![part]),
        Wanted::Parts(parts) => Ranges::Parts(parts),
        Wanted::Unsatisfiable => Ranges::Outside,
    }
}
