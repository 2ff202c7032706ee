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
        assert!(!every.is_zero(), "a clean-up every 0 s");
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
        // A rest that no clock can tell the end of is as long as its thread.
        let until = Instant::now().checked_add(rest);
        let mut is_over = self.is_over.lock();
        while !*is_over {
            match until {
                Some(until) if self.rung.wait_until(&mut is_over, until).timed_out() => break,
                Some(_) => {}
                None => self.rung.wait(&mut is_over),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_may_be_as_long_as_it_likes() {
        let bell = Arc::new(Bell::default());
        let resting = thread::spawn({
            let bell = Arc::clone(&bell);
            move || bell.rest(Duration::MAX)
        });
        *bell.is_over.lock() = true;
        bell.rung.notify_all();
        assert!(!resting.join().expect("no time is too long"));
        assert!(Bell::default().rest(Duration::from_millis(1)));
    }
}
