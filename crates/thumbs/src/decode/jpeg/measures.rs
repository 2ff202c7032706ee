//! Where the blocks of a component go, at a given size.

use crate::header::jpeg::Frame;

/// How a component lies in memory.
pub(super) struct Measures {
    /// Samples of a row, in whole MCUs.
    pub stride: usize,
    /// Rows in whole blocks.
    pub rows: usize,
    /// The part that the picture covers, in samples.
    pub covers: (f64, f64),
    /// Blocks across and down, as stored in a scan of this component alone.
    pub blocks: (usize, usize),
    /// Rows of an MCU.
    pub unit_rows: usize,
}

impl Measures {
    /// Of a component that is sampled `(h, v)`, with `size` samples of a block each way.
    pub(super) fn new(frame: &Frame, (h, v): (u8, u8), size: usize) -> Measures {
        let (h_max, v_max) = frame.max_sampling();
        let cover = |n: u16, share: u8, max: u8| {
            f64::from(n) * f64::from(share) * size as f64 / (f64::from(max) * 8.0)
        };
        let blocks = |n: u16, share: u8, max: u8| {
            (usize::from(n) * usize::from(share)).div_ceil(8 * usize::from(max))
        };
        let mcus_across = usize::from(frame.width).div_ceil(8 * usize::from(h_max));
        let blocks = (blocks(frame.width, h, h_max), blocks(frame.height, v, v_max));
        Measures {
            stride: mcus_across * usize::from(h) * size,
            rows: blocks.1 * size,
            covers: (cover(frame.width, h, h_max), cover(frame.height, v, v_max)),
            blocks,
            unit_rows: usize::from(v) * size,
        }
    }
}
