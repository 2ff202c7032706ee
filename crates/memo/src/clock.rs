//! Time, as far as expiry needs it.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A clock that never needs to be right, only to go forward: time since an instant of its choice.
///
/// Any `Fn() -> Duration` is one, so a test injects a counter that it moves by hand. If it goes
/// back, entries live longer by that much; nothing else happens.
///
/// It is asked under locks of whatever it was given to, which it must not use.
pub trait Clock: Send + Sync + 'static {
    /// Returns the time since the clock's own epoch.
    fn now(&self) -> Duration;
}

impl<F: Fn() -> Duration + Send + Sync + 'static> Clock for F {
    fn now(&self) -> Duration {
        self()
    }
}

/// The monotonic clock of the system, as hits read it: exact to a few milliseconds where the system
/// has such a clock for a few nanoseconds, as Linux does.
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn coarse() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn coarse() -> Duration {
    exact()
}

/// The same, exact, for what is over in microseconds. Not to be compared with `coarse`.
pub(crate) fn exact() -> Duration {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    EPOCH.get_or_init(Instant::now).elapsed()
}
