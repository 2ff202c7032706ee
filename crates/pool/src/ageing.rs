//! How connections grow old, and who notices.
//!
//! There is no thread for it. A checkout looks at what it is about to lend, a return at what it
//! brings, and now and then a return finds itself due to look at what lies idle.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::Ordering;
use std::time::Duration;

use r2d2::ManageConnection;

use crate::clock::{NEVER, Tick, after};
use crate::live::{Fate, Live};
use crate::shared::Shared;

/// How often a return looks, at most.
const REAP_EVERY: Duration = Duration::from_secs(30);

impl<M: ManageConnection> Shared<M> {
    /// When a connection returned at `now` must next be looked at.
    #[inline]
    pub(crate) fn due(&self, now: Tick, expires_at: Tick) -> Tick {
        if self.config.test_on_check_out {
            after(now, self.config.test_after_idle).min(expires_at)
        } else {
            expires_at
        }
    }

    /// The end of a lifetime that starts at `now`: up to a tenth early, so that connections opened
    /// together do not all end together.
    pub(crate) fn expiry(&self, now: Tick) -> Tick {
        let Some(lifetime) = self.config.max_lifetime else { return NEVER };
        let random = RandomState::new().build_hasher().finish();
        let early = (random % 1024) as f64 / 1024.0 * 0.1;
        after(now, lifetime.mul_f64(1.0 - early))
    }

    pub(crate) fn next_reaping(&self, now: Tick) -> Tick {
        let limits = [self.config.idle_timeout, self.config.max_lifetime];
        match limits.into_iter().flatten().min() {
            Some(shortest) => after(now, REAP_EVERY.min(shortest)),
            None => NEVER,
        }
    }

    /// Closes idle connections that are too old or idle for too long, the latter down to
    /// `min_idle`. One caller at a time, on its own thread.
    #[cold]
    pub(crate) fn reap(&self, now: Tick) {
        let due = self.reap_at.load(Ordering::Relaxed);
        let next = self.next_reaping(now);
        let claimed =
            self.reap_at.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        if now < due || claimed.is_err() {
            return;
        }
        for slot in self.bag.slots() {
            let Some(live) = slot.take_idle() else { continue };
            if now >= live.expires_at {
                live.close_for(Fate::Old);
            } else if self.is_surplus(&live, now) {
                live.close_for(Fate::Idle);
            } else {
                Self::put(live);
            }
        }
    }

    /// Whether a connection, out of its slot for a look, was idle for too long and is not needed.
    fn is_surplus(&self, live: &Live<M>, now: Tick) -> bool {
        let Some(limit) = self.config.idle_timeout else { return false };
        // Idle without this one, and with the one that the reaping caller is about to return.
        let rest = self.bag.census().idle + 1;
        now >= after(live.returned_at, limit) && rest >= self.config.min_idle.unwrap_or(0) as usize
    }
}
