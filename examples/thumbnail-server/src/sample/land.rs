//! Wide ground under low sun: dunes, peaks, mesas, and a sea of clouds.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::Noise;
use super::sky::{self, Clouds, Disc, Light, Sky};
use super::terrain::{Camera, Point, direction, facing, march, sunlight};

/// What tells one desert or mountain range from another.
pub struct Look {
    /// Sky and sun.
    pub light: Light,
    /// Clouds, if any.
    pub clouds: Option<Clouds>,
    /// The ground from full shade to full light.
    pub ground: &'static [u32],
    /// A second ground: rock below the snow.
    pub rock: &'static [u32],
    /// Where the light comes from: right, up, away.
    pub from: (f32, f32, f32),
    /// Share of the light that the air takes over a distance of 10.
    pub haze: f32,
}

/// Sand at sunrise.
pub const FIRST_LIGHT: Look = Look {
    light: Light {
        air: &[0x3f6fa6, 0x86a9c6, 0xe9c9a6, 0xffd3a0],
        horizon: 0.34,
        sun: (0.86, 0.27),
        radius: 0.0,
        tint: 0xffcf90,
        glow: 0.7,
        disc: Disc::Sun,
    },
    clouds: None,
    ground: &[0x3a1f2b, 0x6d3531, 0xb5623a, 0xe79a53, 0xffd28a],
    rock: &[],
    from: (0.9, 0.30, 0.32),
    haze: 0.16,
};

/// Peaks that burn before the valley has any sun.
pub const ALPENGLOW: Look = Look {
    light: Light {
        air: &[0x27406f, 0x5b77a8, 0xb5a3b8, 0xf0b9a4],
        horizon: 0.52,
        sun: (0.05, 0.35),
        radius: 0.0,
        tint: 0xffb090,
        glow: 0.3,
        disc: Disc::Sun,
    },
    clouds: Some(Clouds {
        cover: 0.46,
        scale: 1.0,
        lit: 0xffc7ae,
        dark: 0x7d7fa0,
        opacity: 0.7,
        stretch: 2.4,
    }),
    ground: &[0x3d5584, 0x6d83ae, 0xd9a7a0, 0xffb68c, 0xffe0bd],
    rock: &[0x1a2540, 0x323a58, 0x7b5c60, 0xbb8068, 0xd9a07c],
    from: (-0.86, 0.36, -0.35),
    haze: 0.13,
};

/// High winter, hard light.
pub const WINTER: Look = Look {
    light: Light {
        air: &[0x123a78, 0x2f68ad, 0x79a9d6, 0xcfe2ee],
        horizon: 0.55,
        sun: (0.95, 0.1),
        radius: 0.0,
        tint: 0xfff4e0,
        glow: 0.25,
        disc: Disc::Sun,
    },
    clouds: Some(Clouds {
        cover: 0.40,
        scale: 1.3,
        lit: 0xffffff,
        dark: 0x9db2cc,
        opacity: 0.9,
        stretch: 1.4,
    }),
    ground: &[0x365e9a, 0x7ba0cf, 0xd3e2f0, 0xf8fbff, 0xffffff],
    rock: &[0x16202f, 0x2b3645, 0x545a62, 0x857f78, 0xa39a8e],
    from: (0.75, 0.5, -0.35),
    haze: 0.10,
};

/// Paints the sky of a look, and returns it.
fn heaven(canvas: &mut Canvas, noise: Noise, light: &Light, clouds: Option<&Clouds>) -> Sky {
    let sky = Sky::new(light, canvas);
    sky.paint(canvas);
    if let Some(clouds) = clouds {
        sky::clouds(canvas, &sky, noise.other(90), clouds);
    }
    sky
}

/// The colour of a point seen through the air between.
fn through_air(
    sky: &Sky,
    canvas_aspect: f32,
    camera: &Camera,
    p: &Point,
    c: Rgb,
    haze: f32,
) -> Rgb {
    let u = canvas_aspect / 2.0 + camera.focal * p.x / p.z;
    let fog = 1.0 - (-p.z * haze * 0.1).exp();
    mix(c, sky.air(u, camera.horizon - 0.005), fog)
}

