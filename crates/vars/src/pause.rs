//! A pause of an array's updates, for who looks at several keys and may take no lock.
//!
//! From within a closure, which may hold a stripe, a look cannot take the others: another closure
//! may hold one of those and want this one. So after some tries it asks for a pause, and goes on
//! trying. Whoever is about to change what stands under a key waits until nobody asks.
//!
//! | who | waits for | meanwhile |
//! |---|---|---|
//! | a look that asks | changes that are being made: a few instructions, which wait for nothing | is not moving |
//! | a change that is to be made | every look that asks | holds its stripes, and is not moving |
//!
//! Nobody moves while he waits, and nobody else is waited for: so neither kind can hang, whatever
//! stripes they hold and of whatever arrays they ask.
//!
//! A change may have seen that nobody asks just before somebody did. So each thread can spoil one
//! more try, and not a second one. Nor can looks keep updates waiting for ever: a look only asks when
//! changes have spoiled its tries, and there are none during a pause.
//!
//! It is about how long things take, and never about what anyone sees: what a look has seen is true
//! because the counts of stripes say so.

use crate::sync::{AtomicUsize, Ordering, const_unless_loom, spin_loop, yield_now};

/// How often a change looks whether a pause is over before it gives up its turn on the processor.
const SPINS: u32 = if cfg!(loom) { 1 } else { 50 };

pub(crate) struct Pause {
    /// How many ask for it. Written by them.
    asking: AtomicUsize,
}

impl Pause {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Pause { asking: AtomicUsize::new(0) }
        }
    }

    /// Asks for it, until the answer is dropped.
    pub(crate) fn ask(&self) -> Asking<'_> {
        // Relaxed, as all of it: see above.
        self.asking.fetch_add(1, Ordering::Relaxed);
        Asking { pause: self }
    }

    #[inline]
    pub(crate) fn is_asked_for(&self) -> bool {
        self.asking.load(Ordering::Relaxed) > 0
    }

    /// Waits until nobody asks for it; the caller is not moving.
    #[inline]
    pub(crate) fn wait(&self) {
        if self.is_asked_for() {
            self.wait_long();
        }
    }

    #[cold]
    fn wait_long(&self) {
        let mut tries = 0_u32;
        while self.is_asked_for() {
            tries = tries.wrapping_add(1);
            match tries % SPINS {
                0 => yield_now(),
                _ => spin_loop(),
            }
        }
    }
}

/// Somebody who asks for a pause.
pub(crate) struct Asking<'p> {
    pause: &'p Pause,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.pause.asking.fetch_sub(1, Ordering::Relaxed);
    }
}
