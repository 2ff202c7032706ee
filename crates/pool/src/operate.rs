//! What an operator does to a running pool.

use std::time::{Duration, Instant};

use r2d2::ManageConnection;

use crate::checkout::Deadline;
use crate::error::{Error, Request};
use crate::pool::Pool;
use crate::waiter::Refusal;

impl<M: ManageConnection> Pool<M> {
    /// Changes the most connections that this pool opens.
    ///
    /// A larger pool serves those who wait at once. A smaller one closes idle connections now and,
    /// as long as there are still too many, each busy one when it comes back; nobody is
    /// interrupted. Callers of [`get_many`](Pool::get_many) who wait for more than there will be
    /// get their error.
    ///
    /// # Errors
    /// [`is_out_of_bounds`](Error::is_out_of_bounds) when `max_size` is 0 (to lend nothing,
    /// [`pause`](Pool::pause)) or above the
    /// [`max_capacity`](crate::Builder::max_capacity); [`is_closed`](Error::is_closed).
    ///
    /// # Examples
    /// ```
    /// # #[cfg(feature = "sqlite")] {
    /// # use larder_pool::{Pool, sqlite::SqliteManager};
    /// let pool = Pool::builder().max_size(2).build(SqliteManager::memory())?;
    /// pool.resize(8)?;
    /// assert_eq!(pool.get_many(8)?.len(), 8);
    /// pool.resize(2)?;
    /// assert_eq!(pool.state().connections, 2);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resize(&self, max_size: u32) -> Result<(), Error<M::Error>> {
        let bag = &self.shared().bag;
        let refusal = match max_size {
            0 => Some(Refusal::TooMany),
            // What was idle and is too much closes here, each in turn.
            _ => bag.resize(max_size as usize).map(drop).err(),
        };
        match refusal {
            None => Ok(()),
            Some(Refusal::Closed) => Err(Error::closed()),
            Some(_) => {
                let most = bag.capacity() as u32;
                Err(Error::out_of_bounds(Request::Resize, max_size, most))
            }
        }
    }

    /// Lends nothing more until [`resume`](Pool::resume), as for a failover or maintenance. Returns
    /// at once: connections that are lent stay so until their holders return them. Callers wait in
    /// the queue, each up to its own deadline; what is being opened or tested is kept for afterwards, and
    /// who waited to open one goes to the end of the queue. Pausing twice is pausing once.
    pub fn pause(&self) {
        self.shared().bag.pause();
        self.shared().admission.rouse();
    }

    /// Pauses as [`pause`](Pool::pause) does, then waits until every connection is back.
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout) when some are not after `timeout`, or when somebody
    /// resumes the pool before: [`still_lent`](Error::still_lent) says how many. A connection that
    /// is being opened counts. The pool stays as it is: paused, unless somebody resumed it.
    ///
    /// # Examples
    /// ```
    /// # #[cfg(feature = "sqlite")] {
    /// # use larder_pool::{Pool, sqlite::SqliteManager};
    /// # use std::time::Duration;
    /// let pool = Pool::builder().build(SqliteManager::memory())?;
    /// pool.pause_within(Duration::from_secs(5))?;
    /// // Nobody uses the database now.
    /// assert!(pool.get_timeout(Duration::ZERO).is_err());
    /// pool.resume();
    /// assert!(pool.get().is_ok());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pause_within(&self, timeout: Duration) -> Result<(), Error<M::Error>> {
        self.pause();
        self.rest(timeout)
    }

    /// Lends again, to those who waited first.
    pub fn resume(&self) {
        self.shared().bag.resume();
    }

    /// Closes the pool: idle connections at once, lent ones when they come back. Those who wait,
    /// and those who come later, get an error that says so.
    pub fn close(&self) {
        self.shared().close();
    }

    /// Closes the pool as [`close`](Pool::close) does, then waits until the last connection is
    /// closed.
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout) when some are not after `timeout`:
    /// [`still_lent`](Error::still_lent) says how many. They close when they come back.
    pub fn close_within(&self, timeout: Duration) -> Result<(), Error<M::Error>> {
        self.close();
        self.rest(timeout)
    }

    fn rest(&self, timeout: Duration) -> Result<(), Error<M::Error>> {
        let began = Instant::now();
        match self.shared().bag.rest(Deadline::after(timeout).at) {
            0 => Ok(()),
            lent => Err(Error::still_out(lent as u32, began.elapsed())),
        }
    }
}
