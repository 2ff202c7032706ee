//! The way back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use r2d2::ManageConnection;

use crate::admission::bring_back;
use crate::gate::Returned;
use crate::live::{Fate, Live};
use crate::shared::Shared;
use crate::slot::{self, Resident};

impl<M: ManageConnection> Shared<M> {
    /// Returns a connection to its slot or, if it is not fit for that, closes it. An associated
    /// function: it may give away what keeps the pool alive.
    ///
    /// A panic out of the gate or `has_broken` drops the connection, and that frees its slot.
    #[inline]
    pub(crate) fn give_back(mut live: Box<Live<M>>) {
        // Whatever interrupted a panicking holder may have left it half way through anything.
        if thread::panicking() {
            return live.close_for(Fate::Panic);
        }
        if let Err(why) = live.passes_gate() {
            return live.close_for(why);
        }
        let shared = &*live.claim.shared;
        let now = shared.config.clock.now();
        if now >= live.expires_at {
            return live.close_for(Fate::Old);
        }
        if now >= shared.reap_at.load(Ordering::Relaxed) {
            shared.reap(now);
        }
        if now >= shared.leak_at.load(Ordering::Relaxed) {
            shared.report_leaks(now);
        }
        live.due_at = shared.due(now, live.expires_at);
        live.returned_at = now;
        live.home().record().take_back();
        Self::put(live);
    }

    /// Returns a connection as it is: to somebody who would open one and may have this instead, or
    /// else to its slot.
    #[inline]
    pub(crate) fn put(live: Box<Live<M>>) {
        let shared = &live.claim.shared;
        if shared.admission.has_seated() && !shared.bag.is_paused() {
            return Self::offer(live);
        }
        Self::put_in_slot(live);
    }

    #[cold]
    fn offer(live: Box<Live<M>>) {
        let shared = Arc::clone(&live.claim.shared);
        if let Some(live) = shared.admission.offer(live) {
            Self::put_in_slot(live);
        }
    }

    #[inline]
    fn put_in_slot(live: Box<Live<M>>) {
        if let Err(live) = slot::put(live) {
            Self::put_marked(live);
        }
    }

    /// Somebody waits, in the queue or in the row, or did, or the pool is closed.
    #[cold]
    fn put_marked(live: Box<Live<M>>) {
        let shared = Arc::clone(&live.claim.shared);
        // If it comes back, the slot is one too many, and the connection with it.
        drop(bring_back(&shared.bag, &shared.admission, live.claim.slot, live));
    }
}

impl<M: ManageConnection> Live<M> {
    #[inline]
    fn passes_gate(&mut self) -> Result<(), Fate> {
        let shared = &*self.claim.shared;
        let Some(conn) = self.conn.as_mut() else { return Ok(()) };
        // What came too late for its caller has never been lent, and is as it was opened.
        if let Some(gate) = &shared.config.return_gate
            && let Some(site) = shared.bag.slot(self.claim.slot).record().site()
        {
            match gate(conn, site) {
                Returned::Clean => {}
                Returned::Mended(report) => shared.config.error_handler.handle_error(report),
                Returned::Refused(report) => {
                    shared.config.error_handler.handle_error(report);
                    return Err(Fate::Refused);
                }
            }
        }
        if shared.manager.has_broken(conn) {
            shared.admission.suspect();
            return Err(Fate::Broken);
        }
        Ok(())
    }
}
