//! Light out of focus: bokeh, and a window in the rain.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::{Dice, Noise};

/// The colours of a night out of focus.
pub struct Look {
    /// Behind the lights, from the top down.
    pub night: &'static [u32],
    /// The lights.
    pub lamps: &'static [u32],
}

/// A street at Christmas.
pub const STREET: Look = Look {
    night: &[0x05060f, 0x140f22, 0x2e1a24, 0x160c12],
    lamps: &[0xffb347, 0xff7b3a, 0xffd98a, 0xff4f5e, 0x4fc3ff, 0xfff0cf, 0xff9a3c],
};

/// A harbour.
pub const HARBOUR: Look = Look {
    night: &[0x03101c, 0x07283a, 0x0d3f4e, 0x051a26],
    lamps: &[0x38e0c8, 0x7fd4ff, 0xfff2cf, 0xffc46b, 0x4f8cff, 0xff7fae],
};

/// Discs of light over a soft night.
pub fn bokeh(canvas: &mut Canvas, seed: u32, look: &Look) {
    glimmer(canvas, seed, look, 1.0);
    canvas.bloom(0.25, 0.10, 0.45);
    canvas.vignette(0.3);
}

/// The lights: far ones small and along a line, near ones large and anywhere.
fn glimmer(canvas: &mut Canvas, seed: u32, look: &Look, scale: f32) {
    let (mut dice, noise) = (Dice::new(seed), Noise(seed));
    let (night, aspect) = (Gradient::even(look.night), canvas.aspect());
    canvas.fill(|u, v| night.at(v + 0.12 * noise.fbm(u * 1.5, v * 1.5, 3)));
    let lamps: Vec<Rgb> = look.lamps.iter().map(|c| hex(*c)).collect();
    let count = (230.0 * aspect) as usize;
    for i in 0..count {
        let near = i as f32 / count as f32;
        let spread = 0.06 + 0.30 * near;
        let place = (dice.range(-0.05, aspect + 0.05), 0.52 + dice.bell() * spread);
        let radius = scale * (0.012 + 0.075 * near.powf(1.7)) * dice.range(0.75, 1.25);
        let power = dice.range(0.25, 1.0).powi(2) * (0.22 + 0.9 * (1.0 - near).powi(2));
        bubble(canvas, place, radius, lamps[dice.below(lamps.len())] * power, near);
    }
}

/// One disc as a fast lens draws it: even inside, brighter at the rim.
fn bubble(canvas: &mut Canvas, (u, v): (f32, f32), radius: f32, light: Rgb, near: f32) {
    let edge = canvas.pixel() * 1.5 + radius * 0.05 * near;
    let r = radius + edge;
    canvas.shade_box([u - r, v - r, u + r, v + r], |pu, pv, pixel| {
        let d = ((pu - u).powi(2) + (pv - v).powi(2)).sqrt();
        let inside = smooth(radius + edge, radius - edge, d);
        let rim = 0.72 + 0.55 * smooth(0.72, 0.97, d / radius);
        *pixel += light * (inside * rim);
    });
}

/// The same lights through a window with rain on it.
pub fn rain(canvas: &mut Canvas, seed: u32, look: &Look) {
    glimmer(canvas, seed, look, 1.25);
    canvas.blur(0.012);
    let behind = Canvas { pixels: canvas.pixels.clone(), ..*canvas };
    let haze = hex(look.night[2]);
    canvas.shade(|_, _, pixel| *pixel = mix(*pixel * 0.85, haze, 0.22));
    let mut dice = Dice::new(seed ^ 0xd0b5);
    let aspect = canvas.aspect();
    for _ in 0..(2600.0 * aspect) as usize {
        let place = (dice.range(0.0, aspect), dice.unit());
        drop(canvas, &behind, place, 0.0015 + 0.004 * dice.unit().powi(3), 1.0);
    }
    for _ in 0..(26.0 * aspect) as usize {
        trail(canvas, &behind, &mut dice);
    }
    for _ in 0..(190.0 * aspect) as usize {
        let place = (dice.range(0.0, aspect), dice.unit());
        let radius = 0.006 + 0.02 * dice.unit().powi(2);
        drop(canvas, &behind, place, radius, dice.range(0.95, 1.3));
    }
    canvas.bloom(0.7, 0.03, 0.3);
    canvas.vignette(0.3);
}

/// A drop that ran down and left small ones behind.
fn trail(canvas: &mut Canvas, behind: &Canvas, dice: &mut Dice) {
    let mut u = dice.range(0.0, canvas.aspect());
    let (from, to) = (dice.range(-0.2, 0.5), dice.range(0.4, 1.1));
    let size = dice.range(0.009, 0.016);
    let mut v = from;
    while v < to {
        u += dice.bell() * 0.0018;
        drop(canvas, behind, (u, v), size * dice.range(0.18, 0.5), dice.range(1.0, 1.6));
        v += size * dice.range(0.5, 1.1);
    }
    drop(canvas, behind, (u, to), size * 1.3, 1.35);
}

/// One drop: a lens that shows the street upside down, dark above and bright below.
fn drop(canvas: &mut Canvas, behind: &Canvas, (u, v): (f32, f32), radius: f32, tall: f32) {
    let (soft, high) = (canvas.pixel() / radius, radius * tall);
    let area = [u - radius, v - high, u + radius, v + high];
    canvas.shade_box(area, |pu, pv, pixel| {
        let (x, y) = ((pu - u) / radius, (pv - v) / high);
        // Wider below than above.
        let x = x * (1.0 - 0.14 * y * (tall - 0.7));
        let d = (x * x + y * y).sqrt();
        let cover = ((1.0 - d) / soft.max(0.03) + 0.3).clamp(0.0, 1.0);
        if cover <= 0.0 {
            return;
        }
        let bend = 0.10 + 0.22 * d * d;
        let seen = behind.sample(u - x * bend * 1.6, v - y * bend * 1.2);
        let shade = 0.42 + 0.62 * smooth(-1.0, 0.8, y) - 0.35 * smooth(0.75, 1.0, d);
        let spot = smooth(0.32, 0.10, ((x + 0.32).powi(2) + (y + 0.45).powi(2)).sqrt());
        let lens = seen * (1.5 * shade) + Rgb::grey(0.16 * spot);
        *pixel = mix(*pixel, lens, cover);
    });
}
