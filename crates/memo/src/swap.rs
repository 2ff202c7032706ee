//! A whole that is swapped while it is read.
//!
//! This file holds unsafe code: readers follow a pointer that a swap takes away.
//!
//! # States of a whole
//!
//! | state | a reader that begins now | next |
//! |---|---|---|
//! | current: `current` points to it, `owned.current` counts it | gets it | retired, by a swap |
//! | retired: `owned.retired` counts it | gets a later one | freed, when no hazard holds it |
//! | freed | - | - |
//!
//! A reader writes the pointer to its hazard, fences, and looks whether it is still current
//! (`hazard` has the argument); only then it follows it. A swap stores the new pointer, fences, and
//! keeps the old whole for as long as a hazard holds it. To set and to free are two steps of the
//! writer, so that it can tell others of the first before the second runs user code.
//!
//! Nobody comes to collect. A reader that ends looks once more whether all that its hazard held is
//! current; if not, it sweeps: so the last reader of a retired whole frees it, or the writer does
//! that retired it. By the two fences one of them sees the other. What a reader leaves that panics
//! is for the next sweep: that of the next swap, or of the drop, which has no readers.
//!
//! # Locks
//!
//! `owned`, then `hazard`'s list. Both are held for moments, no user code runs under them, and a
//! reader takes them only when it has no hazard left, or in a sweep.
#![allow(unsafe_code)]

use crate::hazard::{self, Hazard};
use crate::sync::{Apart, Arc, AtomicPtr, Mutex, Ordering, const_unless_loom, lock};
use std::hint::spin_loop;
use std::mem;
use std::ptr::null_mut;
use std::thread;

/// How often a swap looks again for readers that are about to end, before it leaves the old
/// whole to them: most of them are done within a hundred nanoseconds.
const PATIENCE: usize = if cfg!(loom) { 1 } else { 100 };

/// Perhaps a `T`, which readers see whole while writers replace it.
pub(crate) struct Swap<T> {
    /// Null, or what `owned.current` points to. Written only under `owned`.
    current: AtomicPtr<T>,
    /// On lines that no reader reads.
    owned: Apart<Mutex<Owned<T>>>,
}

struct Owned<T> {
    current: Option<Arc<T>>,
    /// What was current before and may still be read.
    retired: Vec<Arc<T>>,
    /// Whether a fence came after each of them was retired.
    fenced: bool,
}

impl<T> Swap<T> {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Swap {
                current: AtomicPtr::new(null_mut()),
                owned: Apart(Mutex::new(Owned {
                    current: None,
                    retired: Vec::new(),
                    fenced: true,
                })),
            }
        }
    }

    /// Shows the current whole to `look`. It neither locks nor waits, but for reads within reads
    /// deeper than `hazard` goes.
    #[inline]
    pub(crate) fn read<R>(&self, look: impl FnOnce(Option<&T>) -> R) -> R {
        let Some(hazard) = hazard::idle() else { return look(self.get().as_deref()) };
        let (whole, moved) = hazard.protect(&self.current);
        let _reading = Reading { swap: self, hazard, whole, moved };
        // SAFETY: `whole` is null, or was current after the hazard held it, so that from then on
        // `sweep` finds it there and does not free it before `_reading` is dropped, after `look`:
        // a read within `look` takes another hazard, since this one is not null. `drop` frees
        // without looking, but has no readers beside it. What `whole` points to is shared by
        // `owned`, and nobody has it as `&mut`.
        look(unsafe { whole.as_ref() })
    }

    /// Returns the current whole for as long as the caller wants it.
    pub(crate) fn get(&self) -> Option<Arc<T>> {
        lock(&self.owned.0).current.clone()
    }

    /// Makes `next` current and retires the one before. The caller has to `free` afterwards.
    pub(crate) fn set(&self, next: Arc<T>) {
        let mut owned = lock(&self.owned.0);
        // Release: partner of the Acquire in `Hazard::protect`. Whoever reads the pointer sees
        // what it points to.
        self.current.store(Arc::as_ptr(&next).cast_mut(), Ordering::Release);
        let old = owned.current.replace(next);
        owned.retired.extend(old);
        owned.fenced = hazard::heavy_fence();
    }

    /// Frees what was retired, or leaves it to those who read it. User code is dropped here.
    pub(crate) fn free(&self) {
        for _ in 0..PATIENCE {
            if self.sweep() {
                return;
            }
            spin_loop();
        }
    }

    /// Frees what is retired and not read; tells whether that is all of it.
    fn sweep(&self) -> bool {
        let mut owned = lock(&self.owned.0);
        if owned.retired.is_empty() {
            return true;
        }
        if !owned.fenced {
            owned.fenced = hazard::heavy_fence();
        }
        if !owned.fenced {
            return false;
        }
        let in_use = hazard::in_use();
        let is_read = |whole: &Arc<T>| in_use.contains(&Arc::as_ptr(whole).cast_mut().cast());
        let (read, free): (Vec<_>, _) =
            mem::take(&mut owned.retired).into_iter().partition(is_read);
        owned.retired = read;
        let done = owned.retired.is_empty();
        // What they hold is dropped where no lock is held.
        drop(owned);
        drop::<Vec<_>>(free);
        done
    }

    #[cold]
    fn sweep_after_read(&self) {
        // A `Drop` that panics while another panic unwinds would end the process.
        if !thread::panicking() {
            self.sweep();
        }
    }
}

/// A read in progress; ends it when dropped.
struct Reading<'a, T> {
    swap: &'a Swap<T>,
    hazard: &'a Hazard,
    whole: *mut T,
    /// Whether the hazard held another one before.
    moved: bool,
}

impl<T> Drop for Reading<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.hazard.release();
        // Relaxed: the fence in `release` orders it. Either this sees the swap, or the swap sees
        // that the hazard is null.
        if self.moved || self.swap.current.load(Ordering::Relaxed) != self.whole {
            self.swap.sweep_after_read();
        }
    }
}
