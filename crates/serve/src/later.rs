//! Answers that come later, from any thread.
//!
//! States of a `LaterCell`, under its lock, which is held for a move and nothing else:
//!
//! ```text
//! New --worker saw the reply--> Armed --complete or drop--> Spent
//! New --complete or drop--> Done(reply) --worker saw the reply--> Spent
//! ```
//!
//! Whoever makes the move to `Spent` delivers, outside the lock. No other lock is taken inside.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use parking_lot::Mutex;

use crate::exchange::Exchange;
use crate::reaper::Chore;
use crate::reply::Reply;
use crate::worker;

/// Where a ticket and its reply meet.
pub(crate) struct LaterCell {
    /// Written by the ticket and by the worker, under this lock.
    state: Mutex<State>,
}

enum State {
    New {
        /// What the exchange will be given.
        on_gone: Option<Chore>,
    },
    Armed(Arc<Exchange>),
    Done(Box<Reply>),
    Spent,
}

impl Default for LaterCell {
    fn default() -> Self {
        Self { state: Mutex::new(State::New { on_gone: None }) }
    }
}

impl LaterCell {
    /// The worker has the reply in hand: deliver what is done, or leave the exchange for it.
    pub(crate) fn arm(&self, exchange: Arc<Exchange>) {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Spent) {
            State::New { on_gone } => {
                *state = State::Armed(Arc::clone(&exchange));
                drop(state);
                if let Some(tell) = on_gone {
                    exchange.on_left(tell);
                }
            }
            State::Done(reply) => {
                drop(state);
                worker::deliver(&exchange, *reply);
            }
            State::Armed(_) | State::Spent => {
                drop(state);
                worker::deliver(&exchange, Reply::status(StatusCode::INTERNAL_SERVER_ERROR));
            }
        }
    }

    fn complete(&self, reply: Reply) {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Spent) {
            State::New { .. } => *state = State::Done(Box::new(reply)),
            State::Armed(exchange) => {
                drop(state);
                exchange.forget_left();
                worker::deliver(&exchange, reply);
            }
            State::Done(_) | State::Spent => {}
        }
    }

    fn on_gone(&self, tell: Chore) {
        let mut state = self.state.lock();
        match &mut *state {
            State::New { on_gone } => {
                let before = on_gone.replace(tell);
                drop(state);
                drop(before);
            }
            State::Armed(exchange) => {
                let exchange = Arc::clone(exchange);
                drop(state);
                exchange.on_left(tell);
            }
            State::Done(_) | State::Spent => {}
        }
    }

    fn is_gone(&self) -> bool {
        match &*self.state.lock() {
            State::Armed(exchange) => exchange.is_gone(),
            _ => false,
        }
    }
}

/// The right and the duty to complete a [`Reply::later`]. Dropped, it answers 500.
#[must_use = "a dropped ticket answers 500"]
pub struct Ticket {
    /// `None` once completed.
    cell: Option<Arc<LaterCell>>,
}

impl Ticket {
    pub(crate) fn new(cell: Arc<LaterCell>) -> Self {
        Self { cell: Some(cell) }
    }

    /// Delivers the answer. It is dropped if the client has gone or was told 504 meanwhile.
    ///
    /// A reply that is itself `later` is answered with 500: one wait is enough.
    pub fn complete(mut self, reply: Reply) {
        if let Some(cell) = self.cell.take() {
            cell.complete(reply);
        }
    }

    /// Calls `tell` once nobody waits for the answer any more, so that the work can be ended; at
    /// once if that is so already, and never if the ticket is completed before. It is called by a
    /// thread of the server's and may block. A second call replaces the first.
    ///
    /// Nobody waits once the connection is gone, or the handler's deadline has passed. A client that
    /// has stopped sending has most often closed, and counts as gone after
    /// [`half_close`](crate::Builder::half_close); but it may listen still, and gets what the ticket
    /// is completed with all the same.
    pub fn on_gone(&self, tell: impl FnOnce() + Send + 'static) {
        if let Some(cell) = &self.cell {
            cell.on_gone(Box::new(tell));
        }
    }

    /// Tells whether nobody waits for the answer any more, so that the work may be spared.
    pub fn is_gone(&self) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.is_gone())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(cell) = self.cell.take() {
            cell.complete(Reply::status(StatusCode::INTERNAL_SERVER_ERROR));
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("is_gone", &self.is_gone()).finish()
    }
}
