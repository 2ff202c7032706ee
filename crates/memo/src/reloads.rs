//! The loads of a whole table: one at a time, and who gets the outcome of which.
//!
//! | `leader` | means | who asks for a load |
//! |---|---|---|
//! | `None` | nobody loads | leads: `leader` is its thread, and the load has the next serial |
//! | a thread | it runs the loader | waits, until a deadline; the thread itself is refused |
//!
//! The leader alone ends its load: it sets the table first, if there is one, then notes the outcome
//! under `state` and notifies.
//!
//! Whoever waits is content with a table that is fresh, and with the outcome, good or bad, of any
//! load that began after it asked: that load saw all that the caller could know to have changed.
//! So a storm of bumps keeps nobody waiting for more than two loads, and when a loader cannot
//! succeed, a crowd learns it from two calls of it.
//!
//! A load whose outcome is for its caller alone is forgone: it ends without one, and whoever waits
//! leads in its place.
//!
//! A load that is due leads like any other, but whoever claims it waits for nothing.
//!
//! # Locks
//!
//! `state`, then what `fresh` takes (`swap`'s). No user code runs under it but the clock's.

use crate::error::Failure;
use crate::schedule::Schedule;
use crate::sync::{
    Apart, Condvar, Mutex, MutexGuard, ThreadId, const_unless_loom, current, lock, wait,
};
use std::mem;
use std::time::{Duration, Instant};

pub(crate) struct Reloads {
    pub(crate) schedule: Schedule,
    /// On lines that no reader reads.
    state: Apart<Mutex<State>>,
    /// Notified when a load has ended.
    ended: Condvar,
}

struct State {
    /// The serial of the load that began last.
    begun: u64,
    /// The thread that loads.
    leader: Option<ThreadId>,
    /// The load that ended last: its serial, and why it failed if it did.
    last: Option<(u64, Option<Failure>)>,
    tally: Tally,
}

/// How the loads have ended so far.
#[derive(Clone)]
pub(crate) struct Tally {
    pub(crate) loads: u64,
    pub(crate) failures: u64,
    pub(crate) last_failure: Option<Failure>,
}

/// What becomes of a caller that needs another table than the one it found.
pub(crate) enum Turn<'a, R> {
    /// It is there by now.
    Fresh(R),
    /// A load that began after the call has ended so; if well, its table or a later one is set.
    Ended(Result<(), Failure>),
    /// The caller has to load.
    Lead(Lead<'a>),
    /// The caller is called by the loader.
    Recursion,
    /// Another thread's load takes too long.
    TimedOut,
}

impl Reloads {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Reloads {
                schedule: Schedule::new(),
                state: Apart(Mutex::new(State {
                    begun: 0,
                    leader: None,
                    last: None,
                    tally: Tally { loads: 0, failures: 0, last_failure: None },
                })),
                ended: Condvar::new(),
            }
        }
    }

    /// Waits until the caller's turn is clear, for at most `patience`.
    pub(crate) fn turn<R>(&self, patience: Duration, fresh: impl Fn() -> Option<R>) -> Turn<'_, R> {
        let mut state = lock(&self.state.0);
        let asked = state.begun;
        let mut deadline = None;
        loop {
            if let Some(table) = fresh() {
                return Turn::Fresh(table);
            }
            if let Some((_, failure)) = state.last.as_ref().filter(|(serial, _)| *serial > asked) {
                return Turn::Ended(failure.clone().map_or(Ok(()), Err));
            }
            match state.leader {
                None => return Turn::Lead(self.begin(state)),
                Some(leader) if leader == current().id() => return Turn::Recursion,
                Some(_) => {}
            }
            // Too far to express is never.
            let deadline = *deadline.get_or_insert_with(|| Instant::now().checked_add(patience));
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Turn::TimedOut;
            }
            state = wait(&self.ended, state, deadline);
        }
    }

    /// Gives a load that is due to its first caller.
    pub(crate) fn claim(&self) -> Option<Lead<'_>> {
        let state = lock(&self.state.0);
        (state.leader.is_none() && self.schedule.is_due()).then(|| self.begin(state))
    }

    pub(crate) fn tally(&self) -> Tally {
        lock(&self.state.0).tally.clone()
    }

    fn begin(&self, mut state: MutexGuard<'_, State>) -> Lead<'_> {
        state.begun += 1;
        state.leader = Some(current().id());
        self.schedule.suspend();
        Lead { reloads: self, ended: false }
    }

    fn forgo(&self) {
        // Tried again as if it had failed, lest each caller try.
        let due = self.schedule.next(true);
        let mut state = lock(&self.state.0);
        state.leader = None;
        self.schedule.set(due);
        drop(state);
        self.ended.notify_all();
    }

    fn end(&self, failure: Option<Failure>) {
        let due = self.schedule.next(failure.is_some());
        let mut state = lock(&self.state.0);
        let mut earlier = None;
        if failure.is_some() {
            state.tally.failures += 1;
            earlier = mem::replace(&mut state.tally.last_failure, failure.clone());
        } else {
            state.tally.loads += 1;
        }
        state.leader = None;
        self.schedule.set(due);
        let serial = state.begun;
        let last = state.last.replace((serial, failure));
        drop(state);
        self.ended.notify_all();
        // A loader's own error is dropped where no lock is held.
        drop((earlier, last));
    }
}

/// The right and the duty to load the table.
pub(crate) struct Lead<'a> {
    reloads: &'a Reloads,
    ended: bool,
}

impl Lead<'_> {
    /// Ends the load: the table is set, or there is none for this reason.
    pub(crate) fn end(mut self, failure: Option<Failure>) {
        self.ended = true;
        self.reloads.end(failure);
    }

    /// Ends the load without an outcome: what it brought is for its caller alone.
    pub(crate) fn forgo(mut self) {
        self.ended = true;
        self.reloads.forgo();
    }
}

impl Drop for Lead<'_> {
    /// The loader panicked.
    fn drop(&mut self) {
        if !self.ended {
            self.reloads.end(Some(Failure::Panic));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Reloads, Turn};
    use crate::error::Failure;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::thread;
    use std::time::Duration;

    /// Sixteen wait for a load that fails. One of them tries again, and its failure is that of
    /// all: a crowd does not call a failing loader once each. `fresh` runs under the lock that a
    /// waiter gives up when it waits, so it tells that all have asked.
    #[test]
    fn a_crowd_never_waits_for_one_failing_load_after_another() {
        let (reloads, asked, loads) = (Reloads::new(), AtomicUsize::new(0), AtomicUsize::new(1));
        let Turn::Lead(first) = reloads.turn(Duration::MAX, || None::<()>) else {
            panic!("nobody loads so far");
        };
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let look = || {
                        asked.fetch_add(1, SeqCst);
                        None::<()>
                    };
                    match reloads.turn(Duration::MAX, look) {
                        Turn::Lead(lead) => {
                            loads.fetch_add(1, SeqCst);
                            lead.end(Some(Failure::Panic));
                        }
                        Turn::Ended(outcome) => assert!(outcome.is_err()),
                        _ => panic!("nothing is fresh, and nobody is in a hurry"),
                    }
                });
            }
            while asked.load(SeqCst) < 16 {
                thread::yield_now();
            }
            first.end(Some(Failure::Panic));
        });
        assert_eq!((loads.load(SeqCst), reloads.tally().failures), (2, 2));
    }
}
