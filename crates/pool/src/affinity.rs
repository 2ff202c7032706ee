//! Which slot a thread had last: a hint, never a promise.
//!
//! A connection that comes back to the same thread brings warm caches with it, the processor's and
//! (for SQLite) its own pages; and two threads that keep to their own slots share no cache line.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Pools that a thread can tell apart; more than that share a hint, which costs a scan.
const POOLS: usize = 8;

/// Stands for "this thread has not been here".
const NONE: usize = usize::MAX;

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LAST: [Cell<usize>; POOLS] = const { [const { Cell::new(NONE) }; POOLS] };
}

/// The slot to try first, of at most `slots`. A new thread starts where its ordinal falls among the
/// `used` ones, to spread them.
#[inline]
pub(crate) fn recall(pool: usize, slots: usize, used: impl FnOnce() -> usize) -> usize {
    LAST.with(|last| {
        let hint = &last[pool % POOLS];
        if hint.get() < slots {
            return hint.get();
        }
        if hint.get() == NONE {
            hint.set(THREADS.fetch_add(1, Ordering::Relaxed) % used().max(1));
        }
        hint.get() % slots
    })
}

#[inline]
pub(crate) fn remember(pool: usize, slot: usize) {
    LAST.with(|last| last[pool % POOLS].set(slot));
}
