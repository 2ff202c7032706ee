//! Thumbnails kept as plain files: made once, however many ask, and served by descriptor.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_files::{Begin, Entry, FileCache, Key, Lease, Limits};

use crate::watch::deadline_in;
use crate::{Error, Preset, Source, Thumbnail, Thumbnailer};

/// Part of every key: raise it when the same source gives other pixels than before, and what is on
/// disk is made anew.
const PIPELINE: u32 = 6;

/// A picture that cannot be made into a thumbnail is not tried again for this long.
const REFUSED_FOR: Duration = Duration::from_secs(600);

/// How much larger the one has to be that another is made from.
const DERIVE_RATIO: u32 = 2;

/// A [`Thumbnailer`] in front of a [`FileCache`]. Cloning shares both.
///
/// A thumbnail is asked for by three things: the picture's id, any bytes that name it for good,
/// such as its path; its version, which is another whenever the picture is, such as a hash of size
/// and time of change; and a [`Preset`], which may be just the longest edge in pixels.
///
/// ```
/// use larder_files::Limits;
/// use larder_thumbs::{Source, ThumbCache, Thumbnailer};
///
/// # let dir = tempfile::tempdir()?;
/// # let mut jpeg = Vec::new();
/// # let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
/// # encoder.encode(&[9; 64 * 48 * 3], 64, 48, jpeg_encoder::ColorType::Rgb)?;
/// let thumbnailer = Thumbnailer::builder().build();
/// let thumbs = ThumbCache::open(thumbnailer, dir.path(), Limits::new().max_bytes(1 << 30))?;
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
    /// Those that smaller ones may be made from, the smallest first.
    larger: Arc<[Preset]>,
}

impl ThumbCache {
    /// Opens a cache in a directory of its own.
    ///
    /// What was refused there before is remembered only if this thumbnailer would refuse it, too:
    /// it is tried again by one with other decoders, or with other limits of pixels, memory or
    /// time. For that the limits' [pipeline](Limits::pipeline) is set here.
    ///
    /// # Errors
    /// As [`FileCache::open`].
    pub fn open(
        thumbnailer: Thumbnailer,
        dir: impl AsRef<Path>,
        limits: Limits,
    ) -> Result<Self, larder_files::Error> {
        let refuses = format!("thumb {PIPELINE} {}", thumbnailer.refuses_by());
        let files = FileCache::open(dir, limits.pipeline(refuses))?;
        Ok(Self::new(thumbnailer, files))
    }

    /// Puts a thumbnailer in front of a cache, which may hold other things too: keys of thumbnails
    /// are their own. What was refused is remembered by the pipeline that the cache was opened
    /// with; see [`open`](Self::open).
    pub fn new(thumbnailer: Thumbnailer, files: FileCache) -> Self {
        Self { thumbnailer, files, larger: Arc::new([]) }
    }

    /// Names presets from which a smaller thumbnail may be made when one of them is in the cache
    /// already, at least twice as large and of at least its quality: that spares the decoding of
    /// the picture. One that may have come from the embedded picture serves only those that may,
    /// too. Its pixels went through an encoder once more than others. Default none.
    #[must_use]
    pub fn derive_from<P: Into<Preset>>(mut self, presets: impl IntoIterator<Item = P>) -> Self {
        let mut larger: Vec<Preset> = presets.into_iter().map(P::into).collect();
        larger.sort_by_key(Preset::edge_px);
        self.larger = larger.into();
        self
    }

    /// The cache behind it, for statistics and purges.
    pub fn files(&self) -> &FileCache {
        &self.files
    }

    /// The thumbnail, if it is there.
    ///
    /// # Panics
    /// When a size of 0 pixels is asked for; so do all that take a preset.
    pub fn get(&self, id: &[u8], version: &str, preset: impl Into<Preset>) -> Option<Entry> {
        self.files.get(&self.key(id, version, &preset.into()))
    }

    /// The thumbnail, or the right to [`make`](Self::make) it, or a place among those who wait:
    /// for a server that parks connections rather than threads.
    ///
    /// What a flight or a refusal says is turned into this crate's error by `Error::from`.
    pub fn begin(&self, id: &[u8], version: &str, preset: impl Into<Preset>) -> Begin {
        self.files.begin(&self.key(id, version, &preset.into()))
    }

    /// Makes the thumbnail that `lease` is for and wakes those who wait for it.
    ///
    /// A [partial](Thumbnail::partial) one is kept as others are: a picture that was still being
    /// written has another version when it is whole. One that can never be made is remembered for
    /// ten minutes; what may pass (a read
    /// error, no room in the budget) is tried again by the next who asks.
    ///
    /// # Errors
    /// As [`Thumbnailer::make`]. A full or read-only disk is none: the entry is then in memory.
    pub fn make(
        &self,
        lease: Lease,
        source: &Source,
        preset: impl Into<Preset>,
    ) -> Result<Entry, Error> {
        match self.thumbnailer.make(source, preset) {
            Ok(made) => Ok(lease.publish(&made.bytes)),
            Err(error) => Err(give_up(lease, error)),
        }
    }

