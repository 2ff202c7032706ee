//! Where a connection lives. Unsafe, like `slot.rs`, for the promise alone.
#![allow(unsafe_code)]

use r2d2::ManageConnection;

use crate::live::Live;
use crate::slot::{Resident, Slot};

// SAFETY: the claim holds an `Arc` of what the bag is in, whose slots are boxed once and for all,
// outside of every `Live`; a claim in a `Live` moves on only when that is closed for good.
unsafe impl<M: ManageConnection> Resident for Live<M> {
    #[inline]
    fn home(&self) -> &Slot<Self> {
        self.claim.shared.bag.slot(self.claim.slot)
    }
}
