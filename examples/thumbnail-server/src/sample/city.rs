//! A city at the blue hour, its windows lit, the river in front.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::night::mirror;
use super::noise::{Dice, Noise, hash01};
use super::sky::{self, Clouds, Disc, Light, Sky};

/// What tells one evening from another.
pub struct Look {
    /// Sky and moon.
    pub light: Light,
    /// Clouds.
    pub clouds: Clouds,
    /// Walls from the farthest row of houses to the nearest.
    pub walls: &'static [u32],
    /// Windows.
    pub lamps: &'static [u32],
    /// The share of windows that are lit.
    pub awake: f32,
    /// How high the tallest houses are.
    pub tall: f32,
}

/// Just after sunset.
pub const BLUE_HOUR: Look = Look {
    light: Light {
        air: &[0x0b1a3f, 0x1f3c78, 0x4a6aa8, 0xb08aa4, 0xf0a878],
        horizon: 0.70,
        sun: (0.3, 0.72),
        radius: 0.0,
        tint: 0xff9a60,
        glow: 0.5,
        disc: Disc::Sun,
    },
    clouds: Clouds {
        cover: 0.5,
        scale: 0.8,
        lit: 0xc98fa0,
        dark: 0x2c3f70,
        opacity: 0.7,
        stretch: 3.0,
    },
    walls: &[0x6f7496, 0x424d78, 0x26335a, 0x121b38],
    lamps: &[0xffe2a8, 0xffc56f, 0xffa94d, 0xfff1d8, 0xcfe4ff],
    awake: 0.42,
    tall: 0.66,
};

/// Deep night in neon.
pub const NEON: Look = Look {
    light: Light {
        air: &[0x0a0620, 0x1a0f3f, 0x3a1a60, 0x7a2a78, 0xd0487e],
        horizon: 0.68,
        sun: (0.62, 0.30),
        radius: 0.10,
        tint: 0xffb0a0,
        glow: 0.22,
        disc: Disc::Moon,
    },
    clouds: Clouds {
        cover: 0.45,
        scale: 0.7,
        lit: 0xd0608a,
        dark: 0x24124a,
        opacity: 0.6,
        stretch: 4.0,
    },
    walls: &[0x7a3a78, 0x47286a, 0x271a4e, 0x110b2a],
    lamps: &[0xff7fc0, 0x6fe6ff, 0xffd08a, 0xb48cff, 0xfff0e0],
    awake: 0.36,
    tall: 0.50,
};

/// Where the river begins.
const WATER: f32 = 0.74;

/// Paints sky, four rows of houses, and the river.
pub fn skyline(canvas: &mut Canvas, seed: u32, look: &Look) {
    let sky = Sky::new(&look.light, canvas);
    sky.paint(canvas);
    sky::clouds(canvas, &sky, Noise(seed).other(90), &look.clouds);
    let walls = Gradient::even(look.walls);
    for row in 0..4 {
        houses(canvas, seed.wrapping_add(row), look, (row as f32 / 3.0, &walls));
    }
    canvas.bloom(0.55, 0.02, 0.5);
    mirror(canvas, WATER, Noise(seed).other(50), 1.0);
    canvas.bloom(0.7, 0.06, 0.3);
    canvas.vignette(0.28);
}

/// One house.
struct House {
    left: f32,
    right: f32,
    top: f32,
    seed: u32,
    wall: Rgb,
    /// Width of a window's share of the wall.
    window: f32,
}

/// Builds one row of houses at `depth` (0 far, 1 near).
fn houses(canvas: &mut Canvas, seed: u32, look: &Look, (depth, walls): (f32, &Gradient)) {
    let mut dice = Dice::new(seed);
    let noise = Noise(seed).other(3);
    let lamps: Vec<Rgb> = look.lamps.iter().map(|c| hex(*c)).collect();
    let mut left = -0.05;
    while left < canvas.aspect() {
        let width = dice.range(0.035, 0.085) * (0.6 + 0.55 * depth);
        // The centre is tall, the suburbs are not; the nearest row is low.
        let centre = 0.65 + 0.55 * noise.at(left * 1.3, depth * 9.0);
        let proud = 0.13 + 0.87 * centre * dice.unit().powf(1.3);
        let rise = look.tall * proud * (1.0 - 0.50 * depth);
        let house = House {
            left,
            right: left + width,
            top: WATER - rise - 0.02,
            seed: (dice.unit() * 1e6) as u32,
            wall: walls.at(depth) * dice.range(0.85, 1.15),
            window: (0.0048 + 0.0034 * depth) * dice.range(0.85, 1.2),
        };
        build(canvas, &house, look.awake * (0.45 + 0.55 * depth), &lamps);
        left += width * dice.range(0.75, 1.25);
    }
}

/// Draws a house: wall, crown, windows.
fn build(canvas: &mut Canvas, house: &House, awake: f32, lamps: &[Rgb]) {
    let (soft, middle) = (canvas.pixel(), (house.left + house.right) / 2.0);
    let kind = (hash01(1, 1, house.seed) * 5.0) as u32;
    let width = house.right - house.left;
    // The outline of the roof above the wall at a distance from the middle.
    let crown = |d: f32| match kind {
        0 => (0.04 - d * 12.0).max(if d < width * 0.3 { 0.018 } else { 0.0 }),
        1 => (0.5 - d / width).max(0.0) * 0.055,
        2 if d < width * 0.22 => 0.03,
        3 => (0.055 - d * 30.0).max(0.0),
        _ => 0.0,
    };
    canvas.shade_box([house.left, house.top - 0.07, house.right, WATER], |u, v, pixel| {
        let side = ((u - house.left).min(house.right - u) / soft + 0.5).clamp(0.0, 1.0);
        let top = house.top - crown((u - middle).abs()).max(0.0);
        let cover = ((v - top) / soft + 0.5).clamp(0.0, 1.0) * side;
        // The street lights the walls from below.
        let street = hex(0xffb070) * (0.05 * smooth(0.16, 0.0, WATER - v));
        let bright = if u < middle { 1.12 } else { 0.88 };
        let lamp = if v > house.top + 0.012 { window(house, (u, v), awake, lamps) } else { None };
        let colour = lamp.unwrap_or(house.wall * bright + street);
        *pixel = mix(*pixel, colour, cover);
    });
}

/// The light of the window at a place, if there is a window and someone is awake.
fn window(house: &House, (u, v): (f32, f32), awake: f32, lamps: &[Rgb]) -> Option<Rgb> {
    let (x, y) = ((u - house.left) / house.window, (v - house.top) / (house.window * 1.45));
    let (column, floor) = (x as i32, y as i32);
    let (fx, fy) = (x.fract(), y.fract());
    let margin = (house.right - u).min(u - house.left) < house.window;
    if margin || !(0.2..0.8).contains(&fx) || !(0.25..0.75).contains(&fy) {
        return None;
    }
    // Whole floors stay lit when the cleaners are in.
    let floor_lit = if hash01(floor, 7, house.seed) < 0.12 { 0.5 } else { 0.0 };
    let mood = awake * (0.4 + 1.2 * hash01(3, 3, house.seed));
    if hash01(column, floor, house.seed) > mood + floor_lit {
        return None;
    }
    let tone = hash01(column + 91, floor, house.seed);
    let lamp = lamps[((tone * tone) * lamps.len() as f32) as usize % lamps.len()];
    Some(lamp * (0.35 + 1.1 * hash01(column, floor + 57, house.seed)))
}
