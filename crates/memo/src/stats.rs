//! What a memo has done so far.

use crate::entry::COST_UNIT;
use crate::listener::Cause;
use crate::stripes::Stripes;
use crate::sync::Apart;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a [`Memo`](crate::Memo) has done since it was built.
///
/// Counts are exact when no other thread is counting meanwhile; else each is as of some moment of
/// the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Look-ups that found a value.
    pub hits: u64,
    /// Look-ups that found that there is no value: see [`Builder::negative`](crate::Builder::negative).
    pub negative_hits: u64,
    /// Look-ups that found neither.
    pub misses: u64,
    /// Loaders that ran, those that refreshed an entry included.
    pub loads: u64,
    /// Loaders that returned an error or panicked.
    pub load_failures: u64,
    /// What the loaders took together.
    pub load_time: Duration,
    /// What the hits would have taken: for each of them, what the load of its value took (in
    /// steps of 64 ns). A value that was inserted has cost nothing.
    pub load_time_saved: Duration,
    /// Misses that were answered by a load of another caller.
    pub coalesced: u64,
    /// Waits for a load of another caller that lasted too long.
    pub timeouts: u64,
    /// Expired values that were returned because their load failed or lasted too long.
    pub stale_serves: u64,
    /// Loads that replaced a value before it expired.
    pub refreshes: u64,
    /// Entries that left to make room.
    pub evicted: u64,
    /// Entries that were expired when their place was needed.
    pub expired: u64,
    /// Entries that were invalidated, or made stale by a bump and then in the way.
    pub invalidated: u64,
    /// Entries whose key was loaded again or inserted.
    pub replaced: u64,
    /// Entries that take up room now, as [`Memo::len`](crate::Memo::len) counts them.
    pub entries: u64,
    /// Keys that are known to have no value now, as far as they take up room.
    pub negative_entries: u64,
    /// What the entries weigh now: see [`Memo::weight`](crate::Memo::weight).
    pub weight: u64,
}

impl Stats {
    /// The share of look-ups that were answered at once, from 0 to 1; 0 before the first.
    pub fn hit_ratio(&self) -> f64 {
        let hits = self.hits + self.negative_hits;
        match hits + self.misses {
            0 => 0.0,
            lookups => hits as f64 / lookups as f64,
        }
    }
}

/// The counters behind `Stats`.
pub(crate) struct Counters {
    /// Written by hits, each thread on a line of its own.
    stripes: Stripes,
    /// Written where locks are taken anyway, on lines that no hit reads.
    rare: Apart<Rare>,
}

#[derive(Default)]
pub(crate) struct Rare {
    pub(crate) loads: Counter,
    pub(crate) load_failures: Counter,
    pub(crate) load_ns: Counter,
    pub(crate) coalesced: Counter,
    pub(crate) timeouts: Counter,
    pub(crate) stale_serves: Counter,
    pub(crate) refreshes: Counter,
    evicted: Counter,
    expired: Counter,
    invalidated: Counter,
    replaced: Counter,
}

/// A counter on a cold path.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn new() -> Self {
        Counters { stripes: Stripes::new(), rare: Apart(Rare::default()) }
    }

    /// Counts a hit that saved so many `COST_UNIT`s.
    #[inline]
    pub(crate) fn count_hit(&self, saved: u32) {
        self.stripes.count(|stripe, add| {
            add(&stripe.hits, 1);
            add(&stripe.saved, saved.into());
        });
    }

    pub(crate) fn count_negative_hit(&self) {
        self.stripes.count(|stripe, add| add(&stripe.negative_hits, 1));
    }

    pub(crate) fn count_miss(&self) {
        self.stripes.count(|stripe, add| add(&stripe.misses, 1));
    }

    pub(crate) fn count_departure(&self, cause: Cause) {
        let rare = self.rare();
        match cause {
            Cause::Evicted => rare.evicted.add(1),
            Cause::Expired => rare.expired.add(1),
            Cause::Invalidated => rare.invalidated.add(1),
            Cause::Replaced => rare.replaced.add(1),
        }
    }

    pub(crate) fn rare(&self) -> &Rare {
        &self.rare.0
    }

    /// All but what stands there now.
    pub(crate) fn snapshot(&self) -> Stats {
        let rare = self.rare();
        let saved_ns = self.stripes.sum(|stripe| &stripe.saved).saturating_mul(COST_UNIT);
        Stats {
            hits: self.stripes.sum(|stripe| &stripe.hits),
            negative_hits: self.stripes.sum(|stripe| &stripe.negative_hits),
            misses: self.stripes.sum(|stripe| &stripe.misses),
            loads: rare.loads.get(),
            load_failures: rare.load_failures.get(),
            load_time: Duration::from_nanos(rare.load_ns.get()),
            load_time_saved: Duration::from_nanos(saved_ns),
            coalesced: rare.coalesced.get(),
            timeouts: rare.timeouts.get(),
            stale_serves: rare.stale_serves.get(),
            refreshes: rare.refreshes.get(),
            evicted: rare.evicted.get(),
            expired: rare.expired.get(),
            invalidated: rare.invalidated.get(),
            replaced: rare.replaced.get(),
            ..Stats::default()
        }
    }
}
