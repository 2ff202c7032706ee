//! The one door to threads: std in the product, loom in the models.
//!
//! Everything that two threads can touch is built from what this module exports, so that
//! `RUSTFLAGS="--cfg loom"` swaps the lot and the models drive the very code that ships.

#[cfg(not(loom))]
mod real {
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, fence};
    pub(crate) use std::sync::{Mutex, MutexGuard};
    pub(crate) use std::thread::yield_now;
}

#[cfg(loom)]
mod real {
    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, fence};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use loom::thread::yield_now;
}

pub(crate) use real::*;
use std::sync::PoisonError;
pub(crate) use std::sync::atomic::Ordering;

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

/// Locks, whatever became of the last holder: the locks of this crate guard no data that a panic
/// could leave half changed. A change is computed first, by code that may panic, and made then.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
