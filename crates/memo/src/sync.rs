//! The one door to threads: std in the product, loom in the models.
//!
//! Everything that two threads can touch is built from what this module exports, so that
//! `RUSTFLAGS="--cfg loom"` swaps the lot and the models drive the very code that ships.

#[cfg(not(loom))]
mod real {
    pub(crate) use std::sync::atomic::{
        AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence,
    };
    pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
    pub(crate) use std::thread::{ThreadId, current};
}

#[cfg(loom)]
mod real {
    pub(crate) use loom::sync::atomic::{
        AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence,
    };
    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
    pub(crate) use loom::thread::{ThreadId, current};
}

pub(crate) use real::*;
use std::sync::PoisonError;
pub(crate) use std::sync::atomic::Ordering;
use std::time::Instant;

/// Declares a constructor that is `const` in the product; loom's types have no `const fn new`.
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => {
        #[cfg(not(loom))]
        $(#[$meta])* $vis const fn $($rest)*
        #[cfg(loom)]
        $(#[$meta])* $vis fn $($rest)*
    };
}
pub(crate) use const_unless_loom;

/// Declares a thread-local that is made at compile time; loom's are made on first use.
macro_rules! const_thread_local {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => {
        #[cfg(not(loom))]
        std::thread_local! { $(#[$meta])* static $name: $type = const { $init } }
        #[cfg(loom)]
        loom::thread_local! { $(#[$meta])* static $name: $type = $init }
    };
}
pub(crate) use const_thread_local;

/// Locks, whatever became of the last holder. Each critical section of this crate leaves its data
/// safe to use at every point where user code may panic, and whole where `Clone` does. A `Hash` or
/// an `Eq` that panics may leave counts behind that are wrong: those must not panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a notification or the deadline; may wake early. The models know no time, so there
/// a deadline never comes.
pub(crate) fn wait<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Option<Instant>,
) -> MutexGuard<'a, T> {
    match deadline.filter(|_| !cfg!(loom)) {
        None => condvar.wait(guard).unwrap_or_else(PoisonError::into_inner),
        Some(deadline) => {
            let left = deadline.saturating_duration_since(Instant::now());
            condvar.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

/// A value on cache lines of its own, away from what readers of its neighbours read. Two lines,
/// for the prefetcher that fetches them in pairs.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct Apart<T>(pub(crate) T);
