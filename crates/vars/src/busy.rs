//! Whether this thread is inside a closure that an array is running.
//!
//! Such a closure may run under the locks of its array. An update from within it could wait for
//! ever, for itself or for another thread that waits for it; so it is refused, always, and on
//! every array. Reads from within it take no stripe; what they do instead is in `pause`.

use crate::error::Error;
use crate::sync::const_thread_local;
use std::cell::Cell;

const_thread_local! {
    static BUSY: Cell<bool> = Cell::new(false);
}

/// This thread is inside, until this is dropped.
pub(crate) struct Busy {
    _private: (),
}

impl Busy {
    /// Enters, unless this thread is inside already.
    #[inline]
    pub(crate) fn enter() -> Option<Self> {
        match BUSY.with(|busy| busy.replace(true)) {
            true => None,
            false => Some(Busy { _private: () }),
        }
    }

    /// Enters to change something.
    #[inline]
    pub(crate) fn enter_to_change() -> Result<Self, Error> {
        Busy::enter().ok_or_else(Error::reentrant)
    }
}

impl Drop for Busy {
    #[inline]
    fn drop(&mut self) {
        BUSY.with(|busy| busy.set(false));
    }
}
