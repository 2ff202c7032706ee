//! One slot of the bag: a pointer that is also the slot's state. Unsafe, like `site.rs`.
//!
//! | word          | state     | who may leave it, and how                                        |
//! |---------------|-----------|------------------------------------------------------------------|
//! | null          | vacant    | anyone, by a compare-exchange to busy                            |
//! | a pointer     | idle      | anyone, by a compare-exchange to busy, which wins the box        |
//! | `BUSY` (2)    | busy      | its claimant, by a compare-exchange to idle or vacant            |
//! | `MARKED` (3)  | busy,     | its claimant, by a store under the queue's lock                  |
//! |               | watched   |                                                                  |
//! | null + 1      | vacant,   | whoever has the queue's lock, by a store                         |
//! |               | withheld  |                                                                  |
//! | pointer + 1   | idle,     | whoever has the queue's lock, by a store, which wins the box     |
//! |               | withheld  |                                                                  |
//! | `DOOMED` (6)  | busy, its | its claimant, under the queue's lock, to retired; anyone else    |
//! |               | last time | who has the lock, to marked (the slot is wanted after all)       |
//! | `RETIRED` (7) | retired   | whoever has the queue's lock, by a store                         |
//!
//! The first three are *open*: they change without a lock. Whoever has the queue's lock may *shut*
//! an open slot by a compare-exchange (busy to marked, free to withheld); all others are shut, and
//! change under that lock alone.
//!
//! ```text
//!            claim              put, vacate
//!   free -----------------> busy ----------> free          open: no lock
//!    | ^                     | ^
//!  --|-|---------------------|-|------------------------------------------------------
//!    v |                     v |                           shut: under the queue's lock
//!   withheld <-----------> marked ---> doomed ---> retired
//!        ^   (its claimant returns it; the queue grants it)   |
//!        +----------------------------------------------------+
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

/// Set in a shut word; in a free one it is all that tells withheld from free.
const SHUT: usize = 1;
const BUSY: usize = 2;
const MARKED: usize = BUSY | SHUT;
const DOOMED: usize = 6;
const RETIRED: usize = DOOMED | SHUT;
/// The bits that are zero in a pointer. In a word that is neither free nor withheld the higher of
/// them is one.
const TAGS: usize = 3;

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

/// What lives in a slot and knows which.
///
/// # Safety
/// For as long as the resident exists, wherever its box is moved, the slot that `home` returns must
/// be alive, in the same place, and the same at each call; and `home` must not run into the box's
/// own memory when that is freed: the slot may not lie within the resident itself.
pub(crate) unsafe trait Resident: Sized {
    /// The slot that it was claimed with.
    fn home(&self) -> &Slot<Self>;
}

/// What a slot holds, as seen in passing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Vacant,
    Idle,
    Busy,
    Retired,
}

/// What a slot is to the queue.
pub(crate) struct Glance {
    pub(crate) shut: bool,
    pub(crate) withheld: bool,
    /// Retired, or about to be.
    pub(crate) retiring: bool,
}

/// What becomes of the claimant's marked slot, or of a withheld, doomed or retired one.
pub(crate) enum Settled<T> {
    /// The next claimant has it; `watched` when it must come to the lock with it.
    Claimed {
        watched: bool,
    },
    Free(Option<Box<T>>),
    Withheld(Option<Box<T>>),
    Doomed,
    Retired,
}

fn state<T>(state: usize) -> *mut T {
    ptr::without_provenance_mut(state)
}

/// Whether an open word holds a box.
#[inline]
fn is_idle<T>(word: *mut T) -> bool {
    word.addr() & TAGS == 0 && !word.is_null()
}

/// Whether an open word is vacant or holds a box.
fn is_free<T>(word: *mut T) -> bool {
    word.addr() & TAGS == 0
}

fn is_withheld<T>(word: *mut T) -> bool {
    word.addr() & TAGS == SHUT
}

fn shut<T>(word: *mut T) -> *mut T {
    word.map_addr(|addr| addr | SHUT)
}

fn unshut<T>(word: *mut T) -> *mut T {
    word.map_addr(|addr| addr & !SHUT)
}

fn into_word<T>(content: Option<Box<T>>) -> *mut T {
    content.map_or(ptr::null_mut(), Box::into_raw)
}

