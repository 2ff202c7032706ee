//! An insert-only hash table whose readers neither lock nor write.
//!
//! This is a file that holds unsafe code.
//!
//! # Shape
//!
//! ```text
//! current --> Index { lines } --previous--> Index (retired, 2/3 as large) --> ...
//!               |
//!               v one cache line
//!             Line { 12 tags | 12 slots }   slot = chunk, place --> chunks[chunk] + place --> Entry
//! ```
//!
//! A hit loads `current`, one line and one entry: two cache lines that depend on the key. A tag is
//! a byte of the hash, so a second entry is looked at in one or two per cent of the look-ups. A
//! line that is full passes on to the next.
//!
//! What a hit costs in a large table is what of it stays in the processor's cache. So a slot is 32
//! bits, not a pointer, and an index has any number of lines, not a power of two: 7 to 11 bytes an
//! entry. The entries lie one after another in the order in which they came, and growth puts them
//! into lines in that order: what was asked for first, and so most likely what is asked for most,
//! lies together and is found in the first place that is looked at.
//!
//! # States of a slot
//!
//! | tag byte | slot | who may touch it |
//! |---|---|---|
//! | 0 (empty) | 0, or being written | the writer that holds `store` |
//! | 1 to 255 | an entry's place, for ever | everyone, reading only |
//!
//! There is one transition, empty to full, made by the holder of `store`: write the entry (and
//! before the first one of a chunk, the address of the chunk), store the slot, then store the tag
//! word with `Release`. A reader that sees the tag in an `Acquire` load of that word therefore
//! sees the slot, the chunk and the entry. Nothing is ever emptied.
//!
//! # Growth
//!
//! The writer fills a new `Index` in private and publishes it by a `Release` store to `current`
//! (partner: the `Acquire` load in `index()`). The old one stays readable until the table drops:
//! each is half as large again as the last, so all retired ones together weigh no more than twice
//! the current one, and no reader needs a guard. A reader still in an old index may miss what came later; its caller then looks
//! again under the flights lock, behind the writer.
//!
//! # Locks
//!
//! `store` is a leaf, but for `Hash` and `Eq` of the key, which run under it.
#![allow(unsafe_code)]

use crate::sync::{
    Apart, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering,
    const_unless_loom, lock,
};
use std::marker::PhantomData;
use std::ptr::null_mut;

/// Slots in a line: twelve of 32 bits and two words of tags fill its 64 bytes.
const LANES: usize = 12;
/// Chunks of entries that a slot can name, and entries in a chunk that it can.
const CHUNKS: usize = if cfg!(loom) { 2 } else { 256 };
const CHUNK_MOST: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 24;
/// A new chunk holds an eighth of what is there, so no more than that is slack; but at least so
/// many entries. At that pace two thousand million entries fit.
const CHUNK_SHARE: usize = 8;
const CHUNK_MIN: usize = 8;

