//! The response cache: answers that an I/O thread gives by itself.
//!
//! Each I/O thread owns a [`HotCache`]; nothing in it is shared but short bodies and the count of
//! descriptors for longer ones, both touched by inserts and evictions alone. What all threads
//! look at is [`Generations`]: words that hits only read, and that `clear` and `remove` bump. An
//! entry, and an insert under way, carries the generations from before its handler began; where
//! they differ from now, it is stale. So a handler that read the old state can never leave its
//! answer behind after a clear.
//!
//! Orderings: the bump is Release and the loads are Acquire: who sees the new generation sees
//! what the caller of `clear` did before it.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

use bytes::Bytes;
use hashbrown::HashTable;

use crate::date::{DATE_LEN, DateCache};
use crate::guard::drop_guarded;
use crate::pages::{Kept, Places};
use crate::render::{self, Persist, Representation};

/// `remove` drops all targets of one shard: one in this many is dropped without need.
const SHARDS: usize = 1024;
/// What an entry is counted for beside its bytes: itself, its index, allocator slack.
const ENTRY_OVERHEAD: usize = 320;

/// A handle to drop answers marked [`hot`](crate::Reply::hot) once they are out of date.
///
/// Both calls are O(1), take no lock, and hold for all I/O threads when they return: no request
/// that arrives after is answered from what was kept before, not even by a handler that had
/// begun before the call.
#[derive(Clone)]
pub struct Hot {
    generations: Arc<Generations>,
    places: Arc<Places>,
}

struct Generations {
    hasher: foldhash::fast::RandomState,
    /// Bumped by `clear`; read by every hit.
    all: AtomicU64,
    /// Bumped by `remove` of a target whose hash falls here; read by every hit.
    shards: Box<[AtomicU64]>,
}

/// The generations that an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    all: u64,
    shard: u64,
}

impl Hot {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| AtomicU64::new(0)).collect();
        let hasher = foldhash::fast::RandomState::default();
        let generations = Generations { hasher, all: AtomicU64::new(0), shards };
        Self { generations: Arc::new(generations), places: Arc::new(Places::new()) }
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.generations.all.fetch_add(1, Release);
    }

    /// Drops the answer for one target, given as it was requested: `/thumb/320/7.jpg?v=2`.
    pub fn remove(&self, target: &str) {
        let hash = self.hash(target.as_bytes());
        self.shard(hash).fetch_add(1, Release);
    }

    /// What is kept of a body.
    pub(crate) fn kept(&self, body: Bytes) -> Kept {
        Kept::new(body, &self.places)
    }

    pub(crate) fn stamp(&self, target: &[u8]) -> Stamp {
        self.stamp_of(self.hash(target))
    }

    fn stamp_of(&self, hash: u64) -> Stamp {
        let all = self.generations.all.load(Acquire);
        Stamp { all, shard: self.shard(hash).load(Acquire) }
    }

    fn hash(&self, target: &[u8]) -> u64 {
        self.generations.hasher.hash_one(target)
    }

    fn shard(&self, hash: u64) -> &AtomicU64 {
        &self.generations.shards[hash as usize % SHARDS]
    }
}

impl fmt::Debug for Hot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hot").field("generation", &self.generations.all.load(Acquire)).finish()
    }
}

/// An answer on its way from a worker into the cache of one I/O thread.
pub(crate) struct HotInsert {
    pub(crate) target: Box<[u8]>,
    pub(crate) representation: Representation,
    pub(crate) body: Kept,
    pub(crate) stamp: Stamp,
}

/// A kept answer.
pub(crate) struct Entry {
    target: Box<[u8]>,
    hash: u64,
    stamp: Stamp,
    /// The head of the plain 200, with the date of `date_s` in it.
    pub(crate) head: Vec<u8>,
    date_at: usize,
    date_s: u64,
    pub(crate) representation: Representation,
    pub(crate) body: Kept,
    bytes: usize,
    /// Saturates at 3: how many rounds of the hand the entry survives without a hit.
    visits: u8,
}

impl Entry {
    /// Puts the current date into the head, if another second has begun.
    pub(crate) fn refresh(&mut self, date: &DateCache) {
        if self.date_s != date.unix_s() {
            self.head[self.date_at..self.date_at + DATE_LEN].copy_from_slice(date.text());
            self.date_s = date.unix_s();
        }
    }
}

impl Drop for Entry {
    /// A body may be made of something of the user's, whose drop panics: whoever drops an entry,
    /// or many at once, goes on.
    fn drop(&mut self) {
        drop_guarded(std::mem::replace(&mut self.body, Kept::Bytes(Bytes::new())));
    }
}

