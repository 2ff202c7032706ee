//! The pool as its users hold it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use r2d2::ManageConnection;

use crate::breaker::Outage;
use crate::builder::Builder;
use crate::checkout::{Deadline, Ready, Vetted};
use crate::error::Error;
use crate::held::Holder;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::nested::Nested;
use crate::pooled::Pooled;
use crate::shared::Shared;
use crate::site::Site;

/// A pool of connections made by `M`. Cloning it is cheap; all clones are the same pool.
///
/// When the last clone is dropped the pool closes, as by [`close`](Pool::close).
pub struct Pool<M: ManageConnection>(Arc<Handle<M>>);

/// Counts the users' clones: connections hold `Shared` too, and would keep it open for ever.
struct Handle<M: ManageConnection> {
    shared: Arc<Shared<M>>,
}

impl<M: ManageConnection> Drop for Handle<M> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// How many connections there are, counted without a lock and not at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct State {
    /// Open connections, with those that are being opened.
    pub connections: u32,
    /// Of these, the ones that nobody has.
    pub idle_connections: u32,
    /// Callers in the queue.
    pub waiters: u32,
    /// The bound on `connections`: above it for as long as a smaller [`resize`](Pool::resize)
    /// waits for busy ones to come back.
    pub max_size: u32,
    /// Whether nothing is lent until [`resume`](Pool::resume).
    pub paused: bool,
    /// Whether nothing is lent any more.
    pub closed: bool,
}

impl<M: ManageConnection> Pool<M> {
    /// Builds a pool with the default settings.
    ///
    /// # Errors
    /// As [`Builder::build`].
    #[track_caller]
    pub fn new(manager: M) -> Result<Self, Error<M::Error>> {
        Self::builder().build(manager)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<M>> {
        &self.0.shared
    }

    /// Starts to set up a pool.
    pub fn builder() -> Builder<M> {
        Builder::new()
    }

    pub(crate) fn from_shared(shared: Shared<M>) -> Self {
        Pool(Arc::new(Handle { shared: Arc::new(shared) }))
    }

    /// Lends a connection, waiting for one up to the `connection_timeout`.
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout) at the deadline, [`is_manager`](Error::is_manager) when a
    /// connection was to be opened here and could not, [`is_closed`](Error::is_closed) when the
    /// pool is or gets closed.
    #[inline]
    #[track_caller]
    pub fn get(&self) -> Result<Pooled<M>, Error<M::Error>> {
        self.get_timeout(self.0.shared.config.connection_timeout)
    }

    /// Lends a connection, waiting for one up to `timeout`: one deadline over the wait, the test
    /// and the connecting.
    ///
    /// # Errors
    /// As [`get`](Pool::get).
    #[inline]
    #[track_caller]
    pub fn get_timeout(&self, timeout: Duration) -> Result<Pooled<M>, Error<M::Error>> {
        let site = Location::caller();
        if self.0.shared.config.nested != Nested::Allow {
            self.0.shared.check_nested(site)?;
        }
        let doubtful = match self.0.shared.take_ready() {
            Ready::Fresh(live, now) => return Ok(Pooled::lend(live, site, now, Duration::ZERO)),
            Ready::Doubtful(live) => Some(live),
            Ready::Nothing => None,
        };
        self.0.shared.check_out_slowly(doubtful, Deadline::after(timeout), site)
    }

    /// Lends `count` connections at once, all or none, waiting for them up to the
    /// `connection_timeout`.
    ///
    /// It waits in the same queue as everybody: what comes back is kept for it once it is the
    /// oldest, and goes to the next in line at its deadline. So any mix of `get` and `get_many`
    /// is served in the order of asking, and no two callers each hold what the other lacks, as they
    /// may when each asks for one after another.
    ///
    /// # Errors
    /// As [`get`](Pool::get), and [`is_out_of_bounds`](Error::is_out_of_bounds) at once when
    /// `count` is above `max_size`, or when the pool becomes smaller than that.
    #[track_caller]
    pub fn get_many(&self, count: u32) -> Result<Vec<Pooled<M>>, Error<M::Error>> {
        self.get_many_timeout(count, self.connection_timeout())
    }

    /// Lends `count` connections at once as [`get_many`](Pool::get_many) does, waiting up to
    /// `timeout`: one deadline over all of it.
    ///
    /// # Errors
    /// As [`get_many`](Pool::get_many).
    #[track_caller]
    pub fn get_many_timeout(
        &self,
        count: u32,
        timeout: Duration,
    ) -> Result<Vec<Pooled<M>>, Error<M::Error>> {
        let site = Location::caller();
        if self.0.shared.config.nested != Nested::Allow {
            self.0.shared.check_nested(site)?;
        }
        self.0.shared.check_out_many_slowly(count, Deadline::after(timeout), site)
    }

