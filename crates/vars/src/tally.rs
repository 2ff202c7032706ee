//! What the updates of an array keep beside its variables: how many there are and may be, and what
//! has become of the array.

use crate::core::Core;
use crate::error::Error;
use crate::pause::Pause;
use crate::sync::{AtomicBool, AtomicUsize, Ordering, const_unless_loom};

/// What updates read and write, on a line that no reader of a key reads.
#[repr(align(64))]
pub(crate) struct Tally {
    /// How many variables there are; written by who makes and unsets them, within their move.
    len: AtomicUsize,
    /// How many there may soon be: taken before they are made. Untouched without a limit.
    room_taken: AtomicUsize,
    /// Whether a variable was ever set. Written under a stripe, by who makes the first.
    was_set: AtomicBool,
    /// Whether the array was unset, and another may have its name. Written under all stripes.
    is_gone: AtomicBool,
    /// Asked for by looks that may take no lock.
    pub(crate) pause: Pause,
}

impl Tally {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Tally {
                len: AtomicUsize::new(0),
                room_taken: AtomicUsize::new(0),
                was_set: AtomicBool::new(false),
                is_gone: AtomicBool::new(false),
                pause: Pause::new(),
            }
        }
    }
}

impl<K, V> Core<K, V> {
    pub(crate) fn len(&self) -> usize {
        // Relaxed: who needs the value of one moment compares the counts of stripes.
        self.tally.len.load(Ordering::Relaxed)
    }

    /// Notes variables made and unset; the caller is moving.
    pub(crate) fn count_made(&self, made: usize, unset: usize) {
        if made > 0 {
            // Relaxed: who decides by it holds all stripes.
            self.tally.was_set.store(true, Ordering::Relaxed);
        }
        if made > unset {
            self.tally.len.fetch_add(made - unset, Ordering::Relaxed);
        } else if unset > made {
            self.tally.len.fetch_sub(unset - made, Ordering::Relaxed);
        }
    }

    /// Takes room for more variables, if there is so much.
    pub(crate) fn take_room(&self, more: usize) -> Result<(), Error> {
        let limit = self.max_entries;
        if limit == usize::MAX || more == 0 {
            return Ok(());
        }
        let take = |taken: usize| taken.checked_add(more).filter(|taken| *taken <= limit);
        let taken = &self.tally.room_taken;
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .map(drop)
            .map_err(|held| Error::full(held, more, limit))
    }

    /// Returns room that was taken.
    pub(crate) fn return_room(&self, less: usize) {
        if self.max_entries != usize::MAX && less > 0 {
            self.tally.room_taken.fetch_sub(less, Ordering::Relaxed);
        }
    }

    /// Tells whether a variable was ever set, for certain to who holds all stripes.
    pub(crate) fn was_set(&self) -> bool {
        self.tally.was_set.load(Ordering::Relaxed)
    }

    /// Lets nobody change it from now on; the caller holds all stripes.
    pub(crate) fn close(&self) {
        // Relaxed, as all of it: the locks order it.
        self.tally.is_gone.store(true, Ordering::Relaxed);
    }

    /// Tells whether it was unset; the caller holds a stripe.
    pub(crate) fn is_gone(&self) -> bool {
        self.tally.is_gone.load(Ordering::Relaxed)
    }
}
