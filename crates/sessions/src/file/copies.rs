//! Copies of sessions in memory: a bounded number, found without a lock and without a shared write.
//!
//! A name belongs to one set of eight ways, which lie beside their tags; a copy is put into a free
//! way, or into one whose copy has expired, or into any. Two that put at once may both win or not:
//! a copy is only ever a reason to look no further, and says itself of what it is and until when.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::{ArcSwapOption, Guard};

use crate::record::Record;

const WAYS: usize = 8;
/// Of values beyond this no copy is kept: the bound of the copies is one of bytes too.
const MAX_VALUE_BYTES: usize = 4096;

/// A session as it was at a generation of its slot.
pub(crate) struct Copy {
    name: u128,
    pub(crate) generation: u64,
    pub(crate) record: Arc<Record>,
}

#[derive(Default)]
#[repr(align(64))]
struct Set {
    /// The upper half of each way's name: which ways to look at. Relaxed: only hints.
    tags: [AtomicU64; WAYS],
    /// Until when each way's copy is live: 0 if it has none. Relaxed: which one to put out is a
    /// guess, for which none has to be looked at.
    until_ms: [AtomicU64; WAYS],
    ways: [ArcSwapOption<Copy>; WAYS],
    /// Which way goes next, if none is free.
    turn: AtomicU32,
}

pub(crate) struct Copies(Box<[Set]>);

impl Copies {
    /// Room for about so many.
    pub(crate) fn new(count: usize) -> Copies {
        let sets = if count == 0 { 0 } else { count.div_ceil(WAYS).next_power_of_two() };
        Copies((0..sets).map(|_| Set::default()).collect())
    }

    pub(crate) fn is_off(&self) -> bool {
        self.0.is_empty()
    }

    fn set(&self, name: u128) -> Option<&Set> {
        // The lowest bits choose the slot of the generation; here the next ones do.
        self.0.get((name >> 32) as usize & self.0.len().wrapping_sub(1))
    }

    pub(crate) fn get(&self, name: u128) -> Option<Guard<Option<Arc<Copy>>>> {
        let set = self.set(name)?;
        let tag = tag_of(name);
        for (at, way) in set.tags.iter().zip(&set.ways) {
            if at.load(Ordering::Relaxed) == tag {
                let copy = way.load();
                if copy.as_ref().is_some_and(|copy| copy.name == name) {
                    return Some(copy);
                }
            }
        }
        None
    }

    pub(crate) fn put(&self, name: u128, generation: u64, record: Arc<Record>, now_ms: u64) {
        let Some(set) = self.set(name) else { return };
        if record.values.len_bytes() > MAX_VALUE_BYTES {
            return self.remove(name);
        }
        let nth = set.room_for(name, now_ms);
        set.until_ms[nth].store(record.expires_ms(), Ordering::Relaxed);
        set.ways[nth].store(Some(Arc::new(Copy { name, generation, record })));
        set.tags[nth].store(tag_of(name), Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, name: u128) {
        let Some(set) = self.set(name) else { return };
        for (nth, way) in set.ways.iter().enumerate() {
            if way.load().as_ref().is_some_and(|copy| copy.name == name) {
                set.tags[nth].store(0, Ordering::Relaxed);
                set.until_ms[nth].store(0, Ordering::Relaxed);
                way.store(None);
            }
        }
    }
}

impl Set {
    fn room_for(&self, name: u128, now_ms: u64) -> usize {
        let tag = tag_of(name);
        let is_same = |copy: &Arc<Copy>| copy.name == name;
        let mut room = None;
        for nth in 0..WAYS {
            if self.tags[nth].load(Ordering::Relaxed) == tag
                && self.ways[nth].load().as_ref().is_some_and(is_same)
            {
                return nth;
            }
            if self.until_ms[nth].load(Ordering::Relaxed) <= now_ms {
                room = room.or(Some(nth));
            }
        }
        room.unwrap_or_else(|| self.turn.fetch_add(1, Ordering::Relaxed) as usize % WAYS)
    }
}

fn tag_of(name: u128) -> u64 {
    (name >> 64) as u64
}
