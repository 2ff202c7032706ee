//! Water: the open sea under a low sun or moon, and a shore from above.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::Noise;
use super::sky::{self, Clouds, Disc, Light, Sky};

/// What tells one sea from another.
pub struct Look {
    /// Sky and sun.
    pub light: Light,
    /// Clouds.
    pub clouds: Clouds,
    /// The colour of deep water.
    pub deep: u32,
    /// How rough it is: 0.1 for a lake at dawn, 1 for a fresh breeze.
    pub wind: f32,
    /// How many stars.
    pub stars: usize,
    /// Whether a sailing boat is out.
    pub boat: Option<(f32, f32)>,
}

/// Gold on the way to the sun.
pub const SUNSET: Look = Look {
    light: Light {
        air: &[0x233a72, 0x5a4f8e, 0xc2607a, 0xff8a54, 0xffc465],
        horizon: 0.52,
        sun: (0.44, 0.46),
        radius: 0.05,
        tint: 0xffa548,
        glow: 1.0,
        disc: Disc::Sun,
    },
    clouds: Clouds {
        cover: 0.55,
        scale: 1.0,
        lit: 0xffa06a,
        dark: 0x5d4677,
        opacity: 0.9,
        stretch: 2.4,
    },
    deep: 0x14203f,
    wind: 0.8,
    stars: 0,
    boat: Some((0.68, 0.085)),
};

/// Silver on black.
pub const MOON: Look = Look {
    light: Light {
        air: &[0x040817, 0x0a1730, 0x16304f, 0x2f5570],
        horizon: 0.58,
        sun: (0.56, 0.27),
        radius: 0.05,
        tint: 0xd2e4f2,
        glow: 0.2,
        disc: Disc::Moon,
    },
    clouds: Clouds {
        cover: 0.53,
        scale: 1.0,
        lit: 0x9fb4c4,
        dark: 0x0e1c30,
        opacity: 0.75,
        stretch: 1.8,
    },
    deep: 0x050d1a,
    wind: 0.7,
    stars: 900,
    boat: None,
};

/// No wind at all, sky and sea the same silk.
pub const PASTEL: Look = Look {
    light: Light {
        air: &[0x8fb4d6, 0xb9c6e2, 0xe9cfe0, 0xffdccb, 0xffe9cf],
        horizon: 0.5,
        sun: (0.5, 0.42),
        radius: 0.032,
        tint: 0xffd9b8,
        glow: 0.4,
        disc: Disc::Sun,
    },
    clouds: Clouds {
        cover: 0.56,
        scale: 0.8,
        lit: 0xfff0e6,
        dark: 0xb4a9cc,
        opacity: 0.75,
        stretch: 2.0,
    },
    deep: 0x6f93b4,
    wind: 0.16,
    stars: 0,
    boat: None,
};

/// Paints the open sea.
pub fn open(canvas: &mut Canvas, seed: u32, look: &Look) {
    let noise = Noise(seed);
    let sky = Sky::new(&look.light, canvas);
    sky.paint(canvas);
    let horizon = look.light.horizon;
    sky::stars(canvas, seed, look.stars, |_, v| smooth(horizon, 0.1, v));
    sky::clouds(canvas, &sky, noise.other(90), &look.clouds);
    water(canvas, &sky, noise, look);
    if let Some((at, size)) = look.boat {
        boat(canvas, (at * canvas.aspect(), horizon + 0.035), size);
    }
    canvas.bloom(0.8, 0.05, 0.4);
    canvas.vignette(0.25);
}

/// Mirrors what is above the horizon in waves, with a path of light below the sun.
fn water(canvas: &mut Canvas, sky: &Sky, noise: Noise, look: &Look) {
    let (deep, tint) = (hex(look.deep), hex(look.light.tint));
    let (horizon, wind) = (look.light.horizon, look.wind);
    let (sun, middle, aspect) = (sky.sun(), canvas.aspect() / 2.0, canvas.aspect());
    let above = canvas.quarter();
    canvas.shade_box([0.0, horizon, aspect, 1.0], |u, v, pixel| {
        let down = (v - horizon).max(0.0);
        let z = 1.0 / (down + 0.006);
        let x = (u - middle) * z;
        // Far waves are narrower than a pixel: they average out.
        let calm = smooth(0.0, 0.05, down) * wind;
        let swell = noise.fbm(x * 0.9, z * 2.3, 5);
        let cross = noise.other(1).fbm(x * 1.7 + swell * 0.4, z * 3.4, 4);
        let tilt = swell * 0.6 + cross * 0.4;
        let mirror = (horizon - down * (1.0 - 0.35 * wind) + tilt * calm * 0.16 * (0.2 + down))
            .min(horizon - 0.004 - 0.02 * calm);
        let sight = above.sample(u + cross * calm * 0.05, mirror);
        let glance =
            (0.25 + 0.75 * (-down * 2.6 * (0.4 + 0.6 * wind)).exp()) * (1.0 + tilt * calm * 0.75);
        let width = 0.03 + down * 0.34 * wind.sqrt();
        let path = (-((u - sun.0) / width).powi(2)).exp();
        let spark = smooth(0.30, 0.75, tilt * 0.9 + 0.34 * path + 0.1 * wind) * path;
        *pixel = mix(deep, sight, glance.clamp(0.0, 1.0)) + tint * (spark * (0.4 + wind) * 1.1);
    });
}

