//! Reading under a time limit and a byte limit: every decoder reads through here.
//!
//! A decoder that has been fed something endless keeps asking for bytes, so this is the place to
//! stop it. The verdict is kept beside the reader, since decoders wrap and lose the errors they are
//! given.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Error;

/// Where the bytes come from.
pub(crate) enum Origin {
    File(File),
    Bytes(Cursor<Arc<[u8]>>),
}

/// How far a reader may go.
#[derive(Clone, Copy)]
pub(crate) struct Allowance {
    pub time: Duration,
    pub bytes: u64,
}

/// A buffered, seekable reader that enforces an [`Allowance`].
///
/// Not a [`std::io::BufReader`]: JPEG decoders ask for single bytes, millions of them, and there
/// each is a call of `memcpy`. Here it is one comparison and one load (an eighth of a camera
/// photograph's decode).
pub(crate) struct Input {
    origin: Origin,
    buffer: Vec<u8>,
    /// `buffer[at..end]` has been read from the origin and not yet been asked for.
    at: usize,
    end: usize,
    deadline: Instant,
    bytes_left: u64,
    /// After the end, `FF D9` (end of image) for ever: what libjpeg feeds itself from a truncated
    /// JPEG.
    end_of_image_at_eof: bool,
    verdict: Rc<Verdict>,
}

/// What stopped a reader, if anything did. Written by [`Input`], read by whoever ran the decoder.
#[derive(Default)]
pub(crate) struct Verdict {
    timed_out: Cell<bool>,
    too_long: Cell<bool>,
    ran_out: Cell<bool>,
    io: Cell<Option<io::Error>>,
}

impl Verdict {
    /// True when the input ended before the decoder was done.
    pub(crate) fn ran_out(&self) -> bool {
        self.ran_out.get()
    }

    /// Returns the cause that lies in the reading, if there is one, rather than in the picture.
    pub(crate) fn error(&self, allowed: Allowance, path: Option<&Path>) -> Option<Error> {
        if let Some(cause) = self.io.take() {
            Some(Error::io("read", path, cause))
        } else if self.timed_out.get() {
            Some(Error::too_slow(allowed.time))
        } else if self.too_long.get() {
            Some(Error::damaged(format_args!("no pixels within {} bytes of header", allowed.bytes)))
        } else {
            None
        }
    }
}

/// Opens a watched reader that buffers `buffer_bytes`; the clock is looked at once per buffer.
pub(crate) fn watched(
    origin: Origin,
    allowed: Allowance,
    buffer_bytes: usize,
) -> (Input, Rc<Verdict>) {
    let verdict = Rc::new(Verdict::default());
    let input = Input {
        origin,
        buffer: vec![0; buffer_bytes],
        at: 0,
        end: 0,
        deadline: deadline_in(allowed.time),
        bytes_left: allowed.bytes,
        end_of_image_at_eof: false,
        verdict: Rc::clone(&verdict),
    };
    (input, verdict)
}

/// A wait that is too long for the clock ends in a year.
pub(crate) fn deadline_in(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365))
}

impl Input {
    pub(crate) fn end_jpeg_at_eof(&mut self) {
        self.end_of_image_at_eof = true;
    }

    /// The next eight bytes, first on top, when they are in the buffer; [`advance`](Self::advance)
    /// takes them.
    #[inline(always)]
    pub(crate) fn peek_word(&self) -> Option<u64> {
        let bytes = self.buffer[..self.end].get(self.at..self.at + 8)?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    }

    #[inline(always)]
    pub(crate) fn advance(&mut self, count: usize) {
        self.at += count;
        debug_assert!(self.at <= self.end, "advanced beyond what was peeked");
    }

    /// Fails when the time is up.
    pub(crate) fn check_time(&self) -> io::Result<()> {
        if Instant::now() >= self.deadline {
            self.verdict.timed_out.set(true);
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    fn refill(&mut self) -> io::Result<()> {
        (self.at, self.end) = (0, 0);
        self.check_time()?;
        if self.bytes_left == 0 {
            self.verdict.too_long.set(true);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let room = usize::try_from(self.bytes_left).unwrap_or(usize::MAX).min(self.buffer.len());
        let mut count = self.read_origin(room)?;
        if count == 0 {
            self.verdict.ran_out.set(true);
            if self.end_of_image_at_eof {
                self.buffer[..2].copy_from_slice(&[0xFF, 0xD9]);
                count = 2;
            }
        }
        self.bytes_left = self.bytes_left.saturating_sub(count as u64);
        self.end = count;
        Ok(())
    }

    fn read_origin(&mut self, room: usize) -> io::Result<usize> {
        loop {
            let result = match &mut self.origin {
                Origin::File(file) => file.read(&mut self.buffer[..room]),
                Origin::Bytes(bytes) => bytes.read(&mut self.buffer[..room]),
            };
            match result {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    let told = io::Error::from(e.kind());
                    self.verdict.io.set(Some(e));
                    return Err(told);
                }
                Ok(count) => return Ok(count),
            }
        }
    }
}

impl Read for Input {
    #[inline]
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.end {
            self.refill()?;
        }
        let count = out.len().min(self.end - self.at);
        out[..count].copy_from_slice(&self.buffer[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }

    #[inline]
    fn read_exact(&mut self, out: &mut [u8]) -> io::Result<()> {
        if let ([byte], true) = (&mut *out, self.at < self.end) {
            *byte = self.buffer[self.at];
            self.at += 1;
            return Ok(());
        }
        let mut filled = 0;
        while filled < out.len() {
            match self.read(&mut out[filled..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        Ok(())
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.end {
            self.refill()?;
        }
        Ok(&self.buffer[self.at..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.end);
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let buffered = (self.end - self.at) as i64;
        let to = match to {
            SeekFrom::Current(offset) => SeekFrom::Current(offset.saturating_sub(buffered)),
            absolute => absolute,
        };
        (self.at, self.end) = (0, 0);
        match &mut self.origin {
            Origin::File(file) => file.seek(to),
            Origin::Bytes(bytes) => bytes.seek(to),
        }
    }

    /// Skips within the buffer where that is possible: no system call for a short segment.
    fn seek_relative(&mut self, offset: i64) -> io::Result<()> {
        match usize::try_from(offset) {
            Ok(forward) if forward <= self.end - self.at => self.at += forward,
            _ => drop(self.seek(SeekFrom::Current(offset))?),
        }
        Ok(())
    }
}
