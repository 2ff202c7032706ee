//! When a connection may be opened: the outage breaker, as a machine without a clock or a lock.
//!
//! | state    | an attempt may begin                          | leaves it                           |
//! |----------|-----------------------------------------------|-------------------------------------|
//! | trusting | while fewer than `limit` run                  | a failure: to out                   |
//! | out      | when none runs and `retry_at` has come        | a success: to trusting, `limit` 2   |
//!
//! **Slow start.** `limit` begins at one, grows by one with each success (so it doubles each time
//! that all have succeeded), and is halved by each connection that turns out to be dead. A database
//! that goes away is thus met by one or two attempts rather than by one from each thread, and one
//! that comes back by one, then two, then four.
//!
//! **Retries.** The first comes at once: a failure alone proves nothing. Then after 100 ms, 200 ms,
//! and so on, up to 700 ms; when the outage has lasted for long, up to a tenth of that and up to
//! 5 s. Each up to a quarter early, so that many pools do not try in step.
//!
//! **Silence.** An attempt that has said nothing for 5 s no longer counts: a connect that hangs
//! holds its own slot and caller, and not everybody's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{NEVER, Tick, after};

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_millis(700);
const LONGEST_DELAY_EVER: Duration = Duration::from_secs(5);

/// How long an attempt is waited for. A model has no time: for ever.
const PATIENCE: Duration = if cfg!(loom) { Duration::MAX } else { Duration::from_secs(5) };

/// The database can't be reached: every attempt to open a connection has failed since.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outage {
    /// How long it has lasted, from the first failure.
    pub lasted: Duration,
    /// How many attempts have failed.
    pub attempts: u32,
    /// What the last failure said, with its sources.
    pub cause: Arc<str>,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outage { lasted, attempts, cause } = self;
        let times = if *attempts == 1 { "attempt" } else { "attempts" };
        write!(f, "none can be opened since {lasted:.1?} ({attempts} {times}): {cause}")
    }
}

/// One attempt to open a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    number: u64,
    began: Tick,
}

pub(crate) struct Breaker {
    /// How many attempts may run at once, up to `most`.
    limit: usize,
    most: usize,
    running: Vec<Attempt>,
    begun: u64,
    out: Option<Out>,
}

/// What is known of an outage.
struct Out {
    since: Tick,
    attempts: u32,
    cause: Arc<str>,
    /// Failures that count for the delay: an attempt that began before the last one failed adds
    /// nothing to what that one said.
    rounds: u32,
    failed_at: Tick,
    retry_at: Tick,
}

impl Breaker {
    pub(crate) fn new(most: usize) -> Self {
        Breaker { limit: 1, most, running: Vec::new(), begun: 0, out: None }
    }

    /// Begins an attempt if one may begin now.
    pub(crate) fn begin(&mut self, now: Tick) -> Option<Attempt> {
        if self.next(now) > now {
            return None;
        }
        self.begun += 1;
        let attempt = Attempt { number: self.begun, began: now };
        self.running.push(attempt);
        Some(attempt)
    }

    /// When one may begin if nothing else happens.
    pub(crate) fn next(&self, now: Tick) -> Tick {
        let given_up = |attempt: &Attempt| after(attempt.began, PATIENCE);
        let heeded = self.running.iter().map(given_up).filter(|&at| at > now);
        let retry_at = self.out.as_ref().map_or(now, |out| out.retry_at);
        if heeded.clone().count() < self.limit {
            return retry_at;
        }
        heeded.min().unwrap_or(NEVER).max(retry_at)
    }

    /// Forgets an attempt that was not made.
    pub(crate) fn cancel(&mut self, attempt: Attempt) {
        self.running.retain(|other| *other != attempt);
    }

    /// Comes back with the outage that this ends.
    pub(crate) fn succeed(&mut self, attempt: Attempt, now: Tick) -> Option<Outage> {
        self.cancel(attempt);
        self.limit = (self.limit + 1).min(self.most);
        let ended = self.outage(now);
        self.out = None;
        ended
    }

    /// Comes back with the outage when this is what begins it. `dice` is any number.
    pub(crate) fn fail(
        &mut self,
        attempt: Attempt,
        now: Tick,
        cause: Arc<str>,
        dice: u64,
    ) -> Option<Outage> {
        self.cancel(attempt);
        self.limit = 1;
        let Some(out) = &mut self.out else {
            let (failed_at, retry_at) = (now, now);
            self.out = Some(Out { since: now, attempts: 1, cause, rounds: 1, failed_at, retry_at });
            return self.outage(now);
        };
        out.attempts += 1;
        out.cause = cause;
        if attempt.began >= out.failed_at {
            out.retry_at = after(now, delay(out.rounds, now - out.since, dice));
            out.rounds += 1;
            out.failed_at = now;
        }
        None
    }

    /// A connection turned out to be dead.
    pub(crate) fn suspect(&mut self) {
        self.limit = (self.limit / 2).max(1);
    }

    /// The outage, once a retry has failed too.
    pub(crate) fn proven(&self, now: Tick) -> Option<Outage> {
        self.out.as_ref().filter(|out| out.rounds > 1)?;
        self.outage(now)
    }

