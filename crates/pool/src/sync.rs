//! The primitives under the bag: std and parking_lot as shipped, loom's under `--cfg loom`.

#[cfg(not(loom))]
pub(crate) use shipped::*;

#[cfg(loom)]
pub(crate) use modelled::*;

#[cfg(not(loom))]
mod shipped {
    use std::time::Instant;

    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::sync::Arc;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

    /// Waits for a ring; true when `deadline` came first. No deadline waits for ever.
    pub(crate) fn wait<T>(
        bell: &Condvar,
        guard: &mut MutexGuard<'_, T>,
        deadline: Option<Instant>,
    ) -> bool {
        match deadline {
            Some(at) => bell.wait_until(guard, at).timed_out(),
            None => {
                bell.wait(guard);
                false
            }
        }
    }
}

#[cfg(loom)]
mod modelled {
    use std::ops::{Deref, DerefMut};
    use std::time::Instant;

    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

    /// loom's mutex with parking_lot's signatures.
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    /// The guard is out of its cell only while the condition variable has it.
    pub(crate) struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

    pub(crate) struct Condvar(loom::sync::Condvar);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().expect("loom does not poison")))
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            self.0.as_ref().expect("held")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect("held")
        }
    }

    impl Condvar {
        pub(crate) fn new() -> Self {
            Condvar(loom::sync::Condvar::new())
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// loom has no time: a wait with a deadline is a wait whose deadline has already come.
    pub(crate) fn wait<T>(
        bell: &Condvar,
        guard: &mut MutexGuard<'_, T>,
        deadline: Option<Instant>,
    ) -> bool {
        if deadline.is_some() {
            return true;
        }
        let held = guard.0.take().expect("held");
        guard.0 = Some(bell.0.wait(held).expect("loom does not poison"));
        false
    }
}
