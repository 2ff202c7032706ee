//! One array: its variables, and the locks of those who change them.
//!
//! # Who does what
//!
//! | who | takes | sees |
//! |---|---|---|
//! | a read of one key | nothing | the value of that moment |
//! | a count of one that has been counted before | the key's stripe, briefly | what no other update changes meanwhile |
//! | an update of one key | the key's stripe | the same |
//! | a bulk update | the right to them; then all stripes that it changes, ascending | the same |
//! | a look at several keys, or at all | nothing; after some tries all stripes | one moment |
//!
//! # Lock order
//!
//! The right to bulk updates, stripes, ascending, then the names of a `Vars`. Closures of users run
//! under stripes, and may read but not change (`busy`); a read from within one never waits for a
//! lock, but tries again. It succeeds, since what it has to find still is the counts of stripes,
//! and those are moving only while a change that is already computed is being put in place.
//!
//! Pins are outermost: nothing that the index frees is dropped under a lock of the same thread.

use crate::busy::Busy;
use crate::count::Bits;
use crate::error::Error;
use crate::hash::Seeded;
use crate::shelf::{Pin, Shelf};
use crate::slot::{Legend, Slot};
use crate::stripe::{self, STRIPES, Stripe};
use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering, const_unless_loom, yield_now};
use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};

/// How often a look at several keys is tried without a lock.
pub(crate) const TRIES: usize = if cfg!(loom) { 1 } else { 4 };

/// A set of stripes, a bit for each.
pub(crate) type Stripes = u32;

pub(crate) const ALL: Stripes = if STRIPES == 32 { !0 } else { (1 << STRIPES) - 1 };

/// Stripes that are held.
pub(crate) type Locks<'c> = [Option<stripe::Held<'c>>; STRIPES];

/// What is behind an [`Array`](crate::Array).
pub struct Core<K, V> {
    pub(crate) shelf: Shelf<K, Slot<V>>,
    pub(crate) legend: Legend<V>,
    /// Written before anyone else has the array.
    pub(crate) max_entries: usize,
    pub(crate) stripes: [Stripe; STRIPES],
    counts: Counts,
    /// The right to bulk updates, and the number of the last.
    pub(crate) bulk: Mutex<u64>,
}

/// What updates write, on a line that no reader of a key reads.
#[repr(align(64))]
struct Counts {
    /// How many variables there are; written by who makes and unsets them, within their move.
    len: AtomicUsize,
    /// How many there may soon be: taken before they are made. Untouched without a limit.
    room_taken: AtomicUsize,
    /// Whether the array was unset, and another may have its name. Written under all stripes.
    is_gone: AtomicBool,
}

impl<K, V> Core<K, V> {
    const_unless_loom! {
        pub(crate) fn new(max_entries: usize) -> Self {
            Core {
                shelf: Shelf::new(),
                legend: Legend::new(),
                max_entries,
                #[cfg(not(loom))]
                stripes: [const { Stripe::new() }; STRIPES],
                #[cfg(loom)]
                stripes: std::array::from_fn(|_| Stripe::new()),
                counts: Counts {
                    len: AtomicUsize::new(0),
                    room_taken: AtomicUsize::new(0),
                    is_gone: AtomicBool::new(false),
                },
                bulk: Mutex::new(0),
            }
        }
    }

    /// Holds these stripes.
    pub(crate) fn lock(&self, stripes: Stripes) -> Locks<'_> {
        std::array::from_fn(|nth| (stripes & 1 << nth != 0).then(|| self.stripes[nth].hold()))
    }

    pub(crate) fn len(&self) -> usize {
        // Relaxed: who needs the value of one moment compares the counts of stripes.
        self.counts.len.load(Ordering::Relaxed)
    }

    /// Notes variables made and unset; the caller is moving.
    pub(crate) fn count_made(&self, made: usize, unset: usize) {
        if made > unset {
            self.counts.len.fetch_add(made - unset, Ordering::Relaxed);
        } else if unset > made {
            self.counts.len.fetch_sub(unset - made, Ordering::Relaxed);
        }
    }

    /// Takes room for more variables, if there is so much.
    pub(crate) fn take_room(&self, more: usize) -> Result<(), Error> {
        let limit = self.max_entries;
        if limit == usize::MAX || more == 0 {
            return Ok(());
        }
        let take = |taken: usize| taken.checked_add(more).filter(|taken| *taken <= limit);
        let taken = &self.counts.room_taken;
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .map(drop)
            .map_err(|held| Error::full(held, more, limit))
    }

    /// Returns room that was taken.
    pub(crate) fn return_room(&self, less: usize) {
        if self.max_entries != usize::MAX && less > 0 {
            self.counts.room_taken.fetch_sub(less, Ordering::Relaxed);
        }
    }

    /// Lets nobody change it from now on; the caller holds all stripes.
    pub(crate) fn close(&self) {
        // Relaxed, as all of it: the locks order it.
        self.counts.is_gone.store(true, Ordering::Relaxed);
    }

    /// Tells whether it was unset; the caller holds a stripe.
    pub(crate) fn is_gone(&self) -> bool {
        self.counts.is_gone.load(Ordering::Relaxed)
    }
}

