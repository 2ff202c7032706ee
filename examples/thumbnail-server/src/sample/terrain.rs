//! Landscapes from a height for every place: each column of the picture walks away from the
//! camera and fills the rows that the ground newly covers, so nothing is drawn behind a hill.

use super::canvas::Canvas;
use super::colour::{Rgb, mix};

/// Where the picture is taken from; it looks along `z`, with `y` up.
pub struct Camera {
    /// Height of the eye.
    pub eye: f32,
    /// Where the horizon lies in the picture.
    pub horizon: f32,
    /// Focal length in picture heights: 1 is a normal lens, 2 a long one.
    pub focal: f32,
    /// The first distance that is drawn.
    pub near: f32,
    /// The last.
    pub far: f32,
}

/// A visible point of the ground.
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Up.
    pub y: f32,
    /// Away.
    pub z: f32,
    /// The direction in which the ground faces, of length 1.
    pub normal: [f32; 3],
}

/// Draws the ground over the canvas; `shade` gives the colour of a visible point.
pub fn march(
    canvas: &mut Canvas,
    camera: &Camera,
    height: impl Fn(f32, f32) -> f32,
    shade: impl Fn(&Point) -> Rgb,
) {
    let mut rows = vec![(Rgb::default(), 0f32); canvas.height];
    for x in 0..canvas.width {
        rows.fill((Rgb::default(), 0.0));
        let slope = ((x as f32 + 0.5) * canvas.pixel() - canvas.aspect() / 2.0) / camera.focal;
        let top = canvas.height as f32;
        let mut column =
            Column { rows: &mut rows, slope, top, low: Rgb::default(), stale: f32::MAX };
        column.walk(camera, &height, &shade);
        for (y, (light, cover)) in rows.iter().enumerate() {
            let pixel = &mut canvas.pixels[y * canvas.width + x];
            *pixel = mix(*pixel, Rgb::default(), cover.min(1.0)) + *light;
        }
    }
}

/// One column of the picture while it is drawn.
struct Column<'a> {
    /// The light of each row, and how much of the row is covered.
    rows: &'a mut [(Rgb, f32)],
    /// How far to the right the column leads for each step away.
    slope: f32,
    /// The highest row that is covered.
    top: f32,
    /// The colour there.
    low: Rgb,
    /// How many rows have that colour: at 0.7 the next is due. `MAX` after a gap.
    stale: f32,
}

impl Column<'_> {
    /// Walks away from the camera until all is covered or too far.
    fn walk(
        &mut self,
        camera: &Camera,
        height: &impl Fn(f32, f32) -> f32,
        shade: &impl Fn(&Point) -> Rgb,
    ) {
        let count = self.rows.len() as f32;
        let mut z = camera.near;
        // The place and height of the step before, while it could be seen.
        let mut last: Option<(f32, f32)> = None;
        let (mut step, mut fine) = (0.0, 0);
        while z < camera.far && self.top > 0.0 {
            let y = height(self.slope * z, z);
            let row = (camera.horizon + camera.focal * (camera.eye - y) / z) * count;
            if row < self.top {
                self.climb(row, last, (z, y), height, shade);
                last = Some((z, y));
            } else if let Some((from, _)) = last.filter(|_| fine == 0) {
                // The crest lies between the two steps: go back for its exact height.
                (fine, step, z) = (8, (z - from) / 9.0, from);
            } else {
                last = None;
            }
            if fine > 0 {
                fine -= 1;
            } else {
                // About a row a step on flat ground, and never so far that a hill is jumped over.
                let flat = z * z / (camera.focal * camera.eye.abs().max(0.2) * count);
                step = flat.min(0.006 * z).max(0.0006 * z);
            }
            z += step;
        }
    }

    /// Covers the rows up to `row` with the ground between two steps (distance, height).
    fn climb(
        &mut self,
        row: f32,
        last: Option<(f32, f32)>,
        (z, y): (f32, f32),
        height: &impl Fn(f32, f32) -> f32,
        shade: &impl Fn(&Point) -> Rgb,
    ) {
        let (from_z, from_y) = last.unwrap_or((z, y));
        let (bottom, span) = (self.top, self.top.min(self.rows.len() as f32) - row.max(0.0));
        self.stale = if last.is_none() { f32::MAX } else { self.stale + span };
        // A cliff is climbed in one step but needs a colour for each few of its rows.
        let parts = (span / 1.6).clamp(1.0, 200.0) as usize;
        for part in 1..=parts {
            let t = part as f32 / parts as f32;
            let mut high = self.low;
            if self.stale >= 0.7 || parts > 1 {
                let (y, z) = (from_y + (y - from_y) * t, from_z + (z - from_z) * t);
                high = shade(&point(self.slope * z, y, z, height));
                self.low = if self.stale == f32::MAX { high } else { self.low };
                self.stale = 0.0;
            }
            let next = bottom + (row - bottom) * t;
            fill(self.rows, next.max(0.0), self.top, high, self.low);
            (self.top, self.low) = (next, high);
        }
    }
}

/// The point with its normal, which is measured over a width that grows with distance.
fn point(x: f32, y: f32, z: f32, height: &impl Fn(f32, f32) -> f32) -> Point {
    let eps = 0.0025 * z + 0.002;
    let here = height(x, z);
    let (dx, dz) = ((height(x + eps, z) - here) / eps, (height(x, z + eps) - here) / eps);
    let scale = 1.0 / (dx * dx + dz * dz + 1.0).sqrt();
    Point { x, y, z, normal: [-dx * scale, scale, -dz * scale] }
}

/// Covers the rows from `from` down to `to`, partly at the ends, from colour `a` to colour `b`.
fn fill(column: &mut [(Rgb, f32)], from: f32, to: f32, a: Rgb, b: Rgb) {
    let last = (to.ceil() as usize).min(column.len());
    for (row, slot) in column[..last].iter_mut().enumerate().skip(from as usize) {
        let part = (to.min(row as f32 + 1.0) - from.max(row as f32)).max(0.0);
        let t = ((row as f32 + 0.5 - from) / (to - from)).clamp(0.0, 1.0);
        slot.0 += mix(a, b, t) * part;
        slot.1 += part;
    }
}

/// How much of the sun in direction `sun` reaches a point: 0 in full shadow, 1 in full light.
pub fn sunlight(p: &Point, sun: [f32; 3], reach: f32, height: impl Fn(f32, f32) -> f32) -> f32 {
    let mut open: f32 = 1.0;
    let mut t = reach * 0.025;
    while t < reach {
        let (x, y, z) = (p.x + sun[0] * t, p.y + sun[1] * t, p.z + sun[2] * t);
        open = open.min(0.5 + 9.0 * (y - height(x, z)) / t);
        t *= 1.6;
    }
    open.clamp(0.0, 1.0)
}

/// How much a point faces a direction: below 0 it looks away.
pub fn facing(p: &Point, direction: [f32; 3]) -> f32 {
    p.normal[0] * direction[0] + p.normal[1] * direction[1] + p.normal[2] * direction[2]
}

/// The direction (x, y, z) at length 1.
pub fn direction(x: f32, y: f32, z: f32) -> [f32; 3] {
    let scale = 1.0 / (x * x + y * y + z * z).sqrt();
    [x * scale, y * scale, z * scale]
}
