//! Where a maker writes: memory first, the draft when it grows, and memory again if that fails.
//!
//! ```text
//! memory ──256 KiB──> draft, a step of 256 KiB at a time, each within the room it got first
//!    │                  │ the disk fails, or there is no room
//!    │                  └──> memory again, the draft empty and its room given back
//!    └──> finish, and the rest is the lease's to write; so is all of it, once more, after a failure
//! ```

use std::fs::File;
use std::io::{self, Read, Write};

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use crate::index::cost_of;
use crate::room::Room;
use crate::sys;

/// Held in memory before the first write: an ordinary thumbnail reaches the disk in one piece.
const SPILL: usize = 256 << 10;

pub(crate) struct Writer<'a> {
    /// `None` when there is no draft, or no longer one that can be written.
    draft: Option<&'a File>,
    /// At least what is in the draft.
    room: &'a mut Room,
    /// What is not yet in the draft.
    buffer: Vec<u8>,
    /// How much is in the draft.
    spilled: u64,
    sum: Xxh3,
    limit: u64,
    /// A limit that was passed is an error even if the maker ignores what `write` told it.
    pub(crate) too_large: bool,
    /// The fault that cost us the draft, for the one who reports it.
    pub(crate) fault: Option<io::Error>,
    /// Set when bytes that had been spilled cannot be read back.
    lost: Option<io::Error>,
}

/// A complete body: `spilled` bytes in the draft, then `rest`.
pub(crate) struct Written {
    pub(crate) spilled: u64,
    pub(crate) rest: Bytes,
    pub(crate) sum: u128,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(draft: Option<&'a File>, room: &'a mut Room, limit: u64) -> Writer<'a> {
        Writer {
            draft,
            room,
            buffer: Vec::new(),
            spilled: 0,
            sum: Xxh3::new(),
            limit,
            too_large: false,
            fault: None,
            lost: None,
        }
    }

    pub(crate) fn finish(self) -> io::Result<Written> {
        match self.lost {
            Some(e) => Err(e),
            None => Ok(Written {
                spilled: self.spilled,
                rest: self.buffer.into(),
                sum: self.sum.digest128(),
            }),
        }
    }

    /// Takes all that a reader has, into the buffer itself.
    pub(crate) fn take_from(&mut self, mut reader: impl Read) -> io::Result<()> {
        loop {
            let had = self.buffer.len();
            // One byte past the limit, so that one who goes past it is found out.
            let piece = (self.limit - self.len()).saturating_add(1).min(SPILL as u64);
            let n = reader.by_ref().take(piece).read_to_end(&mut self.buffer)?;
            if n == 0 {
                return Ok(());
            }
            if self.len() > self.limit {
                return Err(self.pass_limit());
            }
            self.sum.update(&self.buffer[had..]);
            if self.buffer.len() >= SPILL {
                self.spill()?;
            }
        }
    }

    fn len(&self) -> u64 {
        self.spilled + self.buffer.len() as u64
    }

    fn pass_limit(&mut self) -> io::Error {
        self.too_large = true;
        let message = format!("the entry is larger than the limit of {} bytes", self.limit);
        io::Error::new(io::ErrorKind::FileTooLarge, message)
    }

    fn spill(&mut self) -> io::Result<()> {
        let Some(draft) = self.draft else { return Ok(()) };
        if !self.room.grow(cost_of(self.len())) {
            return self.go_back_to_memory(draft);
        }
        match sys::write_all_at(draft, &self.buffer, self.spilled) {
            Ok(()) => {
                self.spilled += self.buffer.len() as u64;
                self.buffer.clear();
                Ok(())
            }
            Err(e) => {
                self.fault = Some(e);
                self.go_back_to_memory(draft)
            }
        }
    }

    /// Empties the draft, so that what it took is there for others.
    fn go_back_to_memory(&mut self, draft: &File) -> io::Result<()> {
        self.draft = None;
        let rest = std::mem::take(&mut self.buffer);
        let spilled = std::mem::take(&mut self.spilled);
        match read_back(draft, spilled, &rest) {
            Ok(bytes) => {
                self.buffer = bytes;
                if draft.set_len(0).is_ok() {
                    self.room.give_back();
                }
                Ok(())
            }
            Err(e) => {
                self.lost = Some(io::Error::new(e.kind(), e.to_string()));
                Err(e)
            }
        }
    }
}

/// The first `spilled` bytes of a draft, and then `rest`.
pub(crate) fn read_back(draft: &File, spilled: u64, rest: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(spilled as usize + rest.len());
    bytes.resize(spilled as usize, 0);
    sys::read_exact_at(draft, &mut bytes, 0)?;
    bytes.extend_from_slice(rest);
    Ok(bytes)
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.len() + bytes.len() as u64 > self.limit {
            return Err(self.pass_limit());
        }
        self.sum.update(bytes);
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= SPILL {
            self.spill()?;
        }
        Ok(bytes.len())
    }

    /// There is nobody to flush to: an entry exists when it is published, not before.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
