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

/// Draws `length` keys of `0..keys`; the one of popularity rank r comes up in proportion to
/// `1 / r^exponent`. Ranks are shuffled over the keys, so popular ones are not neighbours.
pub fn trace(keys: u32, exponent: f64, length: usize, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed);
    let mut by_rank: Vec<u32> = (0..keys).collect();
    for at in (1..by_rank.len()).rev() {
        by_rank.swap(at, (random.bits() % (at as u64 + 1)) as usize);
    }
    let mut total = 0.0;
    let cumulated: Vec<f64> = (1..=keys)
        .map(|rank| {
            total += f64::from(rank).powf(-exponent);
            total
        })
        .collect();
    let draw = |_| {
        let point = random.unit() * total;
        by_rank[cumulated.partition_point(|&sum| sum < point).min(by_rank.len() - 1)]
    };
    (0..length).map(draw).collect()
}
