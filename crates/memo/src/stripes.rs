//! Counters of hits, written by their own thread alone.
//!
//! A stripe is a line of counters. Each thread that counts claims the number of a stripe for its
//! lifetime, the same in all memos, and then adds with a plain load and store: nobody else writes
//! there. When all numbers are taken, those who come later share the last stripe and add
//! atomically.
//!
//! | number | means | next |
//! |---|---|---|
//! | `UNCLAIMED` | the thread has not counted yet | its own, or `SHARED` |
//! | its own | a bit of `TAKEN` is this thread's | `SHARED`, when the thread ends |
//! | `SHARED` | no number was left, or the thread is ending | final |
//!
//! These are the atomics of std under loom too: they order nothing that the models check.

use crate::sync::Apart;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// The stripe of those who have none of their own.
const SHARED: usize = 63;
const STRIPES: usize = SHARED + 1;
const UNCLAIMED: usize = usize::MAX;

/// The numbers that threads have claimed, a bit each.
static TAKEN: AtomicU64 = AtomicU64::new(1 << SHARED);

thread_local! {
    /// This thread's number. Without a destructor, so that reading it is one instruction.
    static NUMBER: Cell<usize> = const { Cell::new(UNCLAIMED) };
    /// Gives the number back.
    static LEASE: Cell<Option<Lease>> = const { Cell::new(None) };
}

/// A counter for each thing that a hit counts.
#[derive(Default)]
pub(crate) struct Stripe {
    pub(crate) hits: AtomicU64,
    pub(crate) negative_hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    /// In units of `Entry::cost`.
    pub(crate) saved: AtomicU64,
}

/// Adds to a counter.
pub(crate) type Add = fn(&AtomicU64, u64);

pub(crate) struct Stripes(Box<[Apart<Stripe>; STRIPES]>);

impl Stripes {
    pub(crate) fn new() -> Self {
        Stripes(Box::new(std::array::from_fn(|_| Apart(Stripe::default()))))
    }

    /// Counts on the stripe of this thread, in the way that is due there.
    #[inline]
    pub(crate) fn count(&self, count: impl FnOnce(&Stripe, Add)) {
        let number = NUMBER.get();
        // One comparison for all: the other two states are no less than `SHARED`.
        match number < SHARED {
            true => count(&self.0[number].0, add_alone),
            false => self.count_elsewhere(count),
        }
    }

    /// Counts for a thread that has no stripe of its own yet, or any more.
    #[cold]
    fn count_elsewhere(&self, count: impl FnOnce(&Stripe, Add)) {
        let number = match NUMBER.get() {
            UNCLAIMED => claim(),
            number => number,
        };
        let add: Add = if number == SHARED { add_shared } else { add_alone };
        count(&self.0[number].0, add);
    }

    pub(crate) fn sum(&self, counter: impl Fn(&Stripe) -> &AtomicU64) -> u64 {
        let counts = self.0.iter().map(|stripe| counter(&stripe.0).load(Ordering::Relaxed));
        counts.fold(0, u64::wrapping_add)
    }
}

/// Adds where no other thread does.
#[inline]
fn add_alone(counter: &AtomicU64, count: u64) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(count);
    counter.store(sum, Ordering::Relaxed);
}

fn add_shared(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn claim() -> usize {
    let number = free_number().unwrap_or(SHARED);
    NUMBER.set(number);
    if number != SHARED && LEASE.try_with(|lease| lease.set(Some(Lease { number }))).is_err() {
        // The thread is ending, and keeps no lease any more: this one ends at once.
        drop(Lease { number });
    }
    NUMBER.get()
}

fn free_number() -> Option<usize> {
    // Acquire: partner of the Release in `Lease::drop`. The sums that the last owner stored are
    // what the next one adds to.
    TAKEN
        .fetch_update(Ordering::Acquire, Ordering::Relaxed, |taken| match taken {
            u64::MAX => None,
            taken => Some(taken | (taken + 1)),
        })
        .ok()
        .map(|taken| taken.trailing_ones() as usize)
}

/// A number, until the thread ends.
struct Lease {
    number: usize,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // What other destructors of this thread still count goes to the shared stripe.
        NUMBER.set(SHARED);
        // Release: partner of the Acquire in `free_number`.
        TAKEN.fetch_and(!(1 << self.number), Ordering::Release);
    }
}
