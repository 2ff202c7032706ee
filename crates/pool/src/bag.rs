//! The bag: a fixed array of slots and the queue of those who found none free. It knows nothing of
//! connections.
//!
//! **States and transitions** of a slot are in `slot.rs`. A claim or a return touches one slot and
//! nothing else, unless somebody waits.
//!
//! **No lost wake-up.** A caller about to wait visits each slot under the queue's lock and either
//! claims it or marks it. A return succeeds only on an unmarked slot. So for each slot, by the
//! order of changes to that one word: either the return came first and the visitor found the slot
//! free (or claimed again, and marked the new claim), or the mark came first and the returner comes
//! to the lock, where it finds the waiter.
//!
//! **No barging.** Hence the invariant, under the lock: *while anybody waits, every slot is marked
//! or retired, so none is free.* Its claimant passes a marked slot to the oldest waiter without
//! freeing it, still marked if others wait; a newcomer finds nothing to take and goes to the end of
//! the queue. When the last waiter has gone marks may be left over: each costs its claimant one
//! visit to the lock.
//!
//! Before it queues, a caller that found every slot busy *and nobody waiting* yields its time slice
//! a few times: where there are more threads than cores, the holder usually is just preempted.
//!
//! **Lock order.** Queue, then nothing: verdicts are given after it is unlocked.

use std::collections::VecDeque;
use std::time::Instant;

use crate::slot::{Resident, Settled, Slot, Wish};
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering};
use crate::waiter::{Grant, Verdict, Waiter};

/// Time slices given away before parking; loom explores the parking instead.
const YIELDS: usize = if cfg!(loom) { 0 } else { 4 };

/// Why there is no grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Timeout,
    Closed,
}

/// A count of the slots at no one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) idle: usize,
    pub(crate) busy: usize,
    pub(crate) waiting: usize,
}

pub(crate) struct Bag<T> {
    slots: Box<[Slot<T>]>,
    queue: Mutex<Queue<T>>,
    /// A copy of the queue's length, written under its lock, read by `census` and before yielding.
    waiting: AtomicUsize,
}

struct Queue<T> {
    /// Oldest first. A waiter is here exactly until it is granted, refused, or gives up.
    waiters: VecDeque<Arc<Waiter<T>>>,
    /// Set once.
    closed: bool,
}

