//! The vertical half of a resize, done while the rows are being decoded.
//!
//! A picture that is only to be shrunk need never be in memory as a whole. Of each component a
//! window of rows is kept, just as many as the filter reaches over; strip by strip they become rows
//! of the thumbnail's height and the component's width, and the decoder writes over them. The
//! horizontal half follows when all rows are there (`planes.rs`). The resizer itself works in this
//! order, so the result is the same to the bit.
//!
//! ```text
//! decoder --unit of rows--> window --strip--> shrunk (one for each height asked for)
//! ```

use crate::{Error, resize};

/// Rows of the source that a strip takes in, about: fewer mean more calls of the resizer, more a
/// larger window.
const STRIP_ROWS: f64 = 64.0;

/// What stands where nothing was decoded.
const GREY: u8 = 128;

/// One component on its way from the decoder to the heights asked for.
pub(crate) struct Strips {
    /// Samples of a row.
    stride: usize,
    /// Rows of the component; the decoder may write more, to fill up its last unit.
    rows: usize,
    /// The most rows that the decoder writes at a time.
    unit_rows: usize,
    /// The rows from `first`, `held` of them decoded and one unit more for the decoder.
    window: Vec<u8>,
    first: usize,
    held: usize,
    shrunk: Vec<Shrunk>,
}

/// A component at its own width and the height of a thumbnail.
pub(crate) struct Shrunk {
    pub height: u32,
    pub samples: Vec<u8>,
    /// Rows of the component to a row of this.
    scale: f64,
    /// Rows of this in a strip.
    strip: u32,
    /// Rows that are done.
    done: u32,
}

impl Shrunk {
    fn new(stride: usize, covered_rows: f64, height: u32) -> Shrunk {
        let scale = covered_rows / f64::from(height);
        let strip = strip_of(scale).min(height);
        Shrunk { height, samples: vec![0; stride * height as usize], scale, strip, done: 0 }
    }

    /// The rows of the component that the next strip is made from, and the strip's own number.
    fn next(&self, rows: usize) -> Option<(usize, usize, u32)> {
        let strip = self.strip.min(self.height - self.done);
        if strip == 0 {
            return None;
        }
        let reach = reach_of(self.scale);
        let from = (f64::from(self.done) * self.scale - reach).floor().max(0.0) as usize;
        let to = (f64::from(self.done + strip) * self.scale + reach).ceil() as usize;
        Some((from.min(rows), to.min(rows), strip))
    }
}

/// Shrinks a component that is in memory as a whole.
#[cfg(feature = "turbojpeg")]
pub(crate) fn shrink_whole(
    samples: &[u8],
    stride: usize,
    covered_rows: f64,
    heights: &[u32],
) -> Result<Vec<Shrunk>, Error> {
    let shrink = |&height: &u32| {
        let mut shrunk = Shrunk::new(stride, covered_rows, height);
        resize::rows(samples, stride, (0.0, covered_rows), &mut shrunk.samples, height)?;
        Ok(shrunk)
    };
    heights.iter().map(shrink).collect()
}

fn strip_of(scale: f64) -> u32 {
    (STRIP_ROWS / scale).max(1.0) as u32
}

/// How far from its centre a row is made from: three rows of the coarser side.
fn reach_of(scale: f64) -> f64 {
    3.0 * scale.max(1.0) + 1.0
}

/// An upper bound of the rows in a window.
fn window_rows(unit_rows: usize, rows: usize, scales: impl Iterator<Item = f64>) -> usize {
    let needed = |scale: f64| f64::from(strip_of(scale)) * scale + 2.0 * reach_of(scale) + 2.0;
    let needed = scales.map(needed).fold(0.0, f64::max) as usize;
    // Room for several units, so that what is left is not moved for each.
    (needed + 4 * unit_rows).min(rows + unit_rows)
}

impl Strips {
    /// What a component with these measures occupies: its window and what is made of it.
    pub(crate) fn needed_bytes(
        stride: usize,
        rows: usize,
        covered_rows: f64,
        unit_rows: usize,
        heights: &[u32],
    ) -> u64 {
        let scales = heights.iter().map(|&height| covered_rows / f64::from(height));
        let shrunk: u64 = heights.iter().map(|&height| u64::from(height)).sum();
        stride as u64 * (window_rows(unit_rows, rows, scales) as u64 + shrunk)
    }

    /// Prepares for `rows` rows of `stride` samples, `unit_rows` at a time, of which the picture
    /// covers `covered_rows`.
    pub(crate) fn new(
        stride: usize,
        rows: usize,
        covered_rows: f64,
        unit_rows: usize,
        heights: &[u32],
    ) -> Strips {
        let shrunk: Vec<Shrunk> =
            heights.iter().map(|&height| Shrunk::new(stride, covered_rows, height)).collect();
        let scales = shrunk.iter().map(|shrunk| shrunk.scale);
        let window = vec![GREY; stride * window_rows(unit_rows, rows, scales)];
        Strips { stride, rows, unit_rows, window, first: 0, held: 0, shrunk }
    }

    /// Where the decoder writes the next unit of rows; grey until it does.
    #[inline(always)]
    pub(crate) fn unit_mut(&mut self) -> &mut [u8] {
        &mut self.window[self.held * self.stride..]
    }

    #[inline(always)]
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Takes in the first `rows` of the unit that the decoder has written.
    pub(crate) fn advance(&mut self, rows: usize) -> Result<(), Error> {
        self.held = (self.held + rows).min(self.rows - self.first);
        self.shrink()?;
        if (self.held + self.unit_rows) * self.stride > self.window.len() {
            self.discard();
        }
        let (stride, held) = (self.stride, self.held);
        self.window[held * stride..][..self.unit_rows * stride].fill(GREY);
        Ok(())
    }

    /// Returns the whole; rows that never came are grey.
    pub(crate) fn finish(mut self) -> Result<Vec<Shrunk>, Error> {
        while self.first + self.held < self.rows {
            self.advance(self.unit_rows)?;
        }
        Ok(self.shrunk)
    }

    /// Makes the strips whose rows are there.
    fn shrink(&mut self) -> Result<(), Error> {
        let (stride, held) = (self.stride, self.held);
        for shrunk in &mut self.shrunk {
            while let Some((from, to, strip)) = shrunk.next(self.rows) {
                if to > self.first + held {
                    break;
                }
                let rows = &self.window[(from - self.first) * stride..][..(to - from) * stride];
                let top = f64::from(shrunk.done) * shrunk.scale - from as f64;
                let out = shrunk.done as usize * stride..(shrunk.done + strip) as usize * stride;
                let covers = (top, f64::from(strip) * shrunk.scale);
                resize::rows(rows, stride, covers, &mut shrunk.samples[out], strip)?;
                shrunk.done += strip;
            }
        }
        Ok(())
    }

    /// Moves what is still needed to the front.
    fn discard(&mut self) {
        let end = self.first + self.held;
        let starts = self.shrunk.iter().filter_map(|shrunk| shrunk.next(self.rows));
        let keep_from = starts.map(|(from, ..)| from).min().unwrap_or(end).min(end);
        let (from, to) = (keep_from - self.first, self.held);
        self.window.copy_within(from * self.stride..to * self.stride, 0);
        (self.first, self.held) = (keep_from, end - keep_from);
    }
}
