//! Land that people work: lavender, tulips, and hills of many fields.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::{Dice, Noise, floor, hash01};
use super::sky::{self, Clouds, Disc, Light, Sky};
use super::terrain::{Camera, direction, facing, march, sunlight};

/// What grows in rows.
pub struct Rows {
    /// Sky and sun.
    pub light: Light,
    /// Clouds.
    pub clouds: Clouds,
    /// The flowers, bed by bed.
    pub flowers: &'static [u32],
    /// Leaves and ground between the rows.
    pub leaf: u32,
    /// How many rows belong to one bed of one colour.
    pub bed: i32,
    /// Whether a lone tree stands there: share of the width.
    pub tree: Option<f32>,
}

/// Provence in July, the sun just going.
pub const LAVENDER: Rows = Rows {
    light: Light {
        air: &[0x3a4f9a, 0x8a7fc0, 0xf09a9a, 0xffc07a, 0xffe0a0],
        horizon: 0.44,
        sun: (0.30, 0.40),
        radius: 0.032,
        tint: 0xffc078,
        glow: 0.8,
        disc: Disc::Sun,
    },
    clouds: Clouds {
        cover: 0.53,
        scale: 0.9,
        lit: 0xffc0a0,
        dark: 0x8a74b4,
        opacity: 0.8,
        stretch: 2.2,
    },
    flowers: &[0x6f4fb8, 0x7d58c4, 0x6446ac],
    leaf: 0x3f4a34,
    bed: 1,
    tree: Some(0.66),
};

/// Holland in April.
pub const TULIPS: Rows = Rows {
    light: Light {
        air: &[0x2f74c0, 0x6fa8dc, 0xb4d8ee, 0xe9f2f0],
        horizon: 0.40,
        sun: (0.8, -0.1),
        radius: 0.0,
        tint: 0xfff2d0,
        glow: 0.2,
        disc: Disc::Sun,
    },
    clouds: Clouds {
        cover: 0.56,
        scale: 1.2,
        lit: 0xffffff,
        dark: 0x9fb6cc,
        opacity: 0.95,
        stretch: 1.3,
    },
    flowers: &[0xe0283a, 0xf7b32b, 0xf2e8f0, 0xf06a9a, 0xf4712b, 0x8a2f8f],
    leaf: 0x3f8a3a,
    bed: 3,
    tree: None,
};

/// Rows of flowers that run to the horizon.
pub fn rows(canvas: &mut Canvas, seed: u32, look: &Rows) {
    let noise = Noise(seed);
    let sky = Sky::new(&look.light, canvas);
    sky.paint(canvas);
    sky::clouds(canvas, &sky, noise.other(90), &look.clouds);
    let horizon = look.light.horizon;
    hedge(canvas, noise, &sky, horizon);
    let camera = Camera { eye: 0.95, horizon, focal: 1.0, near: 0.9, far: 60.0 };
    const GAP: f32 = 0.55;
    let row = |x: f32, z: f32| (x + 0.05 * noise.at(x * 0.4, z * 0.25)) / GAP + z * 0.10;
    let plants = |x: f32, z: f32| {
        let r = row(x, z);
        let across = (r - r.floor() - 0.5).abs() * 2.0;
        let tuft =
            noise.other(1).at(x * 9.0, z * 9.0) + 0.5 * noise.other(2).at(x * 24.0, z * 24.0);
        (1.0 - across * across).max(0.0).sqrt() * (0.30 + 0.05 * tuft * (-z * 0.2).exp())
    };
    let height = |x: f32, z: f32| plants(x, z) + 0.35 * noise.other(3).at(x * 0.06, z * 0.07);
    let flowers: Vec<Rgb> = look.flowers.iter().map(|c| hex(*c)).collect();
    let leaf = hex(look.leaf);
    let tint = hex(look.light.tint);
    let sun = direction(look.light.sun.0 - 0.5, 0.45, 0.6);
    let aspect = canvas.aspect();
    march(canvas, &camera, height, |p| {
        let bed = floor(row(p.x, p.z)).div_euclid(look.bed).rem_euclid(flowers.len() as i32);
        let up = plants(p.x, p.z) / 0.30;
        let speck = noise.other(4).fbm(p.x * 30.0, p.z * 30.0, 2) * (-p.z * 0.12).exp();
        let bloom = smooth(0.45, 0.85, up + 0.35 * speck);
        let body = mix(leaf * (0.35 + 0.6 * up), flowers[bed as usize], bloom);
        let light = 0.55 + 0.55 * facing(p, sun).max(0.0) + 0.35 * speck;
        let lit = body * light.max(0.15) + body * tint * (0.45 * up * facing(p, sun).max(0.0));
        let u = aspect / 2.0 + camera.focal * p.x / p.z;
        mix(lit, sky.air(u, horizon - 0.01), 0.9 - 0.9 * (-p.z * 0.028).exp())
    });
    if let Some(at) = look.tree {
        tree(canvas, (at * aspect, horizon + 0.014), 0.17, seed);
    }
    canvas.bloom(0.8, 0.05, 0.3);
    canvas.vignette(0.2);
}

/// Far hills and a hedge on the horizon.
fn hedge(canvas: &mut Canvas, noise: Noise, sky: &Sky, horizon: f32) {
    let (soft, aspect) = (canvas.pixel(), canvas.aspect());
    let layers =
        [(0.055, 1.2, 0.55, 0x6f6a9a), (0.03, 2.3, 0.35, 0x4a5074), (0.008, 26.0, 0.12, 0x2c3a3a)];
    for (i, (rise, scale, air, colour)) in layers.into_iter().enumerate() {
        let ridge = noise.other(40 + i as u32);
        canvas.shade_box([0.0, horizon - 0.12, aspect, horizon + 0.03], |u, v, pixel| {
            let top = horizon + 0.002 - rise * (0.6 + ridge.fbm(u * scale, 0.5, 4)).max(0.0);
            let body = mix(hex(colour), sky.air(u, horizon - 0.02), air);
            *pixel = mix(*pixel, body, ((v - top) / soft + 0.5).clamp(0.0, 1.0));
        });
    }
}

