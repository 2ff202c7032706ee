//! A call site that one thread writes and others may read. Unsafe, like `slot.rs`.
//!
//! A [`Location`] that the compiler makes for a caller is `'static`: a pointer to one never
//! dangles, so an atomic pointer is all it takes to show it to other threads.
#![allow(unsafe_code)]

use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Where in the program something was asked for.
pub(crate) type Site = &'static Location<'static>;

/// A call site, or none.
pub(crate) struct AtomicSite(AtomicPtr<Location<'static>>);

impl AtomicSite {
    pub(crate) const fn none() -> Self {
        AtomicSite(AtomicPtr::new(ptr::null_mut()))
    }

    /// Release pairs with the Acquire of `load`: who sees the site sees what was written before.
    #[inline]
    pub(crate) fn store(&self, site: Option<Site>) {
        let raw = site.map_or(ptr::null(), ptr::from_ref);
        self.0.store(raw.cast_mut(), Ordering::Release);
    }

    /// Acquire pairs with the Release of `store`.
    #[inline]
    pub(crate) fn load(&self) -> Option<Site> {
        let raw = self.0.load(Ordering::Acquire);
        // SAFETY: null, or stored by `store` from a `&'static`, which is valid for ever; nobody
        // writes through it.
        unsafe { raw.cast_const().as_ref() }
    }
}