    /// Lends an idle connection if there is one: never waits and never opens one. A connection that
    /// is due for its test is tested, and closed if it fails.
    #[track_caller]
    pub fn try_get(&self) -> Option<Pooled<M>> {
        let site = Location::caller();
        loop {
            let doubtful = match self.0.shared.take_ready() {
                Ready::Fresh(live, now) => {
                    return Some(Pooled::lend(live, site, now, Duration::ZERO));
                }
                Ready::Doubtful(live) => live,
                Ready::Nothing => return None,
            };
            let deadline = Deadline::after(self.connection_timeout());
            match self.0.shared.vet(doubtful, deadline) {
                Ok(Vetted::Good(live)) => return Some(self.lend(live, site, Duration::ZERO)),
                // Its slot is vacant now; the next may be better.
                Ok(Vetted::Gone(_claim)) => {}
                Err(_timeout) => return None,
            }
        }
    }

    /// Opens connections until `count` are open; for `build`.
    #[track_caller]
    pub(crate) fn fill(&self, count: u32) -> Result<(), Error<M::Error>> {
        let site = Location::caller();
        let deadline = Deadline::after(self.connection_timeout());
        let opened: Result<Vec<_>, _> =
            (0..count).map(|_| self.0.shared.check_out(None, deadline)).collect();
        opened?.into_iter().for_each(|live| drop(self.lend(live, site, Duration::ZERO)));
        Ok(())
    }

    /// Tells the error handler of what no caller gets.
    #[cfg(feature = "sqlite")]
    pub(crate) fn report(&self, error: M::Error) {
        self.0.shared.config.error_handler.handle_error(error);
    }

    fn lend(&self, live: Box<Live<M>>, site: Site, waited: Duration) -> Pooled<M> {
        Pooled::lend(live, site, self.0.shared.config.clock.now(), waited)
    }

    /// Counts connections and waiters without a lock.
    pub fn state(&self) -> State {
        let census = self.0.shared.bag.census();
        State {
            connections: (census.idle + census.busy) as u32,
            idle_connections: census.idle as u32,
            waiters: census.waiting as u32,
            max_size: self.max_size(),
            paused: self.0.shared.bag.is_paused(),
            closed: self.0.shared.bag.is_closed(),
        }
    }

    /// Lists who has a connection, the longest first: where each was asked for, and how long ago.
    /// Takes no lock; those who come and go meanwhile may be in the list or not.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")] {
    /// use larder_pool::{Pool, sqlite::SqliteManager};
    ///
    /// let pool = Pool::new(SqliteManager::memory())?;
    /// let conn = pool.get()?;
    /// assert_eq!(pool.holders()[0].call_site, conn.call_site());
    /// drop(conn);
    /// assert!(pool.holders().is_empty());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn holders(&self) -> Vec<Holder> {
        self.0.shared.holders()
    }

    /// Tells whether the last attempt to open a connection has failed, since when, and why.
    pub fn outage(&self) -> Option<Outage> {
        self.0.shared.admission.outage(self.0.shared.config.clock.exact())
    }

    /// Reads what the pool has counted since it was built: how many checkouts, waits, time-outs and
    /// connects, and histograms of waiting, holding and connecting. Takes no lock.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")] {
    /// use larder_pool::{Pool, sqlite::SqliteManager};
    ///
    /// let pool = Pool::builder().build_unchecked(SqliteManager::memory());
    /// for _ in 0..10 {
    ///     pool.get()?;
    /// }
    /// let metrics = pool.metrics();
    /// assert_eq!((metrics.checkouts, metrics.waits, metrics.opened), (10, 1, 1));
    /// assert!(metrics.wait.percentile(50.0).is_zero());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn metrics(&self) -> Metrics {
        self.0.shared.metrics()
    }

    /// Returns the most connections that this pool opens, as built or last resized.
    pub fn max_size(&self) -> u32 {
        self.0.shared.max_size()
    }

    /// Returns the number of idle connections that reaping leaves.
    pub fn min_idle(&self) -> Option<u32> {
        self.0.shared.config.min_idle
    }

    /// Returns whether connections that were idle for long are tested.
    pub fn test_on_check_out(&self) -> bool {
        self.0.shared.config.test_on_check_out
    }

    /// Returns the longest that a connection is kept.
    pub fn max_lifetime(&self) -> Option<Duration> {
        self.0.shared.config.max_lifetime
    }

    /// Returns the longest that a connection is kept idle.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.0.shared.config.idle_timeout
    }

    /// Returns how long [`get`](Pool::get) waits.
    pub fn connection_timeout(&self) -> Duration {
        self.0.shared.config.connection_timeout
    }
}

impl<M: ManageConnection> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Pool(Arc::clone(&self.0))
    }
}

impl<M: ManageConnection> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("state", &self.state()).finish_non_exhaustive()
    }
}
