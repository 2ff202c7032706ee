//! How long an entry lives, and what is due in which part of its life.
//!
//! ```text
//!   load begins                       window opens          expires             grace is over
//!        |------------ Live --------------|------ Due ---------|------- Grace -------|--- Over
//!                                          8 turns of a refresh  128 turns of a load
//!                                          that may fail         that may fail
//! ```
//!
//! An entry that nobody asks for passes from `Live` or `Due` to `Grace` when it has been idle for
//! too long. In a window each turn is taken by one caller at most: the next turn to be taken stands
//! in the entry, and a caller takes one by raising that number.
//!
//! A clock that goes back makes entries younger. Differences saturate, so nothing else happens.

use crate::entry::Entry;
use crate::sync::Ordering;
use std::time::Duration;

/// A time of the memo's clock, or a length of time, in nanoseconds (584 years of them).
pub(crate) type Nanos = u64;

/// Later than all times.
pub(crate) const NEVER: Nanos = Nanos::MAX;

/// Turns of the refresh window, and of the grace after it.
const REFRESH_TURNS: u8 = 8;
const GRACE_TURNS: u8 = 128;
/// A hit notes its time when the last note is this part of the idle time old.
const IDLE_PARTS: Nanos = 16;

/// The lengths that a memo was built with.
#[derive(Clone, Copy)]
pub(crate) struct Lifetimes {
    /// From the beginning of a load to its expiry; `NEVER` without one.
    pub(crate) ttl: Nanos,
    /// From the last hit to the expiry; `NEVER` without one.
    pub(crate) idle: Nanos,
    /// How long before its expiry an entry is due for a refresh; 0 for never.
    pub(crate) refresh: Nanos,
    /// How long after its expiry an entry serves if its load fails; 0 for not at all.
    pub(crate) grace: Nanos,
}

/// The part of its life that an entry is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Live,
    /// Live, and in this turn of the refresh window.
    Due(u8),
    /// Expired, and in this turn of its grace.
    Grace(u8),
    Over,
}

impl Phase {
    pub(crate) fn is_live(self) -> bool {
        matches!(self, Phase::Live | Phase::Due(_))
    }

    /// The turns that are not to be taken any more once this phase's was.
    pub(crate) fn next_turn(self) -> u8 {
        match self {
            Phase::Live => 0,
            Phase::Due(turn) | Phase::Grace(turn) => turn + 1,
            Phase::Over => u8::MAX,
        }
    }
}

impl Lifetimes {
    pub(crate) const ENDLESS: Lifetimes =
        Lifetimes { ttl: NEVER, idle: NEVER, refresh: 0, grace: 0 };

    /// When a value expires whose load began then and that asked for a life of its own, or not.
    pub(crate) fn expiry(&self, begun: Nanos, own: Option<Duration>) -> Nanos {
        begun.saturating_add(own.map_or(self.ttl, nanos))
    }

    /// Tells whether the time matters at all to what expires then: if not, no clock has to be
    /// read.
    #[inline]
    pub(crate) fn bind(&self, expires: Nanos) -> bool {
        expires != NEVER || self.idle != NEVER
    }

    /// The phase of an entry now.
    #[inline]
    pub(crate) fn phase<V>(&self, entry: &Entry<V>, now: Nanos) -> Phase {
        let end = self.end(entry);
        if now >= end {
            return self.after(now - end);
        }
        let left = entry.expires - now.min(entry.expires);
        if left <= self.refresh {
            let turn = (self.refresh - left) / (self.refresh / u64::from(REFRESH_TURNS)).max(1);
            return Phase::Due(turn.min(u64::from(REFRESH_TURNS) - 1) as u8);
        }
        Phase::Live
    }

    /// When the entry ends, if nobody asks for it until then.
    #[inline]
    fn end<V>(&self, entry: &Entry<V>) -> Nanos {
        match self.idle {
            NEVER => entry.expires,
            idle => entry.expires.min(entry.used.load(Ordering::Relaxed).saturating_add(idle)),
        }
    }

    fn after(&self, late: Nanos) -> Phase {
        if late >= self.grace {
            return Phase::Over;
        }
        let turn = late / (self.grace / u64::from(GRACE_TURNS)).max(1);
        Phase::Grace(REFRESH_TURNS + turn.min(u64::from(GRACE_TURNS) - 1) as u8)
    }

    /// Notes that the entry was asked for. The last sixteenth of its idle time is not exact, so
    /// that a popular entry is written sixteen times in it, and not at each hit.
    #[inline]
    pub(crate) fn note_use<V>(&self, entry: &Entry<V>, now: Nanos) {
        if self.idle != NEVER {
            let used = entry.used.load(Ordering::Relaxed);
            if now.saturating_sub(used) > self.idle / IDLE_PARTS {
                entry.used.store(now, Ordering::Relaxed);
            }
        }
    }
}

/// A length of time in nanoseconds, at most `NEVER`.
#[inline]
pub(crate) fn nanos(length: Duration) -> Nanos {
    let seconds = length.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::from(length.subsec_nanos()))
}
