//! The `Date` header, rendered at most once a second by each thread that needs it.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Length of an IMF-fixdate, e.g. `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) const DATE_LEN: usize = 29;

/// What a machine says whose clock was never in the range of HTTP.
const NO_DATE: &[u8; DATE_LEN] = b"Thu, 01 Jan 1970 00:00:00 GMT";
/// The first second of the year 10000: a date of HTTP has four digits for the year.
const END_S: u64 = 253_402_300_800;

/// Whether HTTP has a date for `time`: from 1970 to 9999. The formatter panics at any other, and
/// file times are anybody's: archives and broken clocks leave any number in them.
pub(crate) fn can_say(time: SystemTime) -> bool {
    time.duration_since(UNIX_EPOCH).is_ok_and(|since| since < Duration::from_secs(END_S))
}

/// The last rendered date and the second it stands for; owned by one thread.
pub(crate) struct DateCache {
    unix_s: u64,
    text: [u8; DATE_LEN],
}

impl DateCache {
    pub(crate) fn new() -> Self {
        let mut cache = Self { unix_s: u64::MAX, text: *NO_DATE };
        cache.refresh();
        cache
    }

    /// Rereads the wall clock; formats only when the second has changed.
    pub(crate) fn refresh(&mut self) {
        let now = SystemTime::now();
        let unix_s = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        if unix_s != self.unix_s {
            self.render(now);
            self.unix_s = unix_s;
        }
    }

    /// A clock that HTTP cannot say keeps the last date: an I/O thread must outlive a bad clock.
    fn render(&mut self, now: SystemTime) {
        if can_say(now)
            && let Ok(text) = httpdate::fmt_http_date(now).as_bytes().try_into()
        {
            self.text = text;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_out_of_range_keeps_the_last_date() {
        let mut cache = DateCache { unix_s: 0, text: *NO_DATE };
        let last = UNIX_EPOCH + Duration::from_secs(END_S - 1);
        cache.render(last);
        assert_eq!(cache.text(), b"Fri, 31 Dec 9999 23:59:59 GMT");
        cache.render(last + Duration::from_secs(1));
        cache.render(UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!(cache.text(), b"Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
