//! The pool's notion of age: coarse ticks, and a clock that tests turn by hand.
//!
//! Ages (idle time, lifetime) are counted in ticks of the coarse monotonic clock, exact to a few
//! milliseconds. Deadlines of waiting callers are not: they are exact, and always real time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Nanoseconds since some fixed moment.
pub(crate) type Tick = u64;

/// Later than every tick.
pub(crate) const NEVER: Tick = u64::MAX;

/// Adds a duration to a tick; what does not fit is never.
pub(crate) fn after(tick: Tick, duration: Duration) -> Tick {
    tick.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(NEVER))
}

/// Tells a pool how old its connections are; see [`Builder::clock`](crate::Builder::clock).
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// The system's monotonic clock, which is the default.
    pub fn system() -> Self {
        Clock(None)
    }

    /// A clock that stands still until [`advance`](Clock::advance)d: tests of ageing need no sleep.
    ///
    /// ```
    /// use larder_pool::Clock;
    /// let clock = Clock::manual();
    /// let the_pool_has = clock.clone();
    /// clock.advance(std::time::Duration::from_secs(3600));
    /// # let _ = the_pool_has;
    /// ```
    pub fn manual() -> Self {
        Clock(Some(Arc::new(AtomicU64::new(0))))
    }

    /// Turns a manual clock, and all its clones, forward.
    ///
    /// # Panics
    /// On the system clock.
    pub fn advance(&self, by: Duration) {
        let hands = self.0.as_ref().expect("only a manual clock can be advanced");
        hands.fetch_add(after(0, by), Ordering::Relaxed);
    }

    /// The exact time, for what is over in microseconds. Not to be compared with `now`.
    pub(crate) fn exact(&self) -> Tick {
        match &self.0 {
            None => exact_now(),
            Some(hands) => hands.load(Ordering::Relaxed),
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> Tick {
        match &self.0 {
            None => system_now(),
            Some(hands) => hands.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock::manual" } else { "Clock::system" })
    }
}

#[cfg(target_os = "linux")]
#[inline]
fn system_now() -> Tick {
    read(rustix::time::ClockId::MonotonicCoarse)
}

#[cfg(target_os = "linux")]
fn exact_now() -> Tick {
    read(rustix::time::ClockId::Monotonic)
}

#[cfg(target_os = "linux")]
#[inline]
fn read(clock: rustix::time::ClockId) -> Tick {
    let time = rustix::time::clock_gettime(clock);
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

#[cfg(not(target_os = "linux"))]
fn system_now() -> Tick {
    exact_now()
}

#[cfg(not(target_os = "linux"))]
fn exact_now() -> Tick {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    after(0, START.get_or_init(Instant::now).elapsed())
}
