//! One of the locks that the writers of an array share out among them, and its count of changes.
//!
//! A key belongs to one stripe, by its hash. Whoever changes what stands under a key holds the lock
//! of its stripe; whoever changes many takes their locks in ascending order. Readers take none.
//!
//! # States of `moves`
//!
//! | `moves` | means | next |
//! |---|---|---|
//! | even | every key of the stripe has one value | odd, by the holder of the lock |
//! | odd | a change is being made, key by key or all at once | even and greater, by the same |
//!
//! A reader of several keys notes the count of a stripe before it reads there, and compares it
//! after each later read: while no count has changed, what it has read was true together.

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, const_unless_loom, fence, lock};

/// How many stripes an array has; a kilobyte of them.
pub(crate) const STRIPES: usize = if cfg!(loom) { 2 } else { 16 };

/// A cache line of its own, for writers of different stripes.
#[repr(align(64))]
pub(crate) struct Stripe {
    /// Held by whoever writes `moves` or changes a key of this stripe.
    lock: Mutex<()>,
    moves: AtomicU64,
}

impl Stripe {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Stripe { lock: Mutex::new(()), moves: AtomicU64::new(0) }
        }
    }

    #[inline]
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        lock(&self.lock)
    }

    /// Says that what follows changes values, until the answer is dropped. The caller holds the
    /// lock.
    #[inline]
    pub(crate) fn moving(&self) -> Moving<'_> {
        let moves = self.moves.load(Ordering::Relaxed);
        self.moves.store(moves + 1, Ordering::Relaxed);
        // Release: partner of the fence in `has_moved_since`. Whoever reads anything of the
        // change reads the odd count, or a later one, when it compares.
        fence(Ordering::Release);
        Moving { moves: &self.moves, next: moves + 2 }
    }

    /// The count of changes; none while one is being made.
    #[inline]
    pub(crate) fn moves(&self) -> Option<u64> {
        // Acquire: partner of the Release in `Moving::drop`. Whoever reads this count reads no
        // values from before the change that it counts.
        Some(self.moves.load(Ordering::Acquire)).filter(|moves| moves % 2 == 0)
    }

    /// Tells whether anything read since `moves` was noted may be of another moment.
    #[inline]
    pub(crate) fn has_moved_since(&self, moves: u64) -> bool {
        // Acquire: partner of the fence in `moving`.
        fence(Ordering::Acquire);
        self.moves.load(Ordering::Relaxed) != moves
    }
}

/// A change in the making.
pub(crate) struct Moving<'s> {
    moves: &'s AtomicU64,
    next: u64,
}

impl Drop for Moving<'_> {
    /// The change is made.
    #[inline]
    fn drop(&mut self) {
        // Release: partner of the Acquire in `Stripe::moves`.
        self.moves.store(self.next, Ordering::Release);
    }
}