impl<T: Resident> Bag<T> {
    pub(crate) fn new(slots: usize) -> Self {
        Bag {
            slots: (0..slots).map(|_| Slot::vacant()).collect(),
            queue: Mutex::new(Queue { waiters: VecDeque::new(), closed: false }),
            waiting: AtomicUsize::new(0),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    pub(crate) fn slot(&self, slot: usize) -> &Slot<T> {
        &self.slots[slot]
    }

    /// Each slot once, beginning at `hint`.
    fn from(&self, hint: usize) -> impl Iterator<Item = usize> {
        let start = if hint < self.slots.len() { hint } else { 0 };
        (start..self.slots.len()).chain(0..start)
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
            if self.waiting.load(Ordering::Relaxed) > 0 {
                break;
            }
            std::thread::yield_now();
        }
        match self.enqueue(hint)? {
            Enqueued::Served(grant) => Ok(grant),
            Enqueued::Waiting(waiter) => self.wait(&waiter, deadline),
        }
    }

    /// Takes a slot that became free meanwhile, or joins the end of the queue.
    fn enqueue(&self, hint: usize) -> Result<Enqueued<T>, Refusal> {
        let mut queue = self.queue.lock();
        if queue.closed {
            return Err(Refusal::Closed);
        }
        // With others in the queue every slot is marked already.
        if queue.waiters.is_empty() {
            for slot in self.from(hint) {
                if let Wish::Free(content) = self.slots[slot].claim_or_mark() {
                    return Ok(Enqueued::Served(Grant { slot, content }));
                }
            }
        }
        let waiter = Arc::new(Waiter::new());
        queue.waiters.push_back(Arc::clone(&waiter));
        self.count(&queue);
        Ok(Enqueued::Waiting(waiter))
    }

    fn wait(
        &self,
        waiter: &Arc<Waiter<T>>,
        deadline: Option<Instant>,
    ) -> Result<Grant<T>, Refusal> {
        let verdict = match waiter.wait(deadline) {
            Some(verdict) => verdict,
            None if self.leave(waiter) => return Err(Refusal::Timeout),
            // Someone took it out of the queue: the verdict is on its way.
            None => waiter.wait(None).expect("a wait without a deadline ends with a verdict"),
        };
        match verdict {
            Verdict::Granted(grant) => Ok(grant),
            Verdict::Closed => Err(Refusal::Closed),
        }
    }

    /// Takes `waiter` out of the queue; false when somebody else already has.
    fn leave(&self, waiter: &Arc<Waiter<T>>) -> bool {
        let mut queue = self.queue.lock();
        let Some(place) = queue.waiters.iter().position(|other| Arc::ptr_eq(other, waiter)) else {
            return false;
        };
        queue.waiters.remove(place);
        self.count(&queue);
        true
    }

    fn count(&self, queue: &Queue<T>) {
        self.waiting.store(queue.waiters.len(), Ordering::Relaxed);
    }

    /// Returns the content of a slot that turned out to be marked. Comes back with it when the bag
    /// is closed: the slot is then still the caller's, to vacate when it has disposed of the
    /// content.
    #[cold]
    pub(crate) fn put_marked(&self, slot: usize, content: Box<T>) -> Option<Box<T>> {
        let mut queue = self.queue.lock();
        if queue.closed {
            return Some(content);
        }
        match self.oldest(&mut queue, slot) {
            Some(oldest) => {
                drop(queue);
                oldest.settle(Verdict::Granted(Grant { slot, content: Some(content) }));
            }
            None => self.slots[slot].settle(Settled::Idle(content)),
        }
        None
    }

    /// Returns a claimed slot empty, or lends it to the oldest waiter to fill.
    pub(crate) fn vacate(&self, slot: usize) {
        if self.slots[slot].vacate() {
            return;
        }
        let mut queue = self.queue.lock();
        if queue.closed {
            self.slots[slot].settle(Settled::Retired);
        } else if let Some(oldest) = self.oldest(&mut queue, slot) {
            drop(queue);
            oldest.settle(Verdict::Granted(Grant { slot, content: None }));
        } else {
            self.slots[slot].settle(Settled::Vacant);
        }
    }

    /// Takes the oldest waiter out of the queue, to be the next claimant of `slot`.
    fn oldest(&self, queue: &mut Queue<T>, slot: usize) -> Option<Arc<Waiter<T>>> {
        let oldest = queue.waiters.pop_front()?;
        self.count(queue);
        self.slots[slot].settle(Settled::Claimed { awaited: !queue.waiters.is_empty() });
        Some(oldest)
    }

    /// Refuses everybody who waits and everybody who comes, and hands out what was idle. Each such
    /// slot is the caller's, to vacate.
    pub(crate) fn close(&self) -> Vec<Box<T>> {
        let mut queue = self.queue.lock();
        queue.closed = true;
        let refused = std::mem::take(&mut queue.waiters);
        self.count(&queue);
        let idle = self.slots.iter().filter_map(Slot::retire_or_mark).collect();
        drop(queue);
        for waiter in refused {
            waiter.settle(Verdict::Closed);
        }
        idle
    }

    /// Counts without a lock; the parts need not be of one instant.
    pub(crate) fn census(&self) -> Census {
        Census {
            idle: self.slots.iter().filter(|slot| slot.is_idle()).count(),
            busy: self.slots.iter().filter(|slot| slot.is_busy()).count(),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }
}

enum Enqueued<T> {
    Served(Grant<T>),
    Waiting(Arc<Waiter<T>>),
}
