//! Beyond the sky: nebulae and planets.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::{Dice, Noise};
use super::sky::stars;

/// The colours of a nebula.
pub struct Nebula {
    /// Gas from thin to dense.
    pub gas: &'static [u32],
    /// A second gas that shines where the first is torn.
    pub veil: u32,
    /// The young stars inside.
    pub core: u32,
}

/// Oxygen and dust: teal and amber.
pub const PILLARS: Nebula = Nebula {
    gas: &[0x03040a, 0x0d1c2e, 0x1c5a66, 0x9a6a3c, 0xf0b060, 0xfff0c8],
    veil: 0x2fc7c0,
    core: 0xffd9a0,
};

/// Hydrogen: rose and violet.
pub const ROSE: Nebula = Nebula {
    gas: &[0x05030c, 0x1a0d33, 0x4b1d66, 0xb0306f, 0xff6f8a, 0xffd9d0],
    veil: 0x4f7dff,
    core: 0xffe4f0,
};

/// Paints a nebula with the stars before and behind it.
pub fn nebula(canvas: &mut Canvas, seed: u32, look: &Nebula) {
    let (noise, aspect) = (Noise(seed), canvas.aspect());
    let (gas, veil) = (Gradient::even(look.gas), hex(look.veil));
    let middle = (aspect * 0.5, 0.48);
    stars(canvas, seed, (5000.0 * aspect) as usize, |_, _| 0.55);
    canvas.shade(|u, v, pixel| {
        let (x, y) = (u * 1.7, v * 1.7);
        let wx = noise.fbm(x, y, 5);
        let wy = noise.other(1).fbm(x + 5.2, y + 1.3, 5);
        let curl = noise.other(2).fbm(x + 1.3 * wx, y + 1.3 * wy, 6);
        let r = ((u - middle.0).powi(2) * 0.7 + (v - middle.1).powi(2)).sqrt();
        let shell = smooth(0.75, 0.05, r + 0.18 * wx);
        let dense = (shell * (0.55 + 0.62 * curl + 0.25 * wy)).clamp(0.0, 1.0);
        let lanes = noise.other(3).ridged(x * 1.1 + wx, y * 1.1 + wy, 6);
        let dark = smooth(0.78, 1.15, lanes) * smooth(0.0, 0.5, shell);
        let torn = smooth(0.05, 0.7, wx - wy + 0.3) * shell * (1.0 - dense);
        let light = gas.at(dense) + veil * (torn * 0.22);
        *pixel = *pixel * (1.0 - dense * 0.7) + light * (1.0 - 0.8 * dark);
    });
    young_stars(canvas, seed ^ 99, middle, hex(look.core));
    canvas.bloom(0.55, 0.05, 0.4);
    canvas.vignette(0.3);
}

/// A few bright stars with the spikes of a mirror telescope.
fn young_stars(canvas: &mut Canvas, seed: u32, (u, v): (f32, f32), colour: Rgb) {
    let mut dice = Dice::new(seed);
    for i in 0..26 {
        let place = (u + dice.bell() * 0.36, v + dice.bell() * 0.26);
        let size = 0.008 + 0.055 * dice.unit().powi(5) + if i == 0 { 0.05 } else { 0.0 };
        let light = mix(Rgb::grey(1.0), colour, dice.unit());
        canvas.glow(place, size * 0.32, light * 2.4);
        canvas.glow(place, size * 2.2, light * 0.10);
        let area = [place.0 - size, place.1 - size, place.0 + size, place.1 + size];
        canvas.shade_box(area, |pu, pv, pixel| {
            let (x, y) = ((pu - place.0).abs() / size, (pv - place.1).abs() / size);
            let arm = |along: f32, off: f32| {
                (1.0 - along).max(0.0).powi(3) * (-(off * size * 700.0).powi(2)).exp()
            };
            *pixel += light * (1.3 * arm(x, y) + 1.3 * arm(y, x));
        });
    }
}

/// What a planet looks like.
pub struct Planet {
    /// Cloud bands from pole to pole, or ground from sea to peaks.
    pub bands: &'static [u32],
    /// Its air, seen at the rim.
    pub air: u32,
    /// Its ring, from the inside out; none if empty.
    pub ring: &'static [u32],
    /// Faint gas in the background.
    pub space: u32,
    /// Where it hangs: share of the width, height; and its radius.
    pub place: (f32, f32, f32),
    /// Where the light comes from: right, up, towards us.
    pub sun: [f32; 3],
}

/// A gas giant in its ring.
pub const RINGED: Planet = Planet {
    bands: &[0x7a5a44, 0xcaa67a, 0xe8d2a8, 0xb98a5e, 0xf0dfbf, 0xa8744c, 0xd9b88a, 0x6e5340],
    air: 0xffe2b0,
    ring: &[0x6b5a48, 0xd8c4a0, 0x8a7458, 0xf0e2c4, 0x4a3c30, 0xcbb48c, 0x5a4c40],
    space: 0x2b3f7a,
    place: (0.52, 0.5, 0.26),
    sun: [-0.70, 0.35, 0.62],
};

/// A world of blue methane, half in the dark.
pub const BLUE: Planet = Planet {
    bands: &[0x123a7a, 0x2a6fb0, 0x3f9acb, 0x1f5aa0, 0x6fc3dc, 0x2f7fbc, 0x174a8a],
    air: 0x7fd6ff,
    ring: &[],
    space: 0x6a2f6f,
    place: (0.5, 0.92, 0.62),
    sun: [0.55, 0.75, 0.05],
};

