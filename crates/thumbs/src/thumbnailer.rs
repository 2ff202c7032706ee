//! The front door: limits, the order of the steps, and the retry when a source changes underneath.

use std::sync::Arc;
use std::time::Duration;

use crate::budget::{Budget, Patience};
use crate::colour::ToSrgb;
use crate::decode::{Channels, Decoded, Plan, Raster, decode};
use crate::encode::{Finished, Samples, encode};
use crate::exif::Told;
use crate::header::{self, Header};
use crate::source::Opened;
use crate::watch::Allowance;
use crate::{Error, Format, Output, Preset, Source, alpha, orient, preset, resize};

/// A finished thumbnail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Thumbnail {
    /// The encoded picture: upright, sRGB, without metadata but for what was asked for.
    pub bytes: Vec<u8>,
    /// What it is encoded as.
    pub output: Output,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// True when the source ended early, or is damaged after a scan that is whole: what was there
    /// is shown, and the rest is grey or coarse. The same bytes give no better one, so a
    /// [`ThumbCache`](crate::ThumbCache) keeps it as it keeps others, under the version that it was
    /// asked for.
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
    #[cfg(feature = "turbojpeg")]
    turbojpeg: bool,
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
            #[cfg(feature = "turbojpeg")]
            turbojpeg: true,
        };
        ThumbnailerBuilder { limits, memory_budget_bytes: 256 << 20 }
    }

    /// Makes one thumbnail: `320` is a JPEG whose longest edge has 320 pixels, a [`Preset`] says
    /// more.
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
    /// When a size of 0 pixels is asked for.
    pub fn make(&self, source: &Source, preset: impl Into<Preset>) -> Result<Thumbnail, Error> {
        Ok(self.make_many(source, &[preset.into()])?.remove(0))
    }

    /// Makes several thumbnails from one decode, in the order of `presets`.
    ///
    /// # Errors
    ///
    /// As [`make`](Self::make); they fail together.
    ///
    /// # Panics
    ///
    /// When a size of 0 pixels is asked for.
    pub fn make_many<P>(&self, source: &Source, presets: &[P]) -> Result<Vec<Thumbnail>, Error>
    where
        P: Clone + Into<Preset>,
    {
        let presets: Vec<Preset> = presets.iter().cloned().map(P::into).collect();
        let opened = source.open()?;
        while_unchanged(&opened, || self.attempt(&opened, &presets))
    }

    pub(crate) fn quality(&self) -> u8 {
        self.limits.quality
    }

    /// Names all that decides whether a picture is refused, beside the picture.
    pub(crate) fn refuses_by(&self) -> String {
        let Limits { max_pixels, time_limit, .. } = self.limits;
        let version = env!("CARGO_PKG_VERSION");
        #[cfg(feature = "turbojpeg")]
        let turbo = self.limits.turbojpeg;
        #[cfg(not(feature = "turbojpeg"))]
        let turbo = false;
        let bytes = self.budget.total();
        format!("{version} turbo={turbo} px={max_pixels} bytes={bytes} time={time_limit:?}")
    }

    /// The longest that [`make`](Self::make) may take: waiting for room, then decoding, each time
    /// that the source changes.
    pub(crate) fn longest(&self) -> Duration {
        let Limits { wait_limit, time_limit, .. } = self.limits;
        wait_limit.saturating_add(time_limit).saturating_mul(ATTEMPTS)
    }

    fn attempt(&self, source: &Opened, presets: &[Preset]) -> Result<Vec<Thumbnail>, Error> {
        let patience = Patience::of(self.limits.wait_limit);
        let header = self.header(source, patience)?;
        if presets.iter().all(|preset| preset.embedded)
            && let Some(made) = self.make_from_embedded(&header, presets, patience)
        {
            return Ok(made);
        }
        self.make_from_picture(source, &header, presets, patience)
    }

    /// Reads the header within the budget, and keeps of it what everybody who waits may hold.
    fn header(&self, source: &Opened, patience: Patience) -> Result<Header, Error> {
        let time = self.limits.time_limit;
        let format = header::sniff(source, time)?;
        let needed = header::needed_bytes(format).min(self.budget.total());
        let _loan = self.budget.lend(needed, patience)?;
        let mut header = Header::read_as(format, source, time)?;
        header.put_off_icc();
        Ok(header)
    }

    /// From the small picture that the camera has put beside the large one, if it will do.
    fn make_from_embedded(
        &self,
        header: &Header,
        presets: &[Preset],
        patience: Patience,
    ) -> Option<Vec<Thumbnail>> {
        if header.icc_put_off {
            return None;
        }
        let small = Source::bytes(header.told.embedded.clone()?).open().ok()?;
        let own = self.header(&small, patience).ok()?;
        let edge = presets.iter().map(|preset| preset.edge_px).max()?;
        if own.format != Format::Jpeg || !is_reduced(&own, header, edge) {
            return None;
        }
        // It lies as the large one does, and has its colours.
        let told = Told { embedded: None, ..header.told.clone() };
        let own = Header { told, icc: header.icc.clone(), ..own };
        self.make_from_picture(&small, &own, presets, patience).ok().filter(|made| !made[0].partial)
    }

    fn make_from_picture(
        &self,
        source: &Opened,
        header: &Header,
        presets: &[Preset],
        patience: Patience,
    ) -> Result<Vec<Thumbnail>, Error> {
        let Limits { max_pixels, time_limit, .. } = self.limits;
        let (width, height) = (header.width, header.height);
        if u64::from(width) * u64::from(height) > max_pixels {
            return Err(Error::too_many_pixels(width, height, max_pixels));
        }
        let plan = Plan::new(header, &direct_sizes(header, presets));
        #[cfg(feature = "turbojpeg")]
        let plan = match self.limits.turbojpeg {
            true => plan.with_turbo(header, source.size_bytes()?, self.budget.total()),
            false => plan,
        };
        let needed = match header.icc_put_off {
            // The header is read again before the decoder begins.
            true => (plan.needed_bytes.saturating_add(header::MAX_PROFILE_BYTES))
                .max(header::needed_bytes(header.format)),
            false => plan.needed_bytes,
        };
        if needed > self.budget.total() {
            return Err(Error::over_budget(width, height, needed, self.budget.total()));
        }
        let _loan = self.budget.lend(needed, patience)?;
        let icc = match header.icc_put_off {
            true => Header::read_as(header.format, source, time_limit)?.icc,
            false => header.icc.clone(),
        };
        let allowed = Allowance { time: time_limit, bytes: u64::MAX };
        let decoded = decode(source, header, &plan, allowed)?;
        self.shrink_all(decoded, header, icc.as_deref(), presets)
    }

    /// Largest first, so that a smaller one can be made from it.
    fn shrink_all(
        &self,
        decoded: Decoded,
        header: &Header,
        icc: Option<&[u8]>,
        presets: &[Preset],
    ) -> Result<Vec<Thumbnail>, Error> {
        let to_srgb = ToSrgb::new(icc, decoded.channels());
        let mut order: Vec<usize> = (0..presets.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(presets[i].edge_px));
        let mut made: Vec<(usize, Thumbnail)> = Vec::with_capacity(order.len());
        let mut best = decoded;
        for i in order {
            let edge = presets[i].edge_px;
            let (w, h) = resize::fit(header.width, header.height, edge);
            let small = best.resize(w, h)?;
            made.push((i, self.finish(&small, &to_srgb, header, &presets[i])?));
            let smaller = presets.iter().map(|preset| preset.edge_px).filter(|&e| e < edge);
            if smaller.max().is_some_and(|next| derives((w, h), next)) {
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
        preset: &Preset,
    ) -> Result<Thumbnail, Error> {
        let (straight, alphas) = match preset.output.keeps_alpha() {
            true => alpha::apart(small),
            false => (alpha::over_white(small), None),
        };
        let colours = to_srgb.apply(straight);
        let grey = colours.channels == Channels::Grey;
        let (pixels, samples) = match (grey, alphas) {
            (true, None) => (colours.pixels, Samples::Grey),
            (false, None) => (colours.pixels, Samples::Rgb),
            (true, Some(a)) => (alpha::join::<1>(&colours.pixels, &a), Samples::GreyAlpha),
            (false, Some(a)) => (alpha::join::<3>(&colours.pixels, &a), Samples::Rgba),
        };
        let turn = match samples {
            Samples::Grey => orient::upright::<1>,
            Samples::GreyAlpha => orient::upright::<2>,
            Samples::Rgb => orient::upright::<3>,
            Samples::Rgba => orient::upright::<4>,
        };
        let (pixels, width, height) =
            turn(pixels, colours.width, colours.height, header.orientation());
        let exif = preset.copyright.then(|| header.told.rights()).flatten();
        let finished = Finished { pixels, width, height, samples, exif };
        let quality = preset.quality.unwrap_or(self.limits.quality);
        let bytes = encode(finished, preset.output, quality)?;
        Ok(Thumbnail { bytes, output: preset.output, width, height, partial: small.partial })
    }
}

/// How far the aspect of an embedded picture may be off: rounding, but no bars above and below.
const ASPECT_TOLERANCE: f64 = 0.02;

/// Tells whether `small` shows what `large` does, with at least `edge` pixels.
fn is_reduced(small: &Header, large: &Header, edge: u32) -> bool {
    let aspect = |header: &Header| f64::from(header.width) / f64::from(header.height);
    let same = (aspect(small) / aspect(large) - 1.0).abs() <= ASPECT_TOLERANCE;
    same && small.width.max(small.height) >= edge
}

/// The sizes that are made from the decoded picture itself, the largest first; the others are made
/// from a larger thumbnail.
fn direct_sizes(header: &Header, presets: &[Preset]) -> Vec<(u32, u32)> {
    let mut edges: Vec<u32> = presets.iter().map(|preset| preset.edge_px).collect();
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
    /// each header; reading a header takes 4 MiB of them, that of a TIFF 8. Who finds no room waits,
    /// and holds at most 64 KiB of profile and 64 KiB of embedded picture meanwhile; a picture that
    /// alone needs more is refused. Default 256 MiB.
    pub fn memory_budget_bytes(mut self, bytes: u64) -> Self {
        self.memory_budget_bytes = bytes;
        self
    }

    /// Quality of the thumbnails whose [`Preset`] sets none, 1 to 100. Default 80.
    ///
    /// # Panics
    ///
    /// Outside of 1 to 100.
    pub fn quality(mut self, quality: u8) -> Self {
        self.limits.quality = preset::checked(quality);
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

    /// Sets whether libjpeg-turbo decodes the JPEGs that it is fit for. It takes a file
    /// into memory as a whole, which counts, and the time limit is looked at before and after it,
    /// not within. Default: it does.
    #[cfg(feature = "turbojpeg")]
    pub fn turbojpeg(mut self, on: bool) -> Self {
        self.limits.turbojpeg = on;
        self
    }

    /// Builds the thumbnailer with a budget of its own.
    #[must_use]
    pub fn build(self) -> Thumbnailer {
        let budget = Arc::new(Budget::new(self.memory_budget_bytes));
        Thumbnailer { limits: self.limits, budget }
    }
}

/// Reads a source, and again if it has changed meanwhile.
fn while_unchanged<T>(
    source: &Opened,
    mut read: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    for _ in 0..ATTEMPTS {
        let before = source.fingerprint()?;
        let result = read();
        // An error, too, may come of bytes that were being written.
        if source.fingerprint()? == before {
            return result;
        }
    }
    Err(Error::changed(ATTEMPTS))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

    /// Reads a file that changes during the first `changes` readings; returns how many there were,
    /// and what came of them when each of those that were changed had failed.
    fn read_changing(changes: u32) -> (u32, Result<u32, Error>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changing.jpg");
        let file = File::create(&path).unwrap();
        let opened = Source::path(&path).open().unwrap();
        let mut readings = 0;
        let result = while_unchanged(&opened, || {
            readings += 1;
            if readings > changes {
                return Ok(readings);
            }
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(readings));
            file.set_modified(time).unwrap();
            Err(Error::damaged("half of it was written"))
        });
        (readings, result)
    }

    #[test]
    fn a_picture_changed_during_its_first_reading_alone_is_read_again() {
        let (readings, result) = read_changing(1);
        assert_eq!((readings, result.unwrap()), (2, 2));
        let (readings, result) = read_changing(u32::MAX);
        assert!(readings == ATTEMPTS && result.unwrap_err().is_changed());
    }
}
