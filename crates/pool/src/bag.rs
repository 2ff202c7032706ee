//! The bag: an array of slots and the queue of those who found none free. It knows nothing of
//! connections.
//!
//! **States and transitions** of a slot are in `slot.rs`, those of the whole bag in `queue.rs`, and
//! what is done to the whole (resizing, pausing, closing) in `control.rs`. A claim or a return
//! touches one slot and nothing else, unless the bag is watched.
//!
//! **No lost wake-up.** A caller about to wait visits each slot under the queue's lock and either
//! claims it or shuts it. A return succeeds only on an open slot. So for each slot, by the order of
//! changes to that one word: either the return came first and the visitor found the slot free (or
//! claimed again, and marked the new claim), or the mark came first and the returner comes to the
//! lock, where it finds the waiter.
//!
//! **No barging.** While anybody waits no slot is free (the invariant in `queue.rs`): a newcomer
//! finds nothing to take and goes to the end of the queue. When the last waiter has gone marks may
//! be left over: each costs its claimant one visit to the lock.
//!
//! Before it queues, a caller that found every slot busy *and nobody waiting* yields its time slice
//! a few times: where there are more threads than cores, the holder usually is just preempted.
//!
//! **Lock order.** Queue, then nothing: verdicts are given after it is unlocked.

use std::time::Instant;

use crate::queue::{Queue, Ruling};
use crate::slot::{Resident, Seen, Settled, Slot};
use crate::sync::{Arc, AtomicBool, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering};
use crate::waiter::{Grant, Refusal, Verdict, Waiter};

/// Time slices given away before parking; loom explores the parking instead.
const YIELDS: usize = if cfg!(loom) { 0 } else { 4 };

/// A count of the slots at no one instant, each counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) idle: usize,
    pub(crate) busy: usize,
    pub(crate) waiting: usize,
}

pub(crate) struct Bag<T> {
    /// As many as the bag may ever have; those beyond its size are retired.
    slots: Box<[Slot<T>]>,
    /// No slot from this one on was ever open. Written under the queue's lock; only grows.
    reach: AtomicUsize,
    pub(crate) desk: Desk<T>,
}

/// The slow path's part. On cache lines of its own: the short path reads where the slots are, and
/// that must not come and go with each waiter.
#[repr(align(128))]
pub(crate) struct Desk<T> {
    pub(crate) queue: Mutex<Queue<T>>,
    /// Rings when no slot is busy, for those who are counted in `Queue::resting`.
    pub(crate) rest: Condvar,
    /// Copies of what is in the queue, written under its lock, read without.
    posted: Posted,
}

struct Posted {
    waiting: AtomicUsize,
    size: AtomicUsize,
    paused: AtomicBool,
    closed: AtomicBool,
}

impl<T: Resident> Bag<T> {
    /// A bag of `size` slots that may have up to `capacity`, and up to `most` who wait.
    pub(crate) fn new(size: usize, capacity: usize, most: usize) -> Self {
        let slot = |nth| if nth < size { Slot::vacant() } else { Slot::retired() };
        Bag {
            slots: (0..capacity.max(size)).map(slot).collect(),
            reach: AtomicUsize::new(size),
            desk: Desk {
                queue: Mutex::new(Queue::new(size, most)),
                rest: Condvar::new(),
                posted: Posted {
                    waiting: AtomicUsize::new(0),
                    size: AtomicUsize::new(size),
                    paused: AtomicBool::new(false),
                    closed: AtomicBool::new(false),
                },
            },
        }
    }