/// Dunes with sharp crests and wind ripples.
pub fn dunes(canvas: &mut Canvas, seed: u32, look: &Look) {
    let noise = Noise(seed);
    let sky = heaven(canvas, noise, &look.light, look.clouds.as_ref());
    let camera =
        Camera { eye: 1.9, horizon: look.light.horizon, focal: 1.15, near: 1.1, far: 70.0 };
    let height = |x: f32, z: f32| {
        let w = noise.other(1).at(x * 0.13, z * 0.13) * 1.1;
        let crest = |n: f32| {
            let r = 1.0 - (n * 1.1).abs();
            r.max(0.0).powf(1.5)
        };
        let large = crest(noise.at(x * 0.105 + w, z * 0.19 + 0.35 * w));
        let small = crest(noise.other(2).at(x * 0.33 - w, z * 0.5 + w));
        1.55 * large * smooth(0.3, 5.0, z)
            + 0.28 * small
            + 0.25 * noise.other(3).at(x * 0.1, z * 0.1)
    };
    let sun = direction(look.from.0, look.from.1, look.from.2);
    let (ground, aspect) = (Gradient::even(look.ground), canvas.aspect());
    march(canvas, &camera, height, |p| {
        let bend = noise.other(4).at(p.x * 1.1, p.z * 1.1) * 1.6;
        let ripple = ((p.z * 1.0 + p.x * 0.35) * 34.0 + bend * 7.0).sin();
        let near = (-p.z * 0.34).exp() * smooth(0.1, 0.9, p.normal[1]);
        let speck = noise.other(5).at(p.x * 90.0, p.z * 90.0) * (-p.z * 0.5).exp();
        let open = sunlight(p, sun, 6.0, height);
        let light = facing(p, sun).max(0.0).powf(0.85) * open;
        let tone = 0.10 + 0.16 * p.normal[1] + 0.86 * light;
        let colour = ground.at(tone + near * ripple * 0.085 + speck * 0.05);
        through_air(&sky, aspect, &camera, p, colour, look.haze)
    });
    canvas.bloom(0.8, 0.05, 0.25);
    canvas.vignette(0.2);
}

/// Snow peaks behind a valley full of haze.
pub fn peaks(canvas: &mut Canvas, seed: u32, look: &Look) {
    let noise = Noise(seed);
    let sky = heaven(canvas, noise, &look.light, look.clouds.as_ref());
    let camera =
        Camera { eye: 2.3, horizon: look.light.horizon, focal: 1.35, near: 2.5, far: 60.0 };
    let massif = |x: f32, z: f32, octaves: u32| {
        let w = noise.other(1).at(x * 0.2, z * 0.2) * 0.5;
        let r = noise.crests(x * 0.13 + w, z * 0.13 - w, octaves);
        r * (0.7 + 4.6 * smooth(4.0, 17.0, z)) - 0.3
    };
    let height = |x: f32, z: f32| massif(x, z, 8);
    let sun = direction(look.from.0, look.from.1, look.from.2);
    let (snow, rock) = (Gradient::even(look.ground), Gradient::even(look.rock));
    let aspect = canvas.aspect();
    march(canvas, &camera, height, |p| {
        let open = sunlight(p, sun, 7.0, |x, z| massif(x, z, 4));
        let light = facing(p, sun).max(0.0) * open;
        let tone = 0.08 + 0.22 * p.normal[1] + 0.8 * light;
        let break_up = noise.other(6).fbm(p.x * 2.5, p.z * 2.5, 4) * 0.16;
        let cover = smooth(0.52, 0.70, p.normal[1] + break_up);
        let colour = mix(rock.at(tone), snow.at(tone), cover);
        // Air lies thickest in the valleys.
        let low = (-(p.y + 0.3).max(0.0) * 1.1).exp();
        through_air(&sky, aspect, &camera, p, colour, look.haze * (0.45 + 2.2 * low))
    });
    canvas.bloom(0.8, 0.04, 0.2);
    canvas.vignette(0.18);
}

