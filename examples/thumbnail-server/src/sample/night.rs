//! The sky at night: northern lights over a lake, and the Milky Way.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::Noise;
use super::ridges::tree_line;
use super::sky::stars;

/// The colours of an aurora.
pub struct Aurora {
    /// The sky behind, from the zenith down.
    pub night: &'static [u32],
    /// The curtain, from its lower edge up.
    pub curtain: &'static [u32],
    /// How many curtains.
    pub bands: u32,
    /// How strongly they shine.
    pub power: f32,
}

/// The common green, violet above.
pub const GREEN: Aurora = Aurora {
    night: &[0x02060f, 0x06142a, 0x0d2a40, 0x1a4452],
    curtain: &[0xc9ffd0, 0x4dffa0, 0x18d69a, 0x1f7fae, 0x5a3fae, 0x2a1550],
    bands: 4,
    power: 1.0,
};

/// A rare red one.
pub const CRIMSON: Aurora = Aurora {
    night: &[0x05030f, 0x0d0a26, 0x1c1840, 0x2e3358],
    curtain: &[0xbfffcf, 0x63f0b0, 0xd85a9a, 0xf0447c, 0xa02a80, 0x3a1058],
    bands: 3,
    power: 1.15,
};

/// Northern lights over a lake that mirrors them.
pub fn aurora(canvas: &mut Canvas, seed: u32, look: &Aurora) {
    let (noise, aspect) = (Noise(seed), canvas.aspect());
    let night = Gradient::even(look.night);
    let water = 0.70;
    canvas.fill(|_, v| night.at(v / water));
    stars(canvas, seed, (2600.0 * aspect) as usize, |_, v| smooth(water, 0.2, v));
    for band in 0..look.bands {
        curtain(canvas, noise.other(band), look, band);
    }
    canvas.bloom(0.25, 0.07, 0.3);
    shores(canvas, noise, water);
    mirror(canvas, water, noise.other(50), 0.5);
    canvas.vignette(0.3);
}

/// Hangs one curtain of light into the sky.
fn curtain(canvas: &mut Canvas, noise: Noise, look: &Aurora, band: u32) {
    let colours = Gradient::even(look.curtain);
    let depth = band as f32 / look.bands as f32;
    let foot = 0.60 - 0.30 * depth;
    let power = look.power * (0.55 + 0.45 * depth);
    canvas.shade_box([0.0, 0.0, canvas.aspect(), 0.70], |u, v, pixel| {
        let x = u * (1.4 - 0.5 * depth) + v * 0.35;
        let sway = noise.fbm(x * 0.9, v * 0.5, 3);
        let edge = foot + 0.16 * sway + 0.02 * noise.other(1).at(x * 5.0 + sway * 3.0, 0.5);
        let up = edge - v;
        let fold = x * 3.0 + 4.0 * sway;
        let rays = 0.55 + 0.45 * noise.other(2).fbm(fold * 6.0, up * 0.9, 3);
        let gaps = smooth(-0.35, 0.45, noise.other(3).fbm(fold * 0.5, 1.5, 2));
        let tall = 0.16 + 0.22 * rays.max(0.0) * (0.6 + 0.6 * depth);
        let shape = smooth(-0.018, 0.012, up) * (-up.max(0.0) / tall * 1.9).exp();
        let light = shape * (0.35 + 0.65 * rays.max(0.0)) * gaps;
        *pixel += colours.at(up / (tall * 2.6)) * (light * power);
    });
}

/// Hills and trees on the far shore.
fn shores(canvas: &mut Canvas, noise: Noise, water: f32) {
    let (soft, aspect) = (canvas.pixel(), canvas.aspect());
    let layers = [(0.085, 0.9, hex(0x071320), 0.0), (0.03, 1.7, hex(0x02060b), 0.05)];
    for (i, (relief, scale, colour, trees)) in layers.into_iter().enumerate() {
        let ridge = noise.other(20 + i as u32);
        canvas.shade_box([0.0, water - 0.25, aspect, water], |u, v, pixel| {
            let hill = relief * (0.5 + 0.9 * ridge.fbm(u * scale, 2.5, 5));
            let top = water - hill.max(0.004) - tree_line(u, ridge.0, trees);
            let cover = ((v - top) / soft + 0.5).clamp(0.0, 1.0);
            let mist = hex(0x16383f) * (0.5 * smooth(0.06, 0.0, water - v));
            *pixel = mix(*pixel, colour + mist, cover);
        });
    }
}

