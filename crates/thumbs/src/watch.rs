//! Reading under a time limit and a byte limit: every decoder reads through here.
//!
//! A decoder that has been fed something endless keeps asking for bytes, so this is the place to stop it.
//! The verdict is kept beside the reader, since decoders wrap and lose the errors they are given.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
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
pub(crate) type Input = BufReader<Watched>;

pub(crate) struct Watched {
    origin: Origin,
    deadline: Instant,
    bytes_left: u64,
    /// After the end, `FF D9` (end of image) for ever: what libjpeg feeds itself from a truncated JPEG.
    end_of_image_at_eof: bool,
    verdict: Rc<Verdict>,
}

/// What stopped a reader, if anything did. Written by [`Watched`], read by whoever ran the decoder.
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
    let watched = Watched {
        origin,
        deadline: Instant::now() + allowed.time,
        bytes_left: allowed.bytes,
        end_of_image_at_eof: false,
        verdict: Rc::clone(&verdict),
    };
    (BufReader::with_capacity(buffer_bytes, watched), verdict)
}

impl Watched {
    pub(crate) fn end_jpeg_at_eof(&mut self) {
        self.end_of_image_at_eof = true;
    }

    fn read_origin(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let result = match &mut self.origin {
            Origin::File(file) => file.read(out),
            Origin::Bytes(bytes) => bytes.read(out),
        };
        match result {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => {
                let told = io::Error::from(e.kind());
                self.verdict.io.set(Some(e));
                Err(told)
            }
            other => other,
        }
    }
}

impl Read for Watched {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if Instant::now() >= self.deadline {
            self.verdict.timed_out.set(true);
            return Err(io::ErrorKind::TimedOut.into());
        }
        if self.bytes_left == 0 {
            self.verdict.too_long.set(true);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let room = out.len().min(usize::try_from(self.bytes_left).unwrap_or(usize::MAX));
        let mut count = self.read_origin(&mut out[..room])?;
        if count == 0 && !out.is_empty() {
            self.verdict.ran_out.set(true);
            if self.end_of_image_at_eof && out.len() >= 2 {
                out[..2].copy_from_slice(&[0xFF, 0xD9]);
                count = 2;
            }
        }
        self.bytes_left -= (count as u64).min(self.bytes_left);
        Ok(count)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.origin {
            Origin::File(file) => file.seek(to),
            Origin::Bytes(bytes) => bytes.seek(to),
        }
    }
}
