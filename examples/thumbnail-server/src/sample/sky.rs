//! Skies: the gradient of the air, the sun or moon in it, and clouds.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::{Dice, Noise};

/// The light of a scene.
pub struct Light {
    /// The colours of the air, from the zenith to the horizon.
    pub air: &'static [u32],
    /// The height of the horizon.
    pub horizon: f32,
    /// The sun or moon: share of the width, height.
    pub sun: (f32, f32),
    /// Its radius; 0 for one that is hidden.
    pub radius: f32,
    /// Its colour.
    pub tint: u32,
    /// How strongly the air around it shines.
    pub glow: f32,
    /// What the disc is.
    pub disc: Disc,
}

/// What stands in the sky.
#[derive(Clone, Copy, PartialEq)]
pub enum Disc {
    /// Too bright to look at.
    Sun,
    /// A sun dimmed by haze to its own colour.
    Haze,
    /// A moon with its dark plains.
    Moon,
}

/// A sky that can be looked up at any place, mirrored ones too.
pub struct Sky {
    air: Gradient,
    horizon: f32,
    sun: (f32, f32),
    radius: f32,
    tint: Rgb,
    glow: f32,
    disc: Disc,
    soft: f32,
}

impl Sky {
    /// The sky of this light for a canvas of this shape.
    pub fn new(light: &Light, canvas: &Canvas) -> Sky {
        Sky {
            air: Gradient::even(light.air),
            horizon: light.horizon,
            sun: (light.sun.0 * canvas.aspect(), light.sun.1),
            radius: light.radius,
            tint: hex(light.tint),
            glow: light.glow,
            disc: light.disc,
            soft: canvas.pixel(),
        }
    }

    /// Where the sun stands.
    pub fn sun(&self) -> (f32, f32) {
        self.sun
    }

    /// The air with the glow of the sun, without its disc.
    pub fn air(&self, u: f32, v: f32) -> Rgb {
        let (du, dv) = (u - self.sun.0, v - self.sun.1);
        let d = (du * du + dv * dv).sqrt();
        let wide = (du * du * 0.45 + dv * dv * 1.6).sqrt();
        let shine = 0.55 * (-d * 9.0).exp() + 0.22 * (-wide * 2.6).exp();
        self.air.at(v / self.horizon) + self.tint * (shine * self.glow)
    }

    /// The air and the disc in it.
    pub fn at(&self, u: f32, v: f32) -> Rgb {
        let (du, dv) = (u - self.sun.0, v - self.sun.1);
        let d = (du * du + dv * dv).sqrt();
        let air = self.air(u, v);
        if d > self.radius + self.soft || self.radius == 0.0 {
            return air;
        }
        let cover = smooth(self.radius + self.soft, self.radius - self.soft, d);
        mix(air, self.face(du / self.radius, dv / self.radius), cover)
    }

    /// The colour of the disc at a place on it, from -1 to 1.
    fn face(&self, x: f32, y: f32) -> Rgb {
        match self.disc {
            Disc::Sun => self.tint * 1.9 + Rgb::grey(0.25),
            Disc::Haze => self.tint,
            Disc::Moon => {
                let plains = Noise(77).fbm(x * 1.3 + 4.2, y * 1.3 + 1.0, 5);
                let rays = Noise(78).fbm(x * 5.0, y * 5.0, 3);
                let rim = 1.0 - 0.3 * (x * x + y * y);
                self.tint * ((0.98 - 0.45 * smooth(-0.05, 0.4, plains) + 0.05 * rays) * rim)
            }
        }
    }

    /// Paints the whole canvas with it.
    pub fn paint(&self, canvas: &mut Canvas) {
        canvas.fill(|u, v| self.at(u, v));
    }
}

/// A deck of clouds seen from below.
pub struct Clouds {
    /// How much of the sky is covered: 0 to 1.
    pub cover: f32,
    /// The number of clouds; larger is finer.
    pub scale: f32,
    /// Their colour where the light falls on them.
    pub lit: u32,
    /// Their colour in the shade.
    pub dark: u32,
    /// How dense they get: 0 to 1.
    pub opacity: f32,
    /// How much longer than deep they are: 1 for heaps, 3 and more for streaks.
    pub stretch: f32,
}

/// Lays clouds over the sky, in perspective, lit from the sun's side.
pub fn clouds(canvas: &mut Canvas, sky: &Sky, noise: Noise, look: &Clouds) {
    let (lit, dark) = (hex(look.lit), hex(look.dark));
    let middle = canvas.aspect() / 2.0;
    let horizon = sky.horizon;
    let area = [0.0, 0.0, canvas.aspect(), horizon];
    canvas.shade_box(area, |u, v, pixel| {
        let up = horizon - v + 0.09;
        let depth = 0.42 * look.scale / up;
        let x = (u - middle) * depth * 1.3 / look.stretch;
        let y = depth * 1.6;
        let warp = noise.other(1).at(x * 0.7, y * 0.7) * 0.7;
        let density = |x: f32, y: f32| noise.fbm(x + warp, y - warp, 6) * 0.62 + 0.5;
        let here = density(x, y);
        let cover = smooth(1.0 - look.cover, 1.35 - look.cover, here);
        if cover <= 0.0 {
            return;
        }
        let (du, dv) = (sky.sun.0 - u, sky.sun.1 - v);
        let reach = 0.22 / (du * du + dv * dv).sqrt().max(0.05);
        let there = density(x + du * reach, y + dv * reach * 2.0);
        let light = (0.55 + (here - there) * 1.5 - cover * 0.2).clamp(0.0, 1.0);
        let near_sun = (-(du * du + dv * dv) * 5.0).exp();
        let colour = mix(dark, lit, light) + sky.tint * (near_sun * sky.glow * 0.5 * (1.0 - cover));
        let far = smooth(0.0, 0.14, horizon - v);
        *pixel = mix(*pixel, colour, cover * look.opacity * (0.25 + 0.75 * far));
    });
}

/// Strews stars; `density` says how likely one is at a place (0 to 1).
pub fn stars(canvas: &mut Canvas, seed: u32, count: usize, density: impl Fn(f32, f32) -> f32) {
    let mut dice = Dice::new(seed);
    let tones = Gradient::even(&[0xffc9a0, 0xffe9d2, 0xffffff, 0xcfdcff, 0xa9c1ff]);
    let (aspect, pixel) = (canvas.aspect(), canvas.pixel());
    for _ in 0..count {
        let (u, v) = (dice.range(0.0, aspect), dice.unit());
        let (chance, size, tone) = (dice.unit(), dice.unit(), dice.unit());
        if chance > density(u, v) {
            continue;
        }
        // Few bright ones, many faint ones, as in the sky.
        let power = 0.036 / (size + 0.01).powf(1.05);
        let radius = (0.0011 + 0.0009 * power.sqrt()).max(pixel * 1.1);
        let light = tones.at(tone) * (power * (0.0016 / radius).min(1.0).powi(2) * 2.2);
        canvas.glow((u, v), radius, light);
        if power > 2.4 {
            canvas.glow((u, v), radius * 6.0, light * 0.035);
        }
    }
}
