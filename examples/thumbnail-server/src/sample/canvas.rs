//! The picture while it is painted: linear light in floats, smaller than the photograph it becomes.
//!
//! Coordinates do not know the resolution: `v` runs from 0 at the top to 1 at the bottom, `u` from
//! 0 at the left to the aspect ratio at the right, so a circle is a circle.

use super::colour::{Rgb, mix, smooth};

/// A picture in the making.
pub struct Canvas {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Rows from the top, each from the left.
    pub pixels: Vec<Rgb>,
}

impl Canvas {
    /// A black canvas.
    pub fn new(width: usize, height: usize) -> Canvas {
        Canvas { width, height, pixels: vec![Rgb::default(); width * height] }
    }

    /// The largest `u`.
    pub fn aspect(&self) -> f32 {
        self.width as f32 / self.height as f32
    }

    /// The size of a pixel in `u` and `v`: what edges are softened by.
    pub fn pixel(&self) -> f32 {
        1.0 / self.height as f32
    }

    /// Paints every pixel by its place.
    pub fn fill(&mut self, paint: impl Fn(f32, f32) -> Rgb) {
        self.shade(|u, v, pixel| *pixel = paint(u, v));
    }

    /// Visits every pixel with its place.
    pub fn shade(&mut self, paint: impl Fn(f32, f32, &mut Rgb)) {
        let step = self.pixel();
        for (y, row) in self.pixels.chunks_exact_mut(self.width).enumerate() {
            let v = (y as f32 + 0.5) * step;
            for (x, pixel) in row.iter_mut().enumerate() {
                paint((x as f32 + 0.5) * step, v, pixel);
            }
        }
    }

    /// Visits the pixels of a box (left, top, right, bottom), as far as it lies on the canvas.
    pub fn shade_box(&mut self, area: [f32; 4], mut paint: impl FnMut(f32, f32, &mut Rgb)) {
        let scale = self.height as f32;
        let column = |u: f32| (u * scale).clamp(0.0, self.width as f32) as usize;
        let row = |v: f32| (v * scale).clamp(0.0, scale) as usize;
        let (x0, x1) = (column(area[0]), column(area[2] + 1.0 / scale));
        for y in row(area[1])..row(area[3] + 1.0 / scale) {
            for x in x0..x1 {
                let place = ((x as f32 + 0.5) / scale, (y as f32 + 0.5) / scale);
                paint(place.0, place.1, &mut self.pixels[y * self.width + x]);
            }
        }
    }

    /// The colour at a place, between the four pixels around it; the border goes on for ever.
    pub fn sample(&self, u: f32, v: f32) -> Rgb {
        let scale = self.height as f32;
        let x = (u * scale - 0.5).clamp(0.0, (self.width - 1) as f32);
        let y = (v * scale - 0.5).clamp(0.0, (self.height - 1) as f32);
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
        let at = |x: usize, y: usize| self.pixels[y * self.width + x];
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        mix(mix(at(x0, y0), at(x1, y0), fx), mix(at(x0, y1), at(x1, y1), fx), fy)
    }

    /// Lays a disc with a soft rim of one pixel over the picture.
    pub fn disc(&mut self, (u, v): (f32, f32), radius: f32, colour: Rgb, opacity: f32) {
        let soft = self.pixel();
        let r = radius + soft;
        self.shade_box([u - r, v - r, u + r, v + r], |pu, pv, pixel| {
            let d = ((pu - u) * (pu - u) + (pv - v) * (pv - v)).sqrt();
            let cover = ((radius - d) / soft + 0.5).clamp(0.0, 1.0);
            *pixel = mix(*pixel, colour, cover * opacity);
        });
    }

    /// Adds a round glow that fades to nothing at `radius`.
    pub fn glow(&mut self, (u, v): (f32, f32), radius: f32, light: Rgb) {
        let area = [u - radius, v - radius, u + radius, v + radius];
        self.shade_box(area, |pu, pv, pixel| {
            let d = ((pu - u) * (pu - u) + (pv - v) * (pv - v)) / (radius * radius);
            let fade = (1.0 - d).max(0.0);
            *pixel += light * (fade * fade * fade);
        });
    }

    /// Softens the picture by about `radius`: three box blurs are nearly a bell curve.
    pub fn blur(&mut self, radius: f32) {
        let reach = (radius * self.height as f32 * 0.6).round() as usize;
        if reach == 0 {
            return;
        }
        let mut line = vec![Rgb::default(); self.width.max(self.height)];
        for y in 0..self.height {
            blur_line(&mut self.pixels[y * self.width..], 1, self.width, reach, &mut line);
        }
        for x in 0..self.width {
            blur_line(&mut self.pixels[x..], self.width, self.height, reach, &mut line);
        }
    }

    /// A copy of a quarter of the size in each direction.
    pub fn quarter(&self) -> Canvas {
        let mut small = Canvas::new(self.width.div_ceil(4), self.height.div_ceil(4));
        for y in 0..small.height {
            for x in 0..small.width {
                let (mut sum, mut count) = (Rgb::default(), 0.0);
                for sy in y * 4..(y * 4 + 4).min(self.height) {
                    for sx in x * 4..(x * 4 + 4).min(self.width) {
                        sum += self.pixels[sy * self.width + sx];
                        count += 1.0;
                    }
                }
                small.pixels[y * small.width + x] = sum * (1.0 / count);
            }
        }
        small
    }

    /// Lets what is brighter than `threshold` shine over its neighbours, as in a lens.
    pub fn bloom(&mut self, threshold: f32, radius: f32, strength: f32) {
        let mut light = self.quarter();
        for pixel in &mut light.pixels {
            let over = (pixel.luma() - threshold).clamp(0.0, 4.0);
            *pixel = *pixel * (over / (pixel.luma() + 1e-4));
        }
        light.blur(radius);
        self.shade(|u, v, pixel| *pixel += light.sample(u, v) * strength);
    }

    /// Darkens the corners by this share.
    pub fn vignette(&mut self, strength: f32) {
        let a = self.aspect();
        self.shade(|u, v, pixel| {
            let (x, y) = (u / a - 0.5, v - 0.5);
            *pixel = *pixel * (1.0 - strength * smooth(0.08, 0.55, x * x + y * y));
        });
    }
}

/// Box-blurs one row or column three times; `line` is room for a copy.
fn blur_line(data: &mut [Rgb], stride: usize, count: usize, reach: usize, line: &mut [Rgb]) {
    let share = 1.0 / (2 * reach + 1) as f32;
    for _ in 0..3 {
        for i in 0..count {
            line[i] = data[i * stride];
        }
        let at = |i: isize| line[i.clamp(0, count as isize - 1) as usize];
        let mut sum = Rgb::default();
        for i in -(reach as isize)..=reach as isize {
            sum += at(i);
        }
        for i in 0..count {
            data[i * stride] = sum * share;
            sum += at((i + reach) as isize + 1) + at(i as isize - reach as isize) * -1.0;
        }
    }
}
