//! Time, as far as expiry needs it.

use std::time::{Duration, Instant};

/// A clock that never needs to be right, only to go forward: time since an instant of its choice.
///
/// Any `Fn() -> Duration` is one, so a test injects a counter that it moves by hand. If it goes
/// back, entries live longer by that much; nothing else happens.
pub trait Clock: Send + Sync + 'static {
    /// Returns the time since the clock's own epoch.
    fn now(&self) -> Duration;
}

impl<F: Fn() -> Duration + Send + Sync + 'static> Clock for F {
    fn now(&self) -> Duration {
        self()
    }
}

/// The monotonic clock of the system.
pub(crate) fn system() -> impl Clock {
    let epoch = Instant::now();
    move || epoch.elapsed()
}
