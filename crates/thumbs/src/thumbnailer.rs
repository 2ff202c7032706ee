//! The front door: limits, the order of the steps, and the retry when a source changes underneath.

use std::sync::Arc;
use std::time::Duration;

use crate::budget::Budget;
use crate::colour::ToSrgb;
use crate::decode::{Channels, Decoded, Plan, Raster, decode};
use crate::header::Header;
use crate::source::Opened;
use crate::watch::Allowance;
use crate::{Error, Source, encode, orient, resize};

/// A finished thumbnail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Thumbnail {
    /// A baseline JPEG: upright, sRGB, without metadata.
    pub jpeg: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// True when the source ended early: what was there is shown, the rest is grey. Fit to be
    /// looked at, not to be kept for ever.
    pub partial: bool,
}

/// Makes thumbnails within limits that all its clones share.
///
/// Cloning is cheap; every clone draws on the same memory budget, so one per process is the way to
/// use it.
#[derive(Clone)]
pub struct Thumbnailer {
    limits: Limits,
    budget: Arc<Budget>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    max_pixels: u64,
    quality: u8,
    time_limit: Duration,
    wait_limit: Duration,
}

/// Sets the limits of a [`Thumbnailer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ThumbnailerBuilder {
    limits: Limits,
    memory_budget_bytes: u64,
}

/// A source that is written to without pause is given up after this many readings.
const ATTEMPTS: u32 = 2;

/// A smaller thumbnail is made from a larger one when it is this many times smaller; below that,
/// two Lanczos passes in a row would soften it.
const DERIVE_RATIO: u32 = 2;

impl Thumbnailer {
    /// Starts from the defaults, which suit a server of 1 GB.
    pub fn builder() -> ThumbnailerBuilder {
        let limits = Limits {
            max_pixels: 210_000_000,
            quality: 80,
            time_limit: Duration::from_secs(20),
            wait_limit: Duration::from_secs(30),
        };
        ThumbnailerBuilder { limits, memory_budget_bytes: 256 << 20 }
    }

    /// Makes one thumbnail whose longest edge has `edge_px` pixels.
    ///
    /// The aspect is kept. A picture that is smaller keeps its size, but is encoded anew all the
    /// same: upright, in sRGB, stripped.
    ///
    /// # Errors
    ///
    /// See [`Error`]'s predicates; no input makes this panic.
    ///
    /// # Panics
    ///
    /// When `edge_px` is 0.
    pub fn make(&self, source: &Source, edge_px: u32) -> Result<Thumbnail, Error> {
        Ok(self.make_many(source, &[edge_px])?.remove(0))
    }

    /// Makes several thumbnails from one decode, in the order of `edges_px`.
    ///
    /// # Errors
    ///
    /// As [`make`](Self::make); they fail together.
    ///
    /// # Panics
    ///
    /// When an edge is 0.
    pub fn make_many(&self, source: &Source, edges_px: &[u32]) -> Result<Vec<Thumbnail>, Error> {
        assert!(edges_px.iter().all(|&edge| edge > 0), "a thumbnail of no pixels was asked for");
        let opened = source.open()?;
        for _ in 0..ATTEMPTS {
            let before = opened.fingerprint()?;
            let result = self.attempt(&opened, edges_px);
            // An error, too, may come of bytes that were being written.
            if opened.fingerprint()? == before {
                return result;
            }
        }
        Err(Error::changed(ATTEMPTS))
    }

    pub(crate) fn quality(&self) -> u8 {
        self.limits.quality
    }

    /// The longest that [`make`](Self::make) may take: waiting for room, then decoding, each time
    /// that the source changes.
    pub(crate) fn longest(&self) -> Duration {
        (self.limits.wait_limit + self.limits.time_limit) * ATTEMPTS
    }

    fn attempt(&self, source: &Opened, edges_px: &[u32]) -> Result<Vec<Thumbnail>, Error> {
        let Limits { max_pixels, time_limit, wait_limit, .. } = self.limits;
        let header = Header::read(source, time_limit)?;
        let (width, height) = (header.width, header.height);
        if u64::from(width) * u64::from(height) > max_pixels {
            return Err(Error::too_many_pixels(width, height, max_pixels));
        }
        let plan = Plan::new(&header, &direct_sizes(&header, edges_px));
        if plan.needed_bytes > self.budget.total() {
            let budget = self.budget.total();
            return Err(Error::over_budget(width, height, plan.needed_bytes, budget));
        }
        let _loan = self.budget.lend(plan.needed_bytes, wait_limit)?;
        let allowed = Allowance { time: time_limit, bytes: u64::MAX };
        let decoded = decode(source, &header, &plan, allowed)?;
        self.shrink_all(decoded, &header, edges_px)
    }

