//! What a `StaticMemo` lends stays whole through growth, collisions and the memo's end.
#![cfg(not(loom))]

use larder_memo::StaticMemo;
use std::cell::Cell;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::thread;

static NAMES: StaticMemo<String, String> = StaticMemo::new();

/// Also the subject of `valgrind`: eight threads read what others add, over many growths.
#[test]
fn references_outlive_growth_under_eight_threads() {
    let run = |thread: usize| {
        let mut held: Vec<(usize, &'static str)> = Vec::new();
        for step in 0..4000 {
            let key = (step * 13 + thread * 997) % 4000;
            held.push((key, NAMES.get_or_load(key.to_string().as_str(), || format!("name {key}"))));
        }
        for (key, name) in held {
            assert_eq!(name, format!("name {key}"));
            assert!(std::ptr::eq(NAMES.get(&key.to_string()).unwrap().as_str(), name));
        }
    };
    thread::scope(|scope| (0..8).for_each(|thread| drop(scope.spawn(move || run(thread)))));
    let keys: HashSet<&String> = NAMES.iter().map(|(key, _)| key).collect();
    assert_eq!((keys.len(), NAMES.len(), NAMES.iter().count()), (4000, 4000, 4000));
}

#[test]
fn every_key_and_value_is_dropped_once() {
    let count = Arc::new(());
    let memo: StaticMemo<u32, Arc<()>> = StaticMemo::new();
    assert!(memo.is_empty() && memo.get(&1).is_none() && memo.iter().next().is_none());
    for key in (0..5000).chain(0..5000) {
        memo.preload([(key, count.clone())]);
    }
    assert_eq!((Arc::strong_count(&count), memo.len()), (5001, 5000));
    drop(memo);
    assert_eq!(Arc::strong_count(&count), 1);
}

/// Every key has the same hash: the worst that a client could send.
#[derive(Clone, Copy, Default)]
struct Colliding(u64);

impl BuildHasher for Colliding {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

impl Hasher for Colliding {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}
}

#[test]
fn colliding_keys_are_told_apart() {
    for hash in [0, u64::MAX, 1 << 63, 0x0101_0101_0101_0101] {
        let memo: StaticMemo<u32, u32, Colliding> = StaticMemo::with_hasher(Colliding(hash));
        for key in 0..300 {
            assert_eq!(memo.get(&key), None);
            assert_eq!(*memo.get_or_load(&key, || key * 2), key * 2);
        }
        assert!((0..300).all(|key| memo.get(&key) == Some(&(key * 2))));
        assert_eq!(memo.iter().count(), 300);
    }
}

/// A hash that is the number itself, and a key that counts how often it is compared.
#[derive(Clone, Copy, Default)]
struct Identity(u64);

impl BuildHasher for Identity {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

thread_local! {
    static COMPARED: Cell<u64> = const { Cell::new(0) };
}

struct Counting(u64);

impl Hash for Counting {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Counting {
    fn eq(&self, other: &Self) -> bool {
        COMPARED.set(COMPARED.get() + 1);
        self.0 == other.0
    }
}

impl Eq for Counting {}

#[test]
fn a_weak_hash_does_not_make_every_key_a_neighbour() {
    // The last ones have nothing left for tags, so they are compared with a line of neighbours.
    for (step, most) in [(1, 2), (8, 2), (1 << 20, 2), (1 << 40, 8)] {
        let memo: StaticMemo<Counting, (), Identity> = StaticMemo::with_hasher(Identity(0));
        memo.preload((0..10_000).map(|key| (Counting(key * step), ())));
        COMPARED.set(0);
        assert!((0..10_000).all(|key| memo.get(&Counting(key * step)).is_some()));
        let compared = COMPARED.get();
        assert!(compared < most * 10_000, "{compared} comparisons for 10000 keys {step} apart");
    }
}

#[test]
fn sizes_at_the_edges_are_kept() {
    let units: StaticMemo<(), ()> = StaticMemo::default();
    assert_eq!(units.get_or_load(&(), || ()), &());
    assert_eq!((units.len(), units.iter().count()), (1, 1));
    let large: StaticMemo<u32, [u64; 4096]> = StaticMemo::new();
    for key in 0..50 {
        assert_eq!(large.get_or_load(&key, || [u64::from(key); 4096])[4095], u64::from(key));
    }
    assert!((0..50).all(|key| large.get(&key).unwrap()[0] == u64::from(key)));
}