    /// As [`make`](Self::make), from a larger one in the cache ([`derive_from`](Self::derive_from))
    /// if there is one that will do.
    ///
    /// # Errors
    /// As [`make`](Self::make).
    pub fn make_or_derive(
        &self,
        lease: Lease,
        id: &[u8],
        version: &str,
        source: &Source,
        preset: impl Into<Preset>,
    ) -> Result<Entry, Error> {
        let preset = preset.into();
        match self.derive(id, version, &preset) {
            Some(made) => Ok(lease.publish(&made.bytes)),
            None => self.make(lease, source, preset),
        }
    }

    fn derive(&self, id: &[u8], version: &str, preset: &Preset) -> Option<Thumbnail> {
        let quality = |preset: &Preset| preset.quality.unwrap_or(self.thumbnailer.quality());
        let will_do = |larger: &&Preset| {
            larger.edge_px >= preset.edge_px.saturating_mul(DERIVE_RATIO)
                && quality(larger) >= quality(preset)
                && (larger.output.keeps_alpha() || !preset.output.keeps_alpha())
                && (larger.copyright || !preset.copyright)
                && (preset.embedded || !larger.embedded)
        };
        let found = self
            .larger
            .iter()
            .filter(will_do)
            .find_map(|larger| self.files.get(&self.key(id, version, larger)))?;
        let larger = Source::bytes(found.read().ok()?.as_ref());
        self.thumbnailer.make(&larger, preset).ok()
    }

    /// The thumbnail, made by this thread if need be; waits for another who is making it.
    ///
    /// # Errors
    /// As [`make`](Self::make), and [`is_timeout`](Error::is_timeout) when another's making took
    /// longer than the thumbnailer's limits allow.
    pub fn get_or_make(
        &self,
        id: &[u8],
        version: &str,
        source: &Source,
        preset: impl Into<Preset>,
    ) -> Result<Entry, Error> {
        let preset = preset.into();
        let deadline = deadline_in(self.thumbnailer.longest());
        loop {
            match self.begin(id, version, &preset) {
                Begin::Hit(entry) => return Ok(entry),
                Begin::Make(lease) => {
                    return self.make_or_derive(lease, id, version, source, preset);
                }
                Begin::Refused(refusal) => return Err(refusal.to_error().into()),
                Begin::Busy(flight) => match flight.wait(deadline) {
                    // Its maker is gone without a word: perhaps it is ours to make now.
                    Err(error) if error.is_abandoned() && Instant::now() < deadline => {}
                    outcome => return Ok(outcome?),
                },
            }
        }
    }

    /// Makes those of `presets` that are missing, all from one decode, and says how many they
    /// were. What somebody else is making just now is left to them.
    ///
    /// # Errors
    /// As [`make`](Self::make), when one or more could not be made; the others are there.
    pub fn make_missing<P>(
        &self,
        id: &[u8],
        version: &str,
        source: &Source,
        presets: &[P],
    ) -> Result<usize, Error>
    where
        P: Clone + Into<Preset>,
    {
        let mut refused = Ok(());
        let (mut leases, mut missing) = (Vec::new(), Vec::new());
        let mut largest_first: Vec<Preset> = presets.iter().cloned().map(P::into).collect();
        largest_first.sort_by_key(|preset| std::cmp::Reverse(preset.edge_px));
        for preset in largest_first {
            match self.begin(id, version, &preset) {
                Begin::Hit(_) | Begin::Busy(_) => {}
                Begin::Make(lease) => {
                    leases.push(lease);
                    missing.push(preset);
                }
                Begin::Refused(refusal) => refused = Err(refusal.to_error().into()),
            }
        }
        while !missing.is_empty() {
            match self.thumbnailer.make_many(source, &missing) {
                Ok(made) => {
                    for (lease, thumbnail) in leases.into_iter().zip(&made) {
                        lease.publish(&thumbnail.bytes);
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

    fn key(&self, id: &[u8], version: &str, preset: &Preset) -> Key {
        let Preset { edge_px, quality, output, copyright, embedded } = preset;
        let quality = quality.unwrap_or(self.thumbnailer.quality());
        let media_type = output.media_type();
        let mut parameters = format!("thumb {PIPELINE} {media_type} e={edge_px} q={quality}");
        for (set, name) in [(copyright, " copyright"), (embedded, " embedded")] {
            parameters.push_str(if *set { name } else { "" });
        }
        Key::new(id, version, parameters)
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
