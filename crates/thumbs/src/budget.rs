//! Admission by decoded bytes: one budget for all threads, lent in the order of asking.
//!
//! A [`Loan`] is either *waiting* (its ticket is in the queue) or *held* (its bytes are out of
//! `free`). A ticket becomes held only at the head of the queue: were smaller pictures let past, a
//! large one could wait for ever. There is one lock, held for a few instructions and never while
//! decoding.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::Error;
use crate::watch::deadline_in;

pub(crate) struct Budget {
    total: u64,
    state: Mutex<State>,
    /// Signalled whenever the head of the queue may have changed or bytes came back.
    moved: Condvar,
}

struct State {
    /// Bytes that nobody holds. Lowered by the waiter at the head, raised by a loan's drop.
    free: u64,
    /// Tickets in the order of asking. Pushed and removed by their own waiter.
    queue: VecDeque<u64>,
    /// The next ticket's number. Raised by each new waiter.
    next_ticket: u64,
}

/// How long all the waiting for one picture may take together.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    limit: Duration,
    until: Instant,
}

/// Bytes that may be allocated until this is dropped.
pub(crate) struct Loan<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Patience {
    pub(crate) fn of(limit: Duration) -> Patience {
        Patience { limit, until: deadline_in(limit) }
    }
}

impl Budget {
    pub(crate) fn new(total: u64) -> Budget {
        let state = State { free: total, queue: VecDeque::new(), next_ticket: 0 };
        Budget { total, state: Mutex::new(state), moved: Condvar::new() }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Waits for room for `bytes`, as long as `patience` lasts. The caller has checked `bytes`
    /// against the total, and holds no other loan: two that wait for each other's would wait in
    /// vain.
    pub(crate) fn lend(&self, bytes: u64, patience: Patience) -> Result<Loan<'_>, Error> {
        let mut state = self.state.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queue.push_back(ticket);
        while state.queue.front() != Some(&ticket) || state.free < bytes {
            let timed_out = self.moved.wait_until(&mut state, patience.until).timed_out();
            if timed_out && (state.queue.front() != Some(&ticket) || state.free < bytes) {
                state.queue.retain(|other| *other != ticket);
                self.moved.notify_all();
                return Err(Error::no_room(bytes, self.total, patience.limit));
            }
        }
        state.queue.pop_front();
        state.free -= bytes;
        self.moved.notify_all();
        Ok(Loan { budget: self, bytes })
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.budget.state.lock().free += self.bytes;
        self.budget.moved.notify_all();
    }
}
