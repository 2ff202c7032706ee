//! Several variables as they were at one moment.

use crate::busy::Busy;
use crate::copies::Copies;
use crate::core::{ALL, Core, TRIES};
use crate::shelf::Pin;
use crate::slot::{Shown, Slot};
use crate::stripe::STRIPES;
use crate::sync::yield_now;
use std::borrow::Borrow;
use std::cell::Cell;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

/// An array as it is at one moment, shown to a closure by [`Array::view`](crate::Array::view).
pub struct View<'c, K, V> {
    /// None if the array did not exist.
    seen: Option<Seen<'c, K, V>>,
}

struct Seen<'c, K, V> {
    core: &'c Core<K, V>,
    pin: Pin<'c, K, Slot<V>>,
    /// For each stripe that was read, how often it had moved before the first read.
    moves: [Cell<Option<u64>>; STRIPES],
    /// Whether something that was read has changed since.
    has_moved: Cell<bool>,
    /// Whether all stripes are held, so that nothing can.
    is_held: bool,
    /// Counts that were lent: where they stand they may change.
    copies: Copies<V>,
}

/// Says that an update came between two reads of a view. Return it: the view begins anew.
///
/// Only a view makes it, and nobody can keep it beyond.
pub struct Moved<'v> {
    view: PhantomData<Cell<&'v ()>>,
}

impl fmt::Debug for Moved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Moved")
    }
}

impl<K: Hash + Eq, V> View<'_, K, V> {
    /// Returns the value of a variable, as it was at the moment of this view's other reads.
    ///
    /// # Errors
    ///
    /// When there is no such moment any more: the closure has to return, and is run again.
    pub fn get<Q>(&self, key: &Q) -> Result<Option<&V>, Moved<'_>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let shown = self.show(key)?;
        Ok(shown.map(|shown| match (shown, &self.seen) {
            (Shown::Lent(value), _) => value,
            (Shown::Copied(value), Some(seen)) => seen.copies.keep(value),
            (Shown::Copied(_), None) => unreachable!("nothing is shown of no array"),
        }))
    }

    /// Shows the value of a variable, as `get` does, but keeps no copy of a count.
    pub(crate) fn show<Q>(&self, key: &Q) -> Result<Option<Shown<'_, V>>, Moved<'_>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(seen) = &self.seen else { return Ok(None) };
        let nth = Core::<K, V>::stripe_of(key);
        if seen.moves[nth].get().is_none() && !seen.is_held {
            seen.moves[nth].set(seen.core.stripes[nth].moves());
            seen.has_moved.set(seen.has_moved.get() || seen.moves[nth].get().is_none());
        }
        let value = seen.pin.get(key).and_then(|slot: &Slot<V>| slot.value(&seen.core.legend));
        if seen.is_broken() { Err(Moved { view: PhantomData }) } else { Ok(value) }
    }

    /// Tells whether a variable is set, as [`get`](Self::get) does.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn exists<Q>(&self, key: &Q) -> Result<bool, Moved<'_>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Ok(self.show(key)?.is_some())
    }
}

impl<'c, K: Hash + Eq, V> View<'c, K, V> {
    fn new(core: &'c Core<K, V>, is_held: bool) -> Self {
        let moves = [const { Cell::new(None) }; STRIPES];
        let has_moved = Cell::new(false);
        let (pin, copies) = (core.shelf.pin(), Copies::new());
        View { seen: Some(Seen { core, pin, moves, has_moved, is_held, copies }) }
    }
}

impl<K, V> Seen<'_, K, V> {
    /// Tells whether the reads so far are of different moments; then so are all that follow.
    fn is_broken(&self) -> bool {
        if self.is_held || self.has_moved.get() {
            return self.has_moved.get();
        }
        let mut noted = self.core.stripes.iter().zip(&self.moves);
        let has_moved =
            noted.any(|(stripe, moves)| moves.get().is_some_and(|m| stripe.has_moved_since(m)));
        self.has_moved.set(has_moved);
        has_moved
    }
}

/// Runs `look` until it has seen one moment.
pub(crate) fn view<K: Hash + Eq, V, R>(
    core: Option<&Core<K, V>>,
    mut look: impl for<'v> FnMut(&'v View<'_, K, V>) -> Result<R, Moved<'v>>,
) -> R {
    let busy = Busy::enter();
    let mut asking = None;
    let mut tries = 0;
    loop {
        let is_last = tries >= TRIES && busy.is_some();
        let view = core.map_or(View { seen: None }, |core| View::new(core, is_last));
        let _locks = core.filter(|_| is_last).map(|core| core.lock(ALL));
        if tries > 0 && !is_last {
            yield_now();
        }
        if tries >= TRIES && !is_last && asking.is_none() {
            // Kept beyond this run: each thread can spoil only one more.
            asking = core.map(|core| core.tally.pause.ask());
        }
        tries += 1;
        if let Ok(answer) = look(&view) {
            // It may have caught what it was to return.
            if !view.seen.as_ref().is_some_and(|seen| seen.has_moved.get()) {
                return answer;
            }
        }
    }
}
