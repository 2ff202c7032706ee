//! An insert-only hash table whose readers neither lock nor write.
//!
//! This is the file of the crate that holds unsafe code; nothing else does.
//!
//! # Shape
//!
//! ```text
//! current --> Index { mask, groups } --previous--> Index (retired, half as large) --> ...
//!                         |
//!                         v one cache line
//!              Group { 7 tags | 7 slots }        slot --> Entry { key, value } in a chunk
//! ```
//!
//! A hit loads `current`, one group and one entry: two cache lines that depend on the key. A tag
//! holds seven bits of the hash, so a second entry is looked at in a few per cent of the look-ups.
//!
//! # States of a slot
//!
//! | tag byte | slot pointer | who may touch it |
//! |---|---|---|
//! | 0 (empty) | null, or being written | the writer that holds `store` |
//! | 0x80 + 7 bits | an entry, for ever | everyone, reading only |
//!
//! There is one transition, empty to full, made by the holder of `store`: write the entry, store
//! the pointer, then store the tag word with `Release`. A reader that sees the tag in an `Acquire`
//! load of that word therefore sees the pointer and the entry. Nothing is ever emptied.
//!
//! # Growth
//!
//! The writer fills a new `Index` in private and publishes it by a `Release` store to `current`
//! (partner: the `Acquire` load in `index()`). The old one stays readable until the table drops:
//! sizes double, so all retired ones together weigh no more than the current one, and no reader
//! needs a guard. A reader still in an old index may miss what came later; its caller then looks
//! again under the flights lock, behind the writer.
//!
//! # Locks
//!
//! `store` is a leaf, but for `Hash` and `Eq` of the key, which run under it.
#![allow(unsafe_code)]

use crate::sync::{
    Apart, AtomicPtr, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, const_unless_loom, lock,
};
use std::marker::PhantomData;
use std::ptr::null_mut;

/// Slots in a group: seven pointers and a word of tags fill a line of 64 bytes.
const LANES: usize = 7;
/// The high bit of each of the seven tags; the eighth byte of the word is always 0.
const FULL: u64 = 0x0080_8080_8080_8080;
const EACH_BYTE: u64 = 0x0101_0101_0101_0101;
/// A new chunk holds a quarter of what is there, and at most this: so much of it may be slack.
const CHUNK_BYTES: usize = 64 * 1024;
const CHUNK_MIN: usize = 8;

/// The insert-only table. Sharing it needs `K` and `V` to be `Send + Sync`, by its auto traits:
/// the lock asks for `Send`, the phantom for `Sync`.
pub(crate) struct Table<K, V> {
    /// Null until the first insert. Written only under `cold.store`.
    current: AtomicPtr<Index<K, V>>,
    /// What inserts write, on lines that no hit reads.
    cold: Apart<Cold<K, V>>,
    shares: PhantomData<(K, V)>,
}

struct Cold<K, V> {
    /// The entries; append-only, never moved. Inserting takes this lock.
    store: Mutex<Store<K, V>>,
    /// Entries in the table. Written under `store`, read by anyone.
    len: AtomicUsize,
}

/// A key and its value; immutable once its tag is stored.
pub(crate) struct Entry<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
}

struct Store<K, V> {
    /// Each chunk is filled up to its capacity and never beyond, so entries keep their address.
    chunks: Vec<Vec<Entry<K, V>>>,
}

struct Index<K, V> {
    /// Groups less one; the number of groups is a power of two.
    mask: usize,
    groups: Box<[Group<K, V>]>,
    /// The index that this one replaced; only `drop` follows it.
    previous: *mut Index<K, V>,
}

#[repr(align(64))]
struct Group<K, V> {
    tags: AtomicU64,
    slots: [AtomicPtr<Entry<K, V>>; LANES],
}

