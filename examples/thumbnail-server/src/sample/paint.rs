//! Paintings without a subject: brush strokes along a current, and marble.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::{Dice, Noise};

/// The colours of a current.
pub struct Flow {
    /// The ground.
    pub paper: u32,
    /// The paints, used by place.
    pub paints: &'static [u32],
    /// How strongly the current turns.
    pub swirl: f32,
}

/// Indigo, coral and gold on dark linen.
pub const CURRENT: Flow = Flow {
    paper: 0x0e1a2b,
    paints: &[0x1d3f72, 0x2f86a6, 0x8fd0c8, 0xf4d58d, 0xf08a5d, 0xb83b5e, 0x3a2a5e],
    swirl: 1.0,
};

/// Spring on white paper.
pub const MEADOW: Flow = Flow {
    paper: 0xf6f0e2,
    paints: &[0x264653, 0x2a9d8f, 0x8ab17d, 0xe9c46a, 0xf4a261, 0xe76f51, 0xc2456b],
    swirl: 1.5,
};

/// Thousands of strokes that follow one current.
pub fn flow(canvas: &mut Canvas, seed: u32, look: &Flow) {
    let (noise, aspect) = (Noise(seed), canvas.aspect());
    let (paper, paints) = (hex(look.paper), Gradient::even(look.paints));
    canvas.fill(|u, v| paper * (1.0 + 0.10 * noise.other(9).fbm(u * 60.0, v * 60.0, 3)));
    let mut dice = Dice::new(seed);
    let strokes = (5200.0 * aspect) as usize;
    for stroke in 0..strokes {
        let fine = stroke as f32 / strokes as f32;
        let (mut u, mut v) = (dice.range(-0.1, aspect + 0.1), dice.range(-0.1, 1.1));
        let field = 0.5 + 0.42 * noise.other(4).fbm(u * 1.1, v * 1.1, 3) + dice.bell() * 0.07;
        let colour = paints.at(field) * dice.range(0.75, 1.2);
        let width = (0.0042 - 0.0026 * fine) * dice.range(0.6, 1.5);
        let length = dice.range(0.10, 0.34);
        let stride = (width * 0.55).max(canvas.pixel() * 0.6);
        let steps = (length / stride) as usize;
        for step in 0..steps {
            let angle = noise.fbm(u * 0.9, v * 0.9, 3) * 4.2 * look.swirl + 0.4;
            let t = step as f32 / steps as f32;
            let body = (t * (1.0 - t) * 4.0).powf(0.4);
            dab(canvas, (u, v), width * body, colour, angle);
            u += angle.cos() * stride;
            v += angle.sin() * stride;
        }
    }
    canvas.vignette(0.15);
}

/// One touch of the brush, lighter on the side of the light.
fn dab(canvas: &mut Canvas, (u, v): (f32, f32), radius: f32, colour: Rgb, angle: f32) {
    let soft = canvas.pixel();
    let r = radius + soft;
    let (sin, cos) = angle.sin_cos();
    canvas.shade_box([u - r, v - r, u + r, v + r], |pu, pv, pixel| {
        let (x, y) = (pu - u, pv - v);
        let cover = ((radius - (x * x + y * y).sqrt()) / soft + 0.5).clamp(0.0, 1.0);
        let across = (y * cos - x * sin) / radius.max(soft);
        *pixel = mix(*pixel, colour * (1.0 - 0.38 * across), cover * 0.85);
    });
}

/// The colours of a stone.
pub struct Stone {
    /// Its layers.
    pub layers: &'static [u32],
    /// Its veins.
    pub vein: u32,
    /// Size of the folds: larger is finer.
    pub scale: f32,
    /// How much the veins shine.
    pub gilt: f32,
}

/// Green and white with gold.
pub const MALACHITE: Stone = Stone {
    layers: &[0x03201f, 0x0b4f4a, 0x1f8a78, 0x0a3b3c, 0x7fcfb4, 0xe6f2e4, 0x15605a],
    vein: 0xf2c14e,
    scale: 1.5,
    gilt: 1.0,
};

/// Rose, ink and cream.
pub const AGATE: Stone = Stone {
    layers: &[0xfdf0e6, 0xf3c6b4, 0xd9818a, 0x7d3c64, 0x2a1b45, 0xe2a6a0, 0xfff6ee],
    vein: 0xfff2d0,
    scale: 1.2,
    gilt: 0.4,
};

/// Folded stone, polished: noise bent by noise bent by noise.
pub fn marble(canvas: &mut Canvas, seed: u32, look: &Stone) {
    let noise = Noise(seed);
    let (layers, vein) = (Gradient::even(look.layers), hex(look.vein));
    let fold = |u: f32, v: f32| {
        let (x, y) = (u * look.scale, v * look.scale);
        let (ax, ay) = (noise.fbm(x, y, 4), noise.other(1).fbm(x + 5.2, y + 1.3, 4));
        let (bx, by) = (x + 1.7 * ax, y + 1.7 * ay);
        let (cx, cy) = (noise.other(2).fbm(bx, by, 4), noise.other(3).fbm(bx + 8.3, by + 2.8, 4));
        let last = noise.other(4).fbm(x + 1.9 * cx, y + 1.9 * cy, 5);
        (last, cx, cy)
    };
    let eps = 0.0022;
    canvas.fill(|u, v| {
        let (f, cx, cy) = fold(u, v);
        let band = 0.5 + 0.46 * f + 0.25 * cx;
        let thin = (f * 9.0 + cy * 5.0).sin();
        let colour = layers.at(band) * (0.93 + 0.10 * thin);
        let line = smooth(0.05, 0.0, (cy - 0.55 * f + 0.08).abs() - 0.012 * (1.0 + swelling(cx)));
        let (right, ..) = fold(u + eps, v + eps);
        let relief = ((f - right) / eps * 0.05).clamp(-0.5, 0.7);
        let polished = colour * (1.0 + 0.35 * relief);
        let gold = vein * (0.62 + 0.9 * (relief + 0.25 * thin).max(-0.3));
        mix(polished, gold, line * look.gilt)
    });
    canvas.bloom(0.75, 0.03, 0.25);
    canvas.vignette(0.18);
}

/// Makes veins swell and thin out.
fn swelling(x: f32) -> f32 {
    (x * 6.0).sin()
}
