//! What the queue's lock guards: who waits, how many slots there may be, and the slots that are
//! free but not for the taking.
//!
//! **States of the bag.** It is *watched* while anybody waits, while it is paused, and while more
//! slots are open than it should have. Hence the invariant, under the lock: *while the bag is
//! watched, every slot is shut* (marked, withheld, doomed or retired), so none is free. A marked
//! slot that is returned is then, in this order,
//!
//! 1. retired, when there are too many;
//! 2. passed straight to the oldest waiter, when one slot is all that it needs;
//! 3. withheld, until the oldest waiter's need is met, or the bag goes on.
//!
//! Only the oldest waiter gathers. So any mix of waiters for one and for many is served in the
//! order in which they came, and no two of them hold what the other lacks.
//!
//! A slot is *open for use* here when it is neither retired nor doomed.

use std::collections::VecDeque;

use crate::slot::{Resident, Seen, Settled, Slot};
use crate::sync::Arc;
use crate::waiter::{Grant, Refusal, Verdict, Waiter};

/// A verdict, to be given once the queue is unlocked.
pub(crate) type Ruling<T> = (Arc<Waiter<T>>, Verdict<T>);

pub(crate) struct Queue<T> {
    /// Oldest first. A waiter is here exactly until it is granted, refused, or gives up.
    pub(crate) waiters: VecDeque<Arc<Waiter<T>>>,
    /// Set once.
    pub(crate) closed: bool,
    pub(crate) paused: bool,
    /// How many may wait.
    pub(crate) most: usize,
    /// How many slots there may be.
    pub(crate) size: usize,
    /// Slots open for use: more than `size` for as long as too many are busy.
    open: usize,
    /// Of these, the ones withheld.
    withheld: usize,
    /// Callers who wait until no slot is busy.
    pub(crate) resting: usize,
}

impl<T: Resident> Queue<T> {
    pub(crate) fn new(size: usize, most: usize) -> Self {
        Queue {
            waiters: VecDeque::new(),
            closed: false,
            paused: false,
            most,
            size,
            open: size,
            withheld: 0,
            resting: 0,
        }
    }

    /// Joins the end.
    pub(crate) fn join(&mut self, waiter: &Arc<Waiter<T>>) {
        self.waiters.push_back(Arc::clone(waiter));
    }

    /// Whether nobody else may wait.
    pub(crate) fn is_full(&self) -> bool {
        self.waiters.len() >= self.most
    }

    /// Whether each return must come to the lock.
    pub(crate) fn is_watched(&self) -> bool {
        self.paused || self.has_surplus() || !self.waiters.is_empty()
    }

    /// Whether a returned slot is one too many, as all are once the bag is closed.
    pub(crate) fn has_surplus(&self) -> bool {
        self.open > if self.closed { 0 } else { self.size }
    }

    /// Whether the counts are true and the invariant holds, looking at each slot. For debug builds
    /// and models, under the lock.
    pub(crate) fn is_sound(&self, slots: &[Slot<T>]) -> bool {
        let words: Vec<_> = slots.iter().map(Slot::glance).collect();
        let withheld = words.iter().filter(|seen| seen.withheld).count();
        let open = words.iter().filter(|seen| !seen.retiring).count();
        let counted = (open, withheld) == (self.open, self.withheld);
        let guarded = !self.is_watched() || words.iter().all(|seen| seen.shut);
        let served = self.paused || self.waiters.front().is_none_or(|next| next.need > withheld);
        let wanted = withheld == 0 || self.is_watched();
        counted && guarded && served && wanted
    }

    /// Shuts every slot: what is free is withheld from now on.
    pub(crate) fn shut(&mut self, slots: &[Slot<T>]) {
        self.withheld += slots.iter().filter(|slot| slot.shut()).count();
    }

    /// Takes the oldest waiter out, if one slot is all that it needs and it may have it.
    pub(crate) fn pop_single(&mut self) -> Option<Arc<Waiter<T>>> {
        let single = !self.paused && self.waiters.front()?.need == 1;
        single.then(|| self.waiters.pop_front()).flatten()
    }

    /// Withholds a slot that its claimant returns.
    pub(crate) fn withhold(&mut self, slot: &Slot<T>, content: Option<Box<T>>) {
        slot.settle(Settled::Withheld(content));
        self.withheld += 1;
    }

