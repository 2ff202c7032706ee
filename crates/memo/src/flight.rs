//! One load in progress, and those who wait for it.
//!
//! | state | means | next |
//! |---|---|---|
//! | `Loading` | the leader runs its loader | `Landed`, `Abandoned` |
//! | `Landed(T)` | the value is there | final |
//! | `Abandoned` | the loader failed or panicked: a waiter tries again | final |
//!
//! The leader alone changes the state, once, under `state`, and then notifies. `state` is a leaf
//! lock: nothing else is taken under it, and no user code but `T::clone` runs under it.

use crate::sync::{Condvar, Mutex, ThreadId, current, lock, wait};
use std::time::Instant;

pub(crate) struct Flight<T> {
    /// The thread that loads; set at birth.
    leader: ThreadId,
    /// Changed once by the leader; read by waiters.
    state: Mutex<State<T>>,
    /// Notified after the change.
    ended: Condvar,
}

enum State<T> {
    Loading,
    Landed(T),
    Abandoned,
}

/// How a wait ended.
pub(crate) enum Waited<T> {
    Landed(T),
    Abandoned,
    TimedOut,
}

impl<T> Flight<T> {
    /// Starts a flight led by the calling thread.
    pub(crate) fn new() -> Self {
        Flight { leader: current().id(), state: Mutex::new(State::Loading), ended: Condvar::new() }
    }

    pub(crate) fn is_led_by_caller(&self) -> bool {
        self.leader == current().id()
    }

    pub(crate) fn land(&self, value: T) {
        self.end(State::Landed(value));
    }

    pub(crate) fn abandon(&self) {
        self.end(State::Abandoned);
    }

    fn end(&self, state: State<T>) {
        *lock(&self.state) = state;
        self.ended.notify_all();
    }
}

impl<T: Clone> Flight<T> {
    /// Waits for the end, or until the deadline; no deadline waits for ever.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Waited<T> {
        let mut state = lock(&self.state);
        loop {
            match &*state {
                State::Landed(value) => return Waited::Landed(value.clone()),
                State::Abandoned => return Waited::Abandoned,
                State::Loading => {}
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Waited::TimedOut;
            }
            state = wait(&self.ended, state, deadline);
        }
    }
}