/// Turns what is below `water` into a mirror of what is above, in small waves.
pub fn mirror(canvas: &mut Canvas, water: f32, noise: Noise, ripple: f32) {
    let above = Canvas { pixels: canvas.pixels.clone(), ..*canvas };
    canvas.shade_box([0.0, water, canvas.aspect(), 1.0], |u, v, pixel| {
        let down = (v - water).max(0.0);
        let z = 1.0 / (down + 0.03);
        let x = (u - above.aspect() / 2.0) * z;
        let wave = noise.fbm(x * 0.9, z * 5.0, 4) * ripple;
        let slow = noise.other(1).fbm(u * 3.0, v * 14.0, 3) * ripple;
        let shift = (wave * 0.035 + slow * 0.012) * smooth(0.0, 0.12, down);
        let mut sum = Rgb::default();
        // Waves draw a light out into a pillar.
        for tap in -2..=2 {
            let at = water - down * 1.02 + shift + tap as f32 * 0.03 * down * ripple;
            sum += above.sample(u + shift * 0.4, at.min(water - 0.002)) * 0.2;
        }
        let dim = 0.80 - 0.35 * down + 0.10 * wave;
        *pixel = sum * Rgb([0.86 * dim, 0.94 * dim, dim]);
    });
}

/// The Milky Way over a dark skyline; `slope` leans the band.
pub fn milky_way(canvas: &mut Canvas, seed: u32, slope: f32) {
    let (noise, aspect) = (Noise(seed), canvas.aspect());
    let night = Gradient::even(&[0x03050d, 0x070d1f, 0x10213a, 0x27405a, 0x7c6a5c]);
    canvas.fill(|_, v| night.at(v.powf(1.4)));
    let band = |u: f32, v: f32| {
        let along = (u - aspect * 0.5) + (v - 0.45) * slope;
        along / (1.0 + slope * slope).sqrt() + 0.05 * noise.at(u * 2.0, v * 2.0)
    };
    let cloud = |u: f32, v: f32| {
        let d = band(u, v);
        let core = (-((v - 0.62) * 2.6).powi(2)).exp();
        let wide = (-(d / (0.11 + 0.06 * core)).powi(2)).exp();
        let rough = noise.other(1).fbm(u * 5.0, v * 5.0, 6) * 0.5 + 0.6;
        let w = noise.other(2).fbm(u * 3.0, v * 3.0, 4) * 0.25;
        let lanes = noise.other(3).ridged(u * 3.4 + w * 2.0, v * 3.4 - w * 2.0, 6);
        let dust = smooth(0.62, 1.0, lanes + 0.3 * (-(d / 0.05).powi(2)).exp());
        (wide * rough * (0.45 + 0.8 * core), dust * wide, core)
    };
    canvas.shade(|u, v, pixel| {
        let (light, dust, core) = cloud(u, v);
        let tone = mix(hex(0x7f98e8), hex(0xffc890), core * 0.8);
        let pink = smooth(0.35, 0.8, noise.other(4).fbm(u * 9.0, v * 9.0, 3)) * light;
        *pixel += tone * (light * light * 0.62 + light * 0.10) + hex(0xff5f8f) * (pink * 0.14);
        *pixel = mix(*pixel, hex(0x140a0c), dust * 0.85);
    });
    stars(canvas, seed, (15000.0 * aspect) as usize, |u, v| {
        let (light, dust, _) = cloud(u, v);
        (0.22 + light * 1.2) * (1.0 - 0.7 * dust) * smooth(1.0, 0.6, v)
    });
    canvas.bloom(0.5, 0.02, 0.35);
    foreground(canvas, noise.other(9));
    canvas.vignette(0.3);
}

/// Dark spruces and a hill in front of the stars.
fn foreground(canvas: &mut Canvas, noise: Noise) {
    let (soft, aspect) = (canvas.pixel(), canvas.aspect());
    for (i, (base, trees, colour)) in
        [(0.90, 0.0, hex(0x0d1420)), (0.955, 0.10, hex(0x04070d))].into_iter().enumerate()
    {
        let hill = noise.other(i as u32);
        canvas.shade_box([0.0, 0.6, aspect, 1.0], |u, v, pixel| {
            let ground = base - 0.07 * hill.fbm(u * 1.3, 0.7, 5);
            let top = ground - tree_line(u, hill.0, trees);
            *pixel = mix(*pixel, colour, ((v - top) / soft + 0.5).clamp(0.0, 1.0));
        });
    }
}
