//! Room on the disk, promised to an entry before its bytes take it.
//!
//! ```text
//! none ──grow──> so many bytes and one file ──grow──> more
//!                  │ settle: they are a file in the accounts now
//!                  └ give back, or dropped: they are free again
//! ```
//! A room has one owner, the lease, so what it holds needs no lock; the sum of all rooms is in the
//! accounts, under their lock. It grows before the draft does and is given back after the draft has
//! gone. Only a file that is being evicted is out of the accounts before it is off the disk: for a
//! moment, and one for each thread that evicts.

use std::sync::Arc;

use crate::index::Account;
use crate::key::Name;
use crate::store::Store;

pub(crate) struct Room {
    store: Arc<Store>,
    /// What is promised, in whole blocks; with it one file, unless it is 0.
    cost: u64,
}

impl Room {
    pub(crate) fn none(store: Arc<Store>) -> Room {
        Room { store, cost: 0 }
    }

    /// Makes it a room for a file of this cost, evicting what was not used for longest; false, and
    /// the room as it was, when others who write have the rest of the cache.
    pub(crate) fn grow(&mut self, cost: u64) -> bool {
        let more = cost.saturating_sub(self.cost);
        let grown = more == 0 || self.store.reserve(more, self.files_to(cost));
        if grown {
            self.cost = self.cost.max(cost);
        }
        grown
    }

    fn files_to(&self, cost: u64) -> usize {
        usize::from(self.cost == 0 && cost > 0)
    }

    /// Turns the promise into the account of a file.
    pub(crate) fn settle(&mut self, name: Name, account: Account) {
        let mut index = self.store.index.lock();
        index.release(self.cost, usize::from(self.cost > 0));
        self.cost = 0;
        index.enter(name, account);
    }

    /// Gives back what is promised. The caller has taken the bytes off the disk.
    pub(crate) fn give_back(&mut self) {
        if self.cost > 0 {
            self.store.index.lock().release(self.cost, 1);
            self.cost = 0;
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.give_back();
    }
}
