//! Inverse DCT of the lowest 1 to 8 frequencies each way: a block comes out as small as it is
//! wanted.
//!
//! Each pass is a product with a small matrix of cosines, whose symmetry halves it: the even
//! frequencies are alike on both sides of the middle, the odd ones opposite. That is more
//! arithmetic than the butterflies of libjpeg, but of a kind that the compiler has vectors for, and
//! one text for all sizes. The lanes are the columns in both passes, so nothing is transposed.

/// Dequantised coefficients, row by row.
pub(super) type Block = [f32; 64];

/// What the positions of a block's coefficients, ORed, have in common when all of them are among
/// the lowest four frequencies each way, as in most blocks of a photograph.
const ABOVE_FOUR: u8 = 0b100_100;

/// The cosines for one size of blocks.
pub(super) struct Basis {
    /// For each frequency the first half of the samples.
    halves: [[f32; 4]; 8],
}

impl Basis {
    /// Prepares for blocks of `size` samples each way.
    pub(super) fn new(size: usize) -> Basis {
        let cosine = |k: usize, x: usize| {
            let scale = if k == 0 { 0.125f64.sqrt() } else { 0.5 };
            let angle = ((2 * x + 1) * k) as f64 * std::f64::consts::PI / (2 * size) as f64;
            (scale * angle.cos()) as f32
        };
        Basis { halves: std::array::from_fn(|k| std::array::from_fn(|x| cosine(k, x))) }
    }

    /// Writes a block of `SIZE` x `SIZE` samples, the rows `stride` apart. `positions` are those of
    /// its coefficients, ORed.
    #[inline(always)]
    pub(super) fn write<const SIZE: usize>(
        &self,
        block: &Block,
        positions: u8,
        out: &mut [u8],
        stride: usize,
    ) {
        if SIZE == 1 {
            out[0] = level(block[0] / 8.0);
        } else if SIZE == 2 {
            two(block, out, stride);
        } else if SIZE <= 4 || positions & ABOVE_FOUR == 0 {
            self.product::<SIZE, 4>(block, out, stride);
        } else {
            self.product::<SIZE, 8>(block, out, stride);
        }
    }

    /// Takes the lowest `LANES` frequencies each way. (Loops over indices, here and below: they
    /// become vectors where iterators and `map` do not.)
    #[inline(never)]
    fn product<const SIZE: usize, const LANES: usize>(
        &self,
        block: &Block,
        out: &mut [u8],
        stride: usize,
    ) {
        let frequencies = if LANES < SIZE { LANES } else { SIZE };
        let mut rows = [[0.0; LANES]; LANES];
        for v in 0..frequencies {
            for u in 0..LANES {
                rows[v][u] = block[v * 8 + u];
            }
        }
        let mut middle = [[0.0; LANES]; SIZE];
        for y in 0..SIZE.div_ceil(2) {
            let (even, odd) = sums(&rows, frequencies, |v| self.halves[v][y]);
            for u in 0..LANES {
                middle[y][u] = even[u] + odd[u];
                // In the very middle the odd ones are zero, but for rounding.
                middle[SIZE - 1 - y][u] = even[u] - odd[u];
            }
        }
        for (y, row) in middle.iter().enumerate() {
            let (even, odd) = sums(&self.halves, frequencies, |u| row[u]);
            write_row::<SIZE>(&even, &odd, &mut out[y * stride..]);
        }
    }
}

/// Adds up the rows, each times its factor: the even ones, and the odd ones.
#[inline(always)]
fn sums<const LANES: usize>(
    rows: &[[f32; LANES]],
    count: usize,
    factor: impl Fn(usize) -> f32,
) -> ([f32; LANES], [f32; LANES]) {
    let (mut even, mut odd) = ([0.0; LANES], [0.0; LANES]);
    for i in 0..LANES {
        even[i] = rows[0][i] * factor(0);
        odd[i] = rows[1][i] * factor(1);
    }
    for k in (2..count).step_by(2) {
        for i in 0..LANES {
            even[i] += rows[k][i] * factor(k);
        }
    }
    for k in (3..count).step_by(2) {
        for i in 0..LANES {
            odd[i] += rows[k][i] * factor(k);
        }
    }
    (even, odd)
}

