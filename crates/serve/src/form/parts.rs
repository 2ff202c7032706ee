//! `multipart/form-data`, read by multer, which is made for async code.
//!
//! It reads as much as there is each time it is polled; so it is given one piece, then told that
//! nothing is there yet, and polled again. It never truly waits, and holds little.

use std::fmt;
use std::future::Future;
use std::io::{self, Read};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use futures_core::Stream;

use super::{MAX_FIELDS, malformed, unreadable};
use crate::Error;

/// Bytes read from the body at a time.
const PIECE: usize = 32 * 1024;
/// The most bytes between the data of two parts: the boundary, and the head of the next part.
const MAX_HEAD: usize = 64 * 1024;
/// The longest text that [`Part::text`] reads.
const MAX_TEXT: u64 = 1024 * 1024;

/// The parts of a `multipart/form-data` body: see [`Request::multipart`](crate::Request::multipart).
pub struct Multipart {
    parts: multer::Multipart<'static>,
    current: Option<multer::Field<'static>>,
    /// What may be read before the next bytes of data are found.
    allowance: Arc<AtomicUsize>,
    seen: usize,
}

/// One part: a value that was typed, or a file that was chosen. Reading it gives its bytes.
pub struct Part<'m> {
    multipart: &'m mut Multipart,
    /// What was found but not yet read.
    rest: Bytes,
}

impl Multipart {
    pub(super) fn new(reader: impl Read + Send + Unpin + 'static, boundary: String) -> Self {
        let allowance = Arc::new(AtomicUsize::new(0));
        let pieces = Pieces { reader, allowance: Arc::clone(&allowance), paused: false };
        let parts = multer::Multipart::new(pieces, boundary);
        Self { parts, current: None, allowance, seen: 0 }
    }

    /// Goes on to the next part; what was not read of the last one is passed over. `None` after
    /// the last.
    ///
    /// # Errors
    ///
    /// If the body is malformed or cut off, has more than 1000 parts, or more than 64 KiB between
    /// two of them ([`Error::is_malformed`]: answer 400), or cannot be read.
    pub fn next_part(&mut self) -> Result<Option<Part<'_>>, Error> {
        while self.current.is_some() && self.chunk()?.is_some() {}
        self.current = None;
        self.allowance.store(MAX_HEAD, Relaxed);
        self.current = now(self.parts.next_field())?.map_err(refused)?;
        if self.current.is_none() {
            return Ok(None);
        }
        self.seen += 1;
        if self.seen > MAX_FIELDS {
            return Err(malformed("more than 1000 parts".into()));
        }
        Ok(Some(Part { multipart: self, rest: Bytes::new() }))
    }

    /// The next bytes of the part.
    fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.allowance.store(MAX_HEAD, Relaxed);
        let Some(field) = &mut self.current else { return Ok(None) };
        now(field.chunk())?.map_err(refused)
    }
}

impl Part<'_> {
    /// The name of the field; `None` if the part has none.
    pub fn name(&self) -> Option<&str> {
        self.multipart.current.as_ref()?.name()
    }

    /// The name of the file as the client says it: no path to be trusted. `None` if it is no file.
    pub fn file_name(&self) -> Option<&str> {
        self.multipart.current.as_ref()?.file_name()
    }

    /// What the client says that it is; `None` if it says nothing.
    pub fn content_type(&self) -> Option<&str> {
        Some(self.multipart.current.as_ref()?.content_type()?.as_ref())
    }

    /// Reads the part as text.
    ///
    /// # Errors
    ///
    /// If it is no UTF-8 or longer than 1 MiB ([`Error::is_malformed`]: answer 400), or as
    /// [`next_part`](Multipart::next_part).
    pub fn text(&mut self) -> Result<String, Error> {
        let mut bytes = Vec::new();
        self.take(MAX_TEXT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_TEXT {
            return Err(malformed("a text of more than 1 MiB".into()));
        }
        String::from_utf8(bytes).map_err(|error| malformed(error.to_string()))
    }
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.multipart.chunk() {
                Ok(Some(chunk)) => self.rest = chunk,
                Ok(None) => return Ok(0),
                Err(error) => return Err(error.into_io()),
            }
        }
        let n = buffer.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut buffer[..n]);
        Ok(n)
    }
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multipart").field("seen", &self.seen).finish()
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("name", &self.name())
            .field("file_name", &self.file_name())
            .finish()
    }
}

/// The body as multer wants it: pieces, with a pause after each.
struct Pieces<R> {
    reader: R,
    allowance: Arc<AtomicUsize>,
    paused: bool,
}

impl<R: Read + Unpin> Stream for Pieces<R> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.paused = !self.paused;
        if !self.paused {
            return Poll::Pending;
        }
        let Some(left) = self.allowance.load(Relaxed).checked_sub(PIECE) else {
            let error = io::Error::new(io::ErrorKind::InvalidData, "a part without an end");
            return Poll::Ready(Some(Err(error)));
        };
        self.allowance.store(left, Relaxed);
        let mut piece = vec![0; PIECE];
        Poll::Ready(match self.reader.read(&mut piece) {
            Ok(0) => None,
            Ok(n) => {
                piece.truncate(n);
                Some(Ok(piece.into()))
            }
            Err(error) => Some(Err(error)),
        })
    }
}

/// Polls to the end. Each time, multer takes a piece; when it gets none any more it has an answer.
fn now<F: Future>(future: F) -> Result<F::Output, Error> {
    const MOST: usize = 2 * MAX_HEAD / PIECE + 8;
    let mut future = pin!(future);
    for _ in 0..MOST {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Ok(output);
        }
    }
    Err(malformed("a part without an end".into()))
}

/// A failure to read is passed on; all else is the client's fault.
pub(super) fn refused(error: multer::Error) -> Error {
    match error {
        multer::Error::StreamReadFailed(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => unreadable(*error),
            Err(other) => malformed(other.to_string()),
        },
        other => malformed(other.to_string()),
    }
}
