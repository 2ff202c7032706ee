//! What becomes of a value that has been loaded or inserted: the entry that is to stand under its
//! key, and what has to leave for it.
//!
//! The entry is made first, since a weigher is the caller's code. Then it is put under the flights
//! lock of its key. Then, with no lock held, the policy is told.

use crate::entry::{Birth, Entry, Serial, Sources};
use crate::life::Nanos;
use crate::listener::{Cause, Departures};
use crate::memo::{Memo, Pins};
use crate::policy::Record;
use crate::tables::Stamp;
use std::borrow::Borrow;
use std::hash::Hash;
use std::time::Duration;

/// What is to stand under a key, made before the lock is taken.
pub(crate) enum Fate<V> {
    Value(Entry<V>),
    Absent(Entry<()>),
    Nothing,
}

/// What is known of a value when it is to be stored.
pub(crate) struct Origin {
    pub(crate) stamp: Stamp,
    pub(crate) sources: Sources,
    pub(crate) begun: Nanos,
    pub(crate) ended: Nanos,
    pub(crate) took: Nanos,
    pub(crate) expires_in: Option<Duration>,
}

/// Where a key stands now.
#[derive(Clone, Copy)]
pub(crate) enum Settled {
    Present,
    Absent,
    Nowhere,
}

impl<K: Hash + Eq, V> Memo<K, V> {
    /// What is to stand under a key, and its record for the policy.
    pub(crate) fn fate(
        &self,
        key: K,
        hash: u64,
        value: Option<V>,
        origin: Origin,
    ) -> (Fate<V>, Record<K>) {
        let fate = match (value, &self.cold.0.absent) {
            (Some(value), _) => {
                let weight = self.cold.0.weigher.as_ref().map_or(1, |weigh| weigh(&key, &value));
                match self.present.has_room_for(weight) {
                    true => {
                        let expires = self.present.life.expiry(origin.begun, origin.expires_in);
                        Fate::Value(self.present.entry(value, origin.birth(expires, weight)))
                    }
                    false => Fate::Nothing,
                }
            }
            (None, Some(absent)) => {
                let own = absent.life.expiry(origin.begun, origin.expires_in);
                let expires = own.min(absent.life.expiry(origin.begun, None));
                Fate::Absent(absent.entry((), origin.birth(expires, 1)))
            }
            (None, None) => Fate::Nothing,
        };
        let (serial, weight) = fate.number();
        (fate, Record { key, hash, serial, weight })
    }

    /// Puts under a key what is to stand there. The caller holds its flights lock, and has to
    /// `admit` the record afterwards.
    pub(crate) fn settle<'p>(
        &'p self,
        key: K,
        fate: Fate<V>,
        pins: &'p Pins<'_>,
        gone: &mut Departures<'p, K, V>,
    ) -> Settled {
        match fate {
            Fate::Value(entry) => {
                if let Some((absent, pin)) = self.absent(pins) {
                    absent.remove(&key, pin);
                }
                let last = self.present.put(key, entry, &pins.present);
                last.into_iter().for_each(|taken| gone.add(taken, Cause::Replaced));
                Settled::Present
            }
            Fate::Absent(entry) => {
                let last = self.present.remove(&key, &pins.present);
                last.into_iter().for_each(|taken| gone.add(taken, Cause::Replaced));
                let (absent, pin) = self.absent(pins).expect("made only if there is such a store");
                absent.put(key, entry, pin);
                Settled::Absent
            }
            Fate::Nothing => {
                self.clear(&key, Cause::Replaced, pins, gone);
                Settled::Nowhere
            }
        }
    }

    pub(crate) fn clear<'p, Q>(
        &'p self,
        key: &Q,
        cause: Cause,
        pins: &'p Pins<'_>,
        gone: &mut Departures<'p, K, V>,
    ) where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let last = self.present.remove(key, &pins.present);
        last.into_iter().for_each(|taken| gone.add(taken, cause));
        if let Some((absent, pin)) = self.absent(pins) {
            absent.remove(key, pin);
        }
    }

    /// Tells the policy what has come, and lets go of what it has no room for.
    pub(crate) fn admit<'p>(
        &'p self,
        settled: Settled,
        record: Record<K>,
        pins: &'p Pins<'_>,
        gone: &mut Departures<'p, K, V>,
    ) {
        match (settled, self.absent(pins)) {
            (Settled::Present, _) => {
                let gone = |taken, cause| gone.add(taken, cause);
                self.present.admit(record, &self.judge, &pins.present, gone);
            }
            (Settled::Absent, Some((absent, pin))) => {
                absent.admit(record, &self.judge, pin, |_, _| {});
            }
            _ => {}
        }
    }
}

impl Origin {
    fn birth(self, expires: Nanos, weight: u32) -> Birth {
        let Origin { stamp, sources, ended, took, .. } = self;
        Birth { stamp, sources, expires, now: ended, weight, took }
    }
}

impl<V> Fate<V> {
    fn number(&self) -> (Serial, u32) {
        match self {
            Fate::Value(entry) => (entry.serial, entry.weight),
            Fate::Absent(entry) => (entry.serial, entry.weight),
            Fate::Nothing => (0, 0),
        }
    }
}
