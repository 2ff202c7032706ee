//! Inverse DCT of the lowest 1, 2, 4 or 8 frequencies each way: a block comes out as small as it is
//! wanted.

use std::num::Wrapping;

/// Hostile coefficients overflow, and what comes of them does not matter.
pub(super) type Sample = Wrapping<i32>;

/// Dequantised coefficients, row by row.
pub(super) type Block = [Sample; 64];

/// Writes a block of `size` x `size` samples, the rows `stride` apart.
#[inline(always)]
pub(super) fn write(size: usize, block: &mut Block, out: &mut [u8], stride: usize) {
    match size {
        1 => out[0] = sample(block[0], 3),
        2 => two(block, out, stride),
        4 => four(block, out, stride),
        _ => eight(block, out, stride),
    }
}

/// Writes a block all of whose coefficients but the first are zero.
#[inline(always)]
pub(super) fn write_flat(size: usize, first: Sample, out: &mut [u8], stride: usize) {
    let level = sample(first, 3);
    for row in 0..size {
        out[row * stride..][..size].fill(level);
    }
}

/// Takes the scale of `bits` off, and shifts the level from around zero to around 128.
#[inline(always)]
fn sample(value: Sample, bits: usize) -> u8 {
    (round_shift(value, bits).0.saturating_add(128)).clamp(0, 255) as u8
}

#[inline(always)]
fn round_shift(value: Sample, bits: usize) -> Sample {
    (value + Wrapping(1 << (bits - 1))) >> bits
}

/// Of two points the scaled cosines are 1 and -1: sums and differences.
#[inline(always)]
fn two(block: &Block, out: &mut [u8], stride: usize) {
    let [a, b, c, d] = [block[0], block[1], block[8], block[9]];
    out[0] = sample(a + b + c + d, 3);
    out[1] = sample(a - b + c - d, 3);
    out[stride] = sample(a + b - c - d, 3);
    out[stride + 1] = sample(a - b - c + d, 3);
}

/// Constants are 13-bit fixed point, as in libjpeg's `jidctint`; the first pass keeps two more
/// bits.
const BITS: usize = 13;
const PASS_BITS: usize = 2;

const fn fixed(x: f64) -> Sample {
    Wrapping((x * (1 << BITS) as f64 + 0.5) as i32)
}

const FIX_0_298: Sample = fixed(0.298_631_336);
const FIX_0_390: Sample = fixed(0.390_180_644);
const FIX_0_541: Sample = fixed(0.541_196_100);
const FIX_0_765: Sample = fixed(0.765_366_865);
const FIX_0_899: Sample = fixed(0.899_976_223);
const FIX_1_175: Sample = fixed(1.175_875_602);
const FIX_1_501: Sample = fixed(1.501_321_110);
const FIX_1_847: Sample = fixed(1.847_759_065);
const FIX_1_961: Sample = fixed(1.961_570_560);
const FIX_2_053: Sample = fixed(2.053_119_869);
const FIX_2_562: Sample = fixed(2.562_915_447);
const FIX_3_072: Sample = fixed(3.072_711_026);

/// Four points of one line; the result is scaled by 2^BITS.
#[inline(always)]
fn line_of_four([s0, s1, s2, s3]: [Sample; 4]) -> [Sample; 4] {
    let (even, odd) = ((s0 + s2) << BITS, (s0 - s2) << BITS);
    let shared = (s1 + s3) * FIX_0_541;
    let outer = shared + s1 * FIX_0_765;
    let inner = shared - s3 * FIX_1_847;
    [even + outer, odd + inner, odd - inner, even - outer]
}

fn four(block: &Block, out: &mut [u8], stride: usize) {
    let mut middle = [[Wrapping(0); 4]; 4];
    for x in 0..4 {
        let column = line_of_four([block[x], block[8 + x], block[16 + x], block[24 + x]]);
        for y in 0..4 {
            middle[y][x] = round_shift(column[y], BITS - PASS_BITS);
        }
    }
    for (y, row) in middle.into_iter().enumerate() {
        let out = &mut out[y * stride..][..4];
        for (out, value) in out.iter_mut().zip(line_of_four(row)) {
            *out = sample(value, BITS + PASS_BITS + 3);
        }
    }
}

/// Eight points of one line (Loeffler, Ligtenberg, Moschytz); the result is scaled by 2^BITS.
#[inline(always)]
fn line_of_eight(s: [Sample; 8]) -> [Sample; 8] {
    let shared = (s[2] + s[6]) * FIX_0_541;
    let (t2, t3) = (shared - s[6] * FIX_1_847, shared + s[2] * FIX_0_765);
    let (t0, t1) = ((s[0] + s[4]) << BITS, (s[0] - s[4]) << BITS);
    let even = [t0 + t3, t1 + t2, t1 - t2, t0 - t3];

    let (z1, z2, z3, z4) = (s[7] + s[1], s[5] + s[3], s[7] + s[3], s[5] + s[1]);
    let z5 = (z3 + z4) * FIX_1_175;
    let (z1, z2) = (-z1 * FIX_0_899, -z2 * FIX_2_562);
    let (z3, z4) = (z5 - z3 * FIX_1_961, z5 - z4 * FIX_0_390);
    let odd = [
        s[1] * FIX_1_501 + z1 + z4,
        s[3] * FIX_3_072 + z2 + z3,
        s[5] * FIX_2_053 + z2 + z4,
        s[7] * FIX_0_298 + z1 + z3,
    ];
    let [e0, e1, e2, e3] = even;
    let [o0, o1, o2, o3] = odd;
    [e0 + o0, e1 + o1, e2 + o2, e3 + o3, e3 - o3, e2 - o2, e1 - o1, e0 - o0]
}

fn eight(block: &mut Block, out: &mut [u8], stride: usize) {
    for x in 0..8 {
        let column = line_of_eight(std::array::from_fn(|y| block[y * 8 + x]));
        for (y, value) in column.into_iter().enumerate() {
            block[y * 8 + x] = round_shift(value, BITS - PASS_BITS);
        }
    }
    for y in 0..8 {
        let row = line_of_eight(std::array::from_fn(|x| block[y * 8 + x]));
        let out = &mut out[y * stride..][..8];
        for (out, value) in out.iter_mut().zip(row) {
            *out = sample(value, BITS + PASS_BITS + 3);
        }
    }
}
