//! Bodies of kept answers, the longer ones in pages that the kernel sends as they are.
//!
//! A write copies a body into the kernel once for each client: for a hundred kilobytes to many
//! clients, that is most of what an answer costs, as the copies do not fit the processor's caches.
//! `sendfile` from a file that exists in memory alone sends the same pages to everyone. They are
//! written once, by a worker, and never again, so what is on its way stays as it is, evicted or not.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use mio::net::TcpStream;

use crate::os;
use crate::render::OutBody;

/// Below this, copying costs less than the further system call and the pages' own accounts. To 32
/// and 256 clients, a copy takes 0.85 and 0.84 x its CPU at 64 KB, 1.05 and 1.75 x at 128 KB.
const MIN_BYTES: usize = 96 * 1024;
/// Above this, giving the pages back would hold up an I/O thread.
const MAX_BYTES: usize = 1024 * 1024;
/// The most descriptors that one server uses so; and of all that the process may have, one in
/// `SHARE`.
const MAX_PLACES: usize = 1024;
const SHARE: usize = 8;

const PAGE_BYTES: usize = 4096;
/// What the kernel needs for a file in memory, about.
const FILE_BYTES: usize = 1024;

/// How many more bodies may have a descriptor. Written by inserts and evictions alone.
#[derive(Debug)]
pub(crate) struct Places(AtomicUsize);

impl Places {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(MAX_PLACES.min(os::descriptors() / SHARE)))
    }

    fn take(&self) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |places| places.checked_sub(1)).is_ok()
    }
}

/// The body of a kept answer.
pub(crate) enum Kept {
    Bytes(Bytes),
    Pages(Pages),
}

pub(crate) struct Pages {
    file: Arc<File>,
    len: usize,
    /// Gets its place back.
    places: Arc<Places>,
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.places.0.fetch_add(1, Relaxed);
    }
}

impl Kept {
    /// Copies a body into pages if that is worth it, and possible.
    pub(crate) fn new(body: Bytes, places: &Arc<Places>) -> Self {
        if !(MIN_BYTES..=MAX_BYTES).contains(&body.len()) || !places.take() {
            return Self::Bytes(body);
        }
        match os::pages(&body) {
            Ok(file) => {
                let (file, places) = (Arc::new(file), Arc::clone(places));
                Self::Pages(Pages { file, len: body.len(), places })
            }
            Err(_) => {
                places.0.fetch_add(1, Relaxed);
                Self::Bytes(body)
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Pages(pages) => pages.len,
        }
    }

    /// Memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Pages(pages) => pages.len.next_multiple_of(PAGE_BYTES) + FILE_BYTES,
        }
    }

    /// A part of it, for a client that takes it later.
    pub(crate) fn part(&self, part: Range<usize>) -> OutBody {
        match self {
            Self::Bytes(bytes) => OutBody::Bytes(bytes.slice(part)),
            Self::Pages(pages) => OutBody::File {
                file: Arc::clone(&pages.file),
                part: part.start as u64..part.end as u64,
            },
        }
    }
}

impl Pages {
    /// Sends a head and a part that is not empty; says how many bytes the socket took.
    pub(crate) fn send(
        &self,
        socket: &TcpStream,
        head: &[u8],
        part: Range<usize>,
    ) -> io::Result<usize> {
        let sent = taken(|| os::send_more(socket, head))?;
        if sent < head.len() {
            return Ok(sent);
        }
        let part = part.start as u64..part.end as u64;
        Ok(sent + taken(|| os::send_file(socket, &self.file, part.clone()))?)
    }
}

/// Zero if the socket is full.
fn taken(mut send: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
