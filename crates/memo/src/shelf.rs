//! Where the entries of a `Memo` stand: a concurrent index read behind guards.
//!
//! papaya holds them in the product. It cannot run under loom, so the models put a locked map in
//! its place; everything around it, the protocol that they check, is the code that ships.

use crate::hash::Seeded;
use crate::sync::{AtomicU8, Ordering};
use crate::tables::Stamp;
use std::borrow::Borrow;
use std::hash::Hash;
use std::time::Duration;

/// Hits that an entry can have to its credit: two bits.
const MOST_CREDIT: u8 = 3;

/// A value and what decides over it. Immutable but for `credit`.
///
/// Kept small: with a key of 8 bytes and a value of 16 the whole is 48, of which a hit reads all
/// but the serial.
pub(crate) struct Entry<V> {
    pub(crate) value: V,
    /// When its load began.
    pub(crate) stamp: Stamp,
    /// Until when it is served.
    pub(crate) expires: Expiry,
    /// Which insertion of its key this is: the policy's records of earlier ones do not match.
    pub(crate) serial: Serial,
    /// Recent hits, saturating. Hits add, the policy takes away; lost updates do no harm.
    credit: AtomicU8,
}

/// Numbers insertions. It wraps, harmlessly: a record is swept long before four thousand million
/// further insertions.
pub(crate) type Serial = u32;

/// A time of the memo's clock, in nanoseconds (584 years of them), or never.
#[derive(Clone, Copy)]
pub(crate) struct Expiry(u64);

impl Expiry {
    pub(crate) const NEVER: Expiry = Expiry(u64::MAX);

    pub(crate) fn at(time: Duration) -> Self {
        Expiry(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Tells whether it is past; the clock is asked only if it can be.
    #[inline]
    pub(crate) fn is_past(self, now: impl FnOnce() -> Duration) -> bool {
        self.0 != u64::MAX && u128::from(self.0) <= now().as_nanos()
    }
}

impl<V> Entry<V> {
    pub(crate) fn new(value: V, stamp: Stamp, expires: Expiry, serial: Serial) -> Self {
        Entry { value, stamp, expires, serial, credit: AtomicU8::new(0) }
    }

    /// Counts a hit. A popular entry is saturated, and then this writes nothing.
    #[inline]
    pub(crate) fn touch(&self) {
        let credit = self.credit.load(Ordering::Relaxed);
        if credit < MOST_CREDIT {
            self.credit.store(credit + 1, Ordering::Relaxed);
        }
    }

    pub(crate) fn credit(&self) -> u8 {
        self.credit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_credit(&self, credit: u8) {
        self.credit.store(credit, Ordering::Relaxed);
    }
}

#[cfg(not(loom))]
pub(crate) struct Shelf<K, V> {
    map: papaya::HashMap<K, Entry<V>, Seeded>,
}

#[cfg(not(loom))]
impl<K: Hash + Eq, V> Shelf<K, V> {
    pub(crate) fn new() -> Self {
        Shelf { map: papaya::HashMap::with_hasher(Seeded::new()) }
    }

    /// Shows the entry of a key to `look`.
    #[inline]
    pub(crate) fn read<Q, R>(&self, key: &Q, look: impl FnOnce(&Entry<V>) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.get(key, &self.map.guard()).map(look)
    }

    /// Puts an entry in place of the key's last one, whose credit it inherits.
    pub(crate) fn put(&self, key: K, entry: Entry<V>) {
        let guard = self.map.guard();
        if let Some(last) = self.map.get(&key, &guard) {
            entry.set_credit(last.credit());
        }
        self.map.insert(key, entry, &guard);
    }

    /// Takes the entry of a key away.
    pub(crate) fn remove<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.remove(key, &self.map.guard());
    }

    /// Takes the entry of this insertion away, if it is still that; tells whether it was.
    pub(crate) fn remove_serial(&self, key: &K, serial: Serial) -> bool {
        let guard = self.map.guard();
        matches!(self.map.remove_if(key, |_, entry| entry.serial == serial, &guard), Ok(Some(_)))
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }
}

#[cfg(loom)]
pub(crate) struct Shelf<K, V> {
    map: crate::sync::Mutex<std::collections::HashMap<K, Entry<V>, Seeded>>,
}

#[cfg(loom)]
impl<K: Hash + Eq, V> Shelf<K, V> {
    pub(crate) fn new() -> Self {
        let map = std::collections::HashMap::with_hasher(Seeded::new());
        Shelf { map: crate::sync::Mutex::new(map) }
    }

    pub(crate) fn read<Q, R>(&self, key: &Q, look: impl FnOnce(&Entry<V>) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        crate::sync::lock(&self.map).get(key).map(look)
    }

    pub(crate) fn put(&self, key: K, entry: Entry<V>) {
        let mut map = crate::sync::lock(&self.map);
        if let Some(last) = map.get(&key) {
            entry.set_credit(last.credit());
        }
        map.insert(key, entry);
    }

    pub(crate) fn remove<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        crate::sync::lock(&self.map).remove(key);
    }

    pub(crate) fn remove_serial(&self, key: &K, serial: Serial) -> bool {
        let mut map = crate::sync::lock(&self.map);
        let found = map.get(key).is_some_and(|entry| entry.serial == serial);
        found && map.remove(key).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        crate::sync::lock(&self.map).len()
    }
}