/// Paints a planet among stars, with its ring if it has one.
pub fn planet(canvas: &mut Canvas, seed: u32, look: &Planet) {
    let (noise, aspect) = (Noise(seed), canvas.aspect());
    let space = hex(look.space);
    canvas.fill(|u, v| {
        let gas = noise.other(8).fbm(u * 1.6 + v, v * 1.6 - 0.6 * u, 6);
        Rgb([0.0015, 0.002, 0.004]) + space * (0.22 * smooth(-0.1, 0.9, gas))
    });
    stars(canvas, seed, (3000.0 * aspect) as usize, |_, _| 0.7);
    let scene = Orbit::new(look, aspect, noise);
    let soft = canvas.pixel();
    canvas.shade(|u, v, pixel| scene.shade(u, v, soft, pixel));
    canvas.bloom(0.7, 0.05, 0.35);
    canvas.vignette(0.2);
}

/// A planet and its ring in the plane of the picture.
struct Orbit {
    noise: Noise,
    bands: Gradient,
    ring: Option<Gradient>,
    air: Rgb,
    place: (f32, f32, f32),
    sun: [f32; 3],
}

/// How far the ring leans over (rise over run), and how flat it appears.
const LEAN: (f32, f32) = (0.94, 0.34);
/// Where the ring begins and ends, in radii of the planet.
const RING: (f32, f32) = (1.32, 2.25);

impl Orbit {
    /// Bakes the colours of a planet.
    fn new(look: &Planet, aspect: f32, noise: Noise) -> Orbit {
        let ring = (!look.ring.is_empty()).then(|| Gradient::even(look.ring));
        let (x, y, r) = look.place;
        let length = look.sun.iter().map(|s| s * s).sum::<f32>().sqrt();
        Orbit {
            noise,
            bands: Gradient::even(look.bands),
            ring,
            air: hex(look.air),
            place: (x * aspect, y, r),
            sun: look.sun.map(|s| s / length),
        }
    }

    /// Paints what is seen at a place over what is there.
    fn shade(&self, u: f32, v: f32, soft: f32, pixel: &mut Rgb) {
        let r = self.place.2;
        let (x, y) = ((u - self.place.0) / r, (self.place.1 - v) / r);
        // Turned so that the ring lies along `x`.
        let (x, y) = (x * LEAN.0 + y * LEAN.1, y * LEAN.0 - x * LEAN.1);
        let d = (x * x + y * y).sqrt();
        let ring = self.ring_at(x, y);
        if let Some((colour, cover)) = ring.filter(|_| y > 0.0) {
            *pixel = mix(*pixel, colour, cover);
        }
        let rim =
            (-(d - 1.0).max(0.0) * 26.0).exp() * (0.5 + 0.5 * (x * self.sun[0] + y * self.sun[1]));
        *pixel += self.air * (0.35 * rim.max(0.0) * smooth(0.97, 1.0, d));
        let cover = ((1.0 - d) * r / soft + 0.5).clamp(0.0, 1.0);
        if cover > 0.0 {
            *pixel = mix(*pixel, self.ball(x, y), cover);
        }
        if let Some((colour, cover)) = ring.filter(|_| y <= 0.0) {
            *pixel = mix(*pixel, colour, cover);
        }
    }

    /// The colour of the ball.
    fn ball(&self, x: f32, y: f32) -> Rgb {
        let z = (1.0 - x * x - y * y).max(0.0).sqrt();
        // Seen a little from above, so that the bands bend.
        let (latitude, side) = (y * 0.94 + z * -0.30, z * 0.94 + y * 0.30);
        let longitude = x.atan2(side) * 1.4;
        let storm = self.noise.fbm(longitude * 2.2 + 3.0, latitude * 8.0, 5);
        let swirl = self.noise.other(1).fbm(longitude * 5.0 + storm * 0.6, latitude * 22.0, 4);
        let band = latitude * 0.5 + 0.5 + 0.022 * storm + 0.014 * swirl;
        let fine = 1.0 + 0.10 * self.noise.other(2).at(storm * 0.7, band * 70.0);
        let light = x * self.sun[0] + y * self.sun[1] + z * self.sun[2];
        let day = smooth(-0.08, 0.9, light) * 1.25;
        let shadow = if self.ring.is_some() {
            1.0 - 0.55 * smooth(0.07, 0.03, (latitude - 0.12 - 0.1 * x * x).abs())
        } else {
            1.0
        };
        let rim = (1.0 - z).powi(4) * smooth(-0.15, 0.5, light);
        self.bands.at(band) * (day * fine * shadow) + self.air * (0.5 * rim)
    }

    /// The ring at a place: its colour and how much it covers.
    fn ring_at(&self, x: f32, y: f32) -> Option<(Rgb, f32)> {
        let colours = self.ring.as_ref()?;
        let d = (x * x + (y / 0.30).powi(2)).sqrt();
        let t = (d - RING.0) / (RING.1 - RING.0);
        if !(0.0..=1.0).contains(&t) {
            return None;
        }
        let grooves = self.noise.other(5).fbm(d * 22.0, 0.5, 4);
        let gap = smooth(0.0, 0.012, (t - 0.66).abs() - 0.012);
        let ends = smooth(0.0, 0.03, t) * smooth(1.0, 0.97, t);
        let cover = (0.62 + 0.45 * grooves).clamp(0.05, 0.95) * gap * ends;
        // The planet's shadow falls away from the sun.
        let away = (x * -self.sun[0], y / 0.30);
        let dark = smooth(1.04, 0.96, (away.1 - 0.35).abs()) * smooth(0.0, 0.2, away.0);
        Some((colours.at(t) * (1.0 - 0.93 * dark * smooth(0.0, 0.1, y + 0.02)), cover))
    }
}
