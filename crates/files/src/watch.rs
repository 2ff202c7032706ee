//! Waiting for another process: the one thing that takes a thread, since a lock has no callback.
//!
//! The thread holds our own lease on the flight, so that however it ends, the waiters are told.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use parking_lot::Mutex;

use crate::flight::deadline_in;
use crate::lease::Lease;

/// Threads that wait for other processes; more entries than this are made without waiting.
const MAX_WATCHERS: usize = 16;

/// Hands a flight to a thread that waits for the process that holds `held`, and ends the lease as
/// that process did. The lease comes back if there can be no such thread.
pub(crate) fn watch(lease: Lease, held: File) -> Result<(), Lease> {
    let store = lease.store.clone();
    if store.watchers.fetch_add(1, Ordering::Relaxed) >= MAX_WATCHERS {
        store.watchers.fetch_sub(1, Ordering::Relaxed);
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
            store.watchers.fetch_sub(1, Ordering::Relaxed);
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
    store.watchers.fetch_sub(1, Ordering::Relaxed);
    match store.find_cold(&lease.key) {
        Some(entry) => lease.conclude(Ok(entry)),
        None => drop(lease),
    }
}