/// The insert-only table. Sharing it needs `K` and `V` to be `Send + Sync`, by its auto traits:
/// the lock asks for `Send`, the phantom for `Sync`.
pub(crate) struct Table<K, V> {
    /// Null until the first insert. Written only under `cold.store`.
    current: AtomicPtr<Index>,
    /// Where each chunk of entries begins; null until it is made. Written only under `cold.store`.
    chunks: [AtomicPtr<Entry<K, V>>; CHUNKS],
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

struct Index {
    lines: Box<[Line]>,
    /// The index that this one replaced; only `drop` follows it.
    previous: *mut Index,
}

#[repr(align(64))]
struct Line {
    /// Eight tags, then four, lane 0 in the lowest byte; the other four bytes are always 0.
    tags: [AtomicU64; 2],
    slots: [AtomicU32; LANES],
}

/// Where an entry lies: its chunk in the high bits, its place there in the low ones.
#[derive(Clone, Copy)]
struct Slot(u32);

/// A hash whose high bits depend on all of it: some hashers stir only the low ones.
#[derive(Clone, Copy)]
struct Spread(u64);

impl<K, V> Table<K, V> {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Table {
                current: AtomicPtr::new(null_mut()),
                chunks: no_chunks(),
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
        let index = self.index()?;
        let hash = Spread::new(hash);
        let (mut at, tag) = (index.home(hash), hash.tag());
        loop {
            // SAFETY: `home` and `after` are below the number of lines.
            let line = unsafe { index.lines.get_unchecked(at) };
            // Acquire: partner of the Release store in `Line::place`.
            let tags = [0, 1].map(|word: usize| line.tags[word].load(Ordering::Acquire));
            let mut same = lanes_with(tags, tag);
            while same != 0 {
                // SAFETY: the bytes beyond the last lane are 0, which is nobody's tag.
                let slot = unsafe { line.slots.get_unchecked(same.trailing_zeros() as usize) };
                // SAFETY: its tag is full, and was acquired.
                let entry = unsafe { self.entry(Slot(slot.load(Ordering::Relaxed))) };
                if is_key(&entry.key) {
                    return Some(entry);
                }
                same &= same - 1;
            }
            // Lanes fill from the first: where the last one is empty the search ends.
            if tags[1] >> 24 == 0 {
                return None;
            }
            at = index.after(at);
        }
    }

    /// Adds an entry unless the key is there. Returns the value that the table keeps, and the
    /// refused pair, which the caller drops where no lock is held.
    ///
    /// `hash_of` is the function that made `hash`: growth hashes every key again.
    ///
    /// # Panics
    ///
    /// When there are as many entries as slots can name, some two thousand million.
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
        let (slot, entry) = store.push(Entry { key, value }, &self.chunks);
        index.place(hash, slot);
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
        let lines = self.index().map_or(&[][..], |index| &index.lines);
        Entries { table: self, lines, lane: 0 }
    }

    #[inline]
    fn index(&self) -> Option<&Index> {
        // Acquire: partner of the Release store in `room_for`.
        let current = self.current.load(Ordering::Acquire);
        // SAFETY: `current` is null or came from `Box::into_raw` in `room_for`, and is freed only
        // by `drop`, which no borrow of the table outlives.
        unsafe { current.as_ref() }
    }

    /// The entry at a slot.
    ///
    /// # Safety
    ///
    /// The slot comes from an index of this table, from under a full tag that was acquired.
    #[inline]
    unsafe fn entry(&self, slot: Slot) -> &Entry<K, V> {
        // SAFETY: a slot names a chunk below `CHUNKS`, see `Store::push`.
        let chunk = unsafe { self.chunks.get_unchecked(slot.chunk()) };
        // Relaxed: the address and the entry were written before the tag that was acquired.
        let first = chunk.load(Ordering::Relaxed);
        // SAFETY: so the chunk holds an entry at that place, and neither moves nor is freed before
        // the table drops.
        unsafe { &*first.add(slot.place()) }
    }

    /// The index with room for `more` entries; the guard shows that the caller is the writer.
    fn room_for(
        &self,
        more: usize,
        store: &MutexGuard<'_, Store<K, V>>,
        hash_of: impl Fn(&K) -> u64,
    ) -> &Index {
        let wanted = self.cold.0.len.load(Ordering::Relaxed).saturating_add(more);
        if let Some(index) = self.index().filter(|index| index.capacity() >= wanted) {
            return index;
        }
        let lines = self.index().map_or(0, Index::more_lines).max(lines_for(wanted));
        let next = Index::new(lines, self.current.load(Ordering::Relaxed));
        for (chunk, entries) in store.chunks.iter().enumerate() {
            for (place, entry) in entries.iter().enumerate() {
                next.place(hash_of(&entry.key), Slot::new(chunk, place));
            }
        }
        let next = Box::into_raw(Box::new(next));
        // Release: partner of the Acquire load in `index`.
        self.current.store(next, Ordering::Release);
        // SAFETY: just made from a box, and freed only by `drop`.
        unsafe { &*next }
    }
}

