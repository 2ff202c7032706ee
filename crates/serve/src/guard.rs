//! Code of the user's, run where a panic must not get out: on I/O threads, workers, the reaper.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; `None` if it panics.
///
/// What a panic carries is the user's too, and its drop may panic in turn: it is dropped in here,
/// and what comes of that is forgotten.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    let payload = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => return Some(value),
        Err(payload) => payload,
    };
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
    None
}

/// Drops what is, or may hold, something of the user's.
pub(crate) fn drop_guarded<T>(value: T) {
    let _ = guarded(|| drop(value));
}
