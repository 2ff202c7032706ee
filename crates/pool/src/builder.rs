//! How a pool is set up.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use r2d2::{
    CustomizeConnection, HandleError, LoggingErrorHandler, ManageConnection,
    NopConnectionCustomizer,
};

use crate::admission::DuringOutage;
use crate::clock::Clock;
use crate::config::{Config, MOST};
use crate::error::Error;
use crate::events::{Events, Log};
#[cfg(feature = "sqlite")]
use crate::gate::ReturnGate;
use crate::gate::Returned;
use crate::nested::Nested;
use crate::opening::{isolated, on_caller};
use crate::pool::Pool;
use crate::shared::Shared;

/// Sets up a [`Pool`].
pub struct Builder<M: ManageConnection>(Config<M>);

impl<M: ManageConnection> Default for Builder<M> {
    fn default() -> Self {
        Builder(Config {
            max_size: 10,
            max_capacity: None,
            max_waiters: MOST,
            min_idle: None,
            test_on_check_out: true,
            test_after_idle: Duration::from_millis(500),
            max_lifetime: Some(Duration::from_secs(30 * 60)),
            idle_timeout: Some(Duration::from_secs(10 * 60)),
            connection_timeout: Duration::from_secs(30),
            error_handler: Box::new(LoggingErrorHandler),
            customizer: Box::new(NopConnectionCustomizer),
            return_gate: None,
            runner: on_caller,
            clock: Clock::system(),
            during_outage: DuringOutage::Refuse,
            nested: Nested::Allow,
            leak_threshold: None,
            events: Box::new(Log),
            watched: false,
        })
    }
}

impl<M: ManageConnection> Builder<M> {
    /// Starts with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the most connections that are open at once, until [`Pool::resize`]. Default 10.
    ///
    /// # Panics
    /// When it is 0 or above 65,536.
    pub fn max_size(mut self, max_size: u32) -> Self {
        assert!((1..=MOST).contains(&max_size), "max_size must be from 1 to 65536");
        self.0.max_size = max_size;
        self
    }

    /// Sets the most that [`Pool::resize`] may ask for, at a price of 128 bytes each. Default four
    /// times `max_size`, at least 64. At most 65,536; below `max_size` it counts as that.
    ///
    /// # Panics
    /// When it is 0 or above 65,536.
    pub fn max_capacity(mut self, max_capacity: u32) -> Self {
        assert!((1..=MOST).contains(&max_capacity), "max_capacity must be from 1 to 65536");
        self.0.max_capacity = Some(max_capacity);
        self
    }

    /// Sets how many callers may wait in the queue at once; who comes then gets an error at once,
    /// [`is_overloaded`](Error::is_overloaded). Default 65,536.
    ///
    /// # Panics
    /// When it is 0 or above 65,536.
    pub fn max_waiters(mut self, max_waiters: u32) -> Self {
        assert!((1..=MOST).contains(&max_waiters), "max_waiters must be from 1 to 65536");
        self.0.max_waiters = max_waiters;
        self
    }

    /// Sets how many connections `build` opens and how many idle ones reaping leaves. Default
    /// `None`: one is opened, as a trial, and all may be reaped. At most `max_size`.
    pub fn min_idle(mut self, min_idle: Option<u32>) -> Self {
        self.0.min_idle = min_idle;
        self
    }

    /// Sets whether a connection that was idle for [`test_after_idle`](Builder::test_after_idle) is
    /// tested with the manager's `is_valid` before it is lent. Default true.
    pub fn test_on_check_out(mut self, test: bool) -> Self {
        self.0.test_on_check_out = test;
        self
    }

    /// Sets how long a connection may be idle and still be trusted. Default 500 ms; zero tests at
    /// each checkout, as r2d2 does. Exact to the coarse clock, a few milliseconds.
    pub fn test_after_idle(mut self, idle: Duration) -> Self {
        self.0.test_after_idle = idle;
        self
    }

    /// Sets how long a connection is kept at all, less a random tenth at most, so that connections
    /// opened together do not end together. Default 30 minutes; `None` for ever.
    ///
    /// # Panics
    /// When it is zero.
    pub fn max_lifetime(mut self, max_lifetime: Option<Duration>) -> Self {
        assert_ne!(max_lifetime, Some(Duration::ZERO), "max_lifetime must be positive");
        self.0.max_lifetime = max_lifetime;
        self
    }

    /// Sets how long a connection is kept idle before a returning caller that is due closes it (a
    /// pool that nobody calls keeps what it has). Default 10 minutes; `None` for ever.
    ///
    /// # Panics
    /// When it is zero.
    pub fn idle_timeout(mut self, idle_timeout: Option<Duration>) -> Self {
        assert_ne!(idle_timeout, Some(Duration::ZERO), "idle_timeout must be positive");
        self.0.idle_timeout = idle_timeout;
        self
    }

    /// Sets the deadline of [`Pool::get`], over the wait, the test and the connecting together, and
    /// that of `build`. Default 30 seconds.
    ///
    /// # Panics
    /// When it is zero.
    pub fn connection_timeout(mut self, timeout: Duration) -> Self {
        assert!(timeout > Duration::ZERO, "connection_timeout must be positive");
        self.0.connection_timeout = timeout;
        self
    }

    /// Sets who hears of errors that no caller gets: failed tests, what the return gate found, and
    /// connects that failed after their caller had left. Default: logged, as by r2d2.
    pub fn error_handler(mut self, handler: Box<dyn HandleError<M::Error>>) -> Self {
        self.0.error_handler = handler;
        self
    }

