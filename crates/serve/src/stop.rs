//! Stopping: from `SERVING` to `DRAINING` (once, by any stopper); nothing leads back.
//!
//! Who has connected by then is accepted still, and nobody after. While draining, idle connections
//! are closed once nothing is left to read on them, and each answer closes its connection; after
//! the grace, the I/O threads close what is left.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::Error;
use crate::server::Shared;

pub(crate) const SERVING: u8 = 0;
pub(crate) const DRAINING: u8 = 1;

/// Stops a running server, from any thread.
#[derive(Clone)]
pub struct Stopper {
    shared: Arc<Shared>,
}

impl Stopper {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Stops accepting and lets what is in flight end within the grace, as does a request that has
    /// arrived, but was not read yet. Returns at once; may be
    /// called again. [`Running::join`](crate::Running::join) waits for the end.
    pub fn stop(&self) {
        self.shared.phase.store(DRAINING, Release);
        self.shared.mailboxes.iter().for_each(|mailbox| mailbox.wake());
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").field("stopping", &self.shared.is_draining()).finish()
    }
}

impl Shared {
    /// Says that no connection will be handed to another thread any more, and has all look.
    pub(crate) fn accepted_all(&self) {
        self.accepted_all.store(true, Release);
        self.mailboxes.iter().for_each(|mailbox| mailbox.wake());
    }

    /// Acquire pairs with the Release of `accepted_all`: the mailbox has what was handed over.
    pub(crate) fn has_accepted_all(&self) -> bool {
        self.accepted_all.load(Acquire)
    }

    /// Acquire pairs with the Release of `stop`.
    pub(crate) fn is_draining(&self) -> bool {
        self.phase.load(Acquire) == DRAINING
    }
}

/// The first signal stops, the second does what it does to a program that catches none.
pub(crate) fn on_signals(stopper: Stopper) -> Result<(), Error> {
    let failed = |error| Error::new("cannot catch SIGINT and SIGTERM", error);
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let watch = move || {
        for (nth, signal) in signals.forever().enumerate() {
            if nth == 0 {
                stopper.stop();
            } else {
                let _ = emulate_default_handler(signal);
            }
        }
    };
    thread::Builder::new().name("larder-signals".into()).spawn(watch).map_err(failed)?;
    Ok(())
}