    /// The most slots that it may ever have.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// How many slots it may have now.
    pub(crate) fn size(&self) -> usize {
        self.desk.posted.size.load(Ordering::Relaxed)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.desk.posted.paused.load(Ordering::Relaxed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.desk.posted.closed.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn slot(&self, slot: usize) -> &Slot<T> {
        &self.slots[slot]
    }

    /// The slots that were ever open.
    pub(crate) fn slots(&self) -> &[Slot<T>] {
        &self.slots[..self.reach.load(Ordering::Relaxed)]
    }

    /// Lets the slots below `size` be found, of which none is open yet.
    pub(crate) fn extend(&self, size: usize) {
        self.reach.fetch_max(size, Ordering::Relaxed);
    }

    /// Each slot once, beginning at `hint`.
    fn from(&self, hint: usize) -> impl Iterator<Item = usize> {
        let reach = self.slots().len();
        let start = if hint < reach { hint } else { 0 };
        (start..reach).chain(0..start)
    }

    /// Claims an idle slot, the one at `hint` first.
    #[inline]
    pub(crate) fn take_idle(&self, hint: usize) -> Option<(usize, Box<T>)> {
        match self.slots.get(hint).and_then(Slot::take_idle) {
            Some(content) => Some((hint, content)),
            None => self.take_any_idle(hint),
        }
    }

    fn take_any_idle(&self, hint: usize) -> Option<(usize, Box<T>)> {
        self.from(hint).find_map(|slot| Some((slot, self.slots[slot].take_idle()?)))
    }

    /// Claims any free slot, an idle one rather than a vacant one.
    pub(crate) fn take_free(&self, hint: usize) -> Option<Grant<T>> {
        if let Some((slot, content)) = self.take_any_idle(hint) {
            return Some(Grant { slot, content: Some(content) });
        }
        let slot = self.from(hint).find(|&slot| self.slots[slot].take_vacant())?;
        Some(Grant { slot, content: None })
    }

    /// Claims a free slot, waiting in the queue until `deadline` for one.
    pub(crate) fn claim(
        &self,
        hint: usize,
        deadline: Option<Instant>,
    ) -> Result<Grant<T>, Refusal> {
        for _ in 0..YIELDS {
            if let Some(grant) = self.take_free(hint) {
                return Ok(grant);
            }
            if self.desk.posted.waiting.load(Ordering::Relaxed) > 0 {
                break;
            }
            std::thread::yield_now();
        }
        match self.enqueue(hint)? {
            Enqueued::Served(grant) => Ok(grant),
            Enqueued::Waiting(waiter) => self.wait(&waiter, deadline).map(|(grant, _none)| grant),
        }
    }

    /// Takes a slot that became free meanwhile, or joins the end of the queue.
    fn enqueue(&self, hint: usize) -> Result<Enqueued<T>, Refusal> {
        let mut queue = self.desk.queue.lock();
        if queue.closed {
            return Err(Refusal::Closed);
        }
        // With others in the queue every slot is shut already.
        if queue.waiters.is_empty() {
            for slot in self.from(hint) {
                if let Some(content) = self.slots[slot].claim_or_shut() {
                    return Ok(Enqueued::Served(Grant { slot, content }));
                }
            }
        }
        if queue.is_full() {
            return Err(Refusal::Overloaded(queue.waiters.len()));
        }
        let waiter = Arc::new(Waiter::new(1));
        queue.join(&waiter);
        self.conclude(queue, None);
        Ok(Enqueued::Waiting(waiter))
    }

    /// Claims `need` slots at once, at least one, waiting in the queue until `deadline` for all.
    pub(crate) fn claim_many(
        &self,
        need: usize,
        deadline: Option<Instant>,
    ) -> Result<(Grant<T>, Vec<Grant<T>>), Refusal> {
        let mut queue = self.desk.queue.lock();
        if queue.closed {
            return Err(Refusal::Closed);
        }
        if need > queue.size {
            return Err(Refusal::TooMany);
        }
        if queue.is_full() {
            return Err(Refusal::Overloaded(queue.waiters.len()));
        }
        if !queue.is_watched() {
            queue.shut(self.slots());
        }
        let waiter = Arc::new(Waiter::new(need));
        queue.join(&waiter);
        let rulings = queue.serve(self.slots());
        self.conclude(queue, rulings);
        self.wait(&waiter, deadline)
    }

    fn wait(
        &self,
        waiter: &Arc<Waiter<T>>,
        deadline: Option<Instant>,
    ) -> Result<(Grant<T>, Vec<Grant<T>>), Refusal> {
        let verdict = match waiter.wait(deadline) {
            Some(verdict) => verdict,
            None if self.leave(waiter) => return Err(Refusal::Timeout),
            // Someone took it out of the queue: the verdict is on its way.
            None => waiter.wait(None).expect("a wait without a deadline ends with a verdict"),
        };
        match verdict {
            Verdict::Granted(first, rest) => Ok((first, rest)),
            Verdict::Refused(why) => Err(why),
        }
    }

    /// Takes `waiter` out of the queue; false when somebody else already has. What was withheld
    /// for it goes to those behind it.
    fn leave(&self, waiter: &Arc<Waiter<T>>) -> bool {
        let mut queue = self.desk.queue.lock();
        if !queue.leave(waiter) {
            return false;
        }
        let rulings = queue.serve(self.slots());
        self.conclude(queue, rulings);
        true
    }

    /// Returns the content of a slot that turned out to be shut, unless the slot is to be retired
    /// or somebody outside of the queue wants the content, asked for under its lock.
    #[cold]
    pub(crate) fn put_marked(
        &self,
        slot: usize,
        content: Box<T>,
        wanted: impl Fn() -> bool,
    ) -> Landed<T> {
        let mut queue = self.desk.queue.lock();
        if queue.has_surplus() {
            queue.doom(&self.slots[slot]);
            return Landed::Surplus(content);
        }
        if !queue.paused && wanted() {
            return Landed::Wanted(content);
        }
        self.hand_over(queue, slot, Some(content));
        Landed::Kept
    }

    /// Claims an idle slot's content. When there is none, whatever is busy comes to the lock when
    /// it is returned: by the order of changes to each slot's word it either was found here, or
    /// finds the mark.
    pub(crate) fn take_idle_or_mark(&self, hint: usize) -> Option<Box<T>> {
        let _queue = self.desk.queue.lock();
        self.from(hint).find_map(|slot| self.slots[slot].take_idle_or_mark())
    }

    /// Returns a claimed slot empty, or lends it to the oldest waiter to fill.
    pub(crate) fn vacate(&self, slot: usize) {
        if self.slots[slot].vacate() {
            return;
        }
        let mut queue = self.desk.queue.lock();
        if queue.has_surplus() || self.slots[slot].is_doomed() {
            queue.retire(&self.slots[slot]);
            self.conclude(queue, None);
        } else {
            self.hand_over(queue, slot, None);
        }
    }

    /// Settles the caller's marked slot: with the oldest waiter, or for all who wait, or for all.
    fn hand_over(&self, mut queue: MutexGuard<'_, Queue<T>>, slot: usize, content: Option<Box<T>>) {
        if let Some(oldest) = queue.pop_single() {
            self.slots[slot].settle(Settled::Claimed { watched: queue.is_watched() });
            let verdict = Verdict::Granted(Grant { slot, content }, Vec::new());
            self.conclude(queue, Some((oldest, verdict)));
        } else if queue.is_watched() {
            queue.withhold(&self.slots[slot], content);
            let rulings = queue.serve(self.slots());
            self.conclude(queue, rulings);
        } else {
            self.slots[slot].settle(Settled::Free(content));
        }
    }

    /// Ends a visit to the queue: posts what has changed, unlocks it, and gives the verdicts.
    pub(crate) fn conclude(
        &self,
        queue: MutexGuard<'_, Queue<T>>,
        rulings: impl IntoIterator<Item = Ruling<T>>,
    ) {
        if cfg!(any(debug_assertions, loom)) {
            assert!(queue.is_sound(self.slots()), "the bag has lost count of its slots");
        }
        let posted = &self.desk.posted;
        posted.waiting.store(queue.waiters.len(), Ordering::Relaxed);
        posted.size.store(queue.size, Ordering::Relaxed);
        posted.paused.store(queue.paused, Ordering::Relaxed);
        posted.closed.store(queue.closed, Ordering::Relaxed);
        if queue.resting > 0 {
            self.desk.rest.notify_all();
        }
        drop(queue);
        for (waiter, verdict) in rulings {
            waiter.settle(verdict);
        }
    }

    /// Counts without a lock; the parts need not be of one instant.
    pub(crate) fn census(&self) -> Census {
        let waiting = self.desk.posted.waiting.load(Ordering::Relaxed);
        let mut census = Census { idle: 0, busy: 0, waiting };
        for slot in self.slots() {
            match slot.look() {
                Seen::Idle => census.idle += 1,
                Seen::Busy => census.busy += 1,
                Seen::Vacant | Seen::Retired => {}
            }
        }
        census
    }
}

/// What became of a return to a marked slot.
pub(crate) enum Landed<T> {
    /// It lies in its slot, or somebody has it.
    Kept,
    /// The slot is to be retired: it is still the caller's, to vacate when it has disposed of this.
    Surplus(Box<T>),
    /// Somebody else wants it; the slot is as it was.
    Wanted(Box<T>),
}

enum Enqueued<T> {
    Served(Grant<T>),
    Waiting(Arc<Waiter<T>>),
}