    /// Sets who is called with each connection after it opens and before it closes. Default nobody.
    pub fn connection_customizer(
        mut self,
        customizer: Box<dyn CustomizeConnection<M::Connection, M::Error>>,
    ) -> Self {
        self.0.customizer = customizer;
        self
    }

    /// Sets what is done to each connection that comes back, before `has_broken`, on the thread
    /// that returns it. The gate is told where the connection had been asked for, so that its report
    /// can say whose fault it is. Default nothing.
    pub fn return_gate(
        mut self,
        gate: impl Fn(&mut M::Connection, &'static Location<'static>) -> Returned<M::Error>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.0.return_gate = Some(Box::new(gate));
        self
    }

    /// Takes the return gate out, to make it part of another.
    #[cfg(feature = "sqlite")]
    pub(crate) fn take_return_gate(&mut self) -> Option<ReturnGate<M>> {
        self.0.return_gate.take()
    }

    /// Makes the manager's blocking calls (connect and test) on a thread of their own each, so that
    /// a caller leaves at its deadline even when the call hangs; a connection that comes later goes
    /// into the pool. Until the call returns it holds its slot. Costs a thread spawn a connect.
    /// Default: on the caller's thread, where only the manager's own time-out ends a call that
    /// hangs.
    pub fn isolate_blocking_calls(mut self) -> Self
    where
        M::Error: Send,
    {
        self.0.runner = isolated;
        self
    }

    /// Sets the clock that ages are counted by. Default the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.0.clock = clock;
        self
    }

    /// Sets what becomes of callers that need a new connection while none can be opened. Idle
    /// connections that still work are lent all the time.
    ///
    /// A breaker sees to it that a database in trouble is not made to suffer more: as soon as an
    /// attempt to connect has failed one is made at a time, by a caller that needs it, at growing
    /// intervals (0, 100, 200, 400 and 700 ms, each a little random; up to 5 s when it has lasted
    /// for minutes). Connections are opened by one, then two, then four at a time, at the start of
    /// the pool, after an outage, and when several turned out to be dead: callers wait for their
    /// turn, or get what is returned meanwhile. Default [`DuringOutage::Refuse`]: an error at once
    /// that says since when, and why.
    pub fn during_outage(mut self, during_outage: DuringOutage) -> Self {
        self.0.during_outage = during_outage;
        self
    }

    /// Sets what becomes of a thread that has a connection and asks for another: when all that are
    /// lent are with such threads, nobody ever goes on. A guard counts for the thread that asked
    /// for it, wherever it is moved, until it is dropped, wherever that is. `try_get` never waits
    /// and is never refused, and [`get_many`](Pool::get_many) is one request. Costs a few
    /// nanoseconds a checkout. Default [`Nested::Allow`], which costs nothing.
    pub fn nested_checkout(mut self, nested: Nested) -> Self {
        self.0.nested = nested;
        self.0.watched |= nested != Nested::Allow;
        self
    }

    /// Sets after how long a connection that has not come back is reported to
    /// [`Events::leaked`], once, with the place that asked for it. It is a caller that reports, one
    /// that returns a connection or finds none ready: at most a quarter of the threshold late,
    /// unless there are no callers. Default `None`: only [`Pool::holders`] tells.
    ///
    /// # Panics
    /// When it is zero.
    pub fn leak_threshold(mut self, threshold: Option<Duration>) -> Self {
        assert_ne!(threshold, Some(Duration::ZERO), "leak_threshold must be positive");
        self.0.leak_threshold = threshold;
        self
    }

    /// Sets who hears what happens in the pool. Default: trouble is logged, the rest is not told.
    pub fn events(mut self, events: Box<dyn Events>) -> Self {
        self.0.events = events;
        self.0.watched = true;
        self
    }

    /// Builds the pool and opens `min_idle` connections, at least one, on this thread.
    ///
    /// # Errors
    /// When one of them can't be opened, or not all within the `connection_timeout`.
    ///
    /// # Panics
    /// When `min_idle` is above `max_size`.
    #[track_caller]
    pub fn build(self, manager: M) -> Result<Pool<M>, Error<M::Error>> {
        let trial = self.0.min_idle.unwrap_or(0).max(1);
        let pool = self.build_unchecked(manager);
        pool.fill(trial)?;
        Ok(pool)
    }

    /// Builds the pool and opens nothing: the first caller does.
    ///
    /// # Panics
    /// When `min_idle` is above `max_size`.
    pub fn build_unchecked(self, manager: M) -> Pool<M> {
        let Config { min_idle, max_size, .. } = self.0;
        assert!(min_idle.is_none_or(|idle| idle <= max_size), "min_idle must not exceed max_size");
        Pool::from_shared(Shared::new(manager, self.0))
    }
}

impl<M: ManageConnection> fmt::Debug for Builder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("max_size", &self.0.max_size)
            .field("max_waiters", &self.0.max_waiters)
            .field("min_idle", &self.0.min_idle)
            .field("test_on_check_out", &self.0.test_on_check_out)
            .field("test_after_idle", &self.0.test_after_idle)
            .field("max_lifetime", &self.0.max_lifetime)
            .field("idle_timeout", &self.0.idle_timeout)
            .field("connection_timeout", &self.0.connection_timeout)
            .field("error_handler", &self.0.error_handler)
            .field("connection_customizer", &self.0.customizer)
            .field("during_outage", &self.0.during_outage)
            .field("nested_checkout", &self.0.nested)
            .field("leak_threshold", &self.0.leak_threshold)
            .finish_non_exhaustive()
    }
}
