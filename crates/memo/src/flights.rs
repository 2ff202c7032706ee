//! Single flight: for each key at most one load that newcomers may join.
//!
//! | a load is | when | a newcomer for its key | its value, when it lands |
//! |---|---|---|---|
//! | open | from its start | waits for it | is stored, then given to the waiters |
//! | overtaken | a waiter of it has waited too long | leads a load of its own | the same, unless a later load has been stored by then |
//! | closed | its key was invalidated or stored, or a newcomer found its stamp stale; or it never was shared | leads a load of its own | is given to those who waited already, not stored |
//!
//! It goes down this table and never up. So whoever asks after an invalidation never meets a load
//! from before it; and a load that stalls holds up its key for as long as one caller waits, and no
//! longer. An overtaken load may still be stored: else a load that takes longer than its callers
//! wait would be overtaken again and again and never be kept.
//!
//! All of them are on the list until they end, each with its thread: a loader that asks for a key
//! that its own thread is loading is refused, whatever became of that load.
//!
//! The leader stores the value and takes the load off the list in one critical section of
//! `list`; a newcomer looks for the value again in its own. It therefore finds the value, or the
//! flight, or neither because nobody loads: a key is never loaded twice by a race.
//!
//! Lock order: `list`, then whatever storing takes. A flight's own lock is never held with it.

use crate::flight::{Flight, Waited};
use crate::sync::{Mutex, const_unless_loom, lock};
use crate::tables::Stamp;
use std::borrow::Borrow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The loads in progress: as many as there are keys in loads at this moment. That is a key for each
/// thread that loads, so a list serves, and for each that loads a page of them, as many as its page
/// has. Whoever boards searches all of the list, so a page costs the square of its length, divided
/// by the lists that a memo has.
pub(crate) struct Flights<K, T> {
    /// Oldest first. Changed under the lock by newcomers, leaders (take off), those who waited
    /// too long and invalidations.
    list: Mutex<Vec<Listed<K, T>>>,
}

struct Listed<K, T> {
    hash: u64,
    key: K,
    /// When the load began.
    stamp: Stamp,
    standing: Standing,
    flight: Arc<Flight<T>>,
}

/// See the table above.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Open,
    Overtaken,
    Closed,
}

/// What becomes of a caller that found no value.
pub(crate) enum Turn<'a, K, T, R> {
    /// The value was there after all.
    Known(R),
    /// Another thread loaded it meanwhile.
    Landed(T),
    /// The caller has to load it.
    Lead(Lead<'a, K, T>),
    /// The caller has waited for too long, and this load has been overtaken.
    TimedOut,
    /// The caller asks for its own key.
    Recursion,
}

/// Where a caller stands that found no value a moment ago.
pub(crate) enum Boarding<'a, K, T, R> {
    /// The value is there after all.
    Known(R),
    /// Another thread loads it.
    Wait(Arc<Flight<T>>),
    /// The caller has to load it.
    Lead(Lead<'a, K, T>),
    /// The caller is loading it already.
    Recursion,
}

/// How long one call waits for loads of others, however many they are.
pub(crate) struct Patience {
    pub(crate) limit: Duration,
    /// Set by the first wait; too far to express is never.
    deadline: Option<Option<Instant>>,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Patience { limit, deadline: None }
    }

    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        let limit = self.limit;
        *self.deadline.get_or_insert_with(|| Instant::now().checked_add(limit))
    }
}

