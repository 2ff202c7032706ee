//! Updates of many keys that happen at one moment.
//!
//! | step | may panic | a reader sees |
//! |---|---|---|
//! | plan: which cells get what; of others what was there and what is to come, in copies | yes, by `Clone` | before |
//! | stage: every cell and slot gets both | no | before |
//! | commit: one store, while all stripes are moving | no | after, from here on |
//! | settle: every cell and slot gets its value, or goes | no | after |
//!
//! "No" supposes that `Hash` and `Eq` do not panic. If they do while it is staged, it never happens;
//! if they do later, each slot still has the value that the batch says, with memory lost.
//!
//! An array has one bulk update at a time: so a commit need not say which, but only up to where.

use crate::busy::Busy;
use crate::cell::Cell;
use crate::core::{ALL, Core, Locks, Stripes};
use crate::error::Error;
use crate::hash::Seeded;
use crate::shelf::Pin;
use crate::slot::{Batch, Slot, Staged};
use crate::stripe::{Held, STRIPES};
use crate::sync::{MutexGuard, lock};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Rows that are put in new slots, each key once.
type Others<'r, K, V> = HashMap<&'r K, &'r V, Seeded>;

/// So many rows are of all stripes, or nearly: it is not worth a hash of each to know which.
const ROWS_OF_ALL: usize = 2 * STRIPES;

/// What a bulk update does to one key by a slot.
struct Step<K, V> {
    key: K,
    before: Option<V>,
    after: Option<V>,
}

/// All that a bulk update does.
struct Plan<'p, K, V> {
    /// What is changed in place, and the bits of what it will be; of two for a cell the later counts.
    cells: Vec<(&'p Cell, u64)>,
    steps: Vec<Step<K, V>>,
}

/// Some stripes, held. The fields are dropped in this order.
struct Many<'c, K, V> {
    locks: Locks<'c>,
    /// The number of the last bulk update.
    last: MutexGuard<'c, u64>,
    _busy: Busy,
    core: &'c Core<K, V>,
    pin: Pin<'c, K, Slot<V>>,
}

impl<K: Hash + Eq + Clone, V: Clone> Core<K, V> {
    /// Puts all rows at one moment; none if the array was unset.
    pub(crate) fn merge(&self, rows: &[(K, V)]) -> Result<Option<()>, Error> {
        let stripe = |stripes, (key, _): &(K, V)| stripes | 1 << Self::stripe_of(key);
        let stripes = match rows.len() {
            // One of them tells whether the array is gone.
            0 => 1,
            ROWS_OF_ALL.. => ALL,
            _ => rows.iter().fold(0, stripe),
        };
        let Some(mut many) = self.hold_many(stripes)? else { return Ok(None) };
        let number = many.draw();
        let plan = many.plan(rows.iter().map(|(key, value)| (key, value)));
        many.apply(plan, number).map(Some)
    }

    /// Puts all rows and unsets all others, at one moment; none if the array was unset.
    pub(crate) fn replace(&self, rows: &[(K, V)]) -> Result<Option<()>, Error> {
        let rows: HashMap<&K, &V, Seeded> = rows.iter().map(|(key, value)| (key, value)).collect();
        let Some(mut many) = self.hold_many(ALL)? else { return Ok(None) };
        let number = many.draw();
        let mut plan = many.plan(rows.iter().map(|(key, value)| (*key, *value)));
        let others = many.pin.iter().filter(|(key, _)| !rows.contains_key(*key));
        let others = others.filter_map(|(key, slot)| Some((key, slot.value(&self.legend)?)));
        plan.steps.extend(others.map(|(key, now)| Step {
            key: key.clone(),
            before: Some(now.owned()),
            after: None,
        }));
        many.apply(plan, number).map(Some)
    }

    fn hold_many(&self, stripes: Stripes) -> Result<Option<Many<'_, K, V>>, Error> {
        let pin = self.shelf.pin();
        let busy = Busy::enter_to_change()?;
        let last = lock(&self.bulk);
        let locks = self.lock(stripes);
        if self.is_gone() {
            return Ok(None);
        }
        Ok(Some(Many { locks, last, _busy: busy, core: self, pin }))
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Many<'_, K, V> {
    /// Draws a number, which nobody ever draws again, whatever becomes of it.
    fn draw(&mut self) -> u64 {
        *self.last += 1;
        *self.last
    }

    fn plan<'r>(&self, rows: impl Iterator<Item = (&'r K, &'r V)>) -> Plan<'_, K, V>
    where
        K: 'r,
        V: 'r,
    {
        let legend = &self.core.legend;
        let mut cells = Vec::with_capacity(rows.size_hint().0);
        let mut others = Others::default();
        for (key, value) in rows {
            match self.pin.get(key).and_then(|slot| legend.cell(slot, value)) {
                Some(cell) => cells.push(cell),
                None => drop(others.insert(key, value)),
            }
        }
        let step = |(key, value): (&K, &V)| {
            let slot = self.pin.get(key);
            let before = slot.and_then(|slot| slot.value(legend)).map(|now| now.owned());
            Step { key: key.clone(), before, after: Some(value.clone()) }
        };
        Plan { cells, steps: others.into_iter().map(step).collect() }
    }

    fn apply(&self, plan: Plan<'_, K, V>, number: u64) -> Result<(), Error> {
        let Plan { cells, steps } = plan;
        let made = steps.iter().filter(|step| step.before.is_none()).count();
        let unset = steps.iter().filter(|step| step.after.is_none()).count();
        let settled: Vec<_> =
            steps.iter().map(|step| (step.key.clone(), step.after.clone())).collect();
        self.core.take_room(made.saturating_sub(unset))?;
        let staging = self.stage(&cells, steps, number);
        self.commit(number, made, unset);
        staging.settle();
        for (key, value) in settled {
            match value {
                Some(value) => self.pin.put(key, self.core.legend.slot(value)),
                None => self.pin.remove(&key),
            }
        }
        self.core.return_room(unset.saturating_sub(made));
        Ok(())
    }

    fn stage<'p>(
        &self,
        cells: &'p [(&'p Cell, u64)],
        steps: Vec<Step<K, V>>,
        number: u64,
    ) -> Staging<'p> {
        let staging = Staging { cells, batch: (!steps.is_empty()).then(|| Batch::new(number)) };
        for (cell, bits) in cells {
            cell.stage(*bits, number);
        }
        for Step { key, before, after } in steps {
            let batch = staging.batch.clone().expect("there is a step");
            self.pin.put(key, Slot::Staged(Box::new(Staged { before, after, batch })));
        }
        staging
    }

    /// The moment at which it happens.
    fn commit(&self, number: u64, made: usize, unset: usize) {
        self.core.tally.pause.wait();
        let _moving = self.locks.each_ref().map(|lock| lock.as_ref().map(Held::moving));
        self.core.count_made(made, unset);
        self.core.legend.commits.commit(number);
    }
}

/// What is staged and not settled; given up when it is dropped.
struct Staging<'p> {
    cells: &'p [(&'p Cell, u64)],
    batch: Option<Arc<Batch>>,
}

impl Staging<'_> {
    /// Settles the cells, after the commit.
    fn settle(mut self) {
        // Of two rows for one cell the first settles it for both.
        self.cells.iter().for_each(|(cell, _)| cell.settle());
        (self.cells, self.batch) = (&[], None);
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        self.cells.iter().for_each(|(cell, _)| cell.unstage());
        if let Some(batch) = &self.batch {
            batch.give_up();
        }
    }
}
