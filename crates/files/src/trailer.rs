//! The end of every file: who it is, how long, and what its bytes sum to.
//!
//! ```text
//! body | key | body sum 16 | boot 16 | body length 8 | key length 4 | format 4 | sum 8 | magic 8
//!            '------------------------- footer, 64 bytes, little endian ---------------------'
//! ```
//! It stands at the end and not at the start, so that the body begins at offset 0 and a file cut
//! short has no trailer at all. `sum` covers the key and the footer before it. `boot` is the boot
//! of the machine under which the file was written: the page cache outlives any process, so a file
//! can only be torn by a machine that went down after the rename and before the write-back.

use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(crate) const FOOTER: usize = 64;

const FORMAT: u32 = 1;
const MAGIC: [u8; 8] = *b"\nlarder\n";

/// What the trailer of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) body_len: u64,
    pub(crate) body_sum: u128,
    pub(crate) boot: u128,
}

/// Why a file is not the entry that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Empty, cut short, altered, or never ours.
    Torn,
    /// Whole, but of another key.
    Collision,
}

impl Trailer {
    /// The bytes that follow the body.
    pub(crate) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(key.len() + FOOTER);
        out.extend_from_slice(key);
        out.extend_from_slice(&self.body_sum.to_le_bytes());
        out.extend_from_slice(&self.boot.to_le_bytes());
        out.extend_from_slice(&self.body_len.to_le_bytes());
        out.extend_from_slice(&(key.len() as u32).to_le_bytes());
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&trailer_sum(&out).to_le_bytes());
        out.extend_from_slice(&MAGIC);
        out
    }

    /// Reads the trailer of a file of `file_len` bytes whose last bytes are `tail`.
    ///
    /// `tail` holds at least `key.len() + FOOTER` bytes.
    pub(crate) fn decode(tail: &[u8], file_len: u64, key: &[u8]) -> Result<Trailer, Flaw> {
        let (trailer, found) = Trailer::parse(tail, file_len)?;
        if *found != *key {
            return Err(Flaw::Collision);
        }
        Ok(trailer)
    }

    /// The same for one who does not know the key, which comes back; [`Flaw::Collision`] when it
    /// begins before `tail` does. No length in the file is trusted before it has been compared
    /// with `file_len`.
    pub(crate) fn parse(tail: &[u8], file_len: u64) -> Result<(Trailer, &[u8]), Flaw> {
        let (before, footer) = tail.split_last_chunk::<FOOTER>().ok_or(Flaw::Torn)?;
        if footer[56..] != MAGIC || u32_at(footer, 44) != FORMAT {
            return Err(Flaw::Torn);
        }
        let key_len = u32_at(footer, 40) as usize;
        let body_len = u64_at(footer, 32);
        let whole = body_len.checked_add(key_len as u64 + FOOTER as u64);
        if whole != Some(file_len) {
            return Err(Flaw::Torn);
        }
        if key_len > before.len() {
            // Whole by its lengths, and the key is longer than any that was asked for.
            return Err(Flaw::Collision);
        }
        let signed = &tail[tail.len() - FOOTER - key_len..tail.len() - 16];
        if trailer_sum(signed) != u64_at(footer, 48) {
            return Err(Flaw::Torn);
        }
        let (body_sum, boot) = (u128_at(footer, 0), u128_at(footer, 16));
        Ok((Trailer { body_len, body_sum, boot }, &signed[..key_len]))
    }
}

fn trailer_sum(signed: &[u8]) -> u64 {
    // Not the plain sum of the body, so that no body can pose as a trailer by accident of length.
    xxh3_64_with_seed(signed, u64::from_le_bytes(MAGIC))
}

fn u32_at(footer: &[u8; FOOTER], at: usize) -> u32 {
    u32::from_le_bytes(array_at(footer, at))
}

fn u64_at(footer: &[u8; FOOTER], at: usize) -> u64 {
    u64::from_le_bytes(array_at(footer, at))
}

fn u128_at(footer: &[u8; FOOTER], at: usize) -> u128 {
    u128::from_le_bytes(array_at(footer, at))
}

fn array_at<const N: usize>(footer: &[u8; FOOTER], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&footer[at..at + N]);
    bytes
}