    /// Largest first, so that a smaller one can be made from it.
    fn shrink_all(
        &self,
        decoded: Decoded,
        header: &Header,
        edges_px: &[u32],
    ) -> Result<Vec<Thumbnail>, Error> {
        let to_srgb = ToSrgb::new(header.icc.as_deref(), decoded.channels());
        let mut order: Vec<usize> = (0..edges_px.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(edges_px[i]));
        let mut made: Vec<(usize, Thumbnail)> = Vec::with_capacity(order.len());
        let mut best = decoded;
        for i in order {
            let (w, h) = resize::fit(header.width, header.height, edges_px[i]);
            let small = best.resize(w, h)?;
            made.push((i, self.finish(&small, &to_srgb, header)?));
            if let Some(next) = edges_px.iter().filter(|&&e| e < edges_px[i]).max()
                && derives((w, h), *next)
            {
                best = Decoded::Packed(small);
            }
        }
        made.sort_by_key(|(i, _)| *i);
        Ok(made.into_iter().map(|(_, thumbnail)| thumbnail).collect())
    }

    fn finish(
        &self,
        small: &Raster,
        to_srgb: &ToSrgb,
        header: &Header,
    ) -> Result<Thumbnail, Error> {
        let small = to_srgb.apply(small);
        let grey = small.channels == Channels::Grey;
        let turn = if grey { orient::upright::<1> } else { orient::upright::<3> };
        let partial = small.partial;
        let (pixels, width, height) =
            turn(small.pixels, small.width, small.height, header.orientation());
        let jpeg = encode::jpeg(&pixels, width, height, grey, self.limits.quality)?;
        Ok(Thumbnail { jpeg, width, height, partial })
    }
}

/// The sizes that are made from the decoded picture itself, the largest first; the others are made
/// from a larger thumbnail.
fn direct_sizes(header: &Header, edges_px: &[u32]) -> Vec<(u32, u32)> {
    let mut edges = edges_px.to_vec();
    edges.sort_unstable_by(|a, b| b.cmp(a));
    edges.dedup();
    let mut sizes: Vec<(u32, u32)> = Vec::new();
    for edge in edges {
        if sizes.last().is_some_and(|&larger| derives(larger, edge)) {
            break;
        }
        sizes.push(resize::fit(header.width, header.height, edge));
    }
    sizes
}

fn derives((width, height): (u32, u32), edge: u32) -> bool {
    width.max(height) >= edge.saturating_mul(DERIVE_RATIO)
}

impl std::fmt::Debug for Thumbnailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Thumbnailer")
            .field("limits", &self.limits)
            .field("memory_budget_bytes", &self.budget.total())
            .finish()
    }
}

impl ThumbnailerBuilder {
    /// Refuses pictures of more pixels than this. Default 210,000,000: the largest sensors in
    /// telephones store 16,320 x 12,240 (200 MP), and nothing that people photograph with stores
    /// more.
    pub fn max_pixels(mut self, pixels: u64) -> Self {
        self.limits.max_pixels = pixels;
        self
    }

    /// Bounds what decoders occupy in all threads together, by the upper bound that follows from
    /// each header. Who finds no room waits; a picture that alone needs more is refused. Default
    /// 256 MiB.
    pub fn memory_budget_bytes(mut self, bytes: u64) -> Self {
        self.memory_budget_bytes = bytes;
        self
    }

    /// Quality of the thumbnails, 1 to 100. Default 80.
    ///
    /// # Panics
    ///
    /// Outside of 1 to 100.
    pub fn quality(mut self, quality: u8) -> Self {
        assert!((1..=100).contains(&quality), "quality {quality} is not within 1 to 100");
        self.limits.quality = quality;
        self
    }

    /// Bounds the decoding of one picture, the waiting for memory not included. Default 20 s.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limits.time_limit = limit;
        self
    }

    /// Bounds the waiting for memory that other pictures hold. Default 30 s.
    pub fn wait_limit(mut self, limit: Duration) -> Self {
        self.limits.wait_limit = limit;
        self
    }

    /// Builds the thumbnailer with a budget of its own.
    #[must_use]
    pub fn build(self) -> Thumbnailer {
        let budget = Arc::new(Budget::new(self.memory_budget_bytes));
        Thumbnailer { limits: self.limits, budget }
    }
}
