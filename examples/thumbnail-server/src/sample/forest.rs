//! A forest in the fog, with the sun coming through.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::{Dice, Noise};

/// What tells one forest morning from another.
pub struct Look {
    /// The fog from far to near, darkest last.
    pub depth: &'static [u32],
    /// The light.
    pub sun: u32,
    /// Where it comes from: share of the width, height.
    pub from: (f32, f32),
    /// What grows on the ground.
    pub floor: u32,
}

/// A green summer morning.
pub const SUMMER: Look = Look {
    depth: &[0xf3f0c8, 0xcfdca0, 0x93b277, 0x557f57, 0x2a4c3a, 0x10241d],
    sun: 0xfff2b0,
    from: (0.62, 0.16),
    floor: 0x5f7f2f,
};

/// Beeches in October.
pub const AUTUMN: Look = Look {
    depth: &[0xffe7bd, 0xf6bf86, 0xd68a55, 0x96543a, 0x4c2a28, 0x1d1116],
    sun: 0xffdf9a,
    from: (0.36, 0.22),
    floor: 0xb8501f,
};

/// Rows of trunks in deeper and deeper shade.
pub fn fog(canvas: &mut Canvas, seed: u32, look: &Look) {
    let (noise, aspect) = (Noise(seed), canvas.aspect());
    let depth = Gradient::even(look.depth);
    let (sun, light) = ((look.from.0 * aspect, look.from.1), hex(look.sun));
    canvas.fill(|u, v| {
        let d = ((u - sun.0).powi(2) + (v - sun.1).powi(2)).sqrt();
        let haze = 0.10 + 0.32 * d + 0.05 * noise.fbm(u * 2.0, v * 2.0, 3);
        depth.at(haze * 0.6) + light * (0.5 * (-d * 4.0).exp())
    });
    const ROWS: u32 = 7;
    for row in 0..ROWS {
        let near = (row as f32 + 1.0) / ROWS as f32;
        floor(canvas, noise.other(row), look, (near, depth.at(0.15 + 0.85 * near)));
        let shade = (depth.at(0.18 + 0.82 * near), hex(look.floor));
        trunks(canvas, seed ^ (row * 977 + 5), near, shade);
        if row == 1 || row == 3 || row == 5 {
            rays(canvas, noise.other(30 + row), sun, light * (0.34 - 0.02 * row as f32));
        }
    }
    canvas.bloom(0.75, 0.06, 0.4);
    canvas.vignette(0.3);
}

/// The ground of one row, rising towards us.
fn floor(canvas: &mut Canvas, noise: Noise, look: &Look, (near, colour): (f32, Rgb)) {
    let base = 0.70 + 0.24 * near.powf(1.3);
    let grass = hex(look.floor);
    let soft = canvas.pixel() * 2.0 + 0.012;
    canvas.shade_box([0.0, base - 0.1, canvas.aspect(), 1.0], |u, v, pixel| {
        let top = base + 0.05 * noise.fbm(u * 2.0, near, 4);
        let cover = smooth(top - soft, top + soft, v);
        let leaves = noise.other(1).fbm(u * 30.0 / near, v * 60.0 / near, 4);
        let tone = mix(colour, grass, (0.30 - 0.16 * near) * (1.0 + leaves));
        *pixel = mix(*pixel, tone * (1.0 + 0.25 * leaves), cover * 0.92);
    });
}

/// The trunks of one row, with a few bare twigs and the shade of their crowns.
fn trunks(canvas: &mut Canvas, seed: u32, near: f32, (colour, leaves): (Rgb, Rgb)) {
    let mut dice = Dice::new(seed);
    let noise = Noise(seed);
    let (aspect, soft) = (canvas.aspect(), canvas.pixel());
    let count = (aspect * (26.0 - 20.0 * near)) as usize;
    for _ in 0..count {
        let foot = (dice.range(-0.02, aspect + 0.02), 0.72 + 0.26 * near.powf(1.3));
        let width = (0.004 + 0.026 * near * near) * dice.range(0.6, 1.3);
        let (lean, id) = (dice.bell() * 0.03, dice.range(0.0, 500.0));
        let (tip, reach) = (foot.0 + lean * foot.1, width * 1.4 + 0.012);
        let area = [foot.0.min(tip) - reach, 0.0, foot.0.max(tip) + reach, foot.1];
        canvas.shade_box(area, |u, v, pixel| {
            let up = foot.1 - v;
            if (u - foot.0 - lean * up).abs() > reach {
                return;
            }
            let bend = lean * up + 0.008 * noise.at(id, up * 3.0);
            let half = width * (0.55 + 0.25 * (1.0 - up) + 0.5 * (-up * 22.0).exp());
            let d = (u - foot.0 - bend) / half;
            let cover = ((1.0 - d.abs()) * half / soft + 0.5).clamp(0.0, 1.0);
            if cover > 0.0 {
                let bark = noise.other(2).fbm(u / width * 2.0, v / width * 0.35 + id, 3);
                let round = 1.0 + 0.22 * near * (bark - d * 0.6);
                *pixel = mix(*pixel, colour * round.max(0.2), cover);
            }
        });
    }
    crowns(canvas, noise.other(8), near, (colour, leaves));
}

/// Leaves that hang into the picture from above.
fn crowns(canvas: &mut Canvas, noise: Noise, near: f32, (colour, leafage): (Rgb, Rgb)) {
    let scale = 5.0 / (0.35 + near);
    canvas.shade_box([0.0, 0.0, canvas.aspect(), 0.55], |u, v, pixel| {
        let mass = noise.fbm(u * scale * 0.45, v * scale * 0.6, 2) * 0.8;
        let hang = 0.20 - v * 1.5 - 0.1 * near;
        if mass + hang < -0.75 {
            return;
        }
        let leaf = noise.other(1).fbm(u * scale * 9.0, v * scale * 7.0, 3);
        let cover = smooth(0.0, 0.5, mass + leaf * 0.65 + hang);
        let shine = leafage * (0.55 - 0.45 * near);
        *pixel = mix(*pixel, colour * (0.8 + 0.3 * leaf) + shine, cover * 0.8);
    });
}

/// Beams from the sun between the crowns.
fn rays(canvas: &mut Canvas, noise: Noise, sun: (f32, f32), light: Rgb) {
    canvas.shade(|u, v, pixel| {
        let (x, y) = (u - sun.0, v - sun.1 + 0.25);
        let d = (x * x + y * y).sqrt();
        let angle = x.atan2(y);
        let beam = noise.fbm(angle * 6.0, 0.5, 3) + 0.3 * noise.other(1).at(angle * 40.0, d);
        let fade = smooth(0.0, 0.25, d) * (-d * 1.6).exp();
        *pixel += light * (smooth(-0.1, 0.8, beam) * fade * 1.6);
    });
}
