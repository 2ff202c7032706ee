//! Counters of hits, written by their own thread alone.
//!
//! A stripe is a line of counters. Each thread that counts claims the number of a stripe for its
//! lifetime, the same in all memos, and then adds with a plain load and store: nobody else writes
//! there. There are 1,023 numbers. When all are taken, those who come later share the last stripe
//! and add atomically.
//!
//! | number | means | next |
//! |---|---|---|
//! | `UNCLAIMED` | the thread has not counted yet | its own, or `SHARED` |
//! | its own | a bit of `TAKEN` is this thread's | `SHARED`, when the thread ends |
//! | `SHARED` | no number was left, or the thread is ending | final |
//!
//! The lowest free number is claimed, and a memo has the stripes of the first 64 from the start.
//! The next 64 are allocated when the first thread that has one of their numbers counts there.
//!
//! These are the atomics of std under loom too: they order nothing that the models check.

use crate::sync::Apart;
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Stripes that are allocated together: as many as a word of `TAKEN` has bits.
const CHUNK: usize = u64::BITS as usize;
const CHUNKS: usize = 16;
/// The stripe of those who have none of their own.
const SHARED: usize = CHUNK * CHUNKS - 1;
const UNCLAIMED: usize = usize::MAX;

/// The numbers that threads have claimed, a bit each.
static TAKEN: [AtomicU64; CHUNKS] = {
    let mut taken = [const { AtomicU64::new(0) }; CHUNKS];
    taken[SHARED / CHUNK] = AtomicU64::new(1 << (SHARED % CHUNK));
    taken
};

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

pub(crate) struct Stripes {
    first: Chunk,
    more: [OnceLock<Chunk>; CHUNKS - 1],
}

type Chunk = Box<[Apart<Stripe>; CHUNK]>;

fn chunk() -> Chunk {
    Box::new(std::array::from_fn(|_| Apart::default()))
}

impl Stripes {
    pub(crate) fn new() -> Self {
        Stripes { first: chunk(), more: [const { OnceLock::new() }; CHUNKS - 1] }
    }

    /// Counts on the stripe of this thread, in the way that is due there.
    #[inline]
    pub(crate) fn count(&self, count: impl FnOnce(&Stripe, Add)) {
        // One comparison for all: every other state is beyond the first chunk.
        match self.first.get(NUMBER.get()) {
            Some(stripe) => count(&stripe.0, add_alone),
            None => self.count_elsewhere(count),
        }
    }

    /// Counts for a thread that has no stripe in the first chunk, or not yet, or not any more.
    #[cold]
    fn count_elsewhere(&self, count: impl FnOnce(&Stripe, Add)) {
        let number = match NUMBER.get() {
            UNCLAIMED => claim(),
            number => number,
        };
        let add: Add = if number == SHARED { add_shared } else { add_alone };
        let chunk = match number / CHUNK {
            0 => &self.first,
            later => self.more[later - 1].get_or_init(chunk),
        };
        count(&chunk[number % CHUNK].0, add);
    }

    pub(crate) fn sum(&self, counter: impl Fn(&Stripe) -> &AtomicU64) -> u64 {
        let chunks = [&self.first].into_iter().chain(self.more.iter().filter_map(OnceLock::get));
        let stripes = chunks.flat_map(|chunk| chunk.iter());
        let counts = stripes.map(|stripe| counter(&stripe.0).load(Ordering::Relaxed));
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
    let lowest = |(word, taken): (usize, &AtomicU64)| {
        // Acquire: partner of the Release in `Lease::drop`. The sums that the last owner stored
        // are what the next one adds to.
        let claimed = taken.fetch_update(Ordering::Acquire, Ordering::Relaxed, |taken| {
            (taken != u64::MAX).then_some(taken | taken.wrapping_add(1))
        });
        claimed.ok().map(|taken| word * CHUNK + taken.trailing_ones() as usize)
    };
    TAKEN.iter().enumerate().find_map(lowest)
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
        let bit = 1 << (self.number % CHUNK);
        TAKEN[self.number / CHUNK].fetch_and(!bit, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{CHUNK, NUMBER, SHARED, Stripes};
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::thread;

    /// More of them than a chunk has, all alive at once.
    #[test]
    fn live_threads_never_share_a_stripe() {
        const THREADS: usize = CHUNK + 20;
        let (stripes, all_count) = (Stripes::new(), Barrier::new(THREADS));
        let count_one = || {
            let mut line = 0;
            stripes.count(|stripe, add| {
                add(&stripe.hits, 1);
                line = (&raw const *stripe).addr();
            });
            line
        };
        let count = || {
            let line = count_one();
            all_count.wait();
            assert_eq!(count_one(), line);
            (line, NUMBER.get())
        };
        let claimed: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let lines: HashSet<_> = claimed.iter().map(|(line, _)| line).collect();
        let numbers: HashSet<_> = claimed.iter().map(|(_, number)| number).collect();
        assert_eq!((lines.len(), numbers.len()), (THREADS, THREADS), "{claimed:?}");
        assert!(!numbers.contains(&SHARED), "there were numbers left");
        assert_eq!(stripes.sum(|stripe| &stripe.hits), 2 * THREADS as u64);
    }
}
