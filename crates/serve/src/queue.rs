//! The queue of jobs between I/O threads and workers: first in, first out.
//!
//! New requests are bounded. What goes on with an answer that was begun is not refused, and is
//! bounded by the connections, since each has at most one such job; where both wait, workers take
//! them in turn. One lock, held for a push or a pop. A push notifies a worker only if one sleeps.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::exchange::Exchange;
use crate::reply::Reply;
use crate::stream::Pump;

pub(crate) enum Job {
    /// A request for the handler.
    Handle { exchange: Arc<Exchange>, body: Bytes },
    /// A stream that came by a ticket: its reader may block, and tickets must not.
    Open { exchange: Arc<Exchange>, reply: Box<Reply> },
    /// A stream under way.
    Pump(Pump),
}

pub(crate) struct Queue {
    /// Written by I/O threads (push) and workers (pop), under this lock.
    state: Mutex<State>,
    ready: Condvar,
    bound: usize,
}

#[derive(Default)]
struct State {
    /// New requests, at most `bound`.
    new: VecDeque<Job>,
    /// Answers that were begun.
    begun: VecDeque<Job>,
    /// The last job taken was one of `begun`.
    last_begun: bool,
    sleeping: usize,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(bound: usize) -> Self {
        Self { state: Mutex::new(State::default()), ready: Condvar::new(), bound }
    }

    /// Appends a request; false if the queue is full or closed. Never waits for room.
    pub(crate) fn push(&self, exchange: Arc<Exchange>, body: Bytes) -> bool {
        let mut state = self.state.lock();
        if state.closed || state.new.len() >= self.bound {
            return false;
        }
        state.new.push_back(Job::Handle { exchange, body });
        self.notify(state);
        true
    }

    /// Appends a job that goes on with an answer; drops it if the queue is closed.
    pub(crate) fn push_on(&self, job: Job) {
        let mut state = self.state.lock();
        if !state.closed {
            state.begun.push_back(job);
            self.notify(state);
        }
    }

    fn notify(&self, state: MutexGuard<'_, State>) {
        let sleeping = state.sleeping > 0;
        drop(state);
        if sleeping {
            self.ready.notify_one();
        }
    }

    /// Waits for a job; `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.next() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state.sleeping += 1;
            self.ready.wait(&mut state);
            state.sleeping -= 1;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().new.len()
    }

    /// Takes no more jobs; workers leave once the rest is done.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.ready.notify_all();
    }
}

impl State {
    fn next(&mut self) -> Option<Job> {
        self.last_begun = !self.begun.is_empty() && (self.new.is_empty() || !self.last_begun);
        if self.last_begun { self.begun.pop_front() } else { self.new.pop_front() }
    }
}
