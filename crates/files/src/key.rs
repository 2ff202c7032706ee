//! What an entry is of ([`Key`]), and what its file is called ([`Name`]).

use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A part longer than this is kept as its digest, so that a key, and with it a trailer, is bounded.
const LONGEST_PART: usize = 1024;

/// Set in the length of a part that is kept as its digest.
const DIGESTED: u32 = 1 << 31;

/// Source, version, parameters.
const PARTS: usize = 3;

/// Names one entry: what it is made from, which state of that, and how.
///
/// Two keys are equal when all three parts are. A new version of a source is a new key: the entry
/// of the old one is no longer asked for, grows old and is evicted.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    bytes: Arc<[u8]>,
    name: Name,
}

impl Key {
    /// The longest canonical form there is: that of a [refusal](Key::of_refusal).
    pub(crate) const LONGEST: usize = (PARTS + 1) * (4 + LONGEST_PART);

    /// Builds a key.
    ///
    /// - `source` identifies what the entry is made from: a path, a row id. It is the unit of
    ///   [`purge_source`](crate::FileCache::purge_source).
    /// - `version` identifies its state and the code that makes the entry: size and mtime, a row
    ///   version, the number of the pipeline.
    /// - `parameters` say how it is made, in one canonical form: `w=320 q=80 jpeg`.
    ///
    /// Each is any bytes of any length; a part over 1,024 bytes is kept as its BLAKE3 digest.
    pub fn new(
        source: impl AsRef<[u8]>,
        version: impl AsRef<[u8]>,
        parameters: impl AsRef<[u8]>,
    ) -> Key {
        let parts = [source.as_ref(), version.as_ref(), parameters.as_ref()];
        let mut bytes = Vec::with_capacity(12 + parts.iter().map(|p| p.len()).sum::<usize>());
        for part in parts {
            push_part(&mut bytes, part);
        }
        let name = Name::new(&source_prefix(parts[0]), blake3::hash(&bytes).as_bytes());
        Key { bytes: bytes.into(), name }
    }

    /// What it is made from; `None` when that is over 1,024 bytes and known by its digest alone.
    pub fn source(&self) -> Option<&[u8]> {
        self.part(0)
    }

    /// The state of the source; `None` when that is over 1,024 bytes.
    pub fn version(&self) -> Option<&[u8]> {
        self.part(1)
    }

    /// How it is made; `None` when that is over 1,024 bytes.
    pub fn parameters(&self) -> Option<&[u8]> {
        self.part(2)
    }

    fn part(&self, nth: usize) -> Option<&[u8]> {
        let (digested, part) = parts(&self.bytes).nth(nth)?;
        (!digested).then_some(part)
    }

    /// The key whose canonical form a file of this name keeps; `None` if it is of another name, or
    /// no entry's.
    pub(crate) fn read_back(bytes: &[u8], name: Name) -> Option<Key> {
        let whole = parts(bytes).map(|(_, part)| 4 + part.len()).sum::<usize>() == bytes.len();
        let is_of = Name::new(&name.source(), blake3::hash(bytes).as_bytes()) == name;
        let is_entry = parts(bytes).count() == PARTS && whole && is_of;
        is_entry.then(|| Key { bytes: bytes.into(), name })
    }

    /// The key under which a refusal of this one is kept, by one version of the pipeline: a form of
    /// four parts, so never that of an entry, and of the same source, so that it is purged with it.
    pub(crate) fn of_refusal(&self, pipeline: &[u8]) -> Key {
        let mut bytes = self.bytes.to_vec();
        push_part(&mut bytes, pipeline);
        let name = Name::new(&self.name.source(), blake3::hash(&bytes).as_bytes());
        Key { bytes: bytes.into(), name }
    }

    /// The canonical form that the trailer keeps and every hit is compared with.
    pub(crate) fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    pub(crate) fn name(&self) -> Name {
        self.name
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.name.file_name())
    }
}

fn push_part(bytes: &mut Vec<u8>, part: &[u8]) {
    if part.len() <= LONGEST_PART {
        bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
        bytes.extend_from_slice(part);
    } else {
        bytes.extend_from_slice(&(32 | DIGESTED).to_le_bytes());
        bytes.extend_from_slice(blake3::hash(part).as_bytes());
    }
}

