//! The way to what is private for the fuzz targets; no part of the public surface.

use crate::trailer::{Flaw, Trailer};

/// Bytes of the footer, the part of a trailer behind the key.
pub const FOOTER: usize = crate::trailer::FOOTER;

/// Writes the trailer of a body of `body_len` bytes that sum to `body_sum`.
pub fn encode(body_len: u64, body_sum: u128, boot: u128, key: &[u8]) -> Vec<u8> {
    Trailer { body_len, body_sum, boot }.encode(key)
}

/// Reads the trailer of a file of `file_len` bytes that ends in `tail`: the length and the sum of
/// the body, and the key.
pub fn parse(tail: &[u8], file_len: u64) -> Option<(u64, u128, &[u8])> {
    let (trailer, key) = Trailer::parse(tail, file_len).ok()?;
    Some((trailer.body_len, trailer.body_sum, key))
}

/// Reads the trailer for one who knows the key: the length of the body, or whether the file is
/// another key's.
pub fn decode(tail: &[u8], file_len: u64, key: &[u8]) -> Result<u64, bool> {
    let decoded = Trailer::decode(tail, file_len, key);
    decoded.map(|trailer| trailer.body_len).map_err(|flaw| flaw == Flaw::Collision)
}
