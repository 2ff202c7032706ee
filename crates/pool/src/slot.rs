//! One slot of the bag: a pointer that is also the slot's state. The only unsafe file.
//!
//! | word          | state   | who may leave it, and how                                        |
//! |---------------|---------|------------------------------------------------------------------|
//! | null          | vacant  | anyone, by a compare-exchange to busy                            |
//! | `BUSY` (1)    | busy    | its claimant, by a compare-exchange to idle or vacant; a caller  |
//! |               |         | about to wait, by one to marked (the claim stays its claimant's) |
//! | `MARKED` (2)  | busy,   | its claimant alone, by a store under the queue's lock            |
//! |               | awaited |                                                                  |
//! | `RETIRED` (3) | retired | nobody: the bag is closed                                        |
//! | anything else | idle    | anyone, by a compare-exchange to busy, which wins the box        |
//!
//! ```text
//!              claim               put
//!  vacant ---------------> busy ----------> idle
//!     ^                    | ^ |             |
//!     +----- vacate -------+ | | mark        |
//!                            | v             |
//!                 claim -----+ marked        |
//!                  ^           (settled under the queue's lock: stays marked for the next
//!                  |            claimant, or is cleared, filled, vacated, retired)
//!                  +-------------------------+
//! ```
//!
//! Publishing and looking for waiters are one exchange on one word: a claimant returns its slot by
//! expecting `BUSY`, and whoever wants to be told has replaced that by `MARKED`. There is no window
//! between the two, no second word to read and no fence; and after a successful return the
//! returner touches nothing, which matters, since the box that it just published may hold the last
//! reference to the very memory that the slot is in.
//!
//! The pointer is never followed while it is in the word, so a stale read of it is harmless: an
//! exchange that succeeds wins whatever box is there *now*, even when an older one was freed and
//! its address used again in between.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr;

use crate::held::Record;
use crate::sync::{AtomicPtr, Ordering};

const BUSY: usize = 1;
const MARKED: usize = 2;
const RETIRED: usize = 3;

/// A place for one boxed value. Padded, so that neighbours do not share a cache line (nor the
/// pair of lines that x86 prefetches together).
#[repr(align(128))]
pub(crate) struct Slot<T> {
    /// See the table above.
    word: AtomicPtr<T>,
    /// The claimant's own; nothing here depends on it.
    record: Record,
    /// Boxes come and go between threads one at a time: `T: Send` is what sharing needs.
    owns: PhantomData<std::sync::Mutex<T>>,
}

/// What lives in a slot and knows which: it keeps the slot's memory alive for as long as it exists.
pub(crate) trait Resident: Sized {
    /// The slot that it was claimed with.
    fn home(&self) -> &Slot<Self>;
}

/// What a slot says to a caller about to wait.
pub(crate) enum Wish<T> {
    /// It was free and is the caller's: with its content if it was idle.
    Free(Option<Box<T>>),
    /// It is busy, and marked now.
    Awaited,
    /// It will never be free again.
    Retired,
}

fn state<T>(state: usize) -> *mut T {
    ptr::without_provenance_mut(state)
}

fn holds_box<T>(word: *mut T) -> bool {
    word.addr() > RETIRED
}

/// Returns a box to its slot, unless the slot is marked: then it comes back, and the queue decides.
///
/// Release pairs with the Acquire of the claim that wins the box.
#[inline]
pub(crate) fn put<T: Resident>(content: Box<T>) -> Result<(), Box<T>> {
    let word: *const AtomicPtr<T> = &content.home().word;
    let raw = Box::into_raw(content);
    // SAFETY: `word` was borrowed from the content, which keeps its slot alive, and the content is
    // neither touched nor freed between the borrow and the exchange. By a successful exchange it
    // is given away, and `word` with it: it is not used again.
    let put =
        unsafe { &*word }.compare_exchange(state(BUSY), raw, Ordering::Release, Ordering::Relaxed);
    match put {
        Ok(_) => Ok(()),
        // SAFETY: `raw` is from `Box::into_raw` above and was not published.
        Err(_) => Err(unsafe { Box::from_raw(raw) }),
    }
}

impl<T> Slot<T> {
    pub(crate) fn vacant() -> Self {
        const { assert!(align_of::<T>() > RETIRED && size_of::<T>() > 0, "a box is no state") };
        Slot { word: AtomicPtr::new(ptr::null_mut()), record: Record::blank(), owns: PhantomData }
    }