impl<K, V> Table<K, V> {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Table {
                current: AtomicPtr::new(null_mut()),
                cold: Apart(Cold {
                    store: Mutex::new(Store { chunks: Vec::new() }),
                    len: AtomicUsize::new(0),
                }),
                shares: PhantomData,
            }
        }
    }

    /// Finds the entry with this hash for which `is_key` holds.
    #[inline]
    pub(crate) fn get(&self, hash: u64, is_key: impl Fn(&K) -> bool) -> Option<&Entry<K, V>> {
        self.index()?.find(hash, is_key)
    }

    /// Adds an entry unless the key is there. Returns the value that the table keeps, and the
    /// refused pair, which the caller drops where no lock is held.
    ///
    /// `hash_of` is the function that made `hash`: growth hashes every key again.
    pub(crate) fn insert(
        &self,
        hash: u64,
        key: K,
        value: V,
        hash_of: impl Fn(&K) -> u64,
    ) -> (&V, Option<(K, V)>)
    where
        K: Eq,
    {
        let mut store = lock(&self.cold.0.store);
        if let Some(entry) = self.get(hash, |other| *other == key) {
            return (&entry.value, Some((key, value)));
        }
        let index = self.room_for(1, &store, hash_of);
        let entry = store.push(Entry { key, value });
        index.place(hash, entry);
        let len = &self.cold.0.len;
        len.store(len.load(Ordering::Relaxed) + 1, Ordering::Release);
        // SAFETY: `push` returned a pointer into a chunk, which moves and frees nothing before
        // the table drops; the result borrows the table.
        (unsafe { &(*entry).value }, None)
    }

    /// Grows once so that `more` entries fit.
    pub(crate) fn reserve(&self, more: usize, hash_of: impl Fn(&K) -> u64) {
        let store = lock(&self.cold.0.store);
        self.room_for(more, &store, hash_of);
    }

    pub(crate) fn len(&self) -> usize {
        self.cold.0.len.load(Ordering::Acquire)
    }

    /// Visits the entries; those added meanwhile may or may not be among them.
    pub(crate) fn iter(&self) -> Entries<'_, K, V> {
        let groups = self.index().map_or(&[][..], |index| &index.groups);
        Entries { groups, lane: 0 }
    }

    #[inline]
    fn index(&self) -> Option<&Index<K, V>> {
        // Acquire: partner of the Release store in `room_for`.
        let current = self.current.load(Ordering::Acquire);
        // SAFETY: `current` is null or came from `Box::into_raw` in `room_for`, and is freed only
        // by `drop`, which no borrow of the table outlives.
        unsafe { current.as_ref() }
    }

    /// The index with room for `more` entries; the guard shows that the caller is the writer.
    fn room_for(
        &self,
        more: usize,
        store: &MutexGuard<'_, Store<K, V>>,
        hash_of: impl Fn(&K) -> u64,
    ) -> &Index<K, V> {
        let wanted = self.cold.0.len.load(Ordering::Relaxed).saturating_add(more);
        if let Some(index) = self.index().filter(|index| index.capacity() >= wanted) {
            return index;
        }
        let next = Index::with_room_for(wanted, self.current.load(Ordering::Relaxed));
        for entry in store.chunks.iter().flatten() {
            next.place(hash_of(&entry.key), (&raw const *entry).cast_mut());
        }
        let next = Box::into_raw(Box::new(next));
        // Release: partner of the Acquire load in `index`.
        self.current.store(next, Ordering::Release);
        // SAFETY: just made from a box, and freed only by `drop`.
        unsafe { &*next }
    }
}

impl<K, V> Store<K, V> {
    fn push(&mut self, entry: Entry<K, V>) -> *mut Entry<K, V> {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == chunk.capacity()) {
            let most = (CHUNK_BYTES / size_of::<Entry<K, V>>().max(1)).max(CHUNK_MIN);
            let held: usize = self.chunks.iter().map(Vec::len).sum();
            self.chunks.push(Vec::with_capacity((held / 4).clamp(CHUNK_MIN, most)));
        }
        let chunk = self.chunks.last_mut().expect("a chunk was just ensured");
        let at = chunk.len();
        chunk.push(entry);
        // SAFETY: `at` is within the chunk, which had capacity for the push and did not move.
        unsafe { chunk.as_mut_ptr().add(at) }
    }
}

impl<K, V> Index<K, V> {
    fn with_room_for(entries: usize, previous: *mut Index<K, V>) -> Self {
        let mut groups = 1;
        while capacity_of(groups) < entries {
            groups *= 2;
        }
        let groups: Box<[_]> = (0..groups).map(|_| Group::new()).collect();
        Index { mask: groups.len() - 1, groups, previous }
    }