#[inline(always)]
fn write_row<const SIZE: usize>(even: &[f32; 4], odd: &[f32; 4], out: &mut [u8]) {
    let (mut left, mut right) = ([0; 4], [0; 4]);
    for x in 0..4 {
        left[x] = level(even[x] + odd[x]);
        right[x] = level(even[x] - odd[x]);
    }
    right.reverse();
    let (half, other) = (SIZE.div_ceil(2), SIZE / 2);
    let out = &mut out[..SIZE];
    out[..half].copy_from_slice(&left[..half]);
    out[half..].copy_from_slice(&right[4 - other..]);
}

/// Writes a block all of whose coefficients but the first are zero.
#[inline(always)]
pub(super) fn write_flat<const SIZE: usize>(first: f32, out: &mut [u8], stride: usize) {
    let level = level(first / 8.0);
    for row in 0..SIZE {
        out[row * stride..][..SIZE].fill(level);
    }
}

/// Of two points the scaled cosines are 1 and -1: sums and differences.
#[inline(always)]
fn two(block: &Block, out: &mut [u8], stride: usize) {
    let [a, b, c, d] = [block[0], block[1], block[8], block[9]].map(|value| value / 8.0);
    out[0] = level(a + b + c + d);
    out[1] = level(a - b + c - d);
    out[stride] = level(a + b - c - d);
    out[stride + 1] = level(a - b - c + d);
}

/// Added to a small number, it leaves that, rounded, in the lowest bits.
const ROUNDS: f32 = 12_582_912.0;

/// Shifts from around zero to around 128. (`clamp` and `as` heed NaN, which cannot be here, and are
/// slower for it.)
#[inline(always)]
fn level(value: f32) -> u8 {
    let value = value + 128.0;
    let value = if value > 0.0 { value } else { 0.0 };
    let value = if value < 255.0 { value } else { 255.0 };
    (value + ROUNDS).to_bits() as u8
}

#[cfg(test)]
mod tests {
    use super::{Basis, Block, write_flat};

    /// The definition, sample by sample.
    fn plain(block: &Block, size: usize) -> Vec<u8> {
        let cosine = |k: usize, x: usize| {
            let angle = ((2 * x + 1) * k) as f64 * std::f64::consts::PI / (2 * size) as f64;
            angle.cos() * if k == 0 { 0.5f64.sqrt() } else { 1.0 } / 2.0
        };
        let sample = |x: usize, y: usize| {
            let terms = (0..size * size).map(|i| (i % size, i / size));
            terms.map(|(u, v)| f64::from(block[v * 8 + u]) * cosine(u, x) * cosine(v, y)).sum()
        };
        let level = |value: f64| (value + 128.0).round().clamp(0.0, 255.0) as u8;
        (0..size * size).map(|i| level(sample(i % size, i / size))).collect()
    }

    fn check<const SIZE: usize>(block: &Block) {
        let positions = (0..64u8).filter(|&i| block[usize::from(i)] != 0.0).fold(0, |a, b| a | b);
        let mut out = vec![7; SIZE * 16];
        Basis::new(SIZE).write::<SIZE>(block, positions, &mut out, 16);
        for (row, expected) in out.chunks(16).zip(plain(block, SIZE).chunks(SIZE)) {
            let off = row.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(off <= Some(1), "{SIZE}: {row:?} for {expected:?}");
            assert!(row[SIZE..].iter().all(|&beside| beside == 7), "{SIZE}: wrote beside");
        }
    }

    #[test]
    fn each_size_is_as_defined() {
        let mut random = 1u32;
        for reach in [1, 2, 4, 5, 8] {
            for _ in 0..50 {
                let mut block = [0.0; 64];
                for (i, coefficient) in block.iter_mut().enumerate() {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    if i % 8 < reach && i / 8 < reach {
                        *coefficient = (random >> 24) as f32 - 128.0;
                    }
                }
                check::<1>(&block);
                check::<2>(&block);
                check::<3>(&block);
                check::<4>(&block);
                check::<5>(&block);
                check::<6>(&block);
                check::<7>(&block);
                check::<8>(&block);
            }
        }
    }

    #[test]
    fn flat_and_hostile_blocks_stay_within_a_byte() {
        for (first, expected) in [(0.0, 128), (-2000.0, 0), (1e30, 255), (-1e30, 0), (8.0, 129)] {
            let mut block = [0.0; 64];
            block[0] = first;
            let (mut flat, mut whole) = ([0; 64], [0; 64]);
            write_flat::<8>(first, &mut flat, 8);
            Basis::new(8).write::<8>(&block, 0xFF, &mut whole, 8);
            assert_eq!((flat, whole), ([expected; 64], [expected; 64]));
        }
    }
}