/// Returns a box to its slot, unless the slot is marked: then it comes back, and the queue decides.
///
/// Release pairs with the Acquire of the exchange that wins the box, or withholds it.
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
        Self::holding(ptr::null_mut())
    }

    #[inline]
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    pub(crate) fn retired() -> Self {
        Self::holding(state(RETIRED))
    }

    fn holding(word: *mut T) -> Self {
        const { assert!(align_of::<T>() > TAGS && size_of::<T>() > 0, "a box is no state") };
        Slot { word: AtomicPtr::new(word), record: Record::blank(), owns: PhantomData }
    }

    /// Looks without claiming; the answer may be old already.
    pub(crate) fn look(&self) -> Seen {
        let word = self.word.load(Ordering::Relaxed);
        match word.addr() {
            0 | SHUT => Seen::Vacant,
            BUSY | MARKED | DOOMED => Seen::Busy,
            RETIRED => Seen::Retired,
            _ => Seen::Idle,
        }
    }

    /// Looks under the queue's lock: what is shut is true.
    pub(crate) fn glance(&self) -> Glance {
        let word = self.word.load(Ordering::Relaxed);
        let retiring = matches!(word.addr(), DOOMED | RETIRED);
        let shut = retiring || word.addr() & SHUT == SHUT;
        Glance { shut, withheld: is_withheld(word), retiring }
    }

    /// Moves the word from what was seen in it to a state, Acquire on success.
    #[inline]
    fn exchange(&self, seen: *mut T, to: *mut T) -> Result<*mut T, *mut T> {
        self.word.compare_exchange(seen, to, Ordering::Acquire, Ordering::Relaxed)
    }

    /// Wins the box of an idle slot; the slot is busy afterwards and the caller's.
    #[inline]
    pub(crate) fn take_idle(&self) -> Option<Box<T>> {
        let seen = self.word.load(Ordering::Relaxed);
        if !is_idle(seen) {
            return None;
        }
        let won = self.exchange(seen, state(BUSY)).ok()?;
        // SAFETY: see `own`: `won` was exchanged out of the word.
        Some(unsafe { Self::own(won) })
    }

    /// Wins the box of an idle slot, or marks a busy one. The caller has the queue's lock.
    pub(crate) fn take_idle_or_mark(&self) -> Option<Box<T>> {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let to = match seen.addr() {
                BUSY => MARKED,
                _ if is_idle(seen) => BUSY,
                _ => return None,
            };
            match self.exchange(seen, state(to)) {
                Ok(_) if to == MARKED => return None,
                // SAFETY: see `own`: `won` held a box, and was exchanged out.
                Ok(won) => return Some(unsafe { Self::own(won) }),
                Err(now) => seen = now,
            }
        }
    }

    /// Wins a vacant slot; it is busy afterwards and the caller's.
    pub(crate) fn take_vacant(&self) -> bool {
        self.word.load(Ordering::Relaxed).is_null()
            && self.exchange(ptr::null_mut(), state(BUSY)).is_ok()
    }

    /// Claims the slot if it is free, with its content if it was idle, or else sees that it is
    /// shut. The caller has the queue's lock.
    pub(crate) fn claim_or_shut(&self) -> Option<Option<Box<T>>> {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let to = match seen.addr() {
                BUSY => MARKED,
                _ if is_free(seen) => BUSY,
                _ => return None,
            };
            match self.exchange(seen, state(to)) {
                Ok(_) if to == MARKED => return None,
                Ok(won) if won.is_null() => return Some(None),
                // SAFETY: see `own`: `won` is neither null nor a state, and was exchanged out.
                Ok(won) => return Some(Some(unsafe { Self::own(won) })),
                Err(now) => seen = now,
            }
        }
    }

    /// Withholds the slot if it is free, marks it if it is busy; true when it was free. The caller
    /// has the queue's lock.
    pub(crate) fn shut(&self) -> bool {
        let mut seen = self.word.load(Ordering::Relaxed);
        while is_free(seen) || seen.addr() == BUSY {
            match self.exchange(seen, shut(seen)) {
                Ok(was) => return is_free(was),
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Makes the caller's busy slot vacant; false when it is shut and the queue decides.
    pub(crate) fn vacate(&self) -> bool {
        self.word
            .compare_exchange(state(BUSY), ptr::null_mut(), Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether the slot is doomed. The caller has the queue's lock.
    pub(crate) fn is_doomed(&self) -> bool {
        self.word.load(Ordering::Relaxed).addr() == DOOMED
    }

    /// Frees a withheld slot. The caller has the queue's lock.
    ///
    /// Release passes on what the exchange that withheld it acquired.
    pub(crate) fn release(&self) {
        let word = self.word.load(Ordering::Relaxed);
        if is_withheld(word) {
            self.word.store(unshut(word), Ordering::Release);
        }
    }

    /// Claims a withheld slot, with its content if it was idle; it is marked afterwards and the
    /// caller's. The caller has the queue's lock.
    pub(crate) fn take_withheld(&self) -> Option<Option<Box<T>>> {
        let word = self.word.load(Ordering::Relaxed);
        if !is_withheld(word) {
            return None;
        }
        self.word.store(state(MARKED), Ordering::Relaxed);
        let won = unshut(word);
        // SAFETY: see `own`: a withheld word changes under the queue's lock alone, which the caller
        // has, so the load and the store are one step.
        Some((!won.is_null()).then(|| unsafe { Self::own(won) }))
    }

    /// Settles the caller's marked slot, or a doomed or retired one. The caller has the queue's
    /// lock, under which alone a shut word changes.
    ///
    /// Release pairs with the Acquire of the exchange that claims or withholds it.
    pub(crate) fn settle(&self, outcome: Settled<T>) {
        let word = match outcome {
            Settled::Claimed { watched: true } => state(MARKED),
            Settled::Claimed { watched: false } => state(BUSY),
            Settled::Free(content) => into_word(content),
            Settled::Withheld(content) => shut(into_word(content)),
            Settled::Doomed => state(DOOMED),
            Settled::Retired => state(RETIRED),
        };
        self.word.store(word, Ordering::Release);
    }

    /// Makes a box of what was taken out of a word.
    ///
    /// # Safety
    /// `won` must be what a successful exchange of an open word returned, or a withheld word that
    /// was replaced under the queue's lock, unshut; and it must hold a box.
    unsafe fn own(won: *mut T) -> Box<T> {
        // SAFETY: whatever holds a box was stored by `put` or `settle` from `Box::into_raw` (`shut`
        // and `unshut` keep its provenance), and leaves the word through one successful exchange,
        // or one replacement under the lock, only: its winner owns the box. Acquire there, or the
        // lock, pairs with Release here, so all writes to the content happened before. `won` is
        // what the exchange returned, not what was seen before: it has the present box's
        // provenance.
        unsafe { Box::from_raw(won) }
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        self.release();
        drop(self.take_idle());
    }
}