    fn capacity(&self) -> usize {
        capacity_of(self.groups.len())
    }

    #[inline]
    fn find(&self, hash: u64, is_key: impl Fn(&K) -> bool) -> Option<&Entry<K, V>> {
        let wanted = tag_of(hash) * EACH_BYTE;
        let mut at = hash as usize & self.mask;
        loop {
            // SAFETY: `mask` is the number of groups less one, and `at` was masked.
            let group = unsafe { self.groups.get_unchecked(at) };
            // Acquire: partner of the Release store in `place`.
            let tags = group.tags.load(Ordering::Acquire);
            let mut same = zero_bytes(tags ^ wanted);
            while same != 0 {
                let lane = same.trailing_zeros() as usize / 8;
                let entry = group.slots[lane].load(Ordering::Relaxed);
                // SAFETY: a lane is reported only if its tag is full (see `zero_bytes`), so the
                // pointer was stored before the tag that we acquired, and entries never move.
                let entry = unsafe { &*entry };
                if is_key(&entry.key) {
                    return Some(entry);
                }
                same &= same - 1;
            }
            if tags & FULL != FULL {
                return None;
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Points the first free slot at the entry. Only the writer may call this.
    fn place(&self, hash: u64, entry: *mut Entry<K, V>) {
        let mut at = hash as usize & self.mask;
        loop {
            let group = &self.groups[at];
            // Relaxed: only writers store here, and the store lock orders them.
            let tags = group.tags.load(Ordering::Relaxed);
            let free = !tags & FULL;
            if free != 0 {
                let lane = free.trailing_zeros() / 8;
                group.slots[lane as usize].store(entry, Ordering::Relaxed);
                // Release: partner of the Acquire load in `find` and in `Entries`.
                group.tags.store(tags | tag_of(hash) << (8 * lane), Ordering::Release);
                return;
            }
            at = (at + 1) & self.mask;
        }
    }
}

impl<K, V> Group<K, V> {
    fn new() -> Self {
        Group {
            tags: AtomicU64::new(0),
            slots: std::array::from_fn(|_| AtomicPtr::new(null_mut())),
        }
    }
}

impl<K, V> Drop for Table<K, V> {
    fn drop(&mut self) {
        let mut next = self.current.load(Ordering::Relaxed);
        while !next.is_null() {
            // SAFETY: each index came from `Box::into_raw`, is in this list once, and `&mut self`
            // shows that no reader is left. The entries belong to `store`.
            let index = unsafe { Box::from_raw(next) };
            next = index.previous;
        }
    }
}

/// Walks the groups of one index.
pub(crate) struct Entries<'a, K, V> {
    groups: &'a [Group<K, V>],
    lane: usize,
}

impl<'a, K, V> Iterator for Entries<'a, K, V> {
    type Item = &'a Entry<K, V>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((group, rest)) = self.groups.split_first() {
            // Acquire: partner of the Release store in `place`.
            let tags = group.tags.load(Ordering::Acquire);
            let lane = self.lane;
            // Lanes fill from the first: an empty one ends the group.
            if lane < LANES && tags >> (8 * lane) & 0x80 != 0 {
                self.lane += 1;
                let entry = group.slots[lane].load(Ordering::Relaxed);
                // SAFETY: the tag that we acquired is full, so the pointer is that of an entry,
                // which lives as long as the table that `'a` borrows.
                return Some(unsafe { &*entry });
            }
            (self.groups, self.lane) = (rest, 0);
        }
        None
    }
}

/// Entries that so many groups take before the index grows: 6/7 full, and at least one lane is
/// always free, which ends every probe. The models grow at the second entry.
fn capacity_of(groups: usize) -> usize {
    if cfg!(loom) { groups } else { groups.saturating_mul(LANES - 1) }
}

/// The tag of a hash: its top seven bits (the group is chosen by the low ones), marked full.
#[inline]
fn tag_of(hash: u64) -> u64 {
    hash >> 57 | 0x80
}

/// Marks by its high bit each byte of `word` that is 0, and perhaps one that is 1 and follows.
///
/// `word` is tags XOR a full tag, so an empty lane has its high bit set here and is never marked;
/// nor is the eighth byte, whose tag is 0.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(EACH_BYTE) & !word & (EACH_BYTE << 7)
}