impl<K, T> Flights<K, T> {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Flights { list: Mutex::new(Vec::new()) }
        }
    }

    /// Waits until the caller's turn is clear, as far as its patience goes. `board` looks, as
    /// [`board`](Self::board) of these flights does.
    pub(crate) fn turn<'a, R>(
        &'a self,
        patience: &mut Patience,
        board: impl Fn() -> Boarding<'a, K, T, R>,
    ) -> Turn<'a, K, T, R>
    where
        T: Clone,
    {
        loop {
            let flight = match board() {
                Boarding::Known(value) => return Turn::Known(value),
                Boarding::Lead(lead) => return Turn::Lead(lead),
                Boarding::Recursion => return Turn::Recursion,
                Boarding::Wait(flight) => flight,
            };
            match flight.wait(patience.deadline()) {
                Waited::Landed(value) => return Turn::Landed(value),
                Waited::Abandoned => {}
                Waited::TimedOut => {
                    self.overtake(&flight);
                    return Turn::TimedOut;
                }
            }
        }
    }

    /// Looks once, and takes the lead if nobody has it.
    ///
    /// `look` returns the value, or the present stamp if there is none; `is_fresh` tells whether
    /// a flight of that stamp may be joined. Both run under the lock.
    pub(crate) fn board<Q, R>(
        &self,
        hash: u64,
        key: &Q,
        look: impl Fn() -> Result<R, Stamp>,
        is_fresh: impl Fn(Stamp) -> bool,
    ) -> Boarding<'_, K, T, R>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        let mut list = lock(&self.list);
        let stamp = match look() {
            Ok(value) => return Boarding::Known(value),
            Err(stamp) => stamp,
        };
        for listed in list.iter_mut().filter(|listed| listed.is(hash, key)) {
            if listed.flight.is_led_by_caller() {
                return Boarding::Recursion;
            }
            if listed.standing == Standing::Open {
                if is_fresh(listed.stamp) {
                    return Boarding::Wait(listed.flight.clone());
                }
                listed.standing = Standing::Closed;
            }
        }
        let lead = self.lead(&mut list, (hash, key.to_owned()), stamp, Standing::Open);
        Boarding::Lead(lead)
    }

    /// Begins a load for the caller alone; `None` if its own loader asks for it.
    pub(crate) fn aside<Q>(&self, hash: u64, key: &Q) -> Option<Lead<'_, K, T>>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        let mut list = lock(&self.list);
        if list.iter().any(|listed| listed.is(hash, key) && listed.flight.is_led_by_caller()) {
            return None;
        }
        Some(self.lead(&mut list, (hash, key.to_owned()), 0, Standing::Closed))
    }

    fn lead(
        &self,
        list: &mut Vec<Listed<K, T>>,
        (hash, key): (u64, K),
        stamp: Stamp,
        standing: Standing,
    ) -> Lead<'_, K, T> {
        let flight = Arc::new(Flight::new());
        list.push(Listed { hash, key, stamp, standing, flight: flight.clone() });
        Lead { flights: self, flight, stamp, ended: false }
    }

    /// Lets newcomers lead anew beside a load that has been waited for too long.
    pub(crate) fn overtake(&self, flight: &Arc<Flight<T>>) {
        let mut list = lock(&self.list);
        let stalled = list.iter_mut().find(|listed| Arc::ptr_eq(&listed.flight, flight));
        if let Some(stalled) = stalled.filter(|listed| listed.standing == Standing::Open) {
            stalled.standing = Standing::Overtaken;
        }
    }

    /// Closes the loads of a key and runs `then` in the same critical section.
    pub(crate) fn detach<Q, R>(&self, hash: u64, key: &Q, then: impl FnOnce() -> R) -> R
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut list = lock(&self.list);
        close(list.iter_mut().filter(|listed| listed.is(hash, key)));
        then()
    }

    /// Closes all loads.
    pub(crate) fn detach_all(&self) {
        close(lock(&self.list).iter_mut());
    }

    /// Takes a load off the list.
    fn take(
        list: &mut Vec<Listed<K, T>>,
        flight: &Arc<Flight<T>>,
    ) -> Option<(usize, Listed<K, T>)> {
        let at = list.iter().position(|listed| Arc::ptr_eq(&listed.flight, flight))?;
        Some((at, list.remove(at)))
    }
}

fn close<'l, K: 'l, T: 'l>(loads: impl Iterator<Item = &'l mut Listed<K, T>>) {
    loads.for_each(|listed| listed.standing = Standing::Closed);
}

impl<K, T> Listed<K, T> {
    fn is<Q>(&self, hash: u64, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.hash == hash && self.key.borrow() == key
    }
}

/// The right and the duty to load: a flight ends when its lead lands or is dropped.
pub(crate) struct Lead<'a, K, T> {
    flights: &'a Flights<K, T>,
    flight: Arc<Flight<T>>,
    stamp: Stamp,
    ended: bool,
}

impl<K, T> Lead<'_, K, T> {
    /// When the load began.
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Ends the flight with a value. `store` runs under the lock, and only if nothing forbids it:
    /// see the table above. The waiters wake after it.
    pub(crate) fn land<R>(mut self, value: T, store: impl FnOnce(K) -> R) -> Option<R>
    where
        K: Eq,
    {
        // Dropped after the lock, if it is not stored.
        let _key;
        let stored = {
            let mut list = lock(&self.flights.list);
            let (at, Listed { hash, key, standing, .. }) = self.unlist(&mut list);
            if standing == Standing::Closed {
                _key = key;
                None
            } else {
                // What began before it would bring an older value.
                let earlier = list[..at].iter_mut();
                close(earlier.filter(|listed| listed.is(hash, &key)));
                Some(store(key))
            }
        };
        self.end(value);
        stored
    }

    /// Ends the flight with a value. `store` runs under the lock, whatever the flight's standing:
    /// for a memo that keeps the first value it is given.
    pub(crate) fn land_first<R>(mut self, value: T, store: impl FnOnce(K) -> R) -> R {
        let stored = {
            let mut list = lock(&self.flights.list);
            let (_, listed) = self.unlist(&mut list);
            store(listed.key)
        };
        self.end(value);
        stored
    }

    /// Ends the flight with a value that is not to be stored.
    pub(crate) fn land_unstored(mut self, value: T) {
        // The key is dropped after the lock.
        let _listed = self.unlist(&mut lock(&self.flights.list));
        self.end(value);
    }

    fn unlist(&self, list: &mut Vec<Listed<K, T>>) -> (usize, Listed<K, T>) {
        Flights::take(list, &self.flight).expect("it is on the list until it ends")
    }

    fn end(&mut self, value: T) {
        self.ended = true;
        self.flight.land(value);
    }
}

impl<K, T> Drop for Lead<'_, K, T> {
    /// A loader that failed or panicked: the waiters choose another leader among themselves.
    fn drop(&mut self) {
        if !self.ended {
            // The key is dropped after the lock. It is off the list already if storing panicked.
            let _listed = Flights::take(&mut lock(&self.flights.list), &self.flight);
            self.flight.abandon();
        }
    }
}
