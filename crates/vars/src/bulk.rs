//! Updates of many keys that happen at one moment.
//!
//! | step | may panic | a reader sees |
//! |---|---|---|
//! | plan: what was there and what is to come, in copies | yes, by `Clone` | before |
//! | stage: every slot gets both | no | before |
//! | commit: one store, while all stripes are moving | no | after, from here on |
//! | settle: every slot gets its value, or goes | no | after |
//!
//! "No" supposes that `Hash` and `Eq` do not panic. If they do, each slot still has the value
//! that the batch says, with memory lost.

use crate::busy::Busy;
use crate::core::{ALL, Core, Stripes};
use crate::error::Error;
use crate::hash::Seeded;
use crate::shelf::Pin;
use crate::slot::{Batch, Slot, Staged};
use crate::stripe::{STRIPES, Stripe};
use crate::sync::MutexGuard;
use std::collections::HashMap;
use std::hash::Hash;

/// What a bulk update puts, each key once.
pub(crate) type Rows<K, V> = HashMap<K, V, Seeded>;

/// What a bulk update does to one key.
struct Step<K, V> {
    key: K,
    before: Option<V>,
    after: Option<V>,
}

/// Some stripes, held. The fields are dropped in this order.
struct Many<'c, K, V> {
    _locks: [Option<MutexGuard<'c, ()>>; STRIPES],
    _busy: Busy,
    stripes: Stripes,
    core: &'c Core<K, V>,
    pin: Pin<'c, K, Slot<V>>,
}

impl<K: Hash + Eq + Clone, V: Clone> Core<K, V> {
    /// Puts all rows at one moment; none if the array was unset.
    pub(crate) fn merge(&self, rows: &Rows<K, V>) -> Result<Option<()>, Error> {
        let stripes = rows.keys().fold(0, |stripes, key| stripes | 1 << Self::stripe_of(key));
        let Some(many) = self.hold_many(stripes)? else { return Ok(None) };
        let steps = many.steps_to(rows).collect();
        many.apply(steps).map(Some)
    }

    /// Puts all rows and unsets all others, at one moment; none if the array was unset.
    pub(crate) fn replace(&self, rows: &Rows<K, V>) -> Result<Option<()>, Error> {
        let Some(many) = self.hold_many(ALL)? else { return Ok(None) };
        let others = many.pin.iter().filter(|(key, _)| !rows.contains_key(*key));
        let others = others.filter_map(|(key, slot)| Some((key, slot.value()?)));
        let unset = |(key, now): (&K, &V)| Step {
            key: key.clone(),
            before: Some(now.clone()),
            after: None,
        };
        let steps = others.map(unset).chain(many.steps_to(rows)).collect();
        many.apply(steps).map(Some)
    }

    fn hold_many(&self, stripes: Stripes) -> Result<Option<Many<'_, K, V>>, Error> {
        let pin = self.shelf.pin();
        let busy = Busy::enter_to_change()?;
        let locks = self.lock(stripes);
        if self.is_gone() {
            return Ok(None);
        }
        Ok(Some(Many { _locks: locks, _busy: busy, stripes, core: self, pin }))
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Many<'_, K, V> {
    fn steps_to(&self, rows: &Rows<K, V>) -> impl Iterator<Item = Step<K, V>> {
        rows.iter().map(|(key, value)| {
            let before = self.pin.get(key).and_then(Slot::value).cloned();
            Step { key: key.clone(), before, after: Some(value.clone()) }
        })
    }

    fn apply(self, steps: Vec<Step<K, V>>) -> Result<(), Error> {
        let made = steps.iter().filter(|step| step.before.is_none()).count();
        let unset = steps.iter().filter(|step| step.after.is_none()).count();
        let settled: Vec<_> =
            steps.iter().map(|step| (step.key.clone(), step.after.clone())).collect();
        self.core.take_room(made.saturating_sub(unset))?;
        let batch = Batch::new();
        for Step { key, before, after } in steps {
            let staged = Staged { before, after, batch: batch.clone() };
            self.pin.put(key, Slot::Staged(Box::new(staged)));
        }
        self.commit(&batch, made, unset);
        for (key, value) in settled {
            match value {
                Some(value) => self.pin.put(key, Slot::Settled(value)),
                None => self.pin.remove(&key),
            }
        }
        self.core.return_room(unset.saturating_sub(made));
        Ok(())
    }

    /// The moment at which it happens.
    fn commit(&self, batch: &Batch, made: usize, unset: usize) {
        let stripes = self.core.stripes.iter().enumerate();
        let held = stripes.filter(|(nth, _)| self.stripes & 1 << nth != 0);
        let mut moving = [const { None }; STRIPES];
        held.for_each(|(nth, stripe): (usize, &Stripe)| moving[nth] = Some(stripe.moving()));
        self.core.count(made, unset);
        batch.commit();
    }
}
