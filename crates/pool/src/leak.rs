//! Connections that do not come back.
//!
//! As with ageing there is no thread for it: a return that is due, or a caller that finds nothing
//! ready, looks at the slots' records and reports, once each, who has had a connection for too long.

use std::sync::atomic::Ordering;
use std::time::Duration;

use r2d2::ManageConnection;

use crate::clock::{NEVER, Tick, after};
use crate::shared::Shared;

impl<M: ManageConnection> Shared<M> {
    /// Reports come at most a quarter of the threshold late, when there are callers.
    pub(crate) fn next_leak_report(&self, now: Tick) -> Tick {
        match self.config.leak_threshold {
            Some(threshold) => after(now, (threshold / 4).max(Duration::from_millis(1))),
            None => NEVER,
        }
    }

    /// Reports those who are new among the too long, one caller at a time.
    #[cold]
    pub(crate) fn report_leaks(&self, now: Tick) {
        let Some(threshold) = self.config.leak_threshold else { return };
        let due = self.leak_at.load(Ordering::Relaxed);
        let next = self.next_leak_report(now);
        let claimed =
            self.leak_at.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        if now < due || claimed.is_err() {
            return;
        }
        for record in self.records() {
            if let Some(holder) = record.holder(now)
                && holder.held_for >= threshold
                && record.is_news()
            {
                self.config.events.leaked(&holder);
            }
        }
    }
}
