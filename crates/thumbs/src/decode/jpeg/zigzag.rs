//! The order in which coefficients are coded.

/// Positions of the coefficients in the order of coding, and then some: a run may lead beyond the
/// last.
pub(super) const ZIGZAG: [u8; 80] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63,
];

/// How many coefficients, in the order of coding, the lowest `size` frequencies each way are among.
pub(super) const fn wanted(size: u8) -> usize {
    let mut k = 63;
    while ZIGZAG[k] / 8 >= size || ZIGZAG[k] % 8 >= size {
        k -= 1;
    }
    k + 1
}
