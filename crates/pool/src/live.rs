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
use crate::slot::{Resident, Slot};

/// Not a slot: the claim has moved on.
const MOVED: usize = usize::MAX;

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
    pub(crate) claim: Claim<M>,
}

impl<M: ManageConnection> Live<M> {
    /// Closes the connection and keeps its slot.
    pub(crate) fn retire(mut self) -> Claim<M> {
        self.close();
        self.claim.take()
    }

    fn close(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.claim.shared.config.customizer.on_release(conn);
        }
    }
}

impl<M: ManageConnection> Resident for Live<M> {
    #[inline]
    fn home(&self) -> &Slot<Self> {
        self.claim.shared.bag.slot(self.claim.slot)
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
