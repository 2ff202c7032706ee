//! Who has to go: S3-FIFO (Yang et al., SOSP 2023).
//!
//! ```text
//!            first seen                       a hit while there
//! insert ------------------> small (5 %) -----------------------------> main (95 %) <--+
//!    |                         |                                         |   |         | credit
//!    |                         | none                         no credit  |   +---------+ left
//!    |                         v                                         v
//!    |                       gone, its hash in ghost                    gone
//!    +--- hash in ghost ----------------------------------------------> main
//! ```
//!
//! Most keys of a skewed trace are asked for once; they pass through the small queue and never
//! push out the popular ones. Only inserts come here, one at a time under the memo's policy lock.
//! A hit adds to the credit of its own entry, which the policy reads when the entry's turn comes.
//!
//! A queue holds records, not entries: invalidation and replacement leave a record behind whose
//! serial no longer matches. It is dropped when it comes to the front, or by a sweep once records
//! are twice as many as entries.
//!
//! Entries are bounded by number and, with a weigher, by weight. The small queue has its share of
//! both, and is due when it has more of either.

use std::collections::{HashSet, VecDeque};

use crate::entry::Serial;
use crate::hash::Seeded;
use crate::listener::Cause;

/// Hits while in the small queue that earn a place in the main one. With two, a loop has a point
/// more, but a trace with scans half a point less, and more than one while the memo learns.
const PROMOTION: u8 = 1;
/// The small queue's share, as a divisor.
const SMALL_SHARE: usize = 20;
/// Records beyond two for each entry before a sweep.
const SWEEP_SLACK: usize = 64;

/// How much may stand on a shelf.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) max_entries: usize,
    /// `u64::MAX` without a weigher.
    pub(crate) max_weight: u64,
}

/// The order in which entries leave.
pub(crate) struct Policy<K> {
    bound: Bound,
    small: VecDeque<Record<K>>,
    /// What the records of `small` weigh.
    small_weight: u64,
    main: VecDeque<Record<K>>,
    ghost: Ghost,
}

/// One insertion of a key.
pub(crate) struct Record<K> {
    pub(crate) key: K,
    pub(crate) hash: u64,
    pub(crate) serial: Serial,
    pub(crate) weight: u32,
}

/// What the entry of a record is worth.
pub(crate) enum Worth {
    /// Not there: invalidated, evicted or replaced since.
    Gone,
    /// There, but of no use any more.
    Dead(Cause),
    /// There, with this many hits to its credit.
    Credit(u8),
}

/// What the policy asks of the entries.
pub(crate) trait Entries<K> {
    fn len(&self) -> usize;
    /// What they weigh together; anything without a weigher.
    fn weight(&self) -> u64;
    fn worth(&self, record: &Record<K>) -> Worth;
    fn set_credit(&self, record: &Record<K>, credit: u8);
    /// Tells whether the entry was there to be removed.
    fn remove(&mut self, record: &Record<K>, cause: Cause) -> bool;
}

impl<K> Policy<K> {
    pub(crate) fn new(bound: Bound) -> Self {
        Policy {
            bound,
            small: VecDeque::new(),
            small_weight: 0,
            main: VecDeque::new(),
            ghost: Ghost { hashes: HashSet::default(), order: VecDeque::new() },
        }
    }

    /// Records an insertion, then evicts until the entries are within their bound.
    pub(crate) fn admit(&mut self, record: Record<K>, entries: &mut impl Entries<K>) {
        match self.ghost.remove(record.hash) {
            true => self.main.push_back(record),
            false => {
                self.small_weight += u64::from(record.weight);
                self.small.push_back(record);
            }
        }
        let Bound { max_entries, max_weight } = self.bound;
        while (entries.len() > max_entries || entries.weight() > max_weight) && self.evict(entries)
        {
        }
        if self.small.len() + self.main.len() > 2 * entries.len() + SWEEP_SLACK {
            self.sweep(entries);
        }
    }

    /// Drops the records of what is not there any more.
    fn sweep(&mut self, entries: &impl Entries<K>) {
        let present = |record: &Record<K>| !matches!(entries.worth(record), Worth::Gone);
        self.small.retain(present);
        self.main.retain(present);
        self.small_weight = self.small.iter().map(|record| u64::from(record.weight)).sum();
    }

    /// Removes one entry; false if no record is left.
    ///
    /// The dead at the front of the main queue go before the living of the small one: after a bump
    /// of a table all of main is dead, and nothing else would bring it to its turn.
    fn evict(&mut self, entries: &mut impl Entries<K>) -> bool {
        loop {
            let is_dead =
                |record: &Record<K>| matches!(entries.worth(record), Worth::Gone | Worth::Dead(_));
            let main_is_dead = self.main.front().is_some_and(is_dead);
            let evicted = if self.small_is_due() && !main_is_dead {
                let Some(record) = self.small.pop_front() else { return false };
                self.small_weight -= u64::from(record.weight);
                self.judge_small(record, entries)
            } else {
                let record = self.main.pop_front().expect("main was just seen not to be empty");
                self.judge_main(record, entries)
            };
            if evicted {
                return true;
            }
        }
    }

    /// Tells whether the small queue has more than its share, or all there is. The share is one
    /// entry at least, however heavy: a newcomer does not make room for itself.
    fn small_is_due(&self) -> bool {
        let share = (self.bound.max_entries / SMALL_SHARE).max(1);
        let weight_share = self.bound.max_weight / SMALL_SHARE as u64;
        self.main.is_empty()
            || self.small.len() > share
            || self.small.len() > 1 && self.small_weight > weight_share
    }

    fn judge_small(&mut self, record: Record<K>, entries: &mut impl Entries<K>) -> bool {
        match entries.worth(&record) {
            Worth::Gone => false,
            Worth::Dead(cause) => entries.remove(&record, cause),
            Worth::Credit(credit) if credit >= PROMOTION => {
                entries.set_credit(&record, 0);
                self.main.push_back(record);
                false
            }
            Worth::Credit(_) => {
                self.ghost.add(record.hash, entries.len());
                entries.remove(&record, Cause::Evicted)
            }
        }
    }

    fn judge_main(&mut self, record: Record<K>, entries: &mut impl Entries<K>) -> bool {
        match entries.worth(&record) {
            Worth::Gone => false,
            Worth::Dead(cause) => entries.remove(&record, cause),
            Worth::Credit(0) => entries.remove(&record, Cause::Evicted),
            Worth::Credit(credit) => {
                entries.set_credit(&record, credit - 1);
                self.main.push_back(record);
                false
            }
        }
    }
}

/// Hashes of keys that left the small queue a short time ago.
struct Ghost {
    hashes: HashSet<u64, Seeded>,
    /// Oldest first; a hash that was removed stays here until its turn.
    order: VecDeque<u64>,
}

impl Ghost {
    fn add(&mut self, hash: u64, bound: usize) {
        if self.hashes.insert(hash) {
            self.order.push_back(hash);
        }
        while self.order.len() > bound {
            let oldest = self.order.pop_front().expect("longer than its bound");
            self.hashes.remove(&oldest);
        }
    }

    fn remove(&mut self, hash: u64) -> bool {
        self.hashes.remove(&hash)
    }
}
