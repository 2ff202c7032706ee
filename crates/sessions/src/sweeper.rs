//! The thread that cleans up, a little at a time.

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::metrics::Event;
use crate::sessions::Sessions;
use crate::store::Store;

/// Cleans up until it is dropped, which waits for the step that is under way.
#[must_use = "dropping it stops the clean-up"]
pub struct Sweeper {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Bell {
    is_over: Mutex<bool>,
    rung: Condvar,
}

impl Sweeper {
    pub(crate) fn start<S: Store>(
        sessions: Sessions<S>,
        every: Duration,
        budget: usize,
    ) -> std::io::Result<Sweeper> {
        let bell = Arc::new(Bell::default());
        let for_thread = Arc::clone(&bell);
        let work = move || {
            while for_thread.rest(every) {
                if sessions.clean(budget).is_err() {
                    sessions.count(Event::SweepFault);
                }
            }
        };
        let thread = thread::Builder::new().name("larder-sessions".into()).spawn(work)?;
        Ok(Sweeper { bell, thread: Some(thread) })
    }
}

impl Bell {
    /// Rests for as long; false when it is over.
    fn rest(&self, rest: Duration) -> bool {
        let until = Instant::now() + rest;
        let mut is_over = self.is_over.lock();
        while !*is_over {
            if self.rung.wait_until(&mut is_over, until).timed_out() {
                break;
            }
        }
        !*is_over
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        *self.bell.is_over.lock() = true;
        self.bell.rung.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweeper").finish_non_exhaustive()
    }
}
