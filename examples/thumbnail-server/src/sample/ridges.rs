//! Ridge behind ridge in the mist, the picture that every mountain hut sells.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::{Noise, floor, hash01};
use super::sky::{self, Clouds, Disc, Light, Sky};

/// What tells one morning from another.
pub struct Look {
    /// Sky and sun.
    pub light: Light,
    /// Streaks of cloud, if any.
    pub clouds: Option<Clouds>,
    /// The colours of the ridges, from the farthest to the nearest.
    pub ridges: &'static [u32],
    /// What lies in the valleys.
    pub mist: u32,
    /// How many ridges.
    pub layers: usize,
    /// Where the farthest begins.
    pub top: f32,
    /// How high the peaks are.
    pub relief: f32,
    /// How much of the nearest ridges is wooded: the height of the trees.
    pub trees: f32,
}

/// A warm autumn morning.
pub const MORNING: Look = Look {
    light: Light {
        air: &[0x5f7fa8, 0xa9b4c4, 0xf0cfae, 0xffd9a0],
        horizon: 0.5,
        sun: (0.66, 0.30),
        radius: 0.034,
        tint: 0xffe0a8,
        glow: 0.8,
        disc: Disc::Sun,
    },
    clouds: Some(Clouds {
        cover: 0.5,
        scale: 1.1,
        lit: 0xffe4c0,
        dark: 0xb59aa0,
        opacity: 0.6,
        stretch: 3.5,
    }),
    ridges: &[0xdcae96, 0xb58f92, 0x7b6f86, 0x43506a, 0x1d2c3c, 0x0b141c],
    mist: 0xf3d3b4,
    layers: 7,
    top: 0.40,
    relief: 0.13,
    trees: 0.07,
};

/// The last light of a clear day, rose over blue.
pub const DUSK: Look = Look {
    light: Light {
        air: &[0x1b1f4b, 0x43387a, 0x9a4f86, 0xe8776a, 0xffb36b],
        horizon: 0.56,
        sun: (0.30, 0.50),
        radius: 0.05,
        tint: 0xff8a4c,
        glow: 0.9,
        disc: Disc::Sun,
    },
    clouds: Some(Clouds {
        cover: 0.52,
        scale: 0.8,
        lit: 0xff9d76,
        dark: 0x5b3c73,
        opacity: 0.85,
        stretch: 2.6,
    }),
    ridges: &[0xb0607e, 0x7c4a80, 0x4c3a74, 0x2b2858, 0x15163a, 0x090a1f],
    mist: 0xd77f7c,
    layers: 8,
    top: 0.50,
    relief: 0.12,
    trees: 0.06,
};

/// Full moon over a cold valley.
pub const MOONLIGHT: Look = Look {
    light: Light {
        air: &[0x050b1c, 0x0c1c38, 0x1d3a5c, 0x3f6685],
        horizon: 0.55,
        sun: (0.38, 0.24),
        radius: 0.055,
        tint: 0xcfe4f5,
        glow: 0.2,
        disc: Disc::Moon,
    },
    clouds: Some(Clouds {
        cover: 0.5,
        scale: 0.9,
        lit: 0x8aa8bf,
        dark: 0x13263d,
        opacity: 0.7,
        stretch: 2.0,
    }),
    ridges: &[0x41627e, 0x2c4a66, 0x1c344e, 0x102238, 0x081424, 0x030912],
    mist: 0x7f9fb2,
    layers: 6,
    top: 0.46,
    relief: 0.15,
    trees: 0.12,
};

/// Blue mountains, as many as the eye can count.
pub const TEAL: Look = Look {
    light: Light {
        air: &[0xf4e9d8, 0xf6e6cf, 0xf7dfc0, 0xf2d5b4],
        horizon: 0.4,
        sun: (0.5, 0.2),
        radius: 0.085,
        tint: 0xe8553a,
        glow: 0.05,
        disc: Disc::Haze,
    },
    clouds: None,
    ridges: &[0xcfd8cf, 0x9fc0bd, 0x6c9fa3, 0x3f7a85, 0x205464, 0x0f3344, 0x081f2c],
    mist: 0xf0e6d6,
    layers: 10,
    top: 0.34,
    relief: 0.11,
    trees: 0.0,
};

