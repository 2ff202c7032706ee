//! A skewed trace of keys: few are asked for often, most now and then.

/// A small generator (splitmix64): the same trace in every run.
pub struct Random(u64);

impl Random {
    /// Starts a sequence.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// Draws 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    /// Draws from 0 up to 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How often each of `0..keys` is asked for.
pub struct Popularity {
    /// Most popular first. Shuffled, so popular keys are not neighbours.
    by_rank: Vec<u32>,
    /// The summed weights up to each rank.
    cumulated: Vec<f64>,
}

impl Popularity {
    /// The key of popularity rank r comes up in proportion to `1 / r^exponent`; the seed decides
    /// which key has which rank.
    pub fn new(keys: u32, exponent: f64, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut by_rank: Vec<u32> = (0..keys).collect();
        for at in (1..by_rank.len()).rev() {
            by_rank.swap(at, (random.bits() % (at as u64 + 1)) as usize);
        }
        let mut total = 0.0;
        let weigh = |rank| {
            total += f64::from(rank).powf(-exponent);
            total
        };
        Popularity { by_rank, cumulated: (1..=keys).map(weigh).collect() }
    }

    /// Draws `length` keys.
    pub fn draw(&self, length: usize, seed: u64) -> Vec<u32> {
        let mut random = Random::new(seed);
        let total = self.cumulated.last().copied().unwrap_or(0.0);
        let draw = |_| {
            let point = random.unit() * total;
            let rank = self.cumulated.partition_point(|&sum| sum < point);
            self.by_rank[rank.min(self.by_rank.len() - 1)]
        };
        (0..length).map(draw).collect()
    }
}
