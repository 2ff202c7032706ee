//! Weights: none, too much, and the sum of what is there.
#![cfg(not(loom))]

use larder_memo::{Memo, Tables};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// A value weighs what it says.
fn memo(max_entries: usize, max_weight: u64) -> Memo<u64, u32> {
    Memo::builder(max_entries).weigher(max_weight, |_, &weight| weight).build()
}

fn weight_of_all(memo: &Memo<u64, u32>) -> u64 {
    let mut sum = 0;
    memo.for_each(|_, &weight| sum += u64::from(weight));
    sum
}

#[test]
fn the_sum_is_bounded_and_is_the_sum() {
    let memo = memo(1000, 100);
    for key in 0..1000 {
        memo.insert(key, (key % 13) as u32);
        assert!(memo.weight() <= 100, "{} after key {key}", memo.weight());
        assert_eq!(memo.weight(), weight_of_all(&memo));
    }
    assert!(memo.weight() > 100 - 13, "no more is evicted than has to be");
}

#[test]
fn room_for_one_of_weight_one() {
    let memo = memo(1, 1);
    for key in 0..100 {
        assert_eq!(memo.get_or_load(&key, || 1), 1);
        assert_eq!((memo.get(&key), memo.len(), memo.weight()), (Some(1), 1, 1));
    }
}

#[test]
fn entries_that_weigh_nothing_are_bounded_by_their_number() {
    let memo = memo(10, 1);
    (0..1000).for_each(|key| memo.insert(key, 0));
    assert_eq!((memo.len(), memo.weight()), (10, 0));
    // One of some weight finds room among them, and leaves without them.
    memo.insert(5000, 1);
    assert!(memo.contains(&5000) && memo.len() == 10 && memo.weight() == 1);
    memo.insert(5001, 1);
    assert!(memo.contains(&5001) && memo.weight() == 1);
}

#[test]
fn one_that_is_heavier_than_the_whole_is_returned_and_not_kept() {
    let memo = memo(10, 10);
    (0..10).for_each(|key| memo.insert(key, 1));
    assert_eq!(memo.get_or_load(&99, || 11), 11);
    assert_eq!((memo.get(&99), memo.len(), memo.weight()), (None, 10, 10), "it pushed others out");
    memo.insert(98, u32::MAX);
    assert_eq!((memo.get(&98), memo.len()), (None, 10));
    // What it would have replaced is older than it, and must not stay.
    memo.insert(3, 11);
    assert_eq!((memo.get(&3), memo.len(), memo.weight()), (None, 9, 9));
    memo.get_or_load(&99, || 10);
    assert_eq!((memo.get(&99), memo.len(), memo.weight()), (Some(10), 1, 10), "just as heavy fits");
}

#[test]
fn the_sum_follows_whatever_goes() {
    let tables = Tables::new();
    let memo: Memo<u64, u32> =
        Memo::builder(100).weigher(1000, |_, &weight| weight).depends_on(&tables, ["rows"]).build();
    (0..50).for_each(|key| memo.insert(key, 10));
    assert_eq!(memo.weight(), 500);
    memo.insert(0, 3);
    assert_eq!(memo.weight(), 493);
    memo.invalidate(&0);
    memo.invalidate(&0);
    assert_eq!(memo.weight(), 490);
    memo.invalidate_if(|key, _| key % 2 == 1);
    assert_eq!((memo.weight(), memo.len()), (240, 24));
    assert_eq!(memo.get_or_find(&2, || Ok::<_, ()>(None)).unwrap(), Some(10));
    // The stale take up room until it is needed, and then all of it is there.
    tables.bump("rows");
    memo.get_or_load(&200, || 1000);
    assert_eq!((memo.weight(), memo.len()), (1000, 1));
}

#[test]
fn what_is_popular_stays_whatever_comes_by() {
    let memo = memo(1_000_000, 10_000);
    let popular = || (0..100).filter(|key| memo.get(key).is_some()).count();
    (0..100).for_each(|key| memo.insert(key, 10));
    assert_eq!((popular(), popular(), popular()), (100, 100, 100));
    (1000..20_000).for_each(|key| memo.insert(key, 10));
    assert!(popular() >= 95, "only {} of 100 are left", popular());
}

#[test]
fn each_kept_value_is_weighed_once() {
    let weighed = Mutex::new(Vec::new());
    let weighed: &'static Mutex<Vec<u32>> = Box::leak(Box::new(weighed));
    let memo: Memo<u64, u32> = Memo::builder(10)
        .weigher(100, |_, &value| {
            weighed.lock().unwrap().push(value);
            1
        })
        .build();
    memo.get_or_load(&1, || 10);
    memo.get_or_load(&1, || 11);
    memo.insert(2, 20);
    memo.get_or_load_with(&3, |load| {
        load.do_not_keep();
        30
    });
    assert_eq!(*weighed.lock().unwrap(), [10, 20]);
}

#[test]
fn many_writers_do_not_stretch_it() {
    const WRITERS: u64 = 4;
    let memo = memo(1000, 100);
    let heaviest = AtomicU32::new(0);
    let write = |from: u64| {
        for key in from..from + 5000 {
            memo.get_or_load(&key, || (key % 7) as u32);
            heaviest.fetch_max(memo.weight() as u32, Ordering::Relaxed);
            memo.invalidate(&(key / 2));
        }
    };
    let write = &write;
    thread::scope(|scope| (0..WRITERS).for_each(|n| drop(scope.spawn(move || write(n * 3000)))));
    // Each writer may have stored what it has not yet settled with the policy.
    assert!(heaviest.into_inner() <= 100 + 6 * WRITERS as u32);
    assert_eq!(memo.weight(), weight_of_all(&memo));
    assert!(memo.weight() <= 100);
}
