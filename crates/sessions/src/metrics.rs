//! What has happened, counted without a line that all threads write.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::store::Census;

/// What the sessions of this process have done since they were built, and what the store holds.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// What the store holds: live sessions, the backlog of the clean-up, waits of writers.
    pub census: Census,
    /// Sessions created: one that goes on under another id is not another one.
    pub created: u64,
    /// Expired sessions removed by this process.
    pub expired: u64,
    /// Sessions ended: by their owners, by logout, or by the limit at a login.
    pub revoked: u64,
    /// Ids renewed, by logins too.
    pub renewed: u64,
    /// Idle ends put off.
    pub touched: u64,
    /// Idle ends that could not be put off, since the store failed. The answer was given.
    pub touch_faults: u64,
    /// Cookies with an id that the store does not know.
    pub unknown: u64,
    /// Saves stored at the first try.
    pub saved: u64,
    /// Saves that found another version and were merged with it.
    pub merged: u64,
    /// Saves refused for another's change of the same key, and renewals and logins that left such a
    /// change unsaved.
    pub conflicts: u64,
    /// Saves refused since the session was revoked or had expired, or had another id by a login.
    pub gone: u64,
    /// Logins refused: by the limit of sessions or of networks.
    pub refused: u64,
    /// Logins, or uses of a session, that passed the limit of networks.
    pub flagged: u64,
    /// Steps of a [`Sweeper`](crate::Sweeper) that failed.
    pub sweep_faults: u64,
}

#[derive(Clone, Copy)]
pub(crate) enum Event {
    Created,
    Expired,
    Revoked,
    Renewed,
    Touched,
    TouchFault,
    Unknown,
    Saved,
    Merged,
    Conflict,
    Gone,
    Refused,
    Flagged,
    SweepFault,
}

const EVENTS: usize = 14;
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
        self.add_many(event, 1);
    }

    pub(crate) fn add_many(&self, event: Event, count: usize) {
        // A thread that is ending has no stripe of its own any more.
        let stripe = STRIPE.try_with(Cell::get).unwrap_or(0);
        self.0[stripe].0[event as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, census: Census) -> Metrics {
        let sum = |event: Event| {
            self.0.iter().map(|stripe| stripe.0[event as usize].load(Ordering::Relaxed)).sum()
        };
        Metrics {
            census,
            created: sum(Event::Created),
            expired: sum(Event::Expired),
            revoked: sum(Event::Revoked),
            renewed: sum(Event::Renewed),
            touched: sum(Event::Touched),
            touch_faults: sum(Event::TouchFault),
            unknown: sum(Event::Unknown),
            saved: sum(Event::Saved),
            merged: sum(Event::Merged),
            conflicts: sum(Event::Conflict),
            gone: sum(Event::Gone),
            refused: sum(Event::Refused),
            flagged: sum(Event::Flagged),
            sweep_faults: sum(Event::SweepFault),
        }
    }
}
