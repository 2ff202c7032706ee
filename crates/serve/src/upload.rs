//! What a handler is given of a request body.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

use crate::budget::Reserved;

/// The whole body of a request, with its chunks joined: in memory, or, above
/// [`spill_body_above`](crate::Builder::spill_body_above), in a file that has no name and is gone
/// with its last handle.
#[derive(Clone)]
pub struct Body {
    content: Content,
}

#[derive(Clone)]
enum Content {
    Memory(Bytes),
    File { file: Arc<File>, len: u64 },
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self { content: Content::Memory(Bytes::new()) }
    }

    /// Bytes that keep their share of the memory budget for as long as any part of them is held.
    pub(crate) fn in_memory(bytes: Vec<u8>, reserved: Reserved) -> Self {
        struct Owned(Vec<u8>, #[expect(dead_code, reason = "dropped with the bytes")] Reserved);
        impl AsRef<[u8]> for Owned {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        Self { content: Content::Memory(Bytes::from_owner(Owned(bytes, reserved))) }
    }

    pub(crate) fn in_file(file: File, len: u64) -> Self {
        Self { content: Content::File { file: Arc::new(file), len } }
    }

    /// Bytes of the body.
    pub fn len(&self) -> u64 {
        match &self.content {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::File { len, .. } => *len,
        }
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The body if it is in memory, as every one of at most
    /// [`spill_body_above`](crate::Builder::spill_body_above) bytes is; an empty one, too. What is
    /// kept of it counts against [`body_memory`](crate::Builder::body_memory).
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Memory(bytes) => Some(bytes),
            Content::File { .. } => None,
        }
    }

    /// The file of a body that is not in memory, e.g. to link or copy it elsewhere without reading
    /// it. It holds the body from its beginning and nothing else.
    pub fn file(&self) -> Option<&Arc<File>> {
        match &self.content {
            Content::Memory(_) => None,
            Content::File { file, .. } => Some(file),
        }
    }

    /// Reads the body from its beginning, wherever it is. Each reader has a position of its own,
    /// and holds the body for as long as it lives.
    pub fn reader(&self) -> impl Read + Seek + Send + use<> {
        match self.content.clone() {
            Content::Memory(bytes) => Reader::Memory(Cursor::new(bytes)),
            Content::File { file, len } => Reader::File { file, at: 0, len },
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.bytes().is_some() { "memory" } else { "file" };
        write!(f, "Body({} bytes in {place})", self.len())
    }
}

enum Reader {
    Memory(Cursor<Bytes>),
    File { file: Arc<File>, at: u64, len: u64 },
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Memory(cursor) => cursor.read(buffer),
            Self::File { file, at, len } => {
                let left = usize::try_from(len.saturating_sub(*at)).unwrap_or(usize::MAX);
                let n = buffer.len().min(left);
                let n = file.read_at(&mut buffer[..n], *at)?;
                *at += n as u64;
                Ok(n)
            }
        }
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (at, len) = match self {
            Self::Memory(cursor) => return cursor.seek(to),
            Self::File { at, len, .. } => (at, *len),
        };
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => len.checked_add_signed(offset),
            SeekFrom::Current(offset) => at.checked_add_signed(offset),
        };
        *at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(*at)
    }
}