/// The answers that one I/O thread keeps, bounded in bytes; evicted by a CLOCK with counters.
pub(crate) struct HotCache {
    hot: Hot,
    /// From a target to its place in `entries`.
    index: HashTable<u32>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    hand: usize,
    bytes: usize,
    limit: usize,
    /// Evicted, stale or replaced; their bodies may be anybody's to drop, and take time.
    gone: Vec<Entry>,
    /// The generation of `clear` that was last swept.
    swept: u64,
}

impl HotCache {
    pub(crate) fn new(hot: Hot, limit: usize) -> Self {
        let (entries, free, gone) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            hot,
            index: HashTable::new(),
            entries,
            free,
            hand: 0,
            bytes: 0,
            limit,
            gone,
            swept: 0,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Gives up everything if there was a clear since the last time: so much memory that whoever
    /// drops it should have time.
    pub(crate) fn sweep(&mut self) -> Option<impl Send + use<>> {
        let all = self.hot.generations.all.load(Acquire);
        if all == self.swept {
            return None;
        }
        self.swept = all;
        // What was kept since that clear goes too, if anything was: it comes back when asked for.
        self.free.clear();
        (self.hand, self.bytes) = (0, 0);
        Some((std::mem::take(&mut self.index), std::mem::take(&mut self.entries)))
    }

    /// Gives up what was removed since the last time.
    pub(crate) fn take_gone(&mut self) -> Option<impl Send + use<>> {
        (!self.gone.is_empty()).then(|| std::mem::take(&mut self.gone))
    }

    /// The answer for `target`, if it is here and still holds.
    pub(crate) fn get(&mut self, target: &[u8]) -> Option<&mut Entry> {
        if self.entries.is_empty() {
            return None;
        }
        let hash = self.hot.hash(target);
        let at = self.find(hash, target)?;
        let stamp = self.hot.stamp_of(hash);
        if self.entries[at].as_ref()?.stamp != stamp {
            self.remove(at);
            return None;
        }
        let entry = self.entries[at].as_mut()?;
        entry.visits = (entry.visits + 1).min(3);
        Some(entry)
    }

    /// Keeps an answer, unless a clear or a remove came after its handler had begun.
    pub(crate) fn insert(&mut self, insert: HotInsert, date: &DateCache) {
        let hash = self.hot.hash(&insert.target);
        let entry = entry(insert, hash, date);
        if self.hot.stamp_of(hash) != entry.stamp {
            // It may hold the last of the body.
            return self.gone.push(entry);
        }
        if let Some(at) = self.find(hash, &entry.target) {
            self.remove(at);
        }
        if entry.bytes > self.limit {
            return self.gone.push(entry);
        }
        while self.bytes + entry.bytes > self.limit {
            self.evict_one();
        }
        self.bytes += entry.bytes;
        let at = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() as u32 - 1
        });
        self.entries[at as usize] = Some(entry);
        let entries = &self.entries;
        self.index
            .insert_unique(hash, at, |&at| entries[at as usize].as_ref().map_or(0, |e| e.hash));
    }

    fn find(&self, hash: u64, target: &[u8]) -> Option<usize> {
        let is_it = |&at: &u32| {
            self.entries[at as usize].as_ref().is_some_and(|entry| *entry.target == *target)
        };
        self.index.find(hash, is_it).map(|&at| at as usize)
    }

    fn remove(&mut self, at: usize) {
        let Some(entry) = self.entries[at].take() else { return };
        if let Ok(found) = self.index.find_entry(entry.hash, |&other| other as usize == at) {
            found.remove();
        }
        self.bytes -= entry.bytes;
        self.free.push(at as u32);
        self.gone.push(entry);
    }

    /// Moves the hand to the first entry that nobody asked for lately (or that is stale).
    ///
    /// Ends after four rounds at most, as each passing takes a visit away; the caller evicts
    /// only while there are bytes, that is entries.
    fn evict_one(&mut self) {
        loop {
            self.hand = (self.hand + 1) % self.entries.len();
            let Some(entry) = self.entries[self.hand].as_mut() else { continue };
            if entry.visits > 0 && entry.stamp == self.hot.stamp_of(entry.hash) {
                entry.visits -= 1;
                continue;
            }
            return self.remove(self.hand);
        }
    }
}

fn entry(insert: HotInsert, hash: u64, date: &DateCache) -> Entry {
    let HotInsert { target, representation, body, stamp } = insert;
    let mut head = Vec::with_capacity(256);
    let plain = Default::default();
    representation.answer(&plain, false, Persist::Silent, date.text(), &mut head);
    head.shrink_to_fit();
    let bytes =
        target.len() + head.len() + body.bytes() + representation.heap_bytes() + ENTRY_OVERHEAD;
    let date_at = render::date_position(&head);
    let date_s = date.unix_s();
    Entry { target, hash, stamp, head, date_at, date_s, representation, body, bytes, visits: 0 }
}