/// A round tree against the sky.
fn tree(canvas: &mut Canvas, (u, v): (f32, f32), size: f32, seed: u32) {
    let mut dice = Dice::new(seed);
    let (trunk, dark, lit) = (hex(0x1f1820), hex(0x1c2a26), hex(0x5f6a3a));
    for step in 0..60 {
        let t = step as f32 / 60.0;
        canvas.disc(
            (u + 0.004 * (t * 5.0).sin(), v - t * size * 0.55),
            size * (0.045 - 0.02 * t),
            trunk,
            1.0,
        );
    }
    for leaf in 0..1400 {
        let (angle, d) = (dice.unit() * std::f32::consts::TAU, dice.unit().sqrt());
        let bump = 0.80 + 0.20 * (angle * 5.0 + 1.0).sin() * (angle * 2.0).cos();
        let (x, y) = (angle.cos() * d * bump * 0.52, angle.sin() * d * bump * 0.40);
        let light =
            (0.5 - x * 0.7 - y * 0.9 + dice.bell() * 0.22).clamp(0.0, 1.0) * (leaf as f32 / 1400.0);
        let place = (u + x * size, v - size * 0.72 + y * size);
        canvas.disc(place, size * dice.range(0.012, 0.034), mix(dark, lit, light), 0.9);
    }
}

/// Hills of many small fields with hedges and trees, seen from a balloon.
pub fn patchwork(canvas: &mut Canvas, seed: u32) {
    let light = Light {
        air: &[0x4f8fc8, 0x9cc4de, 0xe6dcc4, 0xffe6b4],
        horizon: 0.33,
        sun: (0.85, 0.22),
        radius: 0.0,
        tint: 0xffdfa0,
        glow: 0.6,
        disc: Disc::Sun,
    };
    let heaps = Clouds {
        cover: 0.5,
        scale: 1.2,
        lit: 0xfffaf0,
        dark: 0xa8b4c8,
        opacity: 0.9,
        stretch: 1.6,
    };
    let noise = Noise(seed);
    let sky = Sky::new(&light, canvas);
    sky.paint(canvas);
    sky::clouds(canvas, &sky, noise.other(90), &heaps);
    let camera = Camera { eye: 2.6, horizon: 0.33, focal: 1.2, near: 2.4, far: 70.0 };
    let hills =
        |x: f32, z: f32| 1.15 * noise.fbm(x * 0.14, z * 0.14, 3) + 0.4 * smooth(9.0, 30.0, z);
    let field = |x: f32, z: f32| {
        let bend = noise.other(1).at(x * 0.4, z * 0.4) * 0.35;
        noise.other(2).cell(x * 0.50 + bend, z * 0.30 - bend)
    };
    let trees = |x: f32, z: f32| {
        let (cx, cz) = (floor(x * 6.0), floor(z * 6.0));
        let grove = smooth(0.25, 0.45, noise.other(4).at(x * 0.5, z * 0.5));
        if hash01(cx, cz, seed) > 0.10 + 0.75 * grove {
            return 0.0;
        }
        let (ox, oz) = (0.35 + 0.3 * hash01(cx, cz, 7), 0.35 + 0.3 * hash01(cx, cz, 8));
        let d = ((x * 6.0 - cx as f32 - ox).powi(2) + (z * 6.0 - cz as f32 - oz).powi(2)).sqrt();
        (1.0 - (d / 0.34).powi(2)).max(0.0).sqrt() * (0.07 + 0.07 * hash01(cx, cz, 9))
    };
    let height = |x: f32, z: f32| hills(x, z) + trees(x, z);
    let crops = Gradient::even(&[
        0x5f8f2f, 0x9ab84a, 0xe0c45a, 0xc89a4a, 0x7aa63a, 0x3f7a35, 0xd8cf7a, 0x8a6a3f,
    ]);
    let (sun, aspect) = (direction(0.8, 0.42, 0.25), canvas.aspect());
    march(canvas, &camera, height, |p| {
        let cell = field(p.x, p.z);
        let tone = (cell.id & 1023) as f32 / 1023.0;
        let angle = (cell.id >> 10 & 63) as f32 * 0.1;
        let furrow = ((p.x * angle.cos() + p.z * angle.sin()) * 55.0).sin() * (-p.z * 0.16).exp();
        let soil = noise.other(6).fbm(p.x * 3.0, p.z * 3.0, 4);
        let crop = crops.at(tone) * (1.0 + 0.09 * furrow + 0.14 * soil);
        let hedge = smooth(0.03, 0.012, cell.edge);
        let wood = smooth(0.005, 0.03, trees(p.x, p.z)).max(hedge);
        let body = mix(crop, hex(0x2c5228) * (1.0 + 0.5 * soil), wood);
        let open = sunlight(p, sun, 2.5, height);
        let light = facing(p, sun).max(0.0) * open;
        let lit = body * (hex(0x8fa4d0) * 0.42 + hex(0xffe2a8) * (1.35 * light));
        let u = aspect / 2.0 + camera.focal * p.x / p.z;
        mix(lit, sky.air(u, 0.30), 0.92 - 0.92 * (-(p.z * 0.022).powf(1.4)).exp())
    });
    canvas.bloom(0.8, 0.05, 0.25);
    canvas.vignette(0.18);
}