#[cfg(not(loom))]
const fn no_chunks<K, V>() -> [AtomicPtr<Entry<K, V>>; CHUNKS] {
    [const { AtomicPtr::new(null_mut()) }; CHUNKS]
}

#[cfg(loom)]
fn no_chunks<K, V>() -> [AtomicPtr<Entry<K, V>>; CHUNKS] {
    std::array::from_fn(|_| AtomicPtr::new(null_mut()))
}

impl<K, V> Store<K, V> {
    /// Keeps an entry: its slot for the index, and its address.
    fn push(
        &mut self,
        entry: Entry<K, V>,
        starts: &[AtomicPtr<Entry<K, V>>; CHUNKS],
    ) -> (Slot, *mut Entry<K, V>) {
        let is_full = |chunk: &Vec<_>| chunk.len() == chunk.capacity().min(CHUNK_MOST);
        if self.chunks.last().is_none_or(is_full) {
            let held: usize = self.chunks.iter().map(Vec::len).sum();
            assert!(self.chunks.len() < CHUNKS, "the memo is full, with {held} entries");
            let room = (held / CHUNK_SHARE).clamp(CHUNK_MIN, CHUNK_MOST);
            let mut chunk = Vec::with_capacity(room);
            // Relaxed: published by the tag of the first entry.
            starts[self.chunks.len()].store(chunk.as_mut_ptr(), Ordering::Relaxed);
            self.chunks.push(chunk);
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let place = chunk.len();
        chunk.push(entry);
        // SAFETY: `place` is within the chunk, which had capacity for the push and did not move.
        (Slot::new(number, place), unsafe { chunk.as_mut_ptr().add(place) })
    }
}

impl Slot {
    fn new(chunk: usize, place: usize) -> Self {
        debug_assert!(chunk < CHUNKS && place < CHUNK_MOST);
        Slot((chunk << PLACE_BITS | place) as u32)
    }

    #[inline]
    fn chunk(self) -> usize {
        (self.0 >> PLACE_BITS) as usize
    }

