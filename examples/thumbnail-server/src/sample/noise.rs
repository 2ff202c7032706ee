//! Everything that looks like chance and is none: the same seed draws the same picture.

/// A sequence of random numbers (splitmix64).
pub struct Dice(u64);

impl Dice {
    /// Starts the sequence of this seed.
    pub fn new(seed: u32) -> Dice {
        Dice(u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// The next number, evenly spread over 0..1.
    pub fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }

    /// The next number, evenly spread over `low..high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// The next index below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f32) as usize).min(count - 1)
    }

    /// A number around 0, near a bell curve of width 1.
    pub fn bell(&mut self) -> f32 {
        (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * 1.73
    }
}

/// Mixes a lattice point and a seed into 32 random bits.
pub fn hash(x: i32, y: i32, seed: u32) -> u32 {
    let mut h = (x as u32).wrapping_mul(0x85eb_ca6b) ^ (y as u32).wrapping_mul(0xc2b2_ae35);
    h ^= seed.wrapping_mul(0x9e37_79b1);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    h ^ (h >> 15)
}

/// The same as a number in 0..1.
pub fn hash01(x: i32, y: i32, seed: u32) -> f32 {
    (hash(x, y, seed) >> 8) as f32 / (1u32 << 24) as f32
}

/// The largest whole number that is not above `x`; `f32::floor` is a function call on plain x86-64.
pub fn floor(x: f32) -> i32 {
    let i = x as i32;
    i - i32::from(x < i as f32)
}

/// A field of smooth gradient noise.
#[derive(Clone, Copy)]
pub struct Noise(pub u32);

/// The Voronoi cell around a point.
pub struct Cell {
    /// 32 bits that are the cell's own.
    pub id: u32,
    /// Where its seed point lies.
    pub centre: (f32, f32),
    /// Distance to the seed point.
    pub distance: f32,
    /// About the distance to the nearest border.
    pub edge: f32,
}

impl Noise {
    /// Another field, unlike this one.
    pub fn other(self, n: u32) -> Noise {
        Noise(self.0.wrapping_mul(0x01ff_9131).wrapping_add(n.wrapping_mul(0x9e37_79b9)))
    }

    /// The field at a point: about -1..1, with features of size 1.
    pub fn at(self, x: f32, y: f32) -> f32 {
        let (ix, iy) = (floor(x), floor(y));
        let (fx, fy) = (x - ix as f32, y - iy as f32);
        let corner = |dx: i32, dy: i32| {
            let h = hash(ix.wrapping_add(dx), iy.wrapping_add(dy), self.0);
            let gx = (h & 0xffff) as f32 * (2.0 / 65535.0) - 1.0;
            let gy = (h >> 16) as f32 * (2.0 / 65535.0) - 1.0;
            gx * (fx - dx as f32) + gy * (fy - dy as f32)
        };
        let (sx, sy) = (quintic(fx), quintic(fy));
        let (c00, c10, c01, c11) = (corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1));
        let (top, low) = (c00 + (c10 - c00) * sx, c01 + (c11 - c01) * sx);
        (top + (low - top) * sy) * 1.7
    }

    /// Noise of many sizes: each octave twice as fine and half as strong.
    pub fn fbm(self, x: f32, y: f32, octaves: u32) -> f32 {
        self.octaves(x, y, octaves, |n| n)
    }

    /// Sharp crests, as of mountains: about 0..1.
    pub fn ridged(self, x: f32, y: f32, octaves: u32) -> f32 {
        let crest = |n: f32| {
            let r = 1.0 - n.abs();
            r * r
        };
        self.octaves(x, y, octaves, crest) * 0.55
    }

    /// Mountains: rough where they are high, smooth in the valleys; about 0..1.
    pub fn crests(self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut x, mut y, mut sum) = (x, y, 0.0);
        let (mut strength, mut weight) = (0.5, 1.0);
        for _ in 0..octaves {
            let r = 1.0 - self.at(x, y).abs();
            let r = r * r * weight;
            sum += strength * r;
            // Each octave speaks only where the one before was high.
            weight = (r * 1.6).clamp(0.0, 1.0);
            (x, y) = (1.6 * x + 1.2 * y + 17.17, 1.6 * y - 1.2 * x + 5.31);
            strength *= 0.46;
        }
        sum
    }

    /// Sums octaves of the field, each bent by `shape`.
    fn octaves(self, x: f32, y: f32, octaves: u32, shape: impl Fn(f32) -> f32) -> f32 {
        let (mut x, mut y, mut sum, mut strength) = (x, y, 0.0, 1.0);
        for _ in 0..octaves {
            sum += strength * shape(self.at(x, y));
            // Turned by 37 degrees, so that the lattices of two octaves never agree.
            (x, y) = (1.6 * x + 1.2 * y + 17.17, 1.6 * y - 1.2 * x + 5.31);
            strength *= 0.5;
        }
        sum
    }

    /// The Voronoi cell at a point; cells are about 1 wide.
    pub fn cell(self, x: f32, y: f32) -> Cell {
        let (ix, iy) = (floor(x), floor(y));
        let mut best = Cell { id: 0, centre: (0.0, 0.0), distance: f32::MAX, edge: 0.0 };
        let mut second = (f32::MAX, (0.0, 0.0));
        for cy in iy - 2..=iy + 2 {
            for cx in ix - 2..=ix + 2 {
                let id = hash(cx, cy, self.0);
                let px = cx as f32 + 0.1 + 0.8 * (id & 0xffff) as f32 / 65535.0;
                let py = cy as f32 + 0.1 + 0.8 * (id >> 16) as f32 / 65535.0;
                let d = (px - x) * (px - x) + (py - y) * (py - y);
                if d < best.distance {
                    second = (best.distance, best.centre);
                    best = Cell { id, centre: (px, py), distance: d, edge: 0.0 };
                } else if d < second.0 {
                    second = (d, (px, py));
                }
            }
        }
        let (bx, by) = best.centre;
        let apart = ((second.1.0 - bx).powi(2) + (second.1.1 - by).powi(2)).sqrt();
        best.edge = (second.0 - best.distance) / (2.0 * apart.max(1e-6));
        best.distance = best.distance.sqrt();
        best
    }
}

/// Perlin's fade: no corner in the slope at the lattice lines.
fn quintic(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}
