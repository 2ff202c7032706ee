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
//! | the same from within a closure | nothing; after some tries updates pause (`pause`) | one moment |
//!
//! # Lock order
//!
//! The right to bulk updates, stripes, ascending, then the names of a `Vars`. Closures of users run
//! under stripes, and may read but not change (`busy`); a look at several keys from within one never
//! waits for a stripe. What it has to find still is the counts of stripes: those are moving only
//! while a change that is already computed is being put in place, and in a pause no other begins.
//!
//! Pins are outermost: nothing that the index frees is dropped under a lock of the same thread.

use crate::busy::Busy;
use crate::count::Bits;
use crate::error::Error;
use crate::hash::Seeded;
use crate::shelf::{Pin, Shelf};
use crate::slot::{Legend, Slot};
use crate::stripe::{self, STRIPES, Stripe};
use crate::sync::{Mutex, const_unless_loom, yield_now};
use crate::tally::Tally;
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
    pub(crate) tally: Tally,
    /// The right to bulk updates, and the number of the last.
    pub(crate) bulk: Mutex<u64>,
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
                tally: Tally::new(),
                bulk: Mutex::new(0),
            }
        }
    }

    /// Holds these stripes.
    pub(crate) fn lock(&self, stripes: Stripes) -> Locks<'_> {
        std::array::from_fn(|nth| (stripes & 1 << nth != 0).then(|| self.stripes[nth].hold()))
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
        for nth in 0..TRIES {
            if nth > 0 {
                yield_now();
            }
            if let Some(answer) = self.glance(&pin, &mut look) {
                return answer;
            }
        }
        if busy.is_some() {
            let _locks = self.lock(ALL);
            return look(&pin);
        }
        let _asking = self.tally.pause.ask();
        loop {
            if let Some(answer) = self.glance(&pin, &mut look) {
                return answer;
            }
            yield_now();
        }
    }

    /// Looks once, without a lock; in vain, if something changed meanwhile.
    fn glance<R>(
        &self,
        pin: &Pin<'_, K, Slot<V>>,
        look: &mut impl FnMut(&Pin<'_, K, Slot<V>>) -> R,
    ) -> Option<R> {
        let moves = self.stripes.each_ref().map(Stripe::moves);
        if moves.contains(&None) {
            return None;
        }
        let answer = look(pin);
        let mut noted = self.stripes.iter().zip(moves.into_iter().flatten());
        (!noted.any(|(stripe, moves)| stripe.has_moved_since(moves))).then_some(answer)
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
        if self.tally.pause.is_asked_for() {
            return Ok(Some(None));
        }
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
                let _moving = self.moving();
                cell.set(bits);
            }
            None => self.put(key.to_owned(), value, 0),
        }
    }

    #[inline]
    fn put(&self, key: K, value: V, made: usize) {
        let _moving = self.moving();
        self.pin.put(key, self.core.legend.slot(value));
        self.core.count_made(made, 0);
    }

    /// Begins to change what others see, when no look asks for a pause.
    #[inline]
    fn moving(&self) -> stripe::Moving<'_> {
        self.core.tally.pause.wait();
        self.stripe.moving()
    }

    fn unset<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let moving = self.moving();
        self.pin.remove(key);
        self.core.count_made(0, 1);
        drop(moving);
        self.core.return_room(1);
    }
}
