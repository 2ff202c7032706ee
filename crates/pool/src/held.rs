//! Who has what: where each lent connection was asked for, when, and by which thread.
//!
//! | `site` | state    | who may leave it, and how                                  |
//! |--------|----------|------------------------------------------------------------|
//! | none   | not lent | the slot's claimant, by `lend`: `site` is written last     |
//! | some   | lent     | the slot's claimant, by `take_back`: nothing else is       |
//!
//! A record lies in its slot, on the cache line that the claim has brought here anyway, and is
//! written by plain stores. Others read it whenever they like: whoever sees a site sees a moment
//! and a thread that are at least as new as it. Read while the connection changes hands, a record
//! can pair an older site with a newer moment: a holder then seems to have only begun, never to
//! have stayed.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use r2d2::ManageConnection;

use crate::clock::{Clock, Tick};
use crate::error::InTheWay;
use crate::shared::Shared;
use crate::site::{AtomicSite, Site};
use crate::slot::Slot;

/// Who has a connection; see [`Pool::holders`](crate::Pool::holders).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Where it was asked for.
    pub call_site: Site,
    /// For how long it has been lent, exact to the coarse clock, a few milliseconds.
    pub held_for: Duration,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lent at {} {:?} ago", self.call_site, self.held_for)
    }
}

/// What a slot says of its holder. Written by the slot's claimant alone.
pub(crate) struct Record {
    site: AtomicSite,
    since: AtomicU64,
    thread: AtomicU64,
    /// How many times this slot's connection was lent.
    lends: AtomicU64,
    /// The exact tick of the last `lend` that is timed.
    timed_from: AtomicU64,
    /// The `lends` of the holder that was last reported. The one word here that others write.
    reported: AtomicU64,
}

/// One `lend` in so many is timed.
const TIMED: u64 = 64;

impl Record {
    pub(crate) const fn blank() -> Self {
        Record {
            site: AtomicSite::none(),
            since: AtomicU64::new(0),
            thread: AtomicU64::new(0),
            lends: AtomicU64::new(0),
            timed_from: AtomicU64::new(0),
            reported: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn lend(&self, site: Site, now: Tick, clock: &Clock) {
        let lends = self.lends() + 1;
        self.lends.store(lends, Ordering::Relaxed);
        if lends % TIMED == 1 {
            self.timed_from.store(clock.exact(), Ordering::Relaxed);
        }
        self.since.store(now, Ordering::Relaxed);
        self.thread.store(this_thread(), Ordering::Relaxed);
        self.site.store(Some(site));
    }

    #[inline]
    pub(crate) fn lends(&self) -> u64 {
        self.lends.load(Ordering::Relaxed)
    }

    /// Whether this holding is one that is timed.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.lends() % TIMED == 1
    }

    pub(crate) fn timed(&self, clock: &Clock) -> Duration {
        let from = self.timed_from.load(Ordering::Relaxed);
        Duration::from_nanos(clock.exact().saturating_sub(from))
    }

    /// Whether this holder was not reported before; from now on it was.
    pub(crate) fn is_news(&self) -> bool {
        let lends = self.lends();
        self.reported.swap(lends, Ordering::Relaxed) != lends
    }

    #[inline]
    pub(crate) fn take_back(&self) {
        self.site.store(None);
    }

    #[inline]
    pub(crate) fn site(&self) -> Option<Site> {
        self.site.load()
    }

    pub(crate) fn holder(&self, now: Tick) -> Option<Holder> {
        let call_site = self.site.load()?;
        let since = self.since.load(Ordering::Relaxed);
        Some(Holder { call_site, held_for: Duration::from_nanos(now.saturating_sub(since)) })
    }

    /// Whether this thread asked for it. Exact: it is this thread's own writing, or another's.
    pub(crate) fn is_mine(&self) -> bool {
        self.site.load().is_some() && self.thread.load(Ordering::Relaxed) == this_thread()
    }
}

/// A number that no other thread has or had.
#[inline]
fn this_thread() -> u64 {
    static THREADS: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: Cell<u64> = const { Cell::new(0) });
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(THREADS.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

impl<M: ManageConnection> Shared<M> {
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.bag.slots().iter().map(Slot::record)
    }

    /// All who have a connection, the longest first.
    pub(crate) fn holders(&self) -> Vec<Holder> {
        let now = self.config.clock.now();
        let mut holders: Vec<_> = self.records().filter_map(|record| record.holder(now)).collect();
        holders.sort_by_key(|holder| std::cmp::Reverse(holder.held_for));
        holders
    }

    /// Whom a caller that waited in vain should look at: first of all itself.
    pub(crate) fn who_is_in_the_way(&self) -> Option<InTheWay> {
        let itself = self.held_by_this_thread().map(InTheWay::Itself);
        itself.or_else(|| self.holders().first().copied().map(InTheWay::Other))
    }

    pub(crate) fn lent_to_this_thread(&self) -> usize {
        self.records().filter(|record| record.is_mine()).count()
    }

    /// Which of this thread's own checkouts is still out, the longest.
    pub(crate) fn held_by_this_thread(&self) -> Option<Holder> {
        let now = self.config.clock.now();
        let mine = self.records().filter(|record| record.is_mine());
        mine.filter_map(|record| record.holder(now)).max_by_key(|holder| holder.held_for)
    }
}
