//! From canvas to photograph: exposure, enlargement, grain, and the turn that EXIF undoes.

use super::canvas::Canvas;
use super::noise::hash;

/// Where a camera held that way stores the pixel (x, y) of the upright picture of `w` x `h`.
fn stored(orientation: u8, x: usize, y: usize, w: usize, h: usize) -> (usize, usize) {
    match orientation {
        2 => (w - 1 - x, y),
        3 => (w - 1 - x, h - 1 - y),
        4 => (x, h - 1 - y),
        5 => (y, x),
        6 => (y, w - 1 - x),
        7 => (h - 1 - y, w - 1 - x),
        8 => (h - 1 - y, x),
        _ => (x, y),
    }
}

/// The stored size of an upright picture of `w` x `h`.
pub fn stored_size(orientation: u8, w: usize, h: usize) -> (usize, usize) {
    if orientation >= 5 { (h, w) } else { (w, h) }
}

/// A place between pixels: the first of four neighbours, and the weight of each.
struct Taps {
    first: isize,
    weights: [f32; 4],
}

impl Taps {
    /// The taps for pixel `i` of `to`, enlarged from `from` pixels (Catmull-Rom).
    fn new(i: usize, from: usize, to: usize) -> Taps {
        let x = (i as f32 + 0.5) * from as f32 / to as f32 - 0.5;
        let base = x.floor();
        let t = x - base;
        let weights = [
            ((2.0 - t) * t - 1.0) * t * 0.5,
            ((3.0 * t - 5.0) * t * t + 2.0) * 0.5,
            ((4.0 - 3.0 * t) * t + 1.0) * t * 0.5,
            (t - 1.0) * t * t * 0.5,
        ];
        Taps { first: base as isize - 1, weights }
    }

    /// The index of neighbour `k` among `count`.
    fn index(&self, k: usize, count: usize) -> usize {
        (self.first + k as isize).clamp(0, count as isize - 1) as usize
    }
}

/// Enlarges the canvas to `width` x `height` upright pixels, adds grain, and returns the bytes of
/// RGB pixels in the order in which a camera held as `orientation` says would store them.
pub fn develop(canvas: &Canvas, width: usize, height: usize, orientation: u8) -> Vec<u8> {
    let exposed: Vec<[f32; 3]> = canvas.pixels.iter().map(|p| p.0.map(expose)).collect();
    let (stored_width, _) = stored_size(orientation, width, height);
    let origin = stored(orientation, 0, 0, width, height);
    let right = stored(orientation, 1, 0, width, height);
    let place = |p: (usize, usize)| (p.1 * stored_width + p.0) as isize * 3;
    let step = place(right) - place(origin);
    let across: Vec<Taps> = (0..width).map(|x| Taps::new(x, canvas.width, width)).collect();
    let mut row = vec![[0f32; 3]; canvas.width];
    let mut out = vec![0u8; width * height * 3];
    for y in 0..height {
        blend_rows(&exposed, canvas, &Taps::new(y, canvas.height, height), &mut row);
        let mut at = place(stored(orientation, 0, y, width, height));
        for (x, taps) in across.iter().enumerate() {
            let pixel = grain(enlarge(&row, taps), x, y);
            out[at as usize..at as usize + 3].copy_from_slice(&pixel);
            at += step;
        }
    }
    out
}

/// Mixes four rows of the canvas into one.
fn blend_rows(exposed: &[[f32; 3]], canvas: &Canvas, taps: &Taps, row: &mut [[f32; 3]]) {
    let w = canvas.width;
    let rows = [0, 1, 2, 3].map(|k| &exposed[taps.index(k, canvas.height) * w..][..w]);
    let [a, b, c, d] = taps.weights;
    for (x, pixel) in row.iter_mut().enumerate() {
        for i in 0..3 {
            pixel[i] =
                rows[0][x][i] * a + rows[1][x][i] * b + rows[2][x][i] * c + rows[3][x][i] * d;
        }
    }
}

/// Mixes four pixels of a row into one.
fn enlarge(row: &[[f32; 3]], taps: &Taps) -> [f32; 3] {
    let mut sum = [0f32; 3];
    for (k, weight) in taps.weights.iter().enumerate() {
        let pixel = &row[taps.index(k, row.len())];
        for i in 0..3 {
            sum[i] += pixel[i] * weight;
        }
    }
    sum
}

/// Rounds to bytes after adding film grain, which also hides the steps of soft gradients.
fn grain(pixel: [f32; 3], x: usize, y: usize) -> [u8; 3] {
    let h = hash(x as i32, y as i32, 0x6772_6169);
    let bell = ((h & 0x3ff) + ((h >> 10) & 0x3ff)) as f32 / 1023.0 - 1.0;
    let tint = [h >> 20 & 15, h >> 24 & 15, h >> 28].map(|b| b as f32 / 15.0 - 0.5);
    [0, 1, 2].map(|i| (pixel[i] * 255.0 + 2.2 * bell + tint[i] + 0.5).clamp(0.0, 255.0) as u8)
}

/// Linear light to the screen's scale, bright light rolled off softly as film does.
fn expose(light: f32) -> f32 {
    const KNEE: f32 = 0.6;
    let x = light.max(0.0);
    let x = if x > KNEE { 1.0 - (1.0 - KNEE) * (-(x - KNEE) / (1.0 - KNEE)).exp() } else { x };
    if x <= 0.003_130_8 { x * 12.92 } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::colour::Rgb;

    /// The corners of the stored picture in which the upright top left and top right lie, read
    /// from the EXIF standard: (right, bottom).
    const CORNERS: [[(bool, bool); 2]; 8] = [
        [(false, false), (true, false)],
        [(true, false), (false, false)],
        [(true, true), (false, true)],
        [(false, true), (true, true)],
        [(false, false), (false, true)],
        [(false, true), (false, false)],
        [(true, true), (true, false)],
        [(true, false), (true, true)],
    ];

    #[test]
    fn each_orientation_stores_the_corners_where_exif_says() {
        let mut canvas = Canvas::new(6, 4);
        canvas.pixels[0] = Rgb([1.0, 0.0, 0.0]);
        canvas.pixels[5] = Rgb([0.0, 0.0, 1.0]);
        for (orientation, corners) in (1..=8).zip(CORNERS) {
            let (w, h) = stored_size(orientation, 12, 8);
            let bytes = develop(&canvas, 12, 8, orientation);
            for ((right, bottom), channel) in corners.into_iter().zip([0, 2]) {
                let (x, y) = (if right { w - 1 } else { 0 }, if bottom { h - 1 } else { 0 });
                let pixel = &bytes[(y * w + x) * 3..][..3];
                assert!(pixel[channel] > 200 && pixel[1] < 60, "{orientation}: {pixel:?}");
            }
        }
    }

    #[test]
    fn no_orientation_loses_a_pixel() {
        for orientation in 1..=8 {
            let (w, h) = (5, 3);
            let (sw, sh) = stored_size(orientation, w, h);
            let mut seen = vec![false; sw * sh];
            for (x, y) in (0..h).flat_map(|y| (0..w).map(move |x| (x, y))) {
                let (sx, sy) = stored(orientation, x, y, w, h);
                assert!(!std::mem::replace(&mut seen[sy * sw + sx], true));
            }
        }
    }
}
