//! Threads that do what no I/O thread may wait for: they close files that nobody else holds, free
//! large memory, drop leases, and call back.
//!
//! An I/O thread collects its chores and hands them over at the end of its turn; it never does one
//! itself. Much of a chore is the user's code, which may block. So whoever takes a chore sees to it
//! that another thread waits for the next, up to `MAX_THREADS`: until so many block, none holds up
//! another, but for the bodies of one turn, which share a chore a few at a time. A thread that
//! waited in vain ends if it is not the last to wait.
//!
//! The queue itself has no bound, since nobody could wait for room in it. Requests are what adds
//! chores: while more than `PLACES` wait, [`is_behind`](Reaper::is_behind) says so, and no further
//! request reaches the user's code. Then the queue ends with what the requests under way add.
//!
//! One lock, held for a push or a pop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{io, thread};

use parking_lot::{Condvar, Mutex};

use crate::guard::guarded;

/// Something to be done elsewhere, once.
pub(crate) type Chore = Box<dyn FnOnce() + Send>;

/// Chores that may wait before no more requests are taken.
const PLACES: usize = 4096;
/// Threads at chores, the one that waits for the next included.
const MAX_THREADS: usize = 16;
/// How long a thread beyond the first waits for a chore.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hands chores to the threads, which end when this is dropped and all is done.
pub(crate) struct Reaper {
    inner: Arc<Inner>,
}

struct Inner {
    /// Written by who hands over and by the threads, under this lock.
    state: Mutex<State>,
    /// There is a chore, or there will be none any more.
    ready: Condvar,
    /// Nothing waits and nobody is at anything.
    done: Condvar,
    /// The length of the queue, written under the lock and read without.
    waiting: AtomicUsize,
}

#[derive(Default)]
struct State {
    chores: VecDeque<Chore>,
    threads: usize,
    /// Of these, those that wait.
    idle: usize,
    closed: bool,
}

impl Reaper {
    /// Starts the first thread; it holds nothing of the server alive.
    pub(crate) fn start() -> io::Result<Self> {
        let state = Mutex::new(State { threads: 1, ..State::default() });
        let (ready, done, waiting) = (Condvar::new(), Condvar::new(), AtomicUsize::new(0));
        let inner = Arc::new(Inner { state, ready, done, waiting });
        spawn(&inner)?;
        Ok(Self { inner })
    }

    /// Hands over all of `chores`, and leaves it empty.
    pub(crate) fn take(&self, chores: &mut Vec<Chore>) {
        let mut state = self.inner.state.lock();
        state.chores.extend(chores.drain(..));
        self.inner.count(&state);
        drop(state);
        self.inner.ready.notify_one();
    }

    /// Tells whether so much waits that nobody should add to it.
    pub(crate) fn is_behind(&self) -> bool {
        self.waiting() > PLACES
    }

    /// Chores that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.inner.waiting.load(Relaxed)
    }

    /// Waits until all is done; false if that takes longer than `patience`.
    pub(crate) fn finish(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut state = self.inner.state.lock();
        while !state.is_done() {
            if self.inner.done.wait_until(&mut state, deadline).timed_out() {
                return state.is_done();
            }
        }
        true
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.inner.state.lock().closed = true;
        self.inner.ready.notify_all();
    }
}

impl State {
    fn is_done(&self) -> bool {
        self.chores.is_empty() && self.idle == self.threads
    }
}

impl Inner {
    fn count(&self, state: &State) {
        self.waiting.store(state.chores.len(), Relaxed);
    }

    /// The life of a thread.
    fn run(self: &Arc<Self>) {
        while let Some(chore) = self.next() {
            // It may run code of the user's, which may panic; the next is done all the same.
            let _ = guarded(chore);
        }
    }

    /// The next chore; `None` if the thread is to end.
    fn next(self: &Arc<Self>) -> Option<Chore> {
        let mut state = self.state.lock();
        loop {
            if let Some(chore) = state.chores.pop_front() {
                self.count(&state);
                let alone = state.idle == 0 && state.threads < MAX_THREADS;
                state.threads += usize::from(alone);
                let more = !state.chores.is_empty();
                drop(state);
                if alone && spawn(self).is_err() {
                    // The chores that wait, wait for those who are at theirs.
                    self.state.lock().threads -= 1;
                } else if more {
                    self.ready.notify_one();
                }
                return Some(chore);
            }
            state.idle += 1;
            if state.is_done() {
                self.done.notify_all();
            }
            let waits = !state.closed;
            let in_vain = !waits || self.ready.wait_for(&mut state, PATIENCE).timed_out();
            state.idle -= 1;
            if in_vain && state.chores.is_empty() && (state.closed || state.idle > 0) {
                state.threads -= 1;
                return None;
            }
        }
    }
}

fn spawn(inner: &Arc<Inner>) -> io::Result<()> {
    let inner = Arc::clone(inner);
    thread::Builder::new().name("larder-reaper".into()).spawn(move || inner.run())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn hand_over(reaper: &Reaper, chore: impl FnOnce() + Send + 'static) {
        reaper.take(&mut vec![Box::new(chore)]);
    }

    #[test]
    fn chores_that_block_hold_up_no_other() {
        let reaper = Reaper::start().unwrap();
        let (tell, told) = mpsc::channel();
        let mut gates = Vec::new();
        for nth in 1..MAX_THREADS {
            let (open, gate) = mpsc::channel::<()>();
            gates.push(open);
            hand_over(&reaper, move || assert!(gate.recv().is_err()));
            let tell = tell.clone();
            hand_over(&reaper, move || tell.send(nth).unwrap());
            assert_eq!(told.recv_timeout(LONG), Ok(nth));
        }
        assert!(!reaper.finish(Duration::ZERO));
        // One more, and nobody is left: what comes now waits, and is done in the end.
        let (open, gate) = mpsc::channel::<()>();
        hand_over(&reaper, move || assert!(gate.recv().is_err()));
        let tell = tell.clone();
        hand_over(&reaper, move || tell.send(0).unwrap());
        drop((gates, open));
        assert_eq!(told.recv_timeout(LONG), Ok(0));
        assert!(reaper.finish(LONG) && reaper.waiting() == 0);
    }

    #[test]
    fn what_waits_is_done_though_the_reaper_is_dropped() {
        let reaper = Reaper::start().unwrap();
        let (tell, told) = mpsc::channel();
        hand_over(&reaper, || panic!("on purpose"));
        for nth in 0..100 {
            let tell = tell.clone();
            hand_over(&reaper, move || tell.send(nth).unwrap());
        }
        drop((reaper, tell));
        let mut all: Vec<i32> = told.iter().collect();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }
}
