//! The table of open descriptors: every hit asks it, but only cold hits, makers and removals
//! change it.
//!
//! It has two halves. The *shelf* finds an entry by its name, behind a guard and without a lock,
//! and holds it weakly. The *queues*, under one mutex, hold it for good and say who goes. Most
//! files are asked for once; they pass through the small queue and push out nobody (S3-FIFO, Yang
//! et al., SOSP 2023):
//!
//! ```text
//! insert ──> small (a tenth) ──used meanwhile──> main <──┐
//!    │         └── not used ──> gone, its name in ghost  │ used since its last turn
//!    │                                            └──────┤
//!    └── name in ghost ──────────────────────> main      └ not used ──> gone
//! ```
//! What leaves the queues is closed at once, or with the last who serves it, however long a
//! reader's guard delays the shelf in freeing its own memory. A hit writes only to the entry that
//! it hands out: the reference count, and the time of use, by which the queues know of it.
//!
//! Why not moka, which is both: its bare table answers a hit in 113 ns, where all of a hit takes 57
//! here (the benchmark `files_hit`). papaya finds a name without writing, and what the policy wants
//! to know stands in the entry that the hit writes anyway; moka's hits also write a log of reads.
//!
//! Lock: the queues' is taken with no other, for a few map operations. Both halves change under
//! it, so they agree whenever it is free. Entries are dropped, and so files closed, outside it.

use std::collections::{HashMap, HashSet, VecDeque};

use parking_lot::Mutex;

use crate::entry::{Entry, WeakEntry};
use crate::key::{BuildNameHasher, Name};

/// The small queue's share of the descriptors, as a divisor.
const SMALL_SHARE: usize = 10;
/// Void places beyond one for each entry before a queue is swept.
const SWEEP_SLACK: usize = 64;

pub(crate) struct Descriptors {
    max: usize,
    shelf: papaya::HashMap<Name, WeakEntry, BuildNameHasher>,
    queues: Mutex<Queues>,
}

impl Descriptors {
    pub(crate) fn new(max: u64) -> Descriptors {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let shelf = papaya::HashMap::with_hasher(BuildNameHasher::default());
        Descriptors { max, shelf, queues: Mutex::default() }
    }

    #[inline]
    pub(crate) fn get(&self, name: &Name) -> Option<Entry> {
        self.shelf.pin().get(name)?.upgrade()
    }

    /// Puts an entry in, in the place of another of its name, and returns the one that it pushed
    /// out.
    pub(crate) fn insert(&self, name: Name, entry: &Entry) -> Option<(Name, Entry)> {
        if self.max == 0 {
            return None;
        }
        let (_replaced, pushed_out) = {
            let mut queues = self.queues.lock();
            let replaced = queues.insert(name, entry.clone());
            let shelf = self.shelf.pin();
            shelf.insert(name, entry.downgrade());
            let pushed_out = queues.evict_past(self.max);
            if let Some((name, _)) = &pushed_out {
                shelf.remove(name);
            }
            (replaced, pushed_out)
        };
        pushed_out
    }

    pub(crate) fn remove(&self, name: &Name) {
        let _removed = {
            let mut queues = self.queues.lock();
            let removed = queues.take(name);
            if removed.is_some() {
                self.shelf.pin().remove(name);
            }
            removed
        };
    }

    /// Removes the entries whose names `which` picks; it is asked under the lock.
    pub(crate) fn remove_all(&self, which: impl Fn(&Name) -> bool) {
        let _removed: Vec<_> = {
            let mut queues = self.queues.lock();
            let shelf = self.shelf.pin();
            let gone: Vec<_> = queues.held.extract_if(|name, _| which(name)).collect();
            for (name, held) in &gone {
                queues.held_small -= usize::from(held.is_small);
                shelf.remove(name);
            }
            gone
        };
    }

    /// Takes all entries out: each is closed when it is dropped, unless someone serves it.
    pub(crate) fn clear(&self) -> impl Iterator<Item = (Name, Entry)> + use<> {
        let cleared = {
            let mut queues = self.queues.lock();
            self.shelf.pin().clear();
            std::mem::take(&mut *queues)
        };
        cleared.held.into_iter().map(|(name, held)| (name, held.entry))
    }

