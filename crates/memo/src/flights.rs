//! Single flight: for each key at most one load that newcomers may join.
//!
//! | a flight is | when | a newcomer for its key | its value, when it lands |
//! |---|---|---|---|
//! | attached | on the list | waits for it | is stored, then given to the waiters |
//! | detached | taken off the list before it landed | leads a flight of its own | is given to those who waited already, not stored |
//!
//! A flight is detached by an invalidation of its key, or by a newcomer that finds its stamp
//! stale. So whoever asks after an invalidation never meets a load from before it.
//!
//! The leader stores the value and takes the flight off the list in one critical section of
//! `list`; a newcomer looks for the value again in its own. It therefore finds the value, or the
//! flight, or neither because nobody loads: a key is never loaded twice by a race.
//!
//! Lock order: `list`, then whatever storing takes. A flight's own lock is never held with it.

use crate::error::Error;
use crate::flight::{Flight, Waited};
use crate::sync::{Mutex, const_unless_loom, lock};
use crate::tables::Stamp;
use std::borrow::Borrow;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The attached flights: as many as there are keys in loads at this moment. That is a key for each
/// thread that loads, so a list serves, and for each that loads a page of them, as many as its page
/// has. Whoever boards searches all of the list, so a page costs the square of its length, divided
/// by the lists that a memo has.
pub(crate) struct Flights<K, T> {
    /// Changed under the lock by newcomers (attach), leaders (take off) and invalidations.
    list: Mutex<Vec<Attached<K, T>>>,
}

struct Attached<K, T> {
    hash: u64,
    key: K,
    /// When the load began.
    stamp: Stamp,
    flight: Arc<Flight<T>>,
}

/// What becomes of a caller that found no value.
pub(crate) enum Turn<'a, K, T, R> {
    /// The value was there after all.
    Known(R),
    /// Another thread loaded it meanwhile.
    Landed(T),
    /// The caller has to load it.
    Lead(Lead<'a, K, T>),
    /// The caller asks for its own key, or has waited for too long.
    Refused(Error),
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

    /// Waits until the caller's turn is clear, as far as its patience goes.
    ///
    /// `look` returns the value, or the present stamp if there is none; `is_fresh` tells whether
    /// a flight of that stamp may be joined. Both run under the lock.
    pub(crate) fn turn<Q, R>(
        &self,
        hash: u64,
        key: &Q,
        patience: &mut Patience,
        look: impl Fn() -> Result<R, Stamp>,
        is_fresh: impl Fn(Stamp) -> bool,
    ) -> Turn<'_, K, T, R>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + Debug + ?Sized,
        T: Clone,
    {
        loop {
            let flight = match self.board(hash, key, &look, &is_fresh) {
                Boarding::Known(value) => return Turn::Known(value),
                Boarding::Lead(lead) => return Turn::Lead(lead),
                Boarding::Recursion => return Turn::Refused(Error::recursion(key)),
                Boarding::Wait(flight) => flight,
            };
            match flight.wait(patience.deadline()) {
                Waited::Landed(value) => return Turn::Landed(value),
                Waited::TimedOut => return Turn::Refused(Error::timeout(key, patience.limit)),
                Waited::Abandoned => {}
            }
        }
    }

    /// Looks once, and takes the lead if nobody has it.
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
        // Dropped after the lock, with the key that it holds.
        let _outdated;
        let mut list = lock(&self.list);
        let stamp = match look() {
            Ok(value) => return Boarding::Known(value),
            Err(stamp) => stamp,
        };
        if let Some(at) = position(&list, hash, key) {
            let found = &list[at];
            if is_fresh(found.stamp) {
                return match found.flight.is_led_by_caller() {
                    true => Boarding::Recursion,
                    false => Boarding::Wait(found.flight.clone()),
                };
            }
            _outdated = list.swap_remove(at);
        }
        let flight = Arc::new(Flight::new());
        list.push(Attached { hash, key: key.to_owned(), stamp, flight: flight.clone() });
        Boarding::Lead(Lead { flights: self, flight, stamp, ended: false })
    }

    /// Detaches the flight of a key and runs `then` in the same critical section.
    pub(crate) fn detach<Q, R>(&self, hash: u64, key: &Q, then: impl FnOnce() -> R) -> R
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut list = lock(&self.list);
        let detached = position(&list, hash, key).map(|at| list.swap_remove(at));
        let result = then();
        drop(list);
        drop(detached);
        result
    }

    /// Detaches all flights.
    pub(crate) fn detach_all(&self) {
        let detached = std::mem::take(&mut *lock(&self.list));
        drop(detached);
    }

    fn take<R>(&self, flight: &Arc<Flight<T>>, then: impl FnOnce(K) -> R) -> Option<R> {
        let mut list = lock(&self.list);
        let at = list.iter().position(|one| Arc::ptr_eq(&one.flight, flight))?;
        Some(then(list.swap_remove(at).key))
    }
}

fn position<K, T, Q>(list: &[Attached<K, T>], hash: u64, key: &Q) -> Option<usize>
where
    K: Borrow<Q>,
    Q: Eq + ?Sized,
{
    list.iter().position(|one| one.hash == hash && one.key.borrow() == key)
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

    /// Ends the flight with a value. `store` runs under the lock, and only if the flight is
    /// still attached; the waiters wake after it.
    pub(crate) fn land<R>(mut self, value: T, store: impl FnOnce(K) -> R) -> Option<R> {
        let stored = self.flights.take(&self.flight, store);
        self.ended = true;
        self.flight.land(value);
        stored
    }
}

impl<K, T> Drop for Lead<'_, K, T> {
    /// A loader that failed or panicked: the waiters choose another leader among themselves.
    fn drop(&mut self) {
        if !self.ended {
            // The key is dropped after the lock.
            self.flights.take(&self.flight, |key| key);
            self.flight.abandon();
        }
    }
}