    /// Dooms a slot whose claimant is about to dispose of its content.
    pub(crate) fn doom(&mut self, slot: &Slot<T>) {
        slot.settle(Settled::Doomed);
        self.open -= 1;
    }

    /// Retires a slot that its claimant vacates.
    pub(crate) fn retire(&mut self, slot: &Slot<T>) {
        if !slot.is_doomed() {
            self.open -= 1;
        }
        slot.settle(Settled::Retired);
    }

    /// Gives what is withheld to the oldest waiters for as long as it lasts, and frees the rest
    /// when nobody is left and the bag is not paused.
    pub(crate) fn serve(&mut self, slots: &[Slot<T>]) -> Vec<Ruling<T>> {
        let mut rulings = Vec::new();
        if self.paused {
            return rulings;
        }
        while let Some(waiter) = self.waiters.pop_front_if(|next| next.need <= self.withheld) {
            let mut grants = self.gather(slots, waiter.need);
            if let Some(first) = grants.pop() {
                rulings.push((waiter, Verdict::Granted(first, grants)));
            }
        }
        if self.waiters.is_empty() && self.withheld > 0 {
            slots.iter().for_each(Slot::release);
            self.withheld = 0;
        }
        rulings
    }

    /// Claims `need` withheld slots, idle ones rather than vacant ones. They stay marked, which
    /// costs a visit to the lock each when nobody waits any more.
    fn gather(&mut self, slots: &[Slot<T>], need: usize) -> Vec<Grant<T>> {
        let mut grants = Vec::with_capacity(need);
        for wanted in [Seen::Idle, Seen::Vacant] {
            for (nth, slot) in slots.iter().enumerate() {
                if grants.len() < need
                    && slot.look() == wanted
                    && let Some(content) = slot.take_withheld()
                {
                    grants.push(Grant { slot: nth, content });
                }
            }
        }
        self.withheld -= grants.len();
        grants
    }

    /// Takes `waiter` out of the queue; false when somebody else already has.
    pub(crate) fn leave(&mut self, waiter: &Arc<Waiter<T>>) -> bool {
        let place = self.waiters.iter().position(|other| Arc::ptr_eq(other, waiter));
        place.and_then(|place| self.waiters.remove(place)).is_some()
    }

    /// Takes those out whose need can't be met, `None`: anybody's.
    pub(crate) fn refuse(&mut self, above: Option<usize>, why: Refusal) -> Vec<Ruling<T>> {
        let (refused, stay) = std::mem::take(&mut self.waiters)
            .into_iter()
            .partition(|waiter| above.is_none_or(|most| waiter.need > most));
        self.waiters = stay;
        let refused: VecDeque<_> = refused;
        refused.into_iter().map(|waiter| (waiter, Verdict::Refused(why))).collect()
    }

    /// Puts retired slots to use until there are `size` of them; the first ones first.
    pub(crate) fn grow(&mut self, slots: &[Slot<T>]) {
        // A doomed slot's content is lost, but the slot is not.
        for slot in slots.iter().filter(|slot| slot.is_doomed()) {
            if self.open < self.size {
                slot.settle(Settled::Claimed { watched: true });
                self.open += 1;
            }
        }
        for slot in slots.iter().filter(|slot| slot.look() == Seen::Retired) {
            if self.open < self.size {
                self.withhold(slot, None);
                self.open += 1;
            }
        }
    }

    /// Takes slots out of use until there are `size` of them: vacant ones, then idle ones, whose
    /// content comes back, its slot to be vacated; then, as they are returned, busy ones.
    pub(crate) fn shrink(&mut self, slots: &[Slot<T>]) -> Vec<Box<T>> {
        let mut surplus = Vec::new();
        if !self.has_surplus() {
            return surplus;
        }
        self.shut(slots);
        for wanted in [Seen::Vacant, Seen::Idle] {
            for slot in slots.iter().rev().filter(|slot| slot.look() == wanted) {
                if !self.has_surplus() {
                    break;
                }
                let Some(content) = slot.take_withheld() else { continue };
                self.withheld -= 1;
                match content {
                    None => self.retire(slot),
                    Some(content) => {
                        self.doom(slot);
                        surplus.push(content);
                    }
                }
            }
        }
        surplus
    }
}
