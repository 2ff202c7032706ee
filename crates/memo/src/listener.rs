//! Telling the program which entries have left.
//!
//! Entries leave under locks; the listener hears of it when all of them are released.

use crate::shelf::Taken;
use crate::stats::Counters;

/// Why an entry has left a [`Memo`](crate::Memo).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It made room for another one.
    Evicted,
    /// Its time was over; noticed when its place was needed.
    Expired,
    /// By key, by predicate, by all, or by a bump; the last two are noticed when its place is
    /// needed.
    Invalidated,
    /// Its key was loaded again, or inserted.
    Replaced,
}

/// What the program wants to be told.
pub(crate) type Listener<K, V> = Box<dyn Fn(&K, &V, Cause) + Send + Sync>;

/// Entries that leave in one critical section: counted at once, announced after it.
pub(crate) struct Departures<'p, K, V> {
    listener: Option<&'p Listener<K, V>>,
    counters: &'p Counters,
    /// Empty without a listener.
    gone: Vec<(Taken<'p, K, V>, Cause)>,
}

impl<'p, K, V> Departures<'p, K, V> {
    pub(crate) fn new(listener: Option<&'p Listener<K, V>>, counters: &'p Counters) -> Self {
        Departures { listener, counters, gone: Vec::new() }
    }

    pub(crate) fn add(&mut self, taken: Taken<'p, K, V>, cause: Cause) {
        self.counters.count_departure(cause);
        if self.listener.is_some() {
            self.gone.push((taken, cause));
        }
    }

    /// Calls the listener. The caller holds no lock.
    pub(crate) fn announce(self) {
        let Some(listener) = self.listener else { return };
        for (taken, cause) in self.gone {
            listener(taken.key(), &taken.entry().value, cause);
        }
    }
}