    pub(crate) fn len(&self) -> usize {
        self.queues.lock().held.len()
    }

    /// The entries that `which` picks; it is asked under the lock.
    pub(crate) fn pick(&self, which: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let queues = self.queues.lock();
        let entries = queues.held.values().map(|held| &held.entry);
        entries.filter(|entry| which(entry)).cloned().collect()
    }
}

/// All fields are under the mutex of the one who owns the queues.
#[derive(Default)]
struct Queues {
    held: HashMap<Name, Held, BuildNameHasher>,
    /// How many of these are in the small queue.
    held_small: usize,
    small: VecDeque<Place>,
    main: VecDeque<Place>,
    ghost: Ghost,
    last_serial: u64,
}

struct Held {
    entry: Entry,
    /// The last use that the queues know of: one that is later is a hit since.
    seen: u64,
    serial: u64,
    is_small: bool,
}

/// A place in a queue; void if its entry has left, or has got another place since.
#[derive(Clone, Copy)]
struct Place {
    name: Name,
    serial: u64,
}

impl Queues {
    /// Puts an entry into its queue, and returns the one that had its name.
    fn insert(&mut self, name: Name, entry: Entry) -> Option<Entry> {
        let replaced = self.held.get(&name).map(|held| held.is_small);
        let is_small = !self.ghost.remove(&name) && replaced.unwrap_or(true);
        let replaced = self.take(&name);
        self.last_serial += 1;
        let place = Place { name, serial: self.last_serial };
        let queue = if is_small { &mut self.small } else { &mut self.main };
        queue.push_back(place);
        self.held_small += usize::from(is_small);
        let held = Held { seen: entry.used(), entry, serial: place.serial, is_small };
        self.held.insert(name, held);
        if self.small.len() + self.main.len() > 2 * self.held.len() + SWEEP_SLACK {
            let is_valid = |place: &Place| is_valid(&self.held, place);
            self.small.retain(is_valid);
            self.main.retain(is_valid);
        }
        replaced
    }

    /// Takes an entry out. Its place in a queue is void from now on.
    fn take(&mut self, name: &Name) -> Option<Entry> {
        let held = self.held.remove(name)?;
        self.held_small -= usize::from(held.is_small);
        Some(held.entry)
    }

    /// Evicts one entry if there are more than `max`.
    fn evict_past(&mut self, max: usize) -> Option<(Name, Entry)> {
        let share = (max / SMALL_SHARE).max(1);
        // So many turns at most, lest hits that come meanwhile keep us here.
        let mut spared = 0;
        while self.held.len() > max {
            let from_small = self.held_small > share || self.held_small == self.held.len();
            let place = if from_small { self.small.pop_front() } else { self.main.pop_front() }?;
            let Some(held) = self.held.get_mut(&place.name).filter(|h| h.serial == place.serial)
            else {
                continue;
            };
            let used = held.entry.used();
            if used > held.seen && spared <= max {
                spared += 1;
                held.seen = used;
                held.is_small = false;
                self.held_small -= usize::from(from_small);
                self.main.push_back(place);
                continue;
            }
            if from_small {
                self.ghost.add(place.name, max);
            }
            return self.take(&place.name).map(|entry| (place.name, entry));
        }
        None
    }
}

fn is_valid(held: &HashMap<Name, Held, BuildNameHasher>, place: &Place) -> bool {
    held.get(&place.name).is_some_and(|held| held.serial == place.serial)
}

/// Names that left the small queue unused a short time ago.
#[derive(Default)]
struct Ghost {
    names: HashSet<Name, BuildNameHasher>,
    /// Oldest first; a name that was removed stays here until its turn.
    order: VecDeque<Name>,
}

impl Ghost {
    fn add(&mut self, name: Name, bound: usize) {
        if self.names.insert(name) {
            self.order.push_back(name);
        }
        while self.order.len() > bound {
            if let Some(oldest) = self.order.pop_front() {
                self.names.remove(&oldest);
            }
        }
    }

    fn remove(&mut self, name: &Name) -> bool {
        self.names.remove(name)
    }
}