    #[inline]
    fn place(self) -> usize {
        self.0 as usize & (CHUNK_MOST - 1)
    }
}

impl Spread {
    #[inline]
    fn new(hash: u64) -> Self {
        // 2^64 over the golden ratio: every bit counts in those above it, evenly.
        Spread(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Eight bits below those that choose the line; 1 where they would say empty.
    #[inline]
    fn tag(self) -> u8 {
        ((self.0 >> 24) as u8).max(1)
    }
}

impl Index {
    fn new(lines: usize, previous: *mut Index) -> Self {
        Index { lines: (0..lines).map(|_| Line::new()).collect(), previous }
    }

    /// The size of the index that replaces this one when it is full.
    fn more_lines(&self) -> usize {
        self.lines.len() + self.lines.len() / 2
    }

    fn capacity(&self) -> usize {
        capacity_of(self.lines.len())
    }

    /// Puts a slot into the first free lane. Only the writer may call this.
    fn place(&self, hash: u64, slot: Slot) {
        let hash = Spread::new(hash);
        let mut at = self.home(hash);
        while !self.lines[at].place(hash.tag(), slot) {
            at = self.after(at);
        }
    }

    /// The line where a hash is looked for first: the hash, as a fraction, of all lines.
    #[inline]
    fn home(&self, hash: Spread) -> usize {
        ((u128::from(hash.0) * self.lines.len() as u128) >> 64) as usize
    }

    /// The line after a full one.
    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.lines.len() { 0 } else { at + 1 }
    }
}

impl Line {
    fn new() -> Self {
        Line {
            tags: [AtomicU64::new(0), AtomicU64::new(0)],
            slots: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    /// Fills the first free lane; false if there is none.
    fn place(&self, tag: u8, slot: Slot) -> bool {
        // Relaxed: only writers store here, and the store lock orders them.
        let tags = [0, 1].map(|word: usize| self.tags[word].load(Ordering::Relaxed));
        let Some(lane) = (0..LANES).find(|&lane| tag_at(tags, lane) == 0) else { return false };
        self.slots[lane].store(slot.0, Ordering::Relaxed);
        let filled = tags[lane / 8] | u64::from(tag) << (lane % 8 * 8);
        // Release: partner of the Acquire loads in `Table::get` and in `Entries`.
        self.tags[lane / 8].store(filled, Ordering::Release);
        true
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

/// Walks the lanes of one index.
pub(crate) struct Entries<'a, K, V> {
    table: &'a Table<K, V>,
    lines: &'a [Line],
    /// The next lane in the first of `lines`.
    lane: usize,
}

impl<'a, K, V> Iterator for Entries<'a, K, V> {
    type Item = &'a Entry<K, V>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((line, rest)) = self.lines.split_first() {
            // Acquire: partner of the Release store in `Line::place`.
            let tags = [0, 1].map(|word: usize| line.tags[word].load(Ordering::Acquire));
            let lane = self.lane;
            // Lanes fill from the first: an empty one ends the line.
            if lane < LANES && tag_at(tags, lane) != 0 {
                self.lane += 1;
                let slot = Slot(line.slots[lane].load(Ordering::Relaxed));
                // SAFETY: the tag that we acquired is full, in an index of this table.
                return Some(unsafe { self.table.entry(slot) });
            }
            (self.lines, self.lane) = (rest, 0);
        }
        None
    }
}

/// Entries that so many lines take before the index grows: 3/4 full, so some lane is always free,
/// which ends every probe. The models grow at the second entry.
fn capacity_of(lines: usize) -> usize {
    if cfg!(loom) { lines } else { lines.saturating_mul(LANES * 3 / 4) }
}

/// The fewest lines that take so many entries.
fn lines_for(entries: usize) -> usize {
    entries.div_ceil(capacity_of(1)).max(1)
}

fn tag_at(tags: [u64; 2], lane: usize) -> u8 {
    (tags[lane / 8] >> (lane % 8 * 8)) as u8
}

/// A bit for each byte of two words that is the tag.
#[inline]
fn lanes_with(tags: [u64; 2], tag: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        // SAFETY: these are of SSE2, which every x86_64 has.
        unsafe {
            let tags = _mm_set_epi64x(tags[1] as i64, tags[0] as i64);
            _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(tag as i8))) as u32
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        bytes_with(tags[0], tag) | bytes_with(tags[1], tag) << 8
    }
}

/// A bit for each byte of a word that is the tag.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn bytes_with(word: u64, tag: u8) -> u32 {
    const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let differs = word ^ u64::from_ne_bytes([tag; 8]);
    // The high bit of each byte that is 0: adding carries into it from all others, never beyond.
    let same = !(((differs & LOW_BITS) + LOW_BITS) | differs | LOW_BITS);
    // Brings bit 7 of byte n to bit n of the highest byte.
    (same.wrapping_mul(0x0002_0408_1020_4081) >> 56) as u32
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{bytes_with, lanes_with};

    /// One of them is not compiled into the product here, and the other not elsewhere.
    #[test]
    fn both_ways_to_find_a_tag_find_the_same_lanes() {
        let mut word = 1_u64;
        for _ in 0..10_000 {
            word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
            // Few different bytes, so that many are the same.
            let tags = [word & 0x0101_ff80_8001_00ff, word.rotate_left(17) & 0xff01_0181_8101];
            for tag in [1, 0x7f, 0x80, 0x81, 0xff, word as u8] {
                let found = lanes_with(tags, tag);
                let each = tags.map(u64::to_le_bytes).concat();
                assert!((0..16).all(|lane| (found >> lane & 1 == 1) == (each[lane] == tag)));
                assert_eq!(found, bytes_with(tags[0], tag) | bytes_with(tags[1], tag) << 8);
            }
        }
    }
}
