//! Which threads still run, so that one can wait for their end with a deadline.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::server::Shared;

/// Counts running threads, and lets one wait for them with a deadline.
#[derive(Default)]
pub(crate) struct Alive {
    /// Written under this lock.
    io_and_workers: Mutex<(usize, usize)>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Io,
    Worker,
}

/// Counts a thread down, also when it panics.
pub(crate) struct Leave<'s> {
    pub(crate) shared: &'s Shared,
    pub(crate) kind: Kind,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.shared.alive.change(self.kind, -1);
    }
}

impl Alive {
    pub(crate) fn change(&self, kind: Kind, by: isize) {
        let mut counts = self.io_and_workers.lock();
        let count = match kind {
            Kind::Io => &mut counts.0,
            Kind::Worker => &mut counts.1,
        };
        *count = count.wrapping_add_signed(by);
        self.changed.notify_all();
    }

    /// Waits until no thread of this kind runs; false if that takes longer than `patience`.
    pub(crate) fn wait(&self, kind: Kind, patience: Option<Duration>) -> bool {
        let deadline = patience.map(|patience| Instant::now() + patience);
        let mut counts = self.io_and_workers.lock();
        loop {
            let count = match kind {
                Kind::Io => counts.0,
                Kind::Worker => counts.1,
            };
            if count == 0 {
                return true;
            }
            match deadline {
                None => self.changed.wait(&mut counts),
                Some(at) if self.changed.wait_until(&mut counts, at).timed_out() => return false,
                Some(_) => {}
            }
        }
    }
}
