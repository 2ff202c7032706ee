//! A bounded shelf: entries, what they weigh, and the order in which they leave.
//!
//! A memo has one for its values, and one for the keys that are known to have none.
//!
//! Entries come under the flights lock of their key; they go under it, under the policy lock, or
//! under none (`take_if`). Whatever takes an entry away takes its weight off, so the sum is of what
//! stands there, but for those who are just between the two.

use crate::entry::{Birth, Entry, Serial};
use crate::judge::{Judge, Verdict};
use crate::life::Lifetimes;
use crate::listener::Cause;
use crate::policy::{Bound, Entries, Policy, Record, Worth};
use crate::shelf::{Pin, Shelf, Taken};
use crate::sync::{Apart, AtomicU32, AtomicU64, Mutex, Ordering, lock};
use std::borrow::Borrow;
use std::hash::Hash;

pub(crate) struct Store<K, V> {
    shelf: Shelf<K, V>,
    pub(crate) life: Lifetimes,
    bound: Bound,
    /// What misses write, on lines that no hit reads.
    cold: Apart<Cold<K>>,
}

struct Cold<K> {
    /// The order of eviction; inserts take this lock.
    policy: Mutex<Policy<K>>,
    /// The next serial of an entry; inserts add to it.
    serials: AtomicU32,
    /// What the entries weigh together; untouched without a weigher.
    weight: AtomicU64,
}

impl<K: Hash + Eq, V> Store<K, V> {
    pub(crate) fn new(bound: Bound, life: Lifetimes) -> Self {
        Store {
            shelf: Shelf::new(),
            life,
            bound,
            cold: Apart(Cold {
                policy: Mutex::new(Policy::new(bound)),
                serials: AtomicU32::new(0),
                weight: AtomicU64::new(0),
            }),
        }
    }

    #[inline]
    pub(crate) fn pin(&self) -> Pin<'_> {
        self.shelf.pin()
    }

    #[inline]
    pub(crate) fn read<Q, R>(&self, key: &Q, look: impl FnOnce(&Entry<V>) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shelf.read(key, look)
    }

    pub(crate) fn for_each(&self, pin: &Pin<'_>, look: impl FnMut(&K, &Entry<V>)) {
        self.shelf.for_each(pin, look);
    }

    pub(crate) fn len(&self) -> usize {
        self.shelf.len()
    }

    /// What the entries weigh together; their number without a weigher.
    pub(crate) fn weight(&self) -> u64 {
        match self.is_weighed() {
            true => self.cold.0.weight.load(Ordering::Relaxed),
            false => self.len() as u64,
        }
    }

    /// Tells whether an entry of this weight has room at all.
    pub(crate) fn has_room_for(&self, weight: u32) -> bool {
        u64::from(weight) <= self.bound.max_weight
    }

    /// Makes an entry that has not been put yet. If it is due for a refresh from its birth on,
    /// its load counts as the first one.
    pub(crate) fn entry(&self, value: V, birth: Birth) -> Entry<V> {
        let now = birth.now;
        let serial = self.cold.0.serials.fetch_add(1, Ordering::Relaxed);
        let entry = Entry::new(value, birth, serial, &self.life);
        let phase = self.life.phase(&entry, now);
        if phase.is_live() {
            entry.take_turn(phase);
        }
        entry
    }

    /// Puts an entry in place of the key's last one; the caller holds the flights lock of the key
    /// and has to `admit` the entry afterwards.
    pub(crate) fn put<'p>(
        &self,
        key: K,
        entry: Entry<V>,
        pin: &'p Pin<'_>,
    ) -> Option<Taken<'p, K, V>> {
        if self.is_weighed() {
            self.cold.0.weight.fetch_add(entry.weight.into(), Ordering::Relaxed);
        }
        self.weigh_off(self.shelf.put(key, entry, pin))
    }

    pub(crate) fn remove<'p, Q>(&self, key: &Q, pin: &'p Pin<'_>) -> Option<Taken<'p, K, V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.weigh_off(self.shelf.remove(key, pin))
    }

    /// Takes away all entries for which `is_it`, which runs under no lock.
    pub(crate) fn take_if<'p>(
        &self,
        mut is_it: impl FnMut(&K, &Entry<V>) -> bool,
        pin: &'p Pin<'_>,
        mut gone: impl FnMut(Taken<'p, K, V>),
    ) where
        K: 'p,
        V: 'p,
    {
        self.shelf.for_each(pin, |key, entry| {
            if is_it(key, entry) {
                let taken = self.shelf.remove_serial(key, entry.serial, pin);
                self.weigh_off(taken).map(&mut gone);
            }
        });
    }

    /// Tells the policy of an entry that was put, and removes what it no longer has room for.
    pub(crate) fn admit<'p>(
        &self,
        record: Record<K>,
        judge: &Judge,
        pin: &'p Pin<'_>,
        gone: impl FnMut(Taken<'p, K, V>, Cause),
    ) where
        K: 'p,
        V: 'p,
    {
        lock(&self.cold.0.policy).admit(record, &mut Judged { store: self, judge, pin, gone });
    }

    fn is_weighed(&self) -> bool {
        self.bound.max_weight != u64::MAX
    }

    fn weigh_off<'p>(&self, taken: Option<Taken<'p, K, V>>) -> Option<Taken<'p, K, V>> {
        if let Some(taken) = taken.as_ref().filter(|_| self.is_weighed()) {
            self.cold.0.weight.fetch_sub(taken.entry().weight.into(), Ordering::Relaxed);
        }
        taken
    }

    fn remove_serial<'p>(
        &self,
        key: &K,
        serial: Serial,
        pin: &'p Pin<'_>,
    ) -> Option<Taken<'p, K, V>> {
        self.weigh_off(self.shelf.remove_serial(key, serial, pin))
    }
}

/// The entries as the policy sees them.
struct Judged<'s, 'p, K, V, G> {
    store: &'s Store<K, V>,
    judge: &'s Judge,
    pin: &'p Pin<'p>,
    gone: G,
}

impl<'p, K, V, G> Entries<K> for Judged<'_, 'p, K, V, G>
where
    K: Hash + Eq + 'p,
    V: 'p,
    G: FnMut(Taken<'p, K, V>, Cause),
{
    fn len(&self) -> usize {
        self.store.len()
    }

    fn weight(&self) -> u64 {
        self.store.weight()
    }

    fn worth(&self, record: &Record<K>) -> Worth {
        let worth = |entry: &Entry<V>| {
            if entry.serial != record.serial {
                return Worth::Gone;
            }
            match self.judge.verdict(entry, &self.store.life) {
                Verdict::Stale => Worth::Dead(Cause::Invalidated),
                Verdict::Over => Worth::Dead(Cause::Expired),
                Verdict::Live | Verdict::Grace(_) => Worth::Credit(entry.credit()),
            }
        };
        self.store.read(&record.key, worth).unwrap_or(Worth::Gone)
    }

    fn set_credit(&self, record: &Record<K>, credit: u8) {
        self.store.read(&record.key, |entry| {
            if entry.serial == record.serial {
                entry.set_credit(credit);
            }
        });
    }

    fn remove(&mut self, record: &Record<K>, cause: Cause) -> bool {
        let taken = self.store.remove_serial(&record.key, record.serial, self.pin);
        taken.map(|taken| (self.gone)(taken, cause)).is_some()
    }
}