    pub(crate) fn outage(&self, now: Tick) -> Option<Outage> {
        let out = self.out.as_ref()?;
        let lasted = Duration::from_nanos(now.saturating_sub(out.since));
        Some(Outage { lasted, attempts: out.attempts, cause: Arc::clone(&out.cause) })
    }
}

/// How long to wait after the retry of that number has failed.
fn delay(retry: u32, lasted: Tick, dice: u64) -> Duration {
    let longest = (Duration::from_nanos(lasted) / 10).clamp(LONGEST_DELAY, LONGEST_DELAY_EVER);
    let full = FIRST_DELAY.saturating_mul(1 << (retry - 1).min(16)).min(longest);
    full - full.mul_f64((dice % 1024) as f64 / 1024.0 / 4.0)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MS: Tick = 1_000_000;

    fn cause() -> Arc<str> {
        Arc::from("refused")
    }

    /// Makes every attempt that may be made until `end`, each failing after `takes`; tells when.
    fn attempts(breaker: &mut Breaker, end: Tick, takes: Tick, dice: u64) -> Vec<Tick> {
        let (mut now, mut begun) = (0, Vec::new());
        while now < end {
            now = breaker.next(now).max(now);
            let attempt = breaker.begin(now).expect("it said so");
            begun.push(now);
            assert!(breaker.begin(now).is_none(), "two probe at once");
            now += takes;
            breaker.fail(attempt, now, cause(), dice);
        }
        begun.retain(|&at| at < end);
        begun
    }

    #[test]
    fn an_outage_meets_fewer_than_three_attempts_a_second() {
        for dice in [0, 511, 1023] {
            for takes in [0, MS, 30 * MS, 900 * MS] {
                let all = attempts(&mut Breaker::new(32), 5000 * MS, takes, dice);
                assert!(all.len() < 15, "{} attempts: {all:?}", all.len());
            }
        }
    }

    #[test]
    fn the_end_of_an_outage_is_noticed_within_a_second() {
        for dice in [0, 511, 1023] {
            let all = attempts(&mut Breaker::new(32), 7000 * MS, 0, dice);
            let pause = all.windows(2).map(|two| two[1] - two[0]).max().unwrap();
            assert!(pause <= 700 * MS, "a pause of {} ms", pause / MS);
            let long = attempts(&mut Breaker::new(32), 3_600_000 * MS, 0, dice);
            let pause = long.windows(2).map(|two| two[1] - two[0]).max().unwrap();
            assert!((3750 * MS..=5000 * MS).contains(&pause), "a pause of {} ms", pause / MS);
        }
    }

    #[test]
    fn one_failure_alone_delays_nobody() {
        let mut breaker = Breaker::new(8);
        let first = breaker.begin(0).unwrap();
        assert!(breaker.fail(first, 5, cause(), 0).is_some(), "an outage begins");
        let again = breaker.begin(5).expect("the first retry comes at once");
        assert_eq!(breaker.succeed(again, 6).unwrap().attempts, 1);
        assert!(breaker.outage(7).is_none());
    }

    #[test]
    fn attempts_begin_by_one_two_four() {
        let mut breaker = Breaker::new(8);
        for expected in [1, 2, 4, 8, 8] {
            let round: Vec<_> = std::iter::from_fn(|| breaker.begin(0)).collect();
            assert_eq!(round.len(), expected);
            round.into_iter().for_each(|attempt| drop(breaker.succeed(attempt, 0)));
        }
        (0..2).for_each(|_| breaker.suspect());
        let round: Vec<_> = std::iter::from_fn(|| breaker.begin(0)).collect();
        assert_eq!(round.len(), 2, "two dead connections quarter what may be tried");
        round.into_iter().for_each(|attempt| breaker.cancel(attempt));
        assert!(breaker.begin(0).is_some());
    }

    #[test]
    fn failures_at_once_are_one_reason_to_wait() {
        let mut breaker = Breaker::new(8);
        while breaker.limit < 8 {
            let attempt = breaker.begin(0).unwrap();
            breaker.succeed(attempt, 0);
        }
        let all: Vec<_> = std::iter::from_fn(|| breaker.begin(0)).collect();
        assert_eq!(all.len(), 8);
        all.into_iter().for_each(|attempt| drop(breaker.fail(attempt, MS, cause(), 0)));
        assert_eq!(breaker.outage(MS).unwrap().attempts, 8);
        assert!(breaker.begin(MS).is_some(), "they all began before the first of them failed");
    }

    #[test]
    fn a_silent_attempt_is_not_waited_for_for_ever() {
        let mut breaker = Breaker::new(8);
        let silent = breaker.begin(0).unwrap();
        assert_eq!(breaker.next(MS), 5000 * MS);
        assert!(breaker.begin(4999 * MS).is_none());
        let other = breaker.begin(5000 * MS).expect("another may try");
        assert_eq!(breaker.next(5001 * MS), 10_000 * MS, "but one only");
        breaker.fail(other, 5002 * MS, cause(), 0);
        breaker.succeed(silent, 6000 * MS);
        assert!(breaker.outage(6000 * MS).is_none(), "what it says in the end is believed");
    }
}