impl<K: Hash + Eq, V> Core<K, V> {
    #[inline]
    pub(crate) fn stripe_of<Q: Hash + ?Sized>(key: &Q) -> usize {
        // Its upper bits: the index takes others.
        (Seeded::new().hash_one(key) >> 32) as usize % STRIPES
    }

    /// Shows the value of a key at this moment to `look`.
    #[inline]
    pub(crate) fn read<Q, R>(&self, key: &Q, look: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let look = |slot: &Slot<V>| slot.value(&self.legend).map(|value| look(&value));
        self.shelf.read(key, look).flatten()
    }

    /// Looks at everything there was at one moment. `look` may run more than once; only its last
    /// answer is true, and returned.
    pub(crate) fn steady<R>(&self, mut look: impl FnMut(&Pin<'_, K, Slot<V>>) -> R) -> R {
        let pin = self.shelf.pin();
        let busy = Busy::enter();
        let mut tries = 0;
        while tries < TRIES || busy.is_none() {
            if tries > 0 {
                yield_now();
            }
            tries += 1;
            let moves = self.stripes.each_ref().map(Stripe::moves);
            if moves.contains(&None) {
                continue;
            }
            let answer = look(&pin);
            let mut noted = self.stripes.iter().zip(moves.into_iter().flatten());
            if !noted.any(|(stripe, moves)| stripe.has_moved_since(moves)) {
                return answer;
            }
        }
        let _locks = self.lock(ALL);
        look(&pin)
    }

    /// Changes a count in place by `sum`, which is of a few instructions. None if the array was
    /// unset. Nothing in it if that cannot be done briefly, or not in place, or there is no sum.
    #[inline]
    pub(crate) fn count<Q>(
        &self,
        key: &Q,
        bits: &Bits<V>,
        sum: impl FnOnce(V) -> Option<V>,
    ) -> Result<Option<Option<V>>, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let stripe = &self.stripes[Self::stripe_of(key)];
        let pin = self.shelf.pin();
        let _busy = Busy::enter_to_change()?;
        let Some(_brief) = stripe.brief() else { return Ok(Some(None)) };
        if self.is_gone() {
            return Ok(None);
        }
        let Some(Slot::Counted(cell)) = pin.get(key) else { return Ok(Some(None)) };
        let sum = sum((bits.of)(cell.held()));
        if let Some(sum) = &sum {
            cell.set((bits.to)(sum));
        }
        Ok(Some(sum))
    }

    /// Holds a key's stripe; none if the array was unset.
    #[inline]
    pub(crate) fn hold<Q: Hash + ?Sized>(&self, key: &Q) -> Result<Option<Held<'_, K, V>>, Error> {
        let stripe = &self.stripes[Self::stripe_of(key)];
        let pin = self.shelf.pin();
        let busy = Busy::enter_to_change()?;
        let stripe = stripe.hold();
        if self.is_gone() {
            return Ok(None);
        }
        Ok(Some(Held { stripe, _busy: busy, core: self, pin }))
    }
}

/// What is to become of a variable.
pub(crate) enum Change<V> {
    Keep,
    Put(V),
    Unset,
}

/// A key's stripe, held. The fields are dropped in this order.
pub(crate) struct Held<'c, K, V> {
    stripe: stripe::Held<'c>,
    _busy: Busy,
    core: &'c Core<K, V>,
    pin: Pin<'c, K, Slot<V>>,
}

impl<K: Hash + Eq, V> Held<'_, K, V> {
    /// Shows the value of the key to `change` and does what that says. If it fails or panics,
    /// nothing has changed.
    #[inline]
    pub(crate) fn change<Q, R>(
        self,
        key: &Q,
        change: impl FnOnce(Option<&V>) -> Result<(Change<V>, R), Error>,
    ) -> Result<R, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let slot = self.pin.get(key);
        let now = slot.and_then(|slot| slot.value(&self.core.legend));
        let (change, answer) = change(now.as_deref())?;
        match (change, now) {
            (Change::Put(value), None) => {
                self.core.take_room(1)?;
                self.put(key.to_owned(), value, 1);
            }
            (Change::Put(value), Some(_)) => self.put_again(key, slot, value),
            (Change::Unset, Some(_)) => self.unset(key),
            (Change::Keep, _) | (Change::Unset, None) => {}
        }
        Ok(answer)
    }

    #[inline]
    fn put_again<Q>(&self, key: &Q, slot: Option<&Slot<V>>, value: V)
    where
        Q: ToOwned<Owned = K> + ?Sized,
    {
        match slot.and_then(|slot| self.core.legend.cell(slot, &value)) {
            Some((cell, bits)) => {
                let _moving = self.stripe.moving();
                cell.set(bits);
            }
            None => self.put(key.to_owned(), value, 0),
        }
    }

    #[inline]
    fn put(&self, key: K, value: V, made: usize) {
        let _moving = self.stripe.moving();
        self.pin.put(key, self.core.legend.slot(value));
        self.core.count_made(made, 0);
    }

    fn unset<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let moving = self.stripe.moving();
        self.pin.remove(key);
        self.core.count_made(0, 1);
        drop(moving);
        self.core.return_room(1);
    }
}
