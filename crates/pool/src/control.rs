//! What is done to the bag as a whole, under the queue's lock: resizing, pausing, closing.
//!
//! Each sets what the bag shall be, brings the slots in line with it as far as they are free, and
//! leaves the busy ones to their claimants, who come to the lock with them.

use std::time::Instant;

use crate::bag::Bag;
use crate::slot::{Resident, Seen};
use crate::sync::wait;
use crate::waiter::Refusal;

impl<T: Resident> Bag<T> {
    /// Changes how many slots there may be, and hands out what was idle in surplus ones. Each such
    /// slot is the caller's, to vacate.
    pub(crate) fn resize(&self, size: usize) -> Result<Vec<Box<T>>, Refusal> {
        if size > self.capacity() {
            return Err(Refusal::TooMany);
        }
        let mut queue = self.desk.queue.lock();
        if queue.closed {
            return Err(Refusal::Closed);
        }
        queue.size = size;
        self.extend(size);
        queue.grow(self.slots());
        let surplus = queue.shrink(self.slots());
        let mut rulings = queue.refuse(Some(size), Refusal::TooMany);
        rulings.extend(queue.serve(self.slots()));
        self.conclude(queue, rulings);
        Ok(surplus)
    }

    /// Lends nothing more until `resume`.
    pub(crate) fn pause(&self) {
        let mut queue = self.desk.queue.lock();
        if queue.closed || queue.paused {
            return;
        }
        queue.paused = true;
        queue.shut(self.slots());
        self.conclude(queue, None);
    }

    /// Goes on with those who waited, in their order.
    pub(crate) fn resume(&self) {
        let mut queue = self.desk.queue.lock();
        queue.paused = false;
        let rulings = queue.serve(self.slots());
        self.conclude(queue, rulings);
    }

    /// Refuses everybody who waits and everybody who comes, and hands out what was idle. Each such
    /// slot is the caller's, to vacate.
    pub(crate) fn close(&self) -> Vec<Box<T>> {
        let mut queue = self.desk.queue.lock();
        if queue.closed {
            return Vec::new();
        }
        queue.closed = true;
        queue.paused = false;
        let idle = queue.shrink(self.slots());
        let refused = queue.refuse(None, Refusal::Closed);
        self.conclude(queue, refused);
        idle
    }

    /// Waits until no slot is busy, or for `deadline`; then says how many are. Of a bag that is
    /// neither paused nor closed, or goes on meanwhile, it says how many are busy at once.
    pub(crate) fn rest(&self, deadline: Option<Instant>) -> usize {
        let mut queue = self.desk.queue.lock();
        queue.resting += 1;
        let mut late = false;
        let busy = loop {
            let busy = self.slots().iter().filter(|slot| slot.look() == Seen::Busy).count();
            if busy == 0 || late || !(queue.paused || queue.closed) {
                break busy;
            }
            late = wait(&self.desk.rest, &mut queue, deadline);
        };
        queue.resting -= 1;
        busy
    }
}