/// The parts of a canonical form, each with whether it is a digest; ends where the form is broken.
fn parts(mut bytes: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let head = u32::from_le_bytes(*head);
        let (part, rest) = rest.split_at_checked((head & !DIGESTED) as usize)?;
        bytes = rest;
        Some((head & DIGESTED != 0, part))
    })
}

/// The first bytes of the name of every entry of one source.
pub(crate) fn source_prefix(source: &[u8]) -> [u8; Name::SOURCE] {
    let digest = blake3::hash(source);
    let mut prefix = [0; Name::SOURCE];
    prefix.copy_from_slice(&digest.as_bytes()[..Name::SOURCE]);
    prefix
}

/// The name of an entry's file: 8 bytes of the hash of the source, 16 of the hash of the key.
///
/// All entries of a source share their first bytes and therefore their directory, which is what
/// makes a purge the listing of one directory. A name is not proof: the full key is in the trailer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name([u8; Name::LEN]);

impl Name {
    pub(crate) const SOURCE: usize = 8;
    const LEN: usize = 24;

    fn new(source: &[u8; Name::SOURCE], key: &[u8]) -> Name {
        let mut name = [0; Name::LEN];
        name[..Name::SOURCE].copy_from_slice(source);
        name[Name::SOURCE..].copy_from_slice(&key[..Name::LEN - Name::SOURCE]);
        Name(name)
    }

    /// Reads a file name back; `None` if it is not one of ours.
    pub(crate) fn parse(file_name: &str) -> Option<Name> {
        let digits = file_name.as_bytes();
        if digits.len() != 2 * Name::LEN {
            return None;
        }
        let mut name = [0; Name::LEN];
        for (byte, pair) in name.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        Some(Name(name))
    }

    fn source(&self) -> [u8; Name::SOURCE] {
        let mut prefix = [0; Name::SOURCE];
        prefix.copy_from_slice(&self.0[..Name::SOURCE]);
        prefix
    }

    pub(crate) fn has_source(&self, prefix: &[u8; Name::SOURCE]) -> bool {
        self.0.starts_with(prefix)
    }

    /// The stripe of a source, for what is counted by source in a fixed array.
    pub(crate) fn stripe(&self) -> usize {
        usize::from(self.0[0])
    }

    pub(crate) fn file_name(&self) -> String {
        let mut digits = String::with_capacity(2 * Name::LEN);
        push_hex(&mut digits, &self.0);
        digits
    }

    /// `xx/yy` below the root.
    pub(crate) fn directory(&self) -> PathBuf {
        directory_of(&self.0)
    }

    /// `xx/yy/<name>` below `root`: part of every cold hit, so one allocation beside the path's.
    pub(crate) fn path(&self, root: &Path) -> PathBuf {
        let mut below = String::with_capacity(2 * Name::LEN + 6);
        push_hex(&mut below, &self.0[..1]);
        below.push('/');
        push_hex(&mut below, &self.0[1..2]);
        below.push('/');
        push_hex(&mut below, &self.0);
        root.join(below)
    }
}

/// The directory, below the root, of all entries whose name begins with `prefix`.
pub(crate) fn directory_of(prefix: &[u8]) -> PathBuf {
    let [a, b] = [prefix[0], prefix[1]];
    let digits = [hex_of(a >> 4), hex_of(a & 15), '/', hex_of(b >> 4), hex_of(b & 15)];
    PathBuf::from(String::from_iter(digits))
}

/// Appends two lower-case digits a byte.
pub(crate) fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push(hex_of(byte >> 4));
        text.push(hex_of(byte & 15));
    }
}

fn hex_of(half: u8) -> char {
    char::from(b"0123456789abcdef"[usize::from(half)])
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file_name())
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut word = [0; 8];
        word.copy_from_slice(&self.0[Name::LEN - 8..]);
        state.write_u64(u64::from_le_bytes(word));
    }
}

/// Takes eight bytes of a [`Name`] as its hash: they are a piece of a BLAKE3 digest already.
#[derive(Default)]
pub(crate) struct NameHasher(u64);

pub(crate) type BuildNameHasher = BuildHasherDefault<NameHasher>;

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}
