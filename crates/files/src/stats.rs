//! What a cache has done, counted without a line that all threads write.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::faults::Fault;

/// What a cache has done since it was opened, and what it holds.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Hits on an open descriptor.
    pub hits_hot: u64,
    /// Hits that opened and verified a file.
    pub hits_cold: u64,
    /// Look-ups that found nothing usable.
    pub misses: u64,
    /// Entries made here, stored or not.
    pub made: u64,
    /// Look-ups that joined another's flight.
    pub coalesced: u64,
    /// Look-ups answered by a remembered refusal.
    pub refused: u64,
    /// Files evicted for room.
    pub evicted: u64,
    /// Files found empty, cut short, altered or foreign, and removed.
    pub torn: u64,
    /// Whole files of another key found in the place of one, and removed.
    pub collisions: u64,
    /// What the disk refused to do.
    pub faults: u64,
    /// The last such refusal.
    pub last_fault: Option<Fault>,
    /// Bytes on disk, in blocks of 4 KiB, as far as they are counted.
    pub bytes: u64,
    /// Bytes promised to entries that are being written here; these and `bytes` together keep
    /// [`max_bytes`](crate::Limits::max_bytes).
    pub bytes_being_written: u64,
    /// Files on disk, as far as they are counted.
    pub files: u64,
    /// Entries with an open descriptor.
    pub open_descriptors: u64,
    /// Have the files that were there at open all been counted?
    pub counted: bool,
    /// The directory cannot be written: hits are served, nothing is stored.
    pub read_only: bool,
}

/// What is counted in stripes.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    HitHot,
    HitCold,
    Miss,
    Made,
    Coalesced,
    Refused,
    Evicted,
    Torn,
    Collision,
}

const EVENTS: usize = 9;
const STRIPES: usize = 32;

/// One thread's counters, mostly: a thread keeps to one stripe, and shares it only when there are
/// more threads than stripes. Padded so that stripes share no line.
#[derive(Default)]
#[repr(align(128))]
struct Stripe([AtomicU64; EVENTS]);

#[derive(Default)]
pub(crate) struct Counters([Stripe; STRIPES]);

static NEXT_STRIPE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static STRIPE: Cell<usize> = Cell::new(NEXT_STRIPE.fetch_add(1, Ordering::Relaxed) % STRIPES);
}

impl Counters {
    pub(crate) fn add(&self, event: Event) {
        // A thread that is ending has no stripe of its own any more.
        let stripe = STRIPE.try_with(Cell::get).unwrap_or(0);
        self.0[stripe].0[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, stats: &mut Stats) {
        let sum = |event: Event| {
            self.0.iter().map(|stripe| stripe.0[event as usize].load(Ordering::Relaxed)).sum()
        };
        stats.hits_hot = sum(Event::HitHot);
        stats.hits_cold = sum(Event::HitCold);
        stats.misses = sum(Event::Miss);
        stats.made = sum(Event::Made);
        stats.coalesced = sum(Event::Coalesced);
        stats.refused = sum(Event::Refused);
        stats.evicted = sum(Event::Evicted);
        stats.torn = sum(Event::Torn);
        stats.collisions = sum(Event::Collision);
    }
}
