//! What all clones of a pool and all its connections share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use r2d2::ManageConnection;

use crate::admission::Admission;
use crate::affinity;
use crate::bag::Bag;
use crate::clock::NEVER;
use crate::config::Config;
use crate::live::Live;
use crate::metrics::Tally;

/// The ways through it are in `checkout.rs`, `checkin.rs` and `ageing.rs`.
pub(crate) struct Shared<M: ManageConnection> {
    pub(crate) bag: Bag<Live<M>>,
    pub(crate) manager: M,
    pub(crate) config: Config<M>,
    /// Tells this pool's hints from another's in the thread-local table.
    pub(crate) id: usize,
    /// The tick at which reaping is next due; whoever moves it forward does the reaping.
    pub(crate) reap_at: AtomicU64,
    /// The same for reporting leaks.
    pub(crate) leak_at: AtomicU64,
    pub(crate) tally: Tally,
    pub(crate) admission: Admission<Live<M>>,
}

impl<M: ManageConnection> Shared<M> {
    pub(crate) fn new(manager: M, config: Config<M>) -> Self {
        static POOLS: AtomicUsize = AtomicUsize::new(0);
        let shared = Shared {
            bag: Bag::new(
                config.max_size as usize,
                config.max_capacity() as usize,
                config.max_waiters as usize,
            ),
            manager,
            id: POOLS.fetch_add(1, Ordering::Relaxed),
            reap_at: AtomicU64::new(NEVER),
            leak_at: AtomicU64::new(NEVER),
            tally: Tally::new(),
            admission: Admission::new(config.max_capacity() as usize),
            config,
        };
        let now = shared.config.clock.now();
        shared.reap_at.store(shared.next_reaping(now), Ordering::Relaxed);
        shared.leak_at.store(shared.next_leak_report(now), Ordering::Relaxed);
        shared
    }

    /// The slot that this thread should try first.
    #[inline]
    pub(crate) fn hint(&self) -> usize {
        affinity::recall(self.id, self.bag.capacity(), || self.bag.size())
    }

    /// The most connections that there may be now.
    pub(crate) fn max_size(&self) -> u32 {
        self.bag.size() as u32
    }

    /// Refuses all callers and closes what is idle; what is lent closes when it comes back.
    pub(crate) fn close(&self) {
        drop(self.bag.close());
        self.admission.close();
    }
}