    #[inline]
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    pub(crate) fn is_idle(&self) -> bool {
        holds_box(self.word.load(Ordering::Relaxed))
    }

    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.word.load(Ordering::Relaxed).addr(), BUSY | MARKED)
    }

    /// Moves the word from what was seen in it to a state, Acquire on success.
    #[inline]
    fn exchange(&self, seen: *mut T, to: usize) -> Result<*mut T, *mut T> {
        self.word.compare_exchange(seen, state(to), Ordering::Acquire, Ordering::Relaxed)
    }

    /// Wins the box of an idle slot; the slot is busy afterwards and the caller's.
    #[inline]
    pub(crate) fn take_idle(&self) -> Option<Box<T>> {
        let seen = self.word.load(Ordering::Relaxed);
        if !holds_box(seen) {
            return None;
        }
        let won = self.exchange(seen, BUSY).ok()?;
        // SAFETY: see `own`: `won` was exchanged out of the word.
        Some(unsafe { Self::own(won) })
    }

    /// Wins a vacant slot; it is busy afterwards and the caller's.
    pub(crate) fn take_vacant(&self) -> bool {
        self.word.load(Ordering::Relaxed).is_null() && self.exchange(ptr::null_mut(), BUSY).is_ok()
    }

    /// Claims the slot if it is free, or else marks it. The caller holds the queue's lock.
    pub(crate) fn claim_or_mark(&self) -> Wish<T> {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let to = match seen.addr() {
                MARKED => return Wish::Awaited,
                RETIRED => return Wish::Retired,
                BUSY => MARKED,
                _ => BUSY,
            };
            match self.exchange(seen, to) {
                Ok(_) if to == MARKED => return Wish::Awaited,
                Ok(won) if won.is_null() => return Wish::Free(None),
                // SAFETY: see `own`: `won` is neither null nor a state, and was exchanged out.
                Ok(won) => return Wish::Free(Some(unsafe { Self::own(won) })),
                Err(now) => seen = now,
            }
        }
    }

    /// Retires a vacant slot for good; marks a busy one, so that its claimant comes to hear of it;
    /// and claims, marked, an idle one. The caller holds the queue's lock.
    pub(crate) fn retire_or_mark(&self) -> Option<Box<T>> {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let to = match seen.addr() {
                MARKED | RETIRED => return None,
                0 => RETIRED,
                _ => MARKED,
            };
            match self.exchange(seen, to) {
                // SAFETY: see `own`: `won` was exchanged out of the word.
                Ok(won) if holds_box(won) => return Some(unsafe { Self::own(won) }),
                Ok(_) => return None,
                Err(now) => seen = now,
            }
        }
    }

    /// Makes the caller's busy slot vacant; false when it is marked and the queue decides.
    pub(crate) fn vacate(&self) -> bool {
        self.word
            .compare_exchange(state(BUSY), ptr::null_mut(), Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Settles the caller's marked slot. The caller holds the queue's lock, so nobody marks it
    /// meanwhile, and being the claimant, it is alone in leaving the state.
    pub(crate) fn settle(&self, outcome: Settled<T>) {
        let word = match outcome {
            Settled::Claimed { awaited: true } => state(MARKED),
            Settled::Claimed { awaited: false } => state(BUSY),
            Settled::Idle(content) => Box::into_raw(content),
            Settled::Vacant => ptr::null_mut(),
            Settled::Retired => state(RETIRED),
        };
        self.word.store(word, Ordering::Release);
    }

    /// Makes a box of what an exchange took out of a word.
    ///
    /// # Safety
    /// `won` must be what a successful exchange of a word returned, and hold a box.
    unsafe fn own(won: *mut T) -> Box<T> {
        // SAFETY: whatever holds a box was stored by `put` or `settle` from `Box::into_raw`, and
        // leaves the word through one successful exchange only: its winner owns the box. Acquire
        // there pairs with Release here, so all writes to the content happened before. `won` is
        // what the exchange returned, not what was seen before: it has the present box's
        // provenance.
        unsafe { Box::from_raw(won) }
    }
}

/// What becomes of a marked slot.
pub(crate) enum Settled<T> {
    /// The next claimant has it; `awaited` while others wait still.
    Claimed {
        awaited: bool,
    },
    Idle(Box<T>),
    Vacant,
    Retired,
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        drop(self.take_idle());
    }
}
