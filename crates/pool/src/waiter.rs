//! One parked caller and the verdict it waits for.

use std::time::Instant;

use crate::sync::{Condvar, Mutex, wait};

/// A claimed slot: with its content when it was idle, without when it was vacant.
pub(crate) struct Grant<T> {
    pub(crate) slot: usize,
    pub(crate) content: Option<Box<T>>,
}

/// Why there is no grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Timeout,
    Closed,
    /// So many wait already that nobody else may.
    Overloaded(usize),
    /// More slots at once than the bag may have.
    TooMany,
}

/// What ends a wait before its deadline.
pub(crate) enum Verdict<T> {
    /// As many as were needed: one, and the rest (none, without an allocation, for most).
    Granted(Grant<T>, Vec<Grant<T>>),
    Refused(Refusal),
}

/// The mutex is innermost: nothing else is locked while it is held, and a waiter that holds it
/// never reaches for the queue.
pub(crate) struct Waiter<T> {
    /// How many slots it waits for, all at once; at least one.
    pub(crate) need: usize,
    /// Set once, by whoever took the waiter out of the queue; emptied by the waiter.
    verdict: Mutex<Option<Verdict<T>>>,
    bell: Condvar,
}

impl<T> Waiter<T> {
    pub(crate) fn new(need: usize) -> Self {
        Waiter { need, verdict: Mutex::new(None), bell: Condvar::new() }
    }

    pub(crate) fn settle(&self, verdict: Verdict<T>) {
        *self.verdict.lock() = Some(verdict);
        self.bell.notify_one();
    }

    /// Parks until settled, or returns `None` at the deadline.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<Verdict<T>> {
        let mut verdict = self.verdict.lock();
        loop {
            if let Some(verdict) = verdict.take() {
                return Some(verdict);
            }
            if wait(&self.bell, &mut verdict, deadline) {
                return verdict.take();
            }
        }
    }
}
