//! Patterns that cover a wall: Japanese waves, ribbons, and a Bauhaus quilt.

use super::canvas::Canvas;
use super::colour::{Gradient, hex, mix, smooth};
use super::noise::{Noise, floor, hash, hash01};

/// Seigaiha: row behind row of fans, indigo with gold, the sea and good luck.
pub fn seigaiha(canvas: &mut Canvas, seed: u32) {
    let noise = Noise(seed);
    let inks = Gradient::even(&[0x0b1f3f, 0x123a66, 0x1d5c8a, 0x3f8fae, 0x9fd0cf, 0xf0e6cc]);
    let (gold, cream) = (hex(0xd9a441), hex(0xf4ecd8));
    let (soft, radius) = (canvas.pixel(), 0.105);
    canvas.fill(|u, v| {
        let row_height = radius * 0.5;
        let mut row = (v / row_height).floor() as i32 + 3;
        // The lowest fan that reaches here lies on top.
        loop {
            let shift = if row.rem_euclid(2) == 0 { 0.0 } else { radius };
            let column = ((u - shift) / (2.0 * radius)).round();
            let centre = (column * 2.0 * radius + shift, row as f32 * row_height);
            let d = ((u - centre.0).powi(2) + (v - centre.1).powi(2)).sqrt();
            if d < radius {
                let id = hash01(column as i32, row, seed);
                let swell = noise.fbm(centre.0 * 1.6, centre.1 * 1.6, 3);
                let tone = 0.42 + 0.5 * swell + 0.18 * (id - 0.5);
                let rings = d / radius * 5.0;
                let line = (0.5 - (rings.fract() - 0.5).abs()) * radius / 5.0;
                let ring = rings.floor() / 5.0;
                let body = inks.at(tone + 0.22 * (ring - 0.4));
                let ink = if id > 0.93 { mix(body, gold, 0.8) } else { body };
                let edge = smooth(soft * 2.2, soft * 0.6, line - 0.0012);
                let shade = 1.0 - 0.45 * smooth(0.30, 0.0, (v - centre.1) / radius + 0.30);
                let depth = 0.70 + 0.30 * smooth(0.0, 1.0, d / radius) * shade.max(0.7);
                let grain = 1.0 + 0.05 * noise.other(3).fbm(u * 90.0, v * 90.0, 3);
                return mix(ink * depth, if id > 0.93 { gold } else { cream }, edge * 0.92) * grain;
            }
            row -= 1;
        }
    });
    canvas.vignette(0.2);
}

/// Truchet tiles: quarter rings that always join, woven over and under.
pub fn ribbons(canvas: &mut Canvas, seed: u32) {
    let noise = Noise(seed);
    let ground = Gradient::even(&[0x14213d, 0x1b2a4c, 0x233660]);
    let inks = Gradient::even(&[0xfca311, 0xf77f00, 0xe63946, 0xb5179e, 0x4361ee, 0x4cc9f0]);
    let (soft, tile) = (canvas.pixel(), 1.0 / 7.0);
    canvas.fill(|u, v| {
        let (tx, ty) = (floor(u / tile), floor(v / tile));
        let (x, y) = (u / tile - tx as f32, v / tile - ty as f32);
        let x = if hash(tx, ty, seed) & 1 == 0 { x } else { 1.0 - x };
        let near = (x * x + y * y).sqrt();
        let far = ((1.0 - x).powi(2) + (1.0 - y).powi(2)).sqrt();
        let d = if near < far { near } else { far } - 0.5;
        let half = 0.30;
        let inside = smooth(soft / tile, -soft / tile, d.abs() - half);
        let tone = 0.5 + 0.55 * noise.fbm(u * 1.1, v * 1.1, 2) + d * 0.5;
        let stripe = (d / half * 0.5 + 0.5) * 5.0;
        let groove = smooth(0.0, 0.10, 0.5 - (stripe.fract() - 0.5).abs());
        let round = (1.0 - (d / half).powi(2)).max(0.0).sqrt();
        let band = (stripe.floor() / 4.0 - 0.5) * 0.30;
        let ribbon = inks.at(tone + band) * ((0.45 + 0.62 * round) * (0.6 + 0.4 * groove));
        let shadow = smooth(half + 0.22, half, d.abs());
        let back =
            ground.at(0.5 + 0.5 * noise.other(1).at(u * 2.0, v * 2.0)) * (1.0 - 0.72 * shadow);
        mix(back, ribbon, inside)
    });
    canvas.bloom(0.8, 0.02, 0.2);
    canvas.vignette(0.25);
}

/// A quilt of quarter circles, half circles, stripes and dots in few colours.
pub fn bauhaus(canvas: &mut Canvas, seed: u32) {
    const INKS: [u32; 7] = [0xf2e8d5, 0xd7263d, 0xf2a900, 0x1b4d8c, 0x111d2b, 0x2a9d8f, 0xf4c6b0];
    let noise = Noise(seed);
    let (soft, tile) = (canvas.pixel() * 6.0, 1.0 / 6.0);
    canvas.fill(|u, v| {
        let (tx, ty) = (floor(u / tile), floor(v / tile));
        let pick = |n: i32| hash(tx, ty * 17 + n, seed);
        let back = pick(1) as usize % INKS.len();
        let front = (back + 1 + pick(2) as usize % (INKS.len() - 1)) % INKS.len();
        let third = (front + 1 + pick(5) as usize % (INKS.len() - 1)) % INKS.len();
        let turn = pick(3) % 4;
        let (mut x, mut y) = (u / tile - tx as f32, v / tile - ty as f32);
        for _ in 0..turn {
            (x, y) = (y, 1.0 - x);
        }
        let shape = motif(pick(4) % 8, x, y);
        let cover = smooth(-soft, soft, shape.0);
        let second = smooth(-soft, soft, shape.1);
        let ink = mix(mix(hex(INKS[back]), hex(INKS[front]), cover), hex(INKS[third]), second);
        let paper = 1.0
            + 0.07 * noise.fbm(u * 70.0, v * 70.0, 4)
            + 0.05 * noise.other(1).at(u * 4.0, v * 4.0);
        let seam = smooth(0.0, 0.012, x.min(y).min(1.0 - x).min(1.0 - y));
        ink * (paper * (0.86 + 0.14 * seam))
    });
    canvas.vignette(0.1);
}

/// The shape in a tile: how far a place lies inside the first and the second figure.
fn motif(kind: u32, x: f32, y: f32) -> (f32, f32) {
    let round = |cx: f32, cy: f32| ((x - cx).powi(2) + (y - cy).powi(2)).sqrt();
    match kind {
        0 => (1.0 - round(0.0, 0.0), 0.45 - round(0.0, 0.0)),
        1 => (0.5 - round(0.5, 0.0), 0.5 - round(0.5, 1.0)),
        2 => (0.40 - round(0.5, 0.5), 0.18 - round(0.5, 0.5)),
        3 => ((y * 6.0 * std::f32::consts::PI).sin() * 0.06, -1.0),
        4 => ((x - y) * 0.7, 0.16 - round(0.75, 0.25)),
        5 => (1.0 - round(0.0, 0.0), (0.62 - round(0.0, 0.0)).min(round(0.0, 0.0) - 0.32)),
        6 => {
            let (dx, dy) = ((x * 3.0).fract() - 0.5, (y * 3.0).fract() - 0.5);
            ((0.28 - (dx * dx + dy * dy).sqrt()) / 3.0, -1.0)
        }
        _ => (0.5 - round(0.0, 0.5), 0.5 - round(1.0, 0.5)),
    }
}