/// A small boat with two sails, its foot at the given place.
fn boat(canvas: &mut Canvas, (u, v): (f32, f32), size: f32) {
    let dark = hex(0x120f1e);
    let soft = canvas.pixel();
    let half = |d: f32| (d / soft + 0.5).clamp(0.0, 1.0);
    let area = [u - size, v - size * 1.3, u + size, v + size];
    canvas.shade_box(area, |pu, pv, pixel| {
        let (x, y) = ((pu - u) / size, (v - pv) / size);
        let main = (x - 0.02).min(0.36 * (1.0 - (y - 0.14) / 0.95) - x).min(y - 0.16);
        let jib = (-0.02 - x).min(x + 0.42 * (1.0 - (y - 0.14) / 0.8)).min(y - 0.14);
        let hull = (0.12 - y).min(y).min(0.42 + 0.25 * y - x.abs());
        let mast = (0.012 - x.abs()).min(y).min(1.15 - y);
        let shape = main.max(jib).max(hull).max(mast) * size;
        let image = (0.3 - x.abs() + y * 0.35).min(-y) * size;
        let cover = half(shape).max(half(image) * 0.45 * smooth(-0.75, 0.0, y));
        *pixel = mix(*pixel, dark, cover);
    });
}

/// A beach from straight above: turquoise water, foam, wet sand.
pub fn shore(canvas: &mut Canvas, seed: u32) {
    let noise = Noise(seed);
    let depths = Gradient::new(&[
        (0.0, 0xf4e3c3),
        (0.22, 0xead2a8),
        (0.30, 0xc9ac82),
        (0.325, 0xbfd8c4),
        (0.42, 0x7fd6cf),
        (0.6, 0x2fb0bf),
        (0.8, 0x12809f),
        (1.0, 0x0b5580),
    ]);
    let aspect = canvas.aspect();
    canvas.fill(|u, v| {
        let (x, y) = (u / aspect * 1.2, v * 1.2);
        let slope = x * 0.62 + y * 0.5;
        let coast = slope - 0.32 + 0.16 * noise.fbm(x * 1.3, y * 1.3, 3);
        let reef = noise.other(1).fbm(x * 5.0, y * 5.0, 5);
        let sea = smooth(0.0, 0.2, coast);
        let mut colour = depths.at(0.31 + coast * 0.8 + reef * 0.07 * sea);
        let warp = noise.other(2).fbm(x * 6.0, y * 6.0, 3) * 0.35;
        let net = noise.other(3).cell(x * 26.0 + warp * 3.0, y * 26.0 - warp * 3.0).edge;
        colour = colour * (1.0 + sea * 0.2 * smooth(0.16, 0.0, net) * smooth(0.6, 0.1, coast));
        let sand = noise.other(4).fbm(x * 120.0, y * 120.0, 3);
        let waves = noise.other(5).at(x * 9.0 + y * 9.0, (x - y) * 30.0);
        colour = colour * (1.0 + (1.0 - sea) * (0.05 * sand + 0.03 * waves));
        mix(colour, Rgb::grey(0.97), foam(noise, coast, x, y))
    });
    canvas.vignette(0.12);
}

/// How much foam covers a place at this distance from the water's edge.
fn foam(noise: Noise, coast: f32, x: f32, y: f32) -> f32 {
    let curl = noise.other(6).fbm(x * 4.0, y * 4.0, 4) * 0.035;
    let holes = noise.other(7).cell(x * 42.0 + curl * 60.0, y * 42.0);
    let lace = smooth(0.30, 0.06, holes.edge + 0.12 * noise.other(8).at(x * 20.0, y * 20.0));
    let mut most: f32 = 0.0;
    for (line, width, strength) in [(0.0, 0.035, 1.0), (0.085, 0.05, 0.8), (0.2, 0.05, 0.5)] {
        let behind = coast - line + curl;
        let front = smooth(-0.004, 0.003, behind) * smooth(width, 0.0, behind);
        let solid = smooth(-0.004, 0.002, behind) * smooth(0.016, 0.0, behind);
        most = most.max((front * lace).max(solid) * strength);
    }
    most
}
