//! The bounded queue of jobs between I/O threads and workers: first in, first out.
//!
//! One lock, held for a push or a pop. A push notifies a worker only if one sleeps.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use crate::exchange::Exchange;

pub(crate) struct Job {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) body: Bytes,
}

pub(crate) struct Queue {
    /// Written by I/O threads (push) and workers (pop), under this lock.
    state: Mutex<State>,
    ready: Condvar,
    bound: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    sleeping: usize,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(bound: usize) -> Self {
        Self { state: Mutex::new(State::default()), ready: Condvar::new(), bound }
    }

    /// Appends a job; false if the queue is full or closed. Never waits for room.
    pub(crate) fn push(&self, job: Job) -> bool {
        let mut state = self.state.lock();
        if state.closed || state.jobs.len() >= self.bound {
            return false;
        }
        state.jobs.push_back(job);
        let sleeping = state.sleeping > 0;
        drop(state);
        if sleeping {
            self.ready.notify_one();
        }
        true
    }

    /// Waits for a job; `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
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
        self.state.lock().jobs.len()
    }

    /// Takes no more jobs; workers leave once the rest is done.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.ready.notify_all();
    }
}
