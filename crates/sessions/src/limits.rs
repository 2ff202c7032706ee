//! How many sessions a user may have, and from how many places.

use std::time::Duration;

use crate::clock::millis;

/// The most that any limit allows: each login looks at all sessions of the user.
const MAX_PER_USER: usize = 1000;

/// How many sessions a user may have at once, and what a login does when there are as many.
///
/// To refuse lets whoever came first lock out whoever comes later, the owner among them; to end
/// another lets the last to log in end the owner's session, who notices. There is no right answer
/// for all, only for a site.
#[derive(Clone, Copy, Debug)]
pub struct PerUser {
    pub(crate) max: usize,
    pub(crate) policy: Policy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Refuse,
    EvictOldest,
    EvictIdle,
}

impl PerUser {
    /// Refuses the login.
    ///
    /// # Panics
    /// When `max` is 0 or above 1,000; as the others do.
    pub fn refuse(max: usize) -> PerUser {
        PerUser::new(max, Policy::Refuse)
    }

    /// Ends the session of the oldest login.
    ///
    /// # Panics
    /// As [`refuse`](PerUser::refuse).
    pub fn evict_oldest(max: usize) -> PerUser {
        PerUser::new(max, Policy::EvictOldest)
    }

    /// Ends the session that was not used for longest, to a sixteenth of the idle time-out.
    ///
    /// # Panics
    /// As [`refuse`](PerUser::refuse).
    pub fn evict_idle(max: usize) -> PerUser {
        PerUser::new(max, Policy::EvictIdle)
    }

    fn new(max: usize, policy: Policy) -> PerUser {
        assert!((1..=MAX_PER_USER).contains(&max), "{max} sessions a user: 1 to {MAX_PER_USER}");
        PerUser { max, policy }
    }
}

/// How many distinct networks (/24 or /56) an account may be used from within a window of time:
/// an account that many share is used from many.
#[derive(Clone, Copy, Debug)]
pub struct Networks {
    pub(crate) max: usize,
    pub(crate) window_ms: u64,
    pub(crate) is_locked: bool,
}

impl Networks {
    /// Admits the login from one more, and says so: [`Login::Admitted`](crate::Login::Admitted) has
    /// the networks then.
    ///
    /// # Panics
    /// When `max` is 0 or above 32, or the window is zero.
    pub fn flag(max: usize, window: Duration) -> Networks {
        Networks::new(max, window, false)
    }

    /// Refuses the login from one more, with [`Login::Locked`](crate::Login::Locked). The networks
    /// that were seen before go on, so that nobody can lock the owner out at home.
    ///
    /// # Panics
    /// As [`flag`](Networks::flag).
    pub fn lock(max: usize, window: Duration) -> Networks {
        Networks::new(max, window, true)
    }

    fn new(max: usize, window: Duration, is_locked: bool) -> Networks {
        assert!((1..=32).contains(&max), "{max} networks: 1 to 32");
        assert!(!window.is_zero(), "a window of no time");
        Networks { max, window_ms: millis(window), is_locked }
    }
}
