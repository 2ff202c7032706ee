//! One of the locks that the writers of an array share out among them, and its count of changes.
//!
//! A key belongs to one stripe, by its hash. Whoever changes what stands under a key holds its
//! stripe; whoever changes many takes theirs in ascending order. Readers hold none.
//!
//! # States of `word`
//!
//! | moves | `HELD` | `MOVING` | means | next |
//! |---|---|---|---|---|
//! | n | | | nobody holds it: each of its keys has one value | held, briefly or not |
//! | n | yes | | held: by one who runs closures, copies, allocates | moving, or free again |
//! | n | yes | yes | a change is being made, key by key or all at once | held or free, with n + 1 |
//!
//! A reader of several keys notes the count of a stripe before it reads there, and compares it
//! after each later read: while no count has changed, what it has read was true together.
//!
//! # Two ways to hold it
//!
//! [`hold`](Stripe::hold) takes the lock of `queue` first, so that those who wait for a long time
//! sleep. [`brief`](Stripe::brief) is for a change of a few instructions, of which none is the
//! user's but `Hash` and `Eq`: it is one exchange of `word` and one store, and whoever waits for it
//! spins. It gives up where the stripe stays held, and where someone with the lock is waiting: those
//! two are why neither kind can starve the other.

use crate::sync::{
    AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering, const_unless_loom, fence, lock, spin_loop,
    yield_now,
};

/// How many stripes an array has; a kilobyte of them.
pub(crate) const STRIPES: usize = if cfg!(loom) { 2 } else { 16 };

const HELD: u64 = 1;
const MOVING: u64 = 2;
/// One move.
const MOVE: u64 = 4;

/// How often a stripe is looked at that someone else holds, before whoever waits goes to sleep, or
/// gives up his turn on the processor.
const SPINS: u32 = if cfg!(loom) { 1 } else { 50 };

/// A cache line of its own, for writers of different stripes.
#[repr(align(64))]
pub(crate) struct Stripe {
    /// Held by whoever holds the stripe for more than a moment; a lock of nothing else.
    queue: Mutex<()>,
    /// Whether the holder of `queue` is waiting for `word`. Written by him.
    is_awaited: AtomicBool,
    /// Written by who holds it, and to take hold of it.
    word: AtomicU64,
}

impl Stripe {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Stripe {
                queue: Mutex::new(()),
                is_awaited: AtomicBool::new(false),
                word: AtomicU64::new(0),
            }
        }
    }

    /// Holds it, for as long as it takes.
    #[inline]
    pub(crate) fn hold(&self) -> Held<'_> {
        let queue = lock(&self.queue);
        if self.take(HELD).is_none() {
            self.wait();
        }
        Held { stripe: self, _queue: queue }
    }

    /// Waits for one who holds it briefly; there may be others after him, but not many.
    #[cold]
    fn wait(&self) {
        // Relaxed, both: it only keeps others from being quicker for ever.
        self.is_awaited.store(true, Ordering::Relaxed);
        let mut tries = 0;
        while self.take(HELD).is_none() {
            tries += 1;
            match tries % SPINS {
                0 => yield_now(),
                _ => spin_loop(),
            }
        }
        self.is_awaited.store(false, Ordering::Relaxed);
    }

    /// Holds it and is moving, for a moment; unless it is held for long.
    #[inline]
    pub(crate) fn brief(&self) -> Option<Brief<'_>> {
        for _ in 0..SPINS {
            if self.is_awaited.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(word) = self.take(HELD | MOVING) {
                // No fence, as in `moving`: a cell is changed by a Release, and whoever reads that
                // finds the stripe moving, or a later count.
                return Some(Brief { stripe: self, next: word + MOVE });
            }
            spin_loop();
        }
        None
    }

    /// Takes hold of it, if it is free, and returns the word of before.
    #[inline]
    fn take(&self, how: u64) -> Option<u64> {
        let word = self.word.load(Ordering::Relaxed);
        if word & HELD != 0 {
            return None;
        }
        // Acquire: partner of the Release of whoever held it last.
        let (taken, failed) = (Ordering::Acquire, Ordering::Relaxed);
        self.word.compare_exchange(word, word | how, taken, failed).ok()
    }

    /// The count of changes; none while one is being made.
    #[inline]
    pub(crate) fn moves(&self) -> Option<u64> {
        // Acquire: partner of the Release at the end of a change. Whoever reads this count reads no
        // values from before the change that it counts.
        let word = self.word.load(Ordering::Acquire);
        (word & MOVING == 0).then_some(word / MOVE)
    }

    /// Tells whether anything read since `moves` was noted may be of another moment.
    #[inline]
    pub(crate) fn has_moved_since(&self, moves: u64) -> bool {
        // Acquire: partner of the fence in `moving`.
        fence(Ordering::Acquire);
        self.word.load(Ordering::Relaxed) & !HELD != moves * MOVE
    }

    /// Changes `word`, which is the holder's to write.
    #[inline]
    fn write(&self, next: impl FnOnce(u64) -> u64, order: Ordering) {
        self.word.store(next(self.word.load(Ordering::Relaxed)), order);
    }
}

/// A stripe that is held.
pub(crate) struct Held<'s> {
    stripe: &'s Stripe,
    /// Dropped after the stripe is free.
    _queue: MutexGuard<'s, ()>,
}

impl Held<'_> {
    /// Says that what follows changes values, until the answer is dropped.
    #[inline]
    pub(crate) fn moving(&self) -> Moving<'_> {
        self.stripe.write(|word| word | MOVING, Ordering::Relaxed);
        // Release: partner of the fence in `has_moved_since`. Whoever reads anything of the
        // change reads that it is being made, or a later count, when it compares.
        fence(Ordering::Release);
        Moving { stripe: self.stripe }
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        // Release: partner of the Acquire in `take`.
        self.stripe.write(|word| word & !HELD, Ordering::Release);
    }
}

/// A change in the making.
pub(crate) struct Moving<'s> {
    stripe: &'s Stripe,
}

impl Drop for Moving<'_> {
    /// The change is made.
    #[inline]
    fn drop(&mut self) {
        // Release: partner of the Acquire in `Stripe::moves`.
        self.stripe.write(|word| (word & !MOVING) + MOVE, Ordering::Release);
    }
}

/// A stripe that is held for one change.
pub(crate) struct Brief<'s> {
    stripe: &'s Stripe,
    /// The word of a free stripe, one move later.
    next: u64,
}

impl Drop for Brief<'_> {
    /// The change is made, and the stripe free.
    #[inline]
    fn drop(&mut self) {
        // Release: partner of the Acquire in `Stripe::moves`, and of that in `take`.
        self.stripe.word.store(self.next, Ordering::Release);
    }
}