/// Paints the ridges from far to near.
pub fn paint(canvas: &mut Canvas, seed: u32, look: &Look) {
    let sky = Sky::new(&look.light, canvas);
    let noise = Noise(seed);
    sky.paint(canvas);
    if let Some(clouds) = &look.clouds {
        sky::clouds(canvas, &sky, noise.other(90), clouds);
    }
    let colours = Gradient::even(look.ridges);
    for layer in 0..look.layers {
        let depth = (layer as f32 + 0.5) / look.layers as f32;
        ridge(canvas, &sky, noise.other(layer as u32), look, (depth, colours.at(depth)));
    }
    canvas.bloom(0.75, 0.05, 0.35);
    canvas.vignette(0.22);
}

/// Paints one ridge at `depth` (0 far, 1 near) and the mist at its foot.
fn ridge(canvas: &mut Canvas, sky: &Sky, noise: Noise, look: &Look, (depth, colour): (f32, Rgb)) {
    let base = look.top + (1.02 - look.top) * depth.powf(1.25);
    let relief = look.relief * (0.45 + 0.75 * depth);
    let trees = look.trees * depth.powi(3);
    let scale = 2.6 - 1.5 * depth;
    let lines: Vec<(f32, f32)> = (0..canvas.width)
        .map(|x| {
            let u = (x as f32 + 0.5) * canvas.pixel();
            let bold = noise.ridged(u * scale, depth * 7.0, 2) - 0.5;
            let fine = noise.other(7).fbm(u * scale * 5.0, 3.3, 5) * 0.16;
            let line = base - relief * (bold * 1.5 + fine);
            (line, line - tree_line(u, noise.0, trees))
        })
        .collect();
    let (mist, soft, row) = (hex(look.mist), canvas.pixel(), canvas.height as f32);
    let sun = sky.sun();
    let area = [0.0, base - relief * 1.6 - trees, canvas.aspect(), 1.0];
    canvas.shade_box(area, |u, v, pixel| {
        let (ground, top) = lines[((u * row) as usize).min(lines.len() - 1)];
        let cover = ((v - top) / soft + 0.5).clamp(0.0, 1.0);
        if cover <= 0.0 {
            return;
        }
        let below = v - ground;
        let rock = noise.other(3).fbm(u * 9.0 / (0.3 + depth), below * 16.0 / (0.3 + depth), 4);
        let lit = colour * (1.0 + 0.16 * rock * depth.min(0.75));
        let wisp = noise.other(5).fbm(u * 2.2, v * 9.0, 4) * 0.45;
        let foot = v - base + relief * 0.25;
        let fog = smooth(0.0, relief * 1.1 + 0.05, foot + wisp * relief * 0.9);
        let d = ((u - sun.0).powi(2) + (v - sun.1).powi(2)).sqrt();
        let shine = sky.air(u, sun.1.max(0.0)) * (0.10 * (-d * 2.5).exp() * (1.0 - depth));
        let misty = mix(lit, mist, fog * (0.8 - 0.62 * depth)) + shine;
        *pixel = mix(*pixel, misty, cover);
    });
}

/// The height of a line of spruces above the ground at `u`, for trees of about `size`.
pub fn tree_line(u: f32, seed: u32, size: f32) -> f32 {
    if size < 0.002 {
        return 0.0;
    }
    let x = u / (size * 0.32);
    let mut top: f32 = 0.0;
    for cell in floor(x) - 2..=floor(x) + 2 {
        let height = size * (0.35 + 0.75 * hash01(cell, 1, seed));
        let middle = cell as f32 + hash01(cell, 2, seed);
        // Half as wide as a fifth of the height, with branches that stand out in steps.
        let reach = ((x - middle) * size * 0.32).abs() / (height * 0.2);
        let steps = 7.0 + 5.0 * hash01(cell, 3, seed);
        let branch = (reach * steps).fract() * 0.9 / steps;
        top = top.max(height * (1.0 - reach - branch));
    }
    top.max(0.0)
}
