//! Cut paper: sheet over sheet, each throwing its shadow on the one below.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::Noise;

/// The colours of a stack of paper.
pub struct Stack {
    /// From the lowest sheet to the highest.
    pub sheets: &'static [u32],
    /// How many sheets.
    pub count: f32,
    /// How many hills there are.
    pub scale: f32,
}

/// A reef from the deep to the beach.
pub const REEF: Stack = Stack {
    sheets: &[0x062a4a, 0x0b4f7a, 0x1482a6, 0x3fb8bf, 0x9fdcc8, 0xf4e8c4, 0xf3c98b, 0xe89a6a],
    count: 13.0,
    scale: 1.25,
};

/// A map of hills in sheets of paper.
pub fn relief(canvas: &mut Canvas, seed: u32, look: &Stack) {
    let noise = Noise(seed);
    let sheets = Gradient::even(look.sheets);
    let height = |u: f32, v: f32| {
        let (x, y) = (u * look.scale, v * look.scale);
        let bend = noise.other(1).at(x * 1.3, y * 1.3) * 0.35;
        (0.5 + 0.5 * noise.fbm(x + bend, y - bend, 3)).clamp(0.0, 0.999) * look.count
    };
    let field = Field::new(canvas, height);
    let step = canvas.pixel();
    canvas.fill(|u, v| {
        let here = field.at(u, v);
        let level = here.floor();
        // Light comes from the upper left: look there for higher sheets.
        let mut shadow: f32 = 0.0;
        for tap in 1..=9 {
            let away = tap as f32 * 0.0024;
            let there = field.at(u - away, v - away * 1.2).floor();
            if there > level {
                shadow = shadow
                    .max((1.0 - tap as f32 / 11.0) * (0.75 + 0.25 * (there - level)).min(1.3));
            }
        }
        let slope =
            ((field.at(u + step, v) - here).abs() + (field.at(u, v + step) - here).abs()).max(1e-4);
        let edge = smooth(2.6, 0.8, (here - level) / slope);
        let fibre = noise.other(5 + level as u32).fbm(u * 110.0, v * 110.0, 3);
        let colour = sheets.at(level / (look.count - 1.0)) * (1.0 + 0.07 * fibre);
        mix(colour * (1.0 - 0.58 * shadow), colour * 1.25 + Rgb::grey(0.02), edge * 0.55)
    });
    canvas.vignette(0.15);
}

/// Waves of paper under a paper sun.
pub fn waves(canvas: &mut Canvas, seed: u32) {
    let noise = Noise(seed);
    let (aspect, soft) = (canvas.aspect(), canvas.pixel());
    let sky = Gradient::even(&[0xfbe3c0, 0xf9cfa0, 0xf6b48a]);
    let sheets =
        Gradient::even(&[0xf2a07a, 0xd9687a, 0x96507f, 0x4f4a86, 0x29407a, 0x14305c, 0x0a1c3a]);
    let sun = (aspect * 0.62, 0.30);
    canvas.fill(|u, v| {
        let d = ((u - sun.0).powi(2) + (v - sun.1).powi(2)).sqrt();
        let halo = (1.0 - ((d / 0.085).floor() * 0.12).min(0.9)) * 0.16;
        mix(
            sky.at(v * 1.6) + hex(0xfff0c0) * halo,
            hex(0xf2553d),
            smooth(0.125 + soft, 0.125 - soft, d),
        )
    });
    const SHEETS: u32 = 9;
    for sheet in 0..SHEETS {
        let near = sheet as f32 / (SHEETS - 1) as f32;
        let own = noise.other(sheet);
        let base = 0.42 + 0.55 * near.powf(1.1);
        let crest = |u: f32| {
            let x = u * (3.2 - 1.4 * near) + near * 9.0 + hash_phase(sheet);
            let swell = (1.0 - (x * 1.6).sin().abs()) * 0.085 + 0.03 * own.at(u * 1.5, near);
            base - swell * (0.6 + 0.7 * near)
        };
        canvas.shade_box([0.0, base - 0.25, aspect, 1.0], |u, v, pixel| {
            let below = v - crest(u);
            let shadow = smooth(-0.035, 0.0, v + 0.012 - crest(u - 0.008)) * 0.45;
            *pixel = *pixel * (1.0 - shadow * smooth(0.01, -0.01, below));
            let fibre = 1.0 + 0.06 * own.other(3).fbm(u * 110.0, v * 110.0, 3);
            let stripe = 1.0
                + 0.10 * smooth(0.0045, 0.0, (below - 0.020).abs())
                + 0.08 * smooth(0.004, 0.0, (below - 0.036).abs());
            let colour = sheets.at(near) * (fibre * stripe * (1.08 - 0.9 * below.clamp(0.0, 0.4)));
            let rim = smooth(0.004, 0.0, below) * 0.25;
            *pixel =
                mix(*pixel, mix(colour, Rgb::grey(1.0), rim), (below / soft + 0.5).clamp(0.0, 1.0));
        });
    }
    canvas.vignette(0.12);
}

/// Where the waves of a sheet begin.
fn hash_phase(sheet: u32) -> f32 {
    super::noise::hash01(sheet as i32, 3, 11) * 6.0
}

/// A height for each pixel, worked out once.
struct Field {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Field {
    /// Asks `f` for every pixel of a canvas.
    fn new(canvas: &Canvas, f: impl Fn(f32, f32) -> f32) -> Field {
        let step = canvas.pixel();
        let places = (0..canvas.height).flat_map(|y| (0..canvas.width).map(move |x| (x, y)));
        let values = places.map(|(x, y)| f((x as f32 + 0.5) * step, (y as f32 + 0.5) * step));
        Field { width: canvas.width, height: canvas.height, values: values.collect() }
    }

    /// The value of the nearest pixel; beyond the border, of the border.
    fn at(&self, u: f32, v: f32) -> f32 {
        let x = ((u * self.height as f32) as usize).min(self.width - 1);
        let y = ((v * self.height as f32) as usize).min(self.height - 1);
        self.values[y * self.width + x]
    }
}
