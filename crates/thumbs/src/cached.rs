//! Thumbnails kept as plain files: made once, however many ask, and served by descriptor.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_files::{Begin, Entry, FileCache, Key, Lease};

use crate::{Error, Source, Thumbnailer};

/// Part of every key: raise it when the same source gives other pixels than before, and what is on
/// disk is made anew.
const PIPELINE: u32 = 2;

/// A picture that cannot be made into a thumbnail is not tried again for this long.
const REFUSED_FOR: Duration = Duration::from_secs(600);

/// A [`Thumbnailer`] in front of a [`FileCache`]. Cloning shares both.
///
/// A thumbnail is asked for by three things: the picture's id, any bytes that name it for good,
/// such as its path; its version, which is another whenever the picture is, such as a hash of size
/// and time of change; and the longest edge in pixels.
///
/// ```
/// use larder_files::{FileCache, Limits};
/// use larder_thumbs::{Source, ThumbCache, Thumbnailer};
///
/// # let dir = tempfile::tempdir()?;
/// # let mut jpeg = Vec::new();
/// # let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
/// # encoder.encode(&[9; 64 * 48 * 3], 64, 48, jpeg_encoder::ColorType::Rgb)?;
/// let files = FileCache::open(dir.path(), Limits::new().max_bytes(1 << 30))?;
/// let thumbs = ThumbCache::new(Thumbnailer::builder().build(), files);
///
/// let source = Source::bytes(jpeg); // or Source::path("photo.jpg")
/// let made = thumbs.get_or_make(b"photo.jpg", "v1", &source, 32)?;
/// let kept = thumbs.get(b"photo.jpg", "v1", 32).expect("it is on disk now");
/// assert_eq!(made.etag(), kept.etag());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ThumbCache {
    thumbnailer: Thumbnailer,
    files: FileCache,
}

impl ThumbCache {
    /// Puts a thumbnailer in front of a cache. The cache may hold other things too: keys of
    /// thumbnails are their own.
    pub fn new(thumbnailer: Thumbnailer, files: FileCache) -> Self {
        Self { thumbnailer, files }
    }

    /// The cache behind it, for statistics and purges.
    pub fn files(&self) -> &FileCache {
        &self.files
    }

    /// The thumbnail, if it is there.
    pub fn get(&self, id: &[u8], version: &str, edge_px: u32) -> Option<Entry> {
        self.files.get(&self.key(id, version, edge_px))
    }

    /// The thumbnail, or the right to [`make`](Self::make) it, or a place among those who wait:
    /// for a server that parks connections rather than threads.
    ///
    /// What a flight or a refusal says is turned into this crate's error by `Error::from`.
    pub fn begin(&self, id: &[u8], version: &str, edge_px: u32) -> Begin {
        self.files.begin(&self.key(id, version, edge_px))
    }

    /// Makes the thumbnail that `lease` is for and wakes those who wait for it.
    ///
    /// A picture that can never be made is remembered for ten minutes; what may pass (a read
    /// error, no room in the budget) is tried again by the next who asks.
    ///
    /// # Errors
    /// As [`Thumbnailer::make`]. A full or read-only disk is none: the entry is then in memory.
    ///
    /// # Panics
    /// When `edge_px` is 0.
    pub fn make(&self, lease: Lease, source: &Source, edge_px: u32) -> Result<Entry, Error> {
        match self.thumbnailer.make(source, edge_px) {
            Ok(made) => Ok(lease.publish(&made.jpeg)),
            Err(error) => Err(give_up(lease, error)),
        }
    }

    /// The thumbnail, made by this thread if need be; waits for another who is making it.
    ///
    /// # Errors
    /// As [`make`](Self::make), and [`is_timeout`](Error::is_timeout) when another's making took
    /// longer than the thumbnailer's limits allow.
    ///
    /// # Panics
    /// When `edge_px` is 0.
    pub fn get_or_make(
        &self,
        id: &[u8],
        version: &str,
        source: &Source,
        edge_px: u32,
    ) -> Result<Entry, Error> {
        let deadline = Instant::now() + self.thumbnailer.longest();
        loop {
            match self.begin(id, version, edge_px) {
                Begin::Hit(entry) => return Ok(entry),
                Begin::Make(lease) => return self.make(lease, source, edge_px),
                Begin::Refused(refusal) => return Err(refusal.to_error().into()),
                Begin::Busy(flight) => match flight.wait(deadline) {
                    // Its maker is gone without a word: perhaps it is ours to make now.
                    Err(error) if error.is_abandoned() => {}
                    outcome => return Ok(outcome?),
                },
            }
        }
    }

    /// Makes those of `edges_px` that are missing, all from one decode, and says how many they
    /// were. What somebody else is making just now is left to them.
    ///
    /// # Errors
    /// As [`make`](Self::make), when one or more could not be made; the others are there.
    ///
    /// # Panics
    /// When an edge is 0.
    pub fn make_missing(
        &self,
        id: &[u8],
        version: &str,
        source: &Source,
        edges_px: &[u32],
    ) -> Result<usize, Error> {
        let mut refused = Ok(());
        let (mut leases, mut missing) = (Vec::new(), Vec::new());
        let mut largest_first = edges_px.to_vec();
        largest_first.sort_unstable_by_key(|&edge_px| std::cmp::Reverse(edge_px));
        for edge_px in largest_first {
            match self.begin(id, version, edge_px) {
                Begin::Hit(_) | Begin::Busy(_) => {}
                Begin::Make(lease) => {
                    leases.push(lease);
                    missing.push(edge_px);
                }
                Begin::Refused(refusal) => refused = Err(refusal.to_error().into()),
            }
        }
        while !missing.is_empty() {
            match self.thumbnailer.make_many(source, &missing) {
                Ok(made) => {
                    for (lease, thumbnail) in leases.into_iter().zip(&made) {
                        lease.publish(&thumbnail.jpeg);
                    }
                    return refused.map(|()| made.len());
                }
                // Smaller ones may be decoded at a smaller scale, in less memory.
                Err(error) if error.is_too_large() && missing.len() > 1 => {
                    missing.remove(0);
                    refused = Err(give_up(leases.remove(0), error));
                }
                Err(error) => {
                    for lease in leases {
                        give_up(lease, error.clone());
                    }
                    return Err(error);
                }
            }
        }
        refused.map(|()| 0)
    }

    fn key(&self, id: &[u8], version: &str, edge_px: u32) -> Key {
        let quality = self.thumbnailer.quality();
        Key::new(id, version, format!("thumb {PIPELINE} jpeg e={edge_px} q={quality}"))
    }
}

impl std::fmt::Debug for ThumbCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThumbCache").field("thumbnailer", &self.thumbnailer).finish_non_exhaustive()
    }
}

fn give_up(lease: Lease, error: Error) -> Error {
    if error.is_io() || error.is_changed() || error.is_timeout() {
        lease.fail(Arc::new(error.clone()));
    } else {
        lease.refuse(Arc::new(error.clone()), REFUSED_FOR);
    }
    error
}

impl From<larder_files::Error> for Error {
    /// Gives back the thumbnailer's own error where that is the cause, to all who waited.
    fn from(error: larder_files::Error) -> Self {
        match error.source().and_then(|cause| cause.downcast_ref::<Error>()) {
            Some(cause) => cause.clone(),
            None => Error::cache(error),
        }
    }
}
