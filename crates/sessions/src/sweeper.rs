//! The thread that cleans up, a little at a time.

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::metrics::Event;
use crate::sessions::Sessions;
use crate::store::{Cleaned, Store};

/// Between two steps of a clean-up at an even pace.
const TICK: Duration = Duration::from_millis(250);
/// A step that costs next to nothing.
const LEAST: usize = 8;
/// The largest step while nobody knows how much there is: 4,000 a second.
const MOST_UNCOUNTED: usize = 1000;

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
        Sweeper::spawn(every, move || {
            if sessions.clean(budget).is_err() {
                sessions.count(Event::SweepFault);
            }
        })
    }

    /// Removes what is over evenly, within about `span` of when it was.
    pub(crate) fn start_evenly<S: Store>(
        sessions: Sessions<S>,
        span: Duration,
    ) -> std::io::Result<Sweeper> {
        let mut pace = Pace::new(span);
        Sweeper::spawn(TICK, move || {
            let backlog = sessions.store().census(sessions.now_ms()).backlog;
            match sessions.clean(pace.budget(backlog)) {
                Ok(cleaned) => pace.note(backlog, cleaned),
                Err(_) => sessions.count(Event::SweepFault),
            }
        })
    }

    fn spawn(every: Duration, mut step: impl FnMut() + Send + 'static) -> std::io::Result<Sweeper> {
        let bell = Arc::new(Bell::default());
        let for_thread = Arc::clone(&bell);
        let work = move || {
            while for_thread.rest(every) {
                step();
            }
        };
        let thread = thread::Builder::new().name("larder-sessions".into()).spawn(work)?;
        Ok(Sweeper { bell, thread: Some(thread) })
    }
}

/// How much to remove at each tick, so that all of a backlog is gone after a span.
///
/// A store sorts by spans of time, so that a whole span's sessions are over at once. The budget is
/// the backlog by the ticks of a span; it grows with the backlog, and stays until there is none. Of
/// what the store has not counted yet (files that were there before the process) it knows
/// nothing: while there is more than was counted, the budget doubles, up to a bound.
struct Pace {
    ticks: u64,
    budget: usize,
}

impl Pace {
    fn new(span: Duration) -> Pace {
        let ticks = u64::try_from(span.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX);
        Pace { ticks: ticks.max(1), budget: LEAST }
    }

    fn budget(&mut self, backlog: u64) -> usize {
        let needed = usize::try_from(backlog.div_ceil(self.ticks)).unwrap_or(usize::MAX);
        self.budget = self.budget.max(needed);
        self.budget
    }

    fn note(&mut self, backlog: u64, cleaned: Cleaned) {
        if !cleaned.is_more {
            self.budget = LEAST;
        } else if backlog <= (cleaned.removed + cleaned.others) as u64 {
            self.budget = self.budget.max((2 * self.budget).min(MOST_UNCOUNTED));
        }
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

    /// Ticks until nothing is left of a backlog, of which so many were counted, and the largest step.
    fn ticks_for(mut all: usize, is_counted: bool) -> (usize, usize) {
        let mut pace = Pace::new(TICK * 100);
        let (mut ticks, mut largest) = (0, 0);
        while all > 0 {
            let backlog = if is_counted { all as u64 } else { 0 };
            let budget = pace.budget(backlog);
            let removed = budget.min(all);
            all -= removed;
            pace.note(backlog, Cleaned { removed, others: 0, is_more: all > 0 });
            (ticks, largest) = (ticks + 1, largest.max(budget));
        }
        assert_eq!(pace.budget(0), LEAST, "and is at ease again");
        (ticks, largest)
    }

    #[test]
    fn a_backlog_is_gone_after_a_span_by_even_steps() {
        assert_eq!(ticks_for(10_000, true), (100, 100));
        assert_eq!(ticks_for(1_000_000, true), (100, 10_000));
        assert_eq!(ticks_for(5, true), (1, LEAST));
    }

    #[test]
    fn what_nobody_has_counted_is_removed_faster_and_faster() {
        let (ticks, largest) = ticks_for(1_000_000, false);
        assert_eq!(largest, MOST_UNCOUNTED);
        assert!(ticks < 1_000_000 / MOST_UNCOUNTED + 10, "{ticks}");
    }

    #[test]
    fn a_backlog_that_grows_is_removed_faster() {
        let mut pace = Pace::new(TICK * 100);
        assert_eq!([1000, 990, 5000, 4000].map(|backlog| pace.budget(backlog)), [10, 10, 50, 50]);
    }

    #[test]
    fn an_even_clean_up_removes_what_is_over() {
        let clock = crate::clock::ManualClock::new(1_800_000_000_000);
        let builder = Sessions::builder(crate::memory::MemoryStore::default());
        let sessions = builder.idle(Duration::from_secs(16)).clock(clock.clone()).build();
        for _ in 0..100 {
            let mut session = sessions.open(None).unwrap();
            session.set("color", "red").unwrap();
            let _ = session.save().unwrap();
        }
        clock.advance(Duration::from_secs(60));
        let sweeper = sessions.sweep().unwrap();
        while sessions.metrics().expired < 100 {
            thread::sleep(Duration::from_millis(5));
        }
        drop(sweeper);
        assert_eq!(sessions.metrics().census.backlog, 0);
    }
}
