//! The `Date` header, rendered at most once a second by each thread that needs it.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

/// Length of an IMF-fixdate, e.g. `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) const DATE_LEN: usize = 29;

/// The last rendered date and the second it stands for; owned by one thread.
pub(crate) struct DateCache {
    unix_s: u64,
    text: [u8; DATE_LEN],
}

impl DateCache {
    pub(crate) fn new() -> Self {
        let mut cache = Self { unix_s: u64::MAX, text: [b' '; DATE_LEN] };
        cache.refresh();
        cache
    }

    /// Rereads the wall clock; formats only when the second has changed.
    pub(crate) fn refresh(&mut self) {
        let now = SystemTime::now();
        let unix_s = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        if unix_s != self.unix_s {
            let text = httpdate::fmt_http_date(now);
            // A clock beyond the year 9999 has no fixed-length form: keep the last one.
            if let Ok(text) = text.as_bytes().try_into() {
                self.text = text;
            }
            self.unix_s = unix_s;
        }
    }

    pub(crate) fn unix_s(&self) -> u64 {
        self.unix_s
    }

    pub(crate) fn text(&self) -> &[u8; DATE_LEN] {
        &self.text
    }
}

/// Calls `f` with the current date, from this thread's own cache.
pub(crate) fn with_date<R>(f: impl FnOnce(&DateCache) -> R) -> R {
    thread_local!(static CACHE: RefCell<DateCache> = RefCell::new(DateCache::new()));
    CACHE.with_borrow_mut(|cache| {
        cache.refresh();
        f(cache)
    })
}