/// Table mountains of red rock on a plain.
pub fn mesas(canvas: &mut Canvas, seed: u32) {
    let light = Light {
        air: &[0x2a4f8f, 0x6f93bd, 0xe3b99b, 0xffc98c],
        horizon: 0.52,
        sun: (0.1, 0.45),
        radius: 0.0,
        tint: 0xffb970,
        glow: 0.6,
        disc: Disc::Sun,
    };
    let clouds = Clouds {
        cover: 0.5,
        scale: 1.2,
        lit: 0xffdcb4,
        dark: 0x9a7f93,
        opacity: 0.85,
        stretch: 2.0,
    };
    let noise = Noise(seed);
    let sky = heaven(canvas, noise, &light, Some(&clouds));
    let camera = Camera { eye: 1.0, horizon: 0.52, focal: 1.5, near: 1.6, far: 80.0 };
    let tables = |x: f32, z: f32| {
        let w = noise.other(1).fbm(x * 0.35, z * 0.35, 4) * 0.22;
        let n = noise.at(x * 0.16 + w, z * 0.12 + w) + 0.25 * w;
        let talus = smooth(0.14, 0.40, n) * 0.55;
        let cliff = smooth(0.38, 0.44, n) * 1.15 + smooth(0.55, 0.6, n) * 0.5;
        (talus + cliff) * smooth(5.0, 12.0, z)
    };
    let height = |x: f32, z: f32| tables(x, z) + noise.other(2).fbm(x * 1.2, z * 1.2, 5) * 0.05;
    let sun = direction(-0.8, 0.34, -0.3);
    let strata = Gradient::even(&[0xb4643c, 0x9c4a2d, 0xc9764a, 0x8a3d2a, 0xd58d5e, 0xa65234]);
    let (shade, lit, aspect) = (hex(0x5a4a78), hex(0xffe2b8), canvas.aspect());
    march(canvas, &camera, height, |p| {
        let band = p.y * 0.9 + noise.other(4).at(p.x * 0.3, p.z * 0.3) * 0.1;
        let scrub = smooth(0.15, 0.5, noise.other(5).fbm(p.x * 3.0, p.z * 3.0, 4));
        let flat = smooth(0.8, 0.97, p.normal[1]);
        let bush = mix(strata.cycle(band), hex(0x6f6a3c), scrub * flat * 0.8);
        let open = sunlight(p, sun, 7.0, tables);
        let light = facing(p, sun).max(0.0) * open;
        let colour = bush * (shade * (0.35 + 0.3 * p.normal[1]) + lit * (1.5 * light));
        through_air(&sky, aspect, &camera, p, colour, 0.17)
    });
    canvas.bloom(0.8, 0.05, 0.25);
    canvas.vignette(0.2);
}

/// Above the clouds, with a few summits like islands.
pub fn cloud_sea(canvas: &mut Canvas, seed: u32) {
    let light = Light {
        air: &[0x243f7c, 0x5f6fae, 0xd48fa0, 0xffb27c, 0xffd79a],
        horizon: 0.44,
        sun: (0.62, 0.37),
        radius: 0.03,
        tint: 0xffc27a,
        glow: 1.0,
        disc: Disc::Sun,
    };
    let noise = Noise(seed);
    let streaks = Clouds {
        cover: 0.48,
        scale: 0.8,
        lit: 0xffc9a0,
        dark: 0x8a6f9c,
        opacity: 0.6,
        stretch: 4.0,
    };
    let sky = heaven(canvas, noise, &light, Some(&streaks));
    let camera = Camera { eye: 2.0, horizon: 0.44, focal: 1.2, near: 1.3, far: 90.0 };
    let cloud = |x: f32, z: f32| {
        let w = noise.other(1).at(x * 0.15, z * 0.15) * 0.8;
        // |n| is a crease between two round heaps.
        let heaps = noise.other(10).at(x * 0.34 + w, z * 0.42 - w).abs() * 0.55;
        let puffs = noise.other(11).at(x * 1.1 - w, z * 1.3 + w).abs() * 0.16;
        heaps + puffs + 0.22 * noise.other(2).fbm(x * 0.16, z * 0.2, 4)
    };
    let peak = |x: f32, z: f32| {
        if z < 7.0 {
            return 0.0;
        }
        let r = noise.other(3).crests(x * 0.11 + 0.3, z * 0.11, 7);
        (r * 4.0 - 0.9) * smooth(7.0, 15.0, z)
    };
    let height = |x: f32, z: f32| cloud(x, z).max(peak(x, z));
    let sun = direction(0.25, 0.22, 0.9);
    let vapour = Gradient::even(&[0x4a4f8c, 0x8f7fae, 0xe6a6a4, 0xffd2a6, 0xfff0d0]);
    let rock = Gradient::even(&[0x141a3a, 0x262a50, 0x5a4660]);
    let aspect = canvas.aspect();
    march(canvas, &camera, height, |p| {
        let thin = smooth(0.35, 1.2, cloud(p.x, p.z));
        let tone = 0.12 + 0.42 * thin + 0.55 * facing(p, sun).max(0.0);
        let above = smooth(0.0, 0.18, peak(p.x, p.z) - cloud(p.x, p.z) + 0.06);
        let stone = rock.at(0.25 + 0.8 * facing(p, sun));
        let haze = 0.24 - 0.17 * above;
        through_air(&sky, aspect, &camera, p, mix(vapour.at(tone), stone, above), haze)
    });
    canvas.bloom(0.8, 0.06, 0.35);
    canvas.vignette(0.2);
}
