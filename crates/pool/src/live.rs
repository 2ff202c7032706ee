//! A claim on a slot, and the connection that lives in it.
//!
//! Slot conservation is built in here: whoever claimed a slot holds a [`Claim`], by itself while
//! connecting and inside a [`Live`] afterwards, and dropping it, in a return, an error or an
//! unwinding panic alike, vacates the slot and wakes the next waiter.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use r2d2::{Extensions, ManageConnection};

use crate::clock::Tick;
use crate::shared::Shared;

/// Not a slot: the claim has moved on.
const MOVED: usize = usize::MAX;

/// Why a connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// The pool is closed, or has become smaller.
    Unwanted,
    /// The manager's `has_broken` said so.
    Broken,
    /// The return gate refused it.
    Refused,
    /// It failed its test.
    Invalid,
    /// Its `max_lifetime` was over.
    Old,
    /// It was idle for longer than the `idle_timeout`.
    Idle,
    /// Its holder discarded it.
    Discarded,
    /// Its holder panicked, or a callback did.
    Panic,
}

impl Fate {
    pub(crate) const ALL: [Fate; 8] = [
        Fate::Unwanted,
        Fate::Broken,
        Fate::Refused,
        Fate::Invalid,
        Fate::Old,
        Fate::Idle,
        Fate::Discarded,
        Fate::Panic,
    ];
}

/// The right to one busy slot.
pub(crate) struct Claim<M: ManageConnection> {
    /// Kept here rather than in the guard: a checkout then touches no shared reference count.
    pub(crate) shared: Arc<Shared<M>>,
    pub(crate) slot: usize,
}

impl<M: ManageConnection> Claim<M> {
    fn take(&mut self) -> Self {
        let slot = std::mem::replace(&mut self.slot, MOVED);
        Claim { shared: Arc::clone(&self.shared), slot }
    }
}

impl<M: ManageConnection> Drop for Claim<M> {
    fn drop(&mut self) {
        if self.slot != MOVED {
            self.shared.bag.slot(self.slot).record().take_back();
            self.shared.bag.vacate(self.slot);
        }
    }
}

/// An open connection in its slot: in the bag while idle, in a guard while lent.
///
/// All fields belong to whoever owns the box, one at a time.
pub(crate) struct Live<M: ManageConnection> {
    /// Present until `retire` or `drop`; before `claim`, so that it closes before the slot is free.
    pub(crate) conn: Option<M::Connection>,
    pub(crate) extensions: Option<Box<Extensions>>,
    /// The next checkout at or after this tick must look closer: test it, or retire it.
    pub(crate) due_at: Tick,
    /// When its lifetime ends, jitter included.
    pub(crate) expires_at: Tick,
    pub(crate) returned_at: Tick,
    /// What it will have been closed for.
    pub(crate) fate: Fate,
    pub(crate) claim: Claim<M>,
}

impl<M: ManageConnection> Live<M> {
    /// Closes the connection and keeps its slot.
    pub(crate) fn retire(mut self, why: Fate) -> Claim<M> {
        self.fate = why;
        self.close();
        self.claim.take()
    }

    /// Closes the connection and frees its slot.
    pub(crate) fn close_for(mut self, why: Fate) {
        self.fate = why;
    }

    fn close(&mut self) {
        if let Some(conn) = self.conn.take() {
            let shared = &self.claim.shared;
            let why = if thread::panicking() { Fate::Panic } else { self.fate };
            shared.tally.count_closed(why);
            shared.config.customizer.on_release(conn);
            shared.config.events.closed(why);
        }
    }
}

impl<M: ManageConnection> Drop for Live<M> {
    fn drop(&mut self) {
        if thread::panicking() {
            // A second panic, out of a destructor, would abort the process.
            let _ = catch_unwind(AssertUnwindSafe(|| self.close()));
        } else {
            self.close();
        }
    }
}
