//! Coral: two substances that feed on each other (Gray and Scott), photographed as a relief.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, mix, smooth};
use super::noise::{Dice, Noise};

/// What tells one coral from another.
pub struct Look {
    /// How fast the food comes and how fast the eater dies.
    pub rates: (f32, f32),
    /// From the valleys to the ridges.
    pub colours: &'static [u32],
}

/// Brain coral in a warm sea.
pub const BRAIN: Look = Look {
    rates: (0.0545, 0.062),
    colours: &[0x06283a, 0x0f5f6a, 0x3fb09a, 0xf4d9a0, 0xf08a6a, 0xd94f5c],
};

/// Rows of the dish in which it grows, at most; it is as wide as the picture is.
const ROWS: usize = 230;
/// Steps of growth.
const STEPS: usize = 3400;

/// Grows a coral and photographs it under a low light.
pub fn grow(canvas: &mut Canvas, seed: u32, look: &Look) {
    let rows = canvas.height.min(ROWS);
    let columns = (rows as f32 * canvas.aspect()) as usize;
    let mut dish = Dish::new(columns.max(2), rows, seed);
    for _ in 0..STEPS {
        dish.step(look.rates);
    }
    let colours = Gradient::even(look.colours);
    let noise = Noise(seed);
    let mut relief = Canvas::new(dish.columns, dish.rows);
    for (pixel, eater) in relief.pixels.iter_mut().zip(&dish.eater) {
        *pixel = Rgb::grey(*eater);
    }
    relief.blur(0.0045);
    let height = |u: f32, v: f32| relief.sample(u, v).0[0];
    let eps = 0.0045;
    canvas.fill(|u, v| {
        let here = height(u, v);
        let (dx, dy) =
            (height(u + eps, v) - height(u - eps, v), height(u, v + eps) - height(u, v - eps));
        let rise = smooth(0.04, 0.36, here);
        let drift = 0.12 * noise.fbm(u * 1.5, v * 1.5, 3);
        let pores = noise.other(1).fbm(u * 60.0, v * 60.0, 3);
        let light = 0.82 - 2.6 * (dx * 0.6 + dy * 0.8) + 0.06 * pores;
        let scale = 1.0 / (1.0 + 40.0 * (dx * dx + dy * dy)).sqrt();
        let shine = (-dx * 0.6 - dy * 0.8).max(0.0) * 2.4;
        let body = colours.at(rise * 0.88 + drift) * (light.max(0.12) * (0.5 + 0.5 * scale));
        mix(body, Rgb::grey(1.0), (shine * shine * 0.5).min(0.6))
    });
    canvas.bloom(0.8, 0.03, 0.25);
    canvas.vignette(0.25);
}

/// Both substances, in a dish whose borders join.
struct Dish {
    columns: usize,
    rows: usize,
    food: Vec<f32>,
    eater: Vec<f32>,
    next_food: Vec<f32>,
    next_eater: Vec<f32>,
}

impl Dish {
    /// A dish full of food with a few drops of the eater.
    fn new(columns: usize, rows: usize, seed: u32) -> Dish {
        let size = columns * rows;
        let (mut food, mut eater) = (vec![1.0; size], vec![0.0; size]);
        let mut dice = Dice::new(seed);
        for _ in 0..(columns * rows).div_ceil(380) {
            let (cx, cy) = (dice.below(columns), dice.below(rows));
            for (dx, dy) in (0..5).flat_map(|y| (0..5).map(move |x| (x, y))) {
                let at = (cy + dy) % rows * columns + (cx + dx) % columns;
                (food[at], eater[at]) = (0.5, 0.25 + 0.1 * dice.unit());
            }
        }
        Dish { columns, rows, next_food: food.clone(), next_eater: eater.clone(), food, eater }
    }

    /// Lets both spread and react for one unit of time.
    fn step(&mut self, (feed, kill): (f32, f32)) {
        let (w, h) = (self.columns, self.rows);
        for y in 0..h {
            let rows = [(y + h - 1) % h * w, y * w, (y + 1) % h * w];
            let food = rows.map(|r| &self.food[r..r + w]);
            let eater = rows.map(|r| &self.eater[r..r + w]);
            let out_food = &mut self.next_food[rows[1]..rows[1] + w];
            let out_eater = &mut self.next_eater[rows[1]..rows[1] + w];
            let mut cell = |x: usize, left: usize, right: usize| {
                let (f, e) = (food[1][x], eater[1][x]);
                let spread = |s: &[&[f32]; 3], here: f32| {
                    0.2 * (s[0][x] + s[2][x] + s[1][left] + s[1][right])
                        + 0.05 * (s[0][left] + s[0][right] + s[2][left] + s[2][right])
                        - here
                };
                let eaten = f * e * e;
                out_food[x] = f + spread(&food, f) - eaten + feed * (1.0 - f);
                out_eater[x] = e + 0.5 * spread(&eater, e) + eaten - (kill + feed) * e;
            };
            cell(0, w - 1, 1);
            for x in 1..w - 1 {
                cell(x, x - 1, x + 1);
            }
            cell(w - 1, w - 2, 0);
        }
        std::mem::swap(&mut self.food, &mut self.next_food);
        std::mem::swap(&mut self.eater, &mut self.next_eater);
    }
}
