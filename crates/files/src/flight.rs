//! Single flight: one makes an entry, the others wait for it.
//!
//! ```text
//! enter ──> flying ──finish──> landed(Ok | Err)
//!             │ detach (purged, removed): still flying for those who wait, no longer found by
//!             │                           others, and no longer the owner of its draft's path
//! ```
//! Locks: the table's is never held with another or across a system call, so distinct keys never
//! wait for each other. A slot's state is taken before the index. It is held across the one rename
//! that publishes, so that `detach` is either before it, and then nothing is published, or after
//! it, and then what was published is there to be unlinked. Callbacks run under no lock.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::entry::Entry;
use crate::error::Error;
use crate::key::{BuildNameHasher, Name};

pub(crate) type Outcome = Result<Entry, Error>;
type Callback = Box<dyn FnOnce(Outcome) + Send>;

/// Someone else is making the entry: wait for it, or leave a callback and go.
#[must_use = "a flight that nobody waits for tells nobody"]
pub struct Flight {
    slot: Arc<Slot>,
    max_waiters: usize,
}

/// One flight, shared by its maker and its waiters.
pub(crate) struct Slot {
    pub(crate) name: Name,
    state: Mutex<State>,
    landed: Condvar,
    /// When the maker is another process, from when on it may be passed by. Set once, by the
    /// thread that found it so; outside the mutex, since the table looks at it.
    pass_after: OnceLock<Instant>,
}

/// All fields are under the slot's mutex.
#[derive(Default)]
pub(crate) struct State {
    /// Set once, by the maker.
    outcome: Option<Outcome>,
    /// Pushed by waiters while there is no outcome; taken by the maker with setting it.
    callbacks: Vec<Callback>,
    /// Threads inside `wait`; kept by themselves.
    sleepers: usize,
    /// Set by a purge: what is made is not stored.
    pub(crate) detached: bool,
    /// Is the path of the draft ours to rename and unlink? Set by the maker, cleared by whoever
    /// does either: the maker or a purge.
    pub(crate) owns_draft: bool,
    /// Set by a maker that stays on its thread, to recognise one who waits for himself.
    pub(crate) maker: Option<ThreadId>,
}

impl Flight {
    pub(crate) fn new(slot: Arc<Slot>, max_waiters: usize) -> Flight {
        Flight { slot, max_waiters }
    }

    /// Leaves a callback and returns at once.
    ///
    /// The callback runs exactly once, under no lock: now, on this thread, if the flight has
    /// landed meanwhile (or [`max_waiters`](crate::Limits::max_waiters) are waiting already), else
    /// on the thread that publishes, so it should only hand the entry on. One that panics hurts
    /// nobody else. There is no deadline here: a server that parks a connection has its own.
    pub fn on_ready(self, callback: impl FnOnce(Result<Entry, Error>) + Send + 'static) {
        let outcome = {
            let mut state = self.slot.state.lock();
            match &state.outcome {
                Some(outcome) => outcome.clone(),
                None if self.is_crowded(&state) => Err(Error::crowded(self.max_waiters)),
                None => {
                    state.callbacks.push(Box::new(callback));
                    return;
                }
            }
        };
        callback(outcome);
    }

    /// Waits on this thread until the entry is there or `deadline` has passed.
    ///
    /// # Errors
    /// The maker's, [timed out](Error::is_timeout), or [abandoned](Error::is_abandoned): then ask
    /// the cache again.
    pub fn wait(self, deadline: Instant) -> Result<Entry, Error> {
        let began = Instant::now();
        let mut state = self.slot.state.lock();
        if state.outcome.is_none() && state.maker == Some(thread::current().id()) {
            return Err(Error::reentrant());
        }
        if state.outcome.is_none() && self.is_crowded(&state) {
            return Err(Error::crowded(self.max_waiters));
        }
        state.sleepers += 1;
        while state.outcome.is_none() {
            if self.slot.landed.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.sleepers -= 1;
        state.outcome.clone().unwrap_or_else(|| Err(Error::timeout(began.elapsed())))
    }

    fn is_crowded(&self, state: &State) -> bool {
        state.callbacks.len() + state.sleepers >= self.max_waiters
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flight({:?})", self.slot.name)
    }
}

impl Slot {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Lets others pass the maker, another process, when it is not done in time.
    pub(crate) fn let_pass_after(&self, at: Instant) {
        let _ = self.pass_after.set(at);
    }

    /// Tells everybody. Called once, by the maker, after the slot has left the table.
    pub(crate) fn finish(&self, outcome: Outcome) {
        let callbacks = {
            let mut state = self.state.lock();
            state.outcome = Some(outcome.clone());
            std::mem::take(&mut state.callbacks)
        };
        self.landed.notify_all();
        for callback in callbacks {
            let outcome = outcome.clone();
            // The panic has been reported by its hook; the next waiter has nothing to do with it.
            let _ = catch_unwind(AssertUnwindSafe(move || callback(outcome)));
        }
    }
}

/// All flights by name.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<Name, Arc<Slot>, BuildNameHasher>>);

/// What came of asking for a place in a flight.
pub(crate) enum Entered {
    Joined(Arc<Slot>),
    Leads(Arc<Slot>),
    /// Another process has held the entry for too long; whoever gets this makes it without.
    Passes(Arc<Slot>),
}

impl Flights {
    pub(crate) fn enter(&self, name: Name) -> Entered {
        let mut table = self.0.lock();
        let mut passes = false;
        if let Some(slot) = table.get(&name) {
            passes = slot.pass_after.get().is_some_and(|at| *at <= Instant::now());
            if !passes {
                return Entered::Joined(slot.clone());
            }
        }
        let slot = Arc::new(Slot {
            name,
            state: Mutex::default(),
            landed: Condvar::new(),
            pass_after: OnceLock::new(),
        });
        table.insert(name, slot.clone());
        if passes { Entered::Passes(slot) } else { Entered::Leads(slot) }
    }

    /// Takes a slot out of the table, unless another has its place already.
    pub(crate) fn leave(&self, slot: &Arc<Slot>) {
        let mut table = self.0.lock();
        if table.get(&slot.name).is_some_and(|found| Arc::ptr_eq(found, slot)) {
            table.remove(&slot.name);
        }
    }

    /// Takes out the flights that `which` names, and returns them for their states to be marked.
    pub(crate) fn take(&self, which: impl Fn(&Name) -> bool) -> Vec<Arc<Slot>> {
        let mut table = self.0.lock();
        table.extract_if(|name, _| which(name)).map(|(_, slot)| slot).collect()
    }
}

/// The instant `wait` from now, or as good as never.
pub(crate) fn deadline_in(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365))
}
