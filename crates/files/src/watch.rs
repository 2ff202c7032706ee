//! Waiting for another process: the one thing that takes a thread, since a lock has no callback.
//!
//! The thread holds our own lease on the flight, so that however it ends, the waiters are told.
//! There is one thread a name. A maker that hangs keeps it until he dies, while the flight is passed
//! by; who leads the next one finds the thread there and makes the entry without waiting, for a wait
//! that is already too long would not end sooner for being begun again.

use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use crate::flight::deadline_in;
use crate::key::{BuildNameHasher, Name};
use crate::lease::Lease;

/// Threads that wait for other processes; more entries than this are made without waiting.
const MAX_WATCHERS: usize = 16;

/// The names that such threads wait for: put in by who starts one, taken out by the thread. Locked
/// with nothing else.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<HashSet<Name, BuildNameHasher>>);

impl Watchers {
    /// Takes the place of the one who waits for `name`; false if it is taken, or all are.
    fn start(&self, name: Name) -> bool {
        let mut names = self.0.lock();
        names.len() < MAX_WATCHERS && names.insert(name)
    }

    fn end(&self, name: &Name) {
        self.0.lock().remove(name);
    }
}

/// Hands a flight to a thread that waits for the process that holds `held`, and ends the lease as
/// that process did. The lease comes back if there can be no such thread.
pub(crate) fn watch(lease: Lease, held: File) -> Result<(), Lease> {
    let store = lease.store.clone();
    let name = lease.slot.name;
    if !store.watchers.start(name) {
        return Err(lease);
    }
    lease.slot.let_pass_after(deadline_in(store.limits.wait));
    let parcel = Arc::new(Mutex::new(Some((lease, held))));
    let for_thread = parcel.clone();
    let started = thread::Builder::new().name("larder-files-wait".into()).spawn(move || {
        if let Some((lease, held)) = for_thread.lock().take() {
            outwait(lease, held);
        }
    });
    match started {
        Ok(_) => Ok(()),
        Err(_) => {
            store.watchers.end(&name);
            let (lease, _) = parcel.lock().take().expect("no thread has taken it");
            Err(lease)
        }
    }
}

/// Blocks until the other process is done or dead, which is when its lock goes.
fn outwait(lease: Lease, held: File) {
    let store = lease.store.clone();
    let _ = held.lock();
    drop(held);
    store.watchers.end(&lease.slot.name);
    match store.find_cold(&lease.key) {
        Some((entry, _)) => lease.conclude(Ok(entry)),
        None => drop(lease),
    }
}
