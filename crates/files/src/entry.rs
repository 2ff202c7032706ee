//! What a hit hands out: an open file, or bytes where there could be none.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::key::push_hex;
use crate::sys;

/// One entry: its bytes stay readable until the last clone is dropped, whatever is evicted,
/// removed or purged meanwhile. A clone is a reference count.
#[derive(Clone)]
pub struct Entry(Arc<Inner>);

/// The way to an entry that someone else keeps.
pub(crate) struct WeakEntry(Weak<Inner>);

/// Where the bytes of an [`Entry`] are.
#[derive(Clone, Debug)]
pub enum Body {
    /// `len` bytes from `offset` of an open file, to be sent by `sendfile` or read by `pread`. The
    /// descriptor is shared: its own position must not be used.
    File {
        /// The open file. What follows the body in it is not the caller's.
        file: Arc<File>,
        /// Where the body begins.
        offset: u64,
        /// How long the body is.
        len: u64,
    },
    /// The disk could not keep it: these are all the bytes there are.
    Memory(Bytes),
}

struct Inner {
    /// Compared at every hot hit. Never changes.
    key: Arc<[u8]>,
    /// Never changes.
    body: Body,
    /// Never changes.
    etag: String,
    /// The last hit, in nanoseconds since 1970; stored by every hit, into the line of the reference
    /// count that this hit writes anyway; read by eviction. Relaxed: it is advice.
    used: AtomicU64,
    /// The mtime of the file as far as we know; stored by who sets it.
    touched: AtomicU64,
    /// Set once, by the one who put the entry into the table of descriptors and then saw that its
    /// file had not left the tree before; read by every hot hit.
    admitted: AtomicBool,
}

impl Entry {
    pub(crate) fn new(key: Arc<[u8]>, body: Body, sum: u128, touched: u64) -> Entry {
        Entry(Arc::new(Inner {
            key,
            body,
            etag: etag_of(sum),
            used: AtomicU64::new(now_ns()),
            touched: AtomicU64::new(touched),
            admitted: AtomicBool::new(false),
        }))
    }

    /// The open file, shared by all who serve this entry; `None` when the body is in memory.
    pub fn file(&self) -> Option<&Arc<File>> {
        match &self.0.body {
            Body::File { file, .. } => Some(file),
            Body::Memory(_) => None,
        }
    }

    /// Where the body begins in the file.
    pub fn offset(&self) -> u64 {
        match self.0.body {
            Body::File { offset, .. } => offset,
            Body::Memory(_) => 0,
        }
    }

    /// The length of the body in bytes.
    pub fn len(&self) -> u64 {
        match &self.0.body {
            Body::File { len, .. } => *len,
            Body::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Is the body empty?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A strong entity tag with its quotes, ready for a header: 128 bits of the sum of the body,
    /// the same for the same bytes wherever they are kept.
    pub fn etag(&self) -> &str {
        &self.0.etag
    }

    /// The body, as a server delivers it.
    pub fn body(&self) -> &Body {
        &self.0.body
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// What the disk says when it can no longer read an open file.
    pub fn read(&self) -> io::Result<Bytes> {
        match &self.0.body {
            Body::Memory(bytes) => Ok(bytes.clone()),
            Body::File { file, offset, len } => {
                sys::read_at(file, *offset, *len as usize).map(Bytes::from)
            }
        }
    }

    pub(crate) fn is_of(&self, key: &[u8]) -> bool {
        *self.0.key == *key
    }

    /// Lets hot hits have it.
    pub(crate) fn set_admitted(&self) {
        // Relaxed, as its reader: all else in the entry came with the table's own hand-over, and
        // one who reads it early or late asks the disk or asked before the purge.
        self.0.admitted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_admitted(&self) -> bool {
        self.0.admitted.load(Ordering::Relaxed)
    }

    pub(crate) fn downgrade(&self) -> WeakEntry {
        WeakEntry(Arc::downgrade(&self.0))
    }

    pub(crate) fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Notes a hit.
    pub(crate) fn note_use(&self) {
        self.0.used.store(now_ns(), Ordering::Relaxed);
    }

    /// Was it used for so long after the mtime of its file that this is due to be set?
    pub(crate) fn is_touch_due(&self, touch_every: Duration) -> bool {
        let touched = self.0.touched.load(Ordering::Relaxed);
        let since = self.used().saturating_sub(touched);
        since > 0 && u128::from(since) >= touch_every.as_nanos()
    }

    /// Sets the mtime of the file to the last use, so that its recency survives a restart.
    pub(crate) fn touch(&self) {
        let used = self.used();
        self.0.touched.store(used, Ordering::Relaxed);
        if let Some(file) = self.file() {
            // Failing costs some order after a restart, on a directory that is not ours to write:
            // not worth a fault.
            let _ = file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_nanos(used));
        }
    }
}

impl WeakEntry {
    /// The entry, if it is still kept.
    #[inline]
    pub(crate) fn upgrade(&self) -> Option<Entry> {
        self.0.upgrade().map(Entry)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("etag", &self.0.etag).field("body", &self.0.body).finish()
    }
}

/// As `format!` would do it, in a third of the time; part of every cold hit.
fn etag_of(sum: u128) -> String {
    let mut etag = String::with_capacity(34);
    etag.push('"');
    push_hex(&mut etag, &sum.to_be_bytes());
    etag.push('"');
    etag
}

pub(crate) fn now_ns() -> u64 {
    since_epoch_ns(SystemTime::now())
}

pub(crate) fn since_epoch_ns(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
