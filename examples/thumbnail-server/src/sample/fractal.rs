//! Pictures that a formula paints: Julia and Mandelbrot sets, and strange attractors.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, mix, smooth};
use super::noise::Dice;

/// A window on the plane, and its colours.
pub struct View {
    /// The middle of the picture.
    pub centre: (f64, f64),
    /// The height of the picture.
    pub size: f64,
    /// The constant of a Julia set; none for the Mandelbrot set.
    pub julia: Option<(f64, f64)>,
    /// Colours that come round again.
    pub colours: &'static [u32],
    /// How fast they do.
    pub speed: f32,
    /// Where they begin.
    pub phase: f32,
    /// Steps before a point counts as inside.
    pub depth: u32,
}

/// Dragons in ember and ice.
pub const DRAGON: View = View {
    centre: (0.0, 0.0),
    size: 2.1,
    julia: Some((-0.8, 0.156)),
    colours: &[
        0x060818, 0x132a5c, 0x2f7fb8, 0xbfeaf0, 0xfff2c4, 0xf59a3c, 0xa82a2a, 0x2a0a24, 0x060818,
    ],
    speed: 0.32,
    phase: 0.55,
    depth: 420,
};

/// The valley of sea horses.
pub const SEAHORSE: View = View {
    centre: (-0.7453, 0.1127),
    size: 0.0072,
    julia: None,
    colours: &[0x04121f, 0x0b4a5c, 0x2fb09a, 0xf2f0c8, 0xf4b04c, 0xb84a3a, 0x4a1a4f, 0x04121f],
    speed: 0.42,
    phase: 0.0,
    depth: 420,
};

/// Paints a Julia or Mandelbrot set, lit as if the colours were a relief.
pub fn escape(canvas: &mut Canvas, view: &View) {
    let colours = Gradient::even(view.colours);
    let (aspect, pixel) = (canvas.aspect(), canvas.pixel());
    canvas.fill(|u, v| {
        let mut sum = Rgb::default();
        // Two samples on a diagonal: fine threads would break with one.
        for (du, dv) in [(-0.25, -0.25), (0.25, 0.25)] {
            let x = view.centre.0 + f64::from(u + du * pixel - aspect / 2.0) * view.size;
            let y = view.centre.1 - f64::from(v + dv * pixel - 0.5) * view.size;
            sum += colour(view, &colours, x, y) * 0.5;
        }
        sum
    });
    canvas.bloom(0.7, 0.02, 0.25);
    canvas.vignette(0.2);
}

/// The colour of a point: by how fast it escapes, and on which side of the light.
fn colour(view: &View, colours: &Gradient, x: f64, y: f64) -> Rgb {
    let (mut zx, mut zy, cx, cy) = match view.julia {
        Some((cx, cy)) => (x, y, cx, cy),
        None => (0.0, 0.0, x, y),
    };
    // The slope of the escape time, by the chain rule.
    let (mut dx, mut dy) = if view.julia.is_some() { (1.0, 0.0) } else { (0.0, 0.0) };
    let add = if view.julia.is_some() { 0.0 } else { 1.0 };
    let mut trap = f64::MAX;
    for i in 0..view.depth {
        (dx, dy) = (2.0 * (zx * dx - zy * dy) + add, 2.0 * (zx * dy + zy * dx));
        (zx, zy) = (zx * zx - zy * zy + cx, 2.0 * zx * zy + cy);
        let r = zx * zx + zy * zy;
        trap = trap.min(r);
        if r > 1e4 {
            let smooth_i = f64::from(i) + 1.0 - (r.ln() / 2.0 / std::f64::consts::LN_2).log2();
            let (nx, ny) = ((zx * dx + zy * dy), (zy * dx - zx * dy));
            let length = (nx * nx + ny * ny).sqrt().max(1e-30);
            let light = ((nx * -0.6 + ny * 0.8) / length) as f32;
            let tone = (smooth_i as f32 + 1.0).max(0.0).sqrt() * view.speed + view.phase;
            return colours.cycle(tone) * (0.78 + 0.34 * light);
        }
    }
    colours.at(0.02 + 0.16 * (trap as f32).sqrt())
}

/// A strange attractor and the colours of its dust.
pub struct Dust {
    /// The four constants of de Jong's formula.
    pub law: [f32; 4],
    /// From thin to dense.
    pub colours: &'static [u32],
    /// A second light for one direction of flight.
    pub second: u32,
}

/// Silk in amber and blue.
pub const SILK: Dust = Dust {
    law: [1.4, -2.3, 2.4, -2.1],
    colours: &[0x05060d, 0x1b2a5c, 0x3a6fb8, 0xa8d4ee, 0xffffff],
    second: 0xff9a4a,
};

/// Lets a point fly by de Jong's formula some millions of times, and develops where it has been.
pub fn attractor(canvas: &mut Canvas, look: &Dust) {
    let [a, b, c, d] = look.law;
    let next = |x: f32, y: f32| ((a * y).sin() - (b * x).cos(), (c * x).sin() - (d * y).cos());
    let (w, h) = (canvas.width as f32, canvas.height as f32);
    let (middle, size) = extent(&next);
    let scale = (w / size.0).min(h / size.1) * 0.90;
    let mut hits = vec![(0f32, 0f32); canvas.pixels.len()];
    let (mut x, mut y) = (0.1f32, 0.1f32);
    let mut dice = Dice::new(5);
    let flights = canvas.pixels.len() * 7;
    for _ in 0..flights {
        let (nx, ny) = next(x, y);
        let turn = 0.5 + 0.5 * ((nx - x) * 0.9 + (ny - y) * 0.4).sin();
        (x, y) = (nx, ny);
        let px = w / 2.0 + (x - middle.0) * scale + dice.unit() - 0.5;
        let py = h / 2.0 + (y - middle.1) * scale;
        if px >= 0.0 && py >= 0.0 && px < w && py < h {
            let hit = &mut hits[py as usize * canvas.width + px as usize];
            *hit = (hit.0 + 1.0, hit.1 + turn);
        }
    }
    let colours = Gradient::even(look.colours);
    let second = super::colour::hex(look.second);
    let full = (1.0 + 7.0 * 40.0f32).ln();
    for (pixel, (count, turn)) in canvas.pixels.iter_mut().zip(&hits) {
        let dense = (1.0 + count).ln() / full;
        let share = smooth(0.35, 0.95, turn / count.max(1.0));
        let light = colours.at(dense);
        *pixel = mix(light, second * (dense * dense * 1.6) + light * 0.25, share * 0.8);
    }
    canvas.bloom(0.4, 0.03, 0.35);
    canvas.vignette(0.15);
}

/// The middle and the size of the box in which a point flies.
fn extent(next: &impl Fn(f32, f32) -> (f32, f32)) -> ((f32, f32), (f32, f32)) {
    let (mut x, mut y) = (0.1f32, 0.1f32);
    let (mut low, mut high) = ((f32::MAX, f32::MAX), (f32::MIN, f32::MIN));
    for _ in 0..20_000 {
        (x, y) = next(x, y);
        low = (low.0.min(x), low.1.min(y));
        high = (high.0.max(x), high.1.max(y));
    }
    (((low.0 + high.0) / 2.0, (low.1 + high.1) / 2.0), (high.0 - low.0, high.1 - low.1))
}
