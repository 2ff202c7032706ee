//! What a pool counts.
//!
//! Nothing is counted on a line that two threads write while connections lie ready. Checkouts are
//! counted in the slots, each by its claimant with a plain store, and added up by who asks; all
//! else happens to callers that take their time anyway: they waited, or opened a connection, or are
//! the one of 64 whose holding is timed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use r2d2::ManageConnection;

use crate::checkout::Deadline;
use crate::clock::Tick;
use crate::error::Error;
use crate::histogram::{Buckets, Histogram};
use crate::live::{Fate, Live};
use crate::pooled::Pooled;
use crate::shared::Shared;
use crate::site::Site;

/// What a pool has done since it was built, counted without a lock and not at one instant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Metrics {
    /// Connections lent.
    pub checkouts: u64,
    /// Of these and of the refused, the callers that found no trusted connection ready: they had to
    /// test one, to open one, or to wait.
    pub waits: u64,
    /// Callers whose deadline came first.
    pub timeouts: u64,
    /// Callers that got any other error.
    pub refusals: u64,
    /// Connections opened.
    pub opened: u64,
    /// Attempts to open one that failed or panicked.
    pub connect_failures: u64,
    /// Connections closed, by cause.
    pub closed: Closed,
    /// How long callers took to get a connection or an error; zero for those that found one ready.
    pub wait: Histogram,
    /// How long connections were lent: a sample, every 64th time that a slot's connection was.
    pub hold: Histogram,
    /// How long it took to open a connection.
    pub connect: Histogram,
}

/// How many connections were closed, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed([u64; Fate::ALL.len()]);

impl Closed {
    /// Returns how many were closed for this reason.
    pub fn by(&self, why: Fate) -> u64 {
        self.0[why as usize]
    }

    /// Returns how many were closed at all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// The counters that callers share, none of them on the short path. On cache lines of its own: what
/// the short path reads lies beside it.
#[repr(align(128))]
pub(crate) struct Tally {
    pub(crate) waits: AtomicU64,
    /// Of the waits, the ones that ended with a connection.
    pub(crate) served: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    pub(crate) refusals: AtomicU64,
    pub(crate) connect_failures: AtomicU64,
    closed: [AtomicU64; Fate::ALL.len()],
    pub(crate) wait: Buckets,
    pub(crate) hold: Buckets,
    pub(crate) connect: Buckets,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Tally {
            waits: zero(),
            served: zero(),
            timeouts: zero(),
            refusals: zero(),
            connect_failures: zero(),
            closed: Fate::ALL.map(|_| zero()),
            wait: Buckets::new(),
            hold: Buckets::new(),
            connect: Buckets::new(),
        }
    }

    pub(crate) fn count_closed(&self, why: Fate) {
        count(&self.closed[why as usize]);
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl<M: ManageConnection> Shared<M> {
    pub(crate) fn metrics(&self) -> Metrics {
        let tally = &self.tally;
        let checkouts: u64 = self.records().map(|record| record.lends()).sum();
        let connect = tally.connect.read();
        Metrics {
            checkouts,
            waits: read(&tally.waits),
            timeouts: read(&tally.timeouts),
            refusals: read(&tally.refusals),
            opened: connect.count(),
            connect_failures: read(&tally.connect_failures),
            closed: Closed(std::array::from_fn(|why| read(&tally.closed[why]))),
            wait: tally.wait.read().with_zeros(checkouts.saturating_sub(read(&tally.served))),
            hold: tally.hold.read(),
            connect,
        }
    }

    /// Checks out as `check_out` does, and keeps the books of it.
    #[cold]
    pub(crate) fn check_out_slowly(
        self: &Arc<Self>,
        doubtful: Option<Box<Live<M>>>,
        deadline: Deadline,
        site: Site,
    ) -> Result<Pooled<M>, Error<M::Error>> {
        self.report_leaks(self.config.clock.now());
        let found = self.check_out(doubtful, deadline);
        let (live, now, waited) = self.book(found, deadline, site)?;
        count(&self.tally.served);
        Ok(Pooled::lend(live, site, now, waited))
    }

    /// Checks out as `check_out_many` does, and keeps the books of it: one wait, however many.
    pub(crate) fn check_out_many_slowly(
        self: &Arc<Self>,
        wanted: u32,
        deadline: Deadline,
        site: Site,
    ) -> Result<Vec<Pooled<M>>, Error<M::Error>> {
        self.report_leaks(self.config.clock.now());
        let found = self.check_out_many(wanted, deadline);
        let (lives, now, waited) = self.book(found, deadline, site)?;
        let lend = |live| {
            count(&self.tally.served);
            Pooled::lend(live, site, now, waited)
        };
        Ok(lives.into_iter().map(lend).collect())
    }

    /// Counts how long a caller waited, and what it did not get.
    fn book<T>(
        &self,
        found: Result<T, Error<M::Error>>,
        deadline: Deadline,
        site: Site,
    ) -> Result<(T, Tick, Duration), Error<M::Error>> {
        let (now, waited) = (self.config.clock.now(), deadline.asked.elapsed());
        count(&self.tally.waits);
        self.tally.wait.count(waited);
        found.map(|found| (found, now, waited)).inspect_err(|error| {
            count(if error.is_timeout() { &self.tally.timeouts } else { &self.tally.refusals });
            self.report_leaks(now);
            self.config.events.refused(site, error, waited);
        })
    }

    pub(crate) fn count_hold(&self, held: Duration) {
        self.tally.hold.count(held);
    }
}
