//! Flowers grown by the golden angle.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::{Dice, Noise};

/// 137.5 degrees: no two leaves ever stand above each other.
const GOLDEN: f32 = 2.399_963_2;

/// The colours of a dahlia.
pub struct Dahlia {
    /// The petals from the heart outwards.
    pub petals: &'static [u32],
    /// Their tips.
    pub tip: u32,
    /// What lies behind the flower, from its middle outwards.
    pub ground: &'static [u32],
}

/// Coral on dark green.
pub const CORAL: Dahlia = Dahlia {
    petals: &[0x7a1230, 0xc32a4a, 0xf0606a, 0xff9a86, 0xffc4a8],
    tip: 0xffe6cf,
    ground: &[0x1d3a34, 0x0f2a28, 0x06181a],
};

/// Violet, nearly white outside.
pub const VIOLET: Dahlia = Dahlia {
    petals: &[0x2a1060, 0x5a2aa0, 0x9a5fd0, 0xd0a4ec, 0xf0dcf8],
    tip: 0xffffff,
    ground: &[0x4a4f6f, 0x2a3050, 0x141830],
};

/// One flower that fills the picture, petal over petal from the rim to the heart.
pub fn dahlia(canvas: &mut Canvas, seed: u32, look: &Dahlia) {
    let (noise, middle) = (Noise(seed), canvas.aspect() / 2.0);
    let (petals, ground) = (Gradient::even(look.petals), Gradient::even(look.ground));
    let size = canvas.aspect().min(1.0);
    canvas.fill(|u, v| {
        let d = ((u - middle).powi(2) + (v - 0.5).powi(2)).sqrt();
        ground.at(d * 1.1 + 0.10 * noise.fbm(u * 2.5, v * 2.5, 4))
    });
    canvas.blur(0.01);
    let mut dice = Dice::new(seed);
    const COUNT: usize = 420;
    for i in (1..COUNT).rev() {
        let out = (i as f32 / COUNT as f32).sqrt();
        let angle = i as f32 * GOLDEN + dice.bell() * 0.03;
        let petal = Petal {
            root: (middle, 0.5),
            angle,
            start: size * 0.40 * out.powf(1.5) * 0.8,
            length: size * (0.035 + 0.155 * out) * dice.range(0.94, 1.06),
            half: size * (0.012 + 0.030 * out),
            base: petals.at(out * 0.75),
            end: mix(petals.at(out * 0.9 + 0.15), hex(look.tip), 0.10 + 0.35 * out),
        };
        petal.draw(canvas, noise);
    }
    canvas.bloom(0.8, 0.04, 0.25);
    canvas.vignette(0.3);
}

/// One petal.
struct Petal {
    root: (f32, f32),
    angle: f32,
    start: f32,
    length: f32,
    half: f32,
    base: Rgb,
    end: Rgb,
}

impl Petal {
    /// Lays the petal, and its shadow, over what is there.
    fn draw(&self, canvas: &mut Canvas, noise: Noise) {
        let (sin, cos) = self.angle.sin_cos();
        let centre = self.start + self.length * 0.5;
        let at = (self.root.0 + cos * centre, self.root.1 + sin * centre);
        let reach = self.length * 0.5 + self.half;
        let soft = canvas.pixel();
        let area = [at.0 - reach, at.1 - reach, at.0 + reach, at.1 + reach];
        canvas.shade_box(area, |u, v, pixel| {
            let (x, y) = (u - self.root.0, v - self.root.1);
            let along = (x * cos + y * sin - self.start) / self.length;
            let across = (y * cos - x * sin) / self.half;
            // Narrow at the root, widest at two thirds, pointed at the tip.
            let width =
                (along.clamp(0.0, 1.0).powf(0.7) * std::f32::consts::PI).sin().max(0.0).powf(0.75);
            let inside = (width - across.abs()) * self.half;
            let ends = (1.0 - along).min(along + 0.02) * self.length;
            let edge = inside.min(ends);
            let shadow = smooth(-self.half * 0.55, 0.0, edge) * 0.42;
            *pixel = *pixel * (1.0 - shadow * smooth(0.1, 0.6, along));
            let cover = (edge / soft + 0.5).clamp(0.0, 1.0);
            if cover > 0.0 {
                let cup = across / width.max(0.2);
                let vein = noise.at(across * 5.0, along * 1.5 + self.angle);
                let light = 0.50 + 0.62 * along
                    - 0.16 * cup * (sin * 0.6 - cos * 0.6)
                    - 0.20 * smooth(0.25, 0.0, cup.abs())
                    + 0.05 * vein;
                *pixel = mix(*pixel, mix(self.base, self.end, along) * light.max(0.1), cover);
            }
        });
    }
}

/// A spiral of beads on dark cloth that goes on over the border.
pub fn spiral(canvas: &mut Canvas, seed: u32) {
    let (noise, aspect) = (Noise(seed), canvas.aspect());
    let cloth = hex(0x0f1a2c);
    let colours = Gradient::even(&[
        0xfff0c0, 0xffc94f, 0xf78a3c, 0xe0405f, 0x9a2f86, 0x3f3fa0, 0x1f7fb8, 0x2fc0b0,
    ]);
    canvas.fill(|u, v| cloth * (1.0 + 0.3 * noise.fbm(u * 90.0, v * 90.0, 3)));
    let middle = (aspect * 0.38, 0.53);
    let far = (aspect * aspect * 0.4 + 0.3).sqrt() + 0.05;
    let gap = 0.0205;
    for i in 1..((far / gap) * (far / gap)) as usize {
        let d = gap * (i as f32).sqrt();
        let angle = i as f32 * GOLDEN;
        let place = (middle.0 + d * angle.cos(), middle.1 + d * angle.sin());
        // Arms of large and small beads, 21 of them as in a sunflower.
        let arm =
            0.5 + 0.5 * ((i % 21) as f32 / 21.0 * std::f32::consts::TAU * 3.0 + d * 9.0).sin();
        let radius = gap * (0.44 + 0.46 * arm);
        let tone = d / far * 1.05 + 0.12 * noise.other(2).fbm(place.0 * 3.0, place.1 * 3.0, 3);
        bead(canvas, place, radius, colours.at(tone) * (0.75 + 0.35 * arm));
    }
    canvas.bloom(0.7, 0.02, 0.3);
    canvas.vignette(0.3);
}

/// A round bead with a shadow on the paper.
fn bead(canvas: &mut Canvas, (u, v): (f32, f32), radius: f32, colour: Rgb) {
    canvas.disc((u + radius * 0.25, v + radius * 0.35), radius * 1.02, Rgb::default(), 0.22);
    let soft = canvas.pixel();
    let r = radius + soft;
    canvas.shade_box([u - r, v - r, u + r, v + r], |pu, pv, pixel| {
        let (x, y) = ((pu - u) / radius, (pv - v) / radius);
        let d = (x * x + y * y).sqrt();
        let cover = ((1.0 - d) * radius / soft + 0.5).clamp(0.0, 1.0);
        let light = 1.0 - 0.34 * (x + y) - 0.25 * d * d;
        let spot = smooth(0.4, 0.1, ((x + 0.38).powi(2) + (y + 0.42).powi(2)).sqrt());
        *pixel = mix(*pixel, colour * light.max(0.2) + Rgb::grey(0.28 * spot), cover);
    });
}
