//! What is kept of a progressive picture from its first scan to its last.
//!
//! A scan brings some frequencies of each block, or one more bit of them. A scaled decode wants the
//! lowest alone: at 1/8 one coefficient of 64. But a scan that refines has a bit for each that is
//! not zero, wanted or not, so of the others it has to be known which those are. That takes a bit
//! of each, and the sixteen of its value are kept only where it is wanted.

use std::io;

use super::bits::Bits;
use super::idct::Block;
use super::zigzag::ZIGZAG;

/// Of a coefficient that is not wanted.
const NOWHERE: u8 = u8::MAX;

/// All blocks of a component.
pub(super) struct Coefficients {
    places: Places,
    values: Vec<i16>,
    /// A bit for each coefficient of a block, in the order of coding; that of the first is not set.
    nonzero: Vec<u64>,
}

/// Where a coefficient is among those that are kept of a block, by the order of coding.
struct Places {
    slots: [u8; 64],
    kept: usize,
    /// Those that are kept, as bits.
    mask: u64,
}

impl Places {
    fn new(size: usize) -> Places {
        let mut places = Places { slots: [NOWHERE; 64], kept: 0, mask: 0 };
        for (k, &position) in ZIGZAG[..64].iter().enumerate() {
            if usize::from(position / 8) < size && usize::from(position % 8) < size {
                places.slots[k] = places.kept as u8;
                places.kept += 1;
                places.mask |= 1 << k;
            }
        }
        places
    }
}

/// One block of them.
pub(super) struct Kept<'a> {
    places: &'a Places,
    values: &'a mut [i16],
    nonzero: &'a mut u64,
}

/// The coefficients that a scan brings, from the first to the last, and the lowest of their bits.
#[derive(Clone, Copy)]
pub(super) struct Band {
    pub first: usize,
    pub last: usize,
    pub low: u32,
}

impl Coefficients {
    /// What `blocks` blocks occupy when they come out at `size` samples each way.
    pub(super) fn needed_bytes(blocks: usize, size: usize) -> u64 {
        (blocks * (size * size * size_of::<i16>() + size_of::<u64>())) as u64
    }

    pub(super) fn new(blocks: usize, size: usize) -> Coefficients {
        let places = Places::new(size);
        let values = vec![0; blocks * places.kept];
        Coefficients { places, values, nonzero: vec![0; blocks] }
    }

    #[inline(always)]
    pub(super) fn block_mut(&mut self, at: usize) -> Kept<'_> {
        let kept = self.places.kept;
        Kept {
            places: &self.places,
            values: &mut self.values[at * kept..][..kept],
            nonzero: &mut self.nonzero[at],
        }
    }

    /// Multiplies a block out; returns where its coefficients but the first are, ORed.
    #[inline(always)]
    pub(super) fn dequantised(&self, at: usize, quantization: &[f32; 64], block: &mut Block) -> u8 {
        let values = &self.values[at * self.places.kept..][..self.places.kept];
        block[0] = f32::from(values[0]) * quantization[0];
        let mut left = self.nonzero[at] & self.places.mask;
        let mut positions = 0;
        while left != 0 {
            let k = left.trailing_zeros() as usize;
            left &= left - 1;
            let value = values[usize::from(self.places.slots[k])];
            block[usize::from(ZIGZAG[k] & 63)] = f32::from(value) * quantization[k];
            positions |= ZIGZAG[k];
        }
        positions
    }
}

impl Kept<'_> {
    pub(super) fn set_first(&mut self, value: i16) {
        self.values[0] = value;
    }

    pub(super) fn add_to_first(&mut self, bit: i16) {
        self.values[0] |= bit;
    }

    /// Notes a coefficient that was zero before.
    #[inline(always)]
    pub(super) fn set(&mut self, k: usize, value: i32) {
        *self.nonzero |= 1 << k;
        if let Some(kept) = self.values.get_mut(usize::from(self.places.slots[k])) {
            *kept = value as i16;
        }
    }

    /// Reads a bit for each coefficient from `k` on that is not zero, until `zeros` that are have
    /// been passed: returns where the next is, or one beyond the band.
    pub(super) fn refine_over(
        &mut self,
        mut k: usize,
        mut zeros: u32,
        band: Band,
        bits: &mut Bits,
    ) -> io::Result<usize> {
        while k <= band.last {
            let span = (*self.nonzero >> k).trailing_zeros();
            if span > zeros {
                return Ok((k + zeros as usize).min(band.last + 1));
            }
            zeros -= span;
            k += span as usize;
            if k <= band.last {
                self.refine(k, band.low, bits)?;
            }
            k += 1;
        }
        Ok(band.last + 1)
    }

    /// Reads a bit for each coefficient from `k` on that is not zero.
    #[inline(always)]
    pub(super) fn refine_all(&mut self, k: usize, band: Band, bits: &mut Bits) -> io::Result<()> {
        if k > band.last {
            return Ok(());
        }
        let mut left = *self.nonzero >> k << k & (u64::MAX >> (63 - band.last));
        while left != 0 {
            self.refine(left.trailing_zeros() as usize, band.low, bits)?;
            left &= left - 1;
        }
        Ok(())
    }

    /// A bit is added away from zero, unless it is there.
    #[inline(always)]
    fn refine(&mut self, k: usize, low: u32, bits: &mut Bits) -> io::Result<()> {
        bits.refill()?;
        let set = bits.number(1) == 1;
        let bit = 1 << low;
        match self.values.get_mut(usize::from(self.places.slots[k])) {
            Some(value) if set && *value & bit == 0 => {
                *value = if *value >= 0 { value.wrapping_add(bit) } else { value.wrapping_sub(bit) }
            }
            _ => {}
        }
        Ok(())
    }
}
