//! What is bounded stays so, and what is popular stays.
#![cfg(not(loom))]

use larder_memo::{Memo, Tables};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::thread;

/// A key that counts its clones: records of the policy hold them too.
#[derive(Clone, Debug)]
struct Key(u64, #[expect(dead_code, reason = "only counts")] Arc<()>);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
    }
}

#[test]
fn room_for_one_is_room_for_the_last_one() {
    let memo: Memo<u64, u64> = Memo::builder(1).build();
    for key in 0..100 {
        assert_eq!(memo.get_or_load(&key, || key), key);
        assert_eq!((memo.len(), memo.get(&key)), (1, Some(key)));
    }
}

#[test]
#[should_panic(expected = "room for at least one")]
fn room_for_none_is_refused_at_once() {
    let _: Memo<u64, u64> = Memo::builder(0).build();
}

/// Each round leaves a record behind. They are swept, so the clones of the key stay bounded;
/// the index frees in batches, hence the margin.
#[test]
fn coming_and_going_of_one_key_leaves_nothing_behind() {
    let memo: Memo<Key, u64> = Memo::builder(10).build();
    let count = Arc::new(());
    for round in 0..20_000 {
        memo.insert(Key(1, count.clone()), round);
        if round % 2 == 0 {
            memo.invalidate(&Key(1, count.clone()));
        }
        assert!(Arc::strong_count(&count) < 1000, "after {round} rounds");
    }
}

#[test]
fn a_scan_does_not_push_out_what_is_popular() {
    let memo: Memo<u64, u64> = Memo::builder(1000).build();
    let popular = || (0..100).filter(|key| memo.get(key).is_some()).count();
    (0..100).for_each(|key| memo.insert(key, key));
    assert_eq!((popular(), popular(), popular()), (100, 100, 100));
    (1000..100_000).for_each(|key| memo.insert(key, key));
    assert_eq!(memo.len(), 1000);
    assert!(popular() >= 95, "only {} of 100 are left", popular());
}

#[test]
fn stale_entries_make_room_first() {
    let tables = Tables::new();
    let memo: Memo<u64, u64> = Memo::builder(100).depends_on(&tables, ["rows"]).build();
    (0..100).for_each(|key| memo.insert(key, key));
    (0..3).for_each(|_| (0..100).for_each(|key| assert!(memo.get(&key).is_some())));
    tables.bump("rows");
    (100..200).for_each(|key| memo.insert(key, key));
    let fresh = (100..200).filter(|key| memo.get(key).is_some()).count();
    assert_eq!(fresh, 100, "popular but stale entries kept fresh ones out");
}

#[test]
fn many_writers_do_not_stretch_it() {
    let memo: Memo<u64, u64> = Memo::builder(100).build();
    let write = |from: u64| {
        for key in from..from + 5000 {
            assert_eq!(memo.get_or_load(&key, || key), key);
            // Each other writer may have stored what it has not yet settled with the policy, and
            // the count is a sum over stripes that move meanwhile.
            assert!(memo.len() <= 100 + 16);
        }
    };
    let write = &write;
    thread::scope(|scope| (0..4).for_each(|n| drop(scope.spawn(move || write(n * 3000)))));
    assert!(memo.len() <= 100);
}

/// After a bump the whole memo is dead: what is loaded then must not make room for itself.
#[test]
fn the_dead_go_before_the_living() {
    const ENTRIES: u64 = 1_000;
    let tables = Tables::new();
    let memo: Memo<u64, u64> =
        Memo::builder(ENTRIES as usize).depends_on(&tables, ["photos"]).build();
    // Asked for again and again while new ones come, so that most reach the main queue.
    for key in 0..2 * ENTRIES {
        for again in key.saturating_sub(20)..=key {
            memo.get_or_load(&again, || again);
        }
    }
    tables.bump("photos");
    let living = 10_000..10_000 + ENTRIES * 9 / 10;
    for key in living.clone() {
        memo.get_or_load(&key, || key);
    }
    let kept = living.clone().filter(|key| memo.get(key).is_some()).count();
    assert_eq!(kept, living.count(), "living entries left while dead ones stayed");
}
