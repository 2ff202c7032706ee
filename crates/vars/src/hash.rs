//! The default hasher.

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;
use std::hash::BuildHasher;

/// foldhash under the random seed of this process: quick, `const` to construct, and not to be
/// flooded by keys that were chosen without knowing the seed.
///
/// All arrays of a process share the seed. That is safe here: one of them never feeds another
/// in hash order, which is what a seed for each would guard against.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seeded {
    // So that only this crate decides what state there is.
    _private: (),
}

impl Seeded {
    /// Makes the hasher; the seed is drawn at the first hash of the process.
    pub(crate) const fn new() -> Self {
        Seeded { _private: () }
    }
}

impl BuildHasher for Seeded {
    type Hasher = FoldHasher<'static>;

    #[inline]
    fn build_hasher(&self) -> Self::Hasher {
        FoldHasher::with_seed(0x9e37_79b9_7f4a_7c15, SharedSeed::global_random())
    }
}
