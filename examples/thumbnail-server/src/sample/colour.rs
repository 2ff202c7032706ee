//! Colours in linear light, and gradients between them.
//!
//! Light adds up only in linear light, so glow, haze and reflections are computed there. Eyes see
//! otherwise, so gradients are mixed in OKLab, where half way between two colours looks half way.

use std::ops::{Add, AddAssign, Mul};

/// A colour in linear light; 1.0 is the white of the screen, more is a source of light.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rgb(pub [f32; 3]);

impl Add for Rgb {
    type Output = Rgb;
    fn add(self, b: Rgb) -> Rgb {
        Rgb([self.0[0] + b.0[0], self.0[1] + b.0[1], self.0[2] + b.0[2]])
    }
}

impl AddAssign for Rgb {
    fn add_assign(&mut self, b: Rgb) {
        *self = *self + b;
    }
}

impl Mul<f32> for Rgb {
    type Output = Rgb;
    fn mul(self, k: f32) -> Rgb {
        Rgb([self.0[0] * k, self.0[1] * k, self.0[2] * k])
    }
}

impl Mul for Rgb {
    type Output = Rgb;
    fn mul(self, b: Rgb) -> Rgb {
        Rgb([self.0[0] * b.0[0], self.0[1] * b.0[1], self.0[2] * b.0[2]])
    }
}

impl Rgb {
    /// A grey of this linear brightness.
    pub const fn grey(v: f32) -> Rgb {
        Rgb([v; 3])
    }

    /// How bright the colour looks, in linear light.
    pub fn luma(self) -> f32 {
        0.2126 * self.0[0] + 0.7152 * self.0[1] + 0.0722 * self.0[2]
    }
}

/// Reads `0xRRGGBB` as a web page does.
pub fn hex(code: u32) -> Rgb {
    let channel = |shift: u32| {
        let v = ((code >> shift) & 255) as f32 / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    };
    Rgb([channel(16), channel(8), channel(0)])
}

/// Mixes two colours as light: all of `a` at 0, all of `b` at 1.
pub fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    a * (1.0 - t) + b * t
}

/// The step from 0 to 1 between `from` and `to`, without corners; `from` may be the larger.
pub fn smooth(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A gradient, baked into a table: `at` costs one look-up and one mix.
pub struct Gradient {
    table: Vec<Rgb>,
}

impl Gradient {
    /// Spreads the colours evenly from 0 to 1.
    pub fn even(codes: &[u32]) -> Gradient {
        let last = (codes.len() - 1).max(1) as f32;
        let stops: Vec<_> = codes.iter().enumerate().map(|(i, c)| (i as f32 / last, *c)).collect();
        Gradient::new(&stops)
    }

    /// Puts each colour at its place, in rising order; the ends go on for ever.
    pub fn new(stops: &[(f32, u32)]) -> Gradient {
        const SIZE: usize = 512;
        let labs: Vec<_> = stops.iter().map(|(p, c)| (*p, to_lab(hex(*c)))).collect();
        let table = (0..SIZE).map(|i| from_lab(between(&labs, i as f32 / (SIZE - 1) as f32)));
        Gradient { table: table.collect() }
    }

    /// The colour at `t`, clamped to 0..=1.
    pub fn at(&self, t: f32) -> Rgb {
        let x = t.clamp(0.0, 1.0) * (self.table.len() - 1) as f32;
        let i = (x as usize).min(self.table.len() - 2);
        mix(self.table[i], self.table[i + 1], x - i as f32)
    }

    /// The colour at `t` on a gradient that ends where it began: only the fraction counts.
    pub fn cycle(&self, t: f32) -> Rgb {
        self.at(t - t.floor())
    }
}

/// The OKLab colour at `t` between the stops around it.
fn between(stops: &[(f32, [f32; 3])], t: f32) -> [f32; 3] {
    let after = stops.iter().position(|s| s.0 >= t).unwrap_or(stops.len() - 1);
    let (b, a) = (stops[after], stops[after.saturating_sub(1)]);
    let k = if b.0 > a.0 { ((t - a.0) / (b.0 - a.0)).clamp(0.0, 1.0) } else { 1.0 };
    [0, 1, 2].map(|i| a.1[i] + (b.1[i] - a.1[i]) * k)
}

/// Linear light to OKLab (Ottosson, 2020).
fn to_lab(c: Rgb) -> [f32; 3] {
    let [r, g, b] = c.0;
    let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

/// OKLab to linear light, negative light cut off.
fn from_lab([l, a, b]: [f32; 3]) -> Rgb {
    let x = (l + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let y = (l - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let z = (l - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    Rgb([
        (4.076_741_7 * x - 3.307_711_6 * y + 0.230_969_94 * z).max(0.0),
        (-1.268_438 * x + 2.609_757_4 * y - 0.341_319_38 * z).max(0.0),
        (-0.004_196_086_3 * x - 0.703_418_6 * y + 1.707_614_7 * z).max(0.0),
    ])
}
