//! What many threads do to one variable is all done, each once.
#![cfg(not(loom))]

use larder_vars::{Array, Vars};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

const THREADS: u64 = 4;
const EACH: u64 = 3_000;

fn together(work: impl Fn(u64) + Sync) {
    thread::scope(|scope| {
        let work = &work;
        (0..THREADS).for_each(|nth| drop(scope.spawn(move || work(nth))));
    });
}

#[test]
fn of_a_count() {
    static COUNTS: Array<String, u64> = Array::new();
    together(|_| {
        for nth in 0..EACH {
            COUNTS.incr(["a", "b", "c"][nth as usize % 3], 1).unwrap();
        }
    });
    let counts = COUNTS.get_many(["a", "b", "c"]).map(Option::unwrap);
    assert_eq!(counts, [THREADS * EACH / 3; 3]);
}

#[test]
fn beside_bulk_updates_of_other_keys() {
    let array: Array<u64, u64> = Array::new();
    together(|nth| {
        for round in 0..EACH / 10 {
            array.incr(&1_000, 1).unwrap();
            array.merge((0..20).map(|key| (nth * 20 + key, round))).unwrap();
        }
    });
    assert_eq!(array.get(&1_000), Some(THREADS * EACH / 10));
    assert_eq!(array.len() as u64, THREADS * 20 + 1);
}

#[test]
fn of_a_list() {
    let lists: Array<u8, Vec<u64>> = Array::new();
    together(|nth| (0..200).for_each(|each| drop(lists.push(&0, nth * 200 + each).unwrap())));
    let mut all = lists.get(&0).unwrap();
    all.sort();
    assert_eq!(all, (0..THREADS * 200).collect::<Vec<_>>());
}

#[test]
fn of_a_nested_count() {
    let dicts: Array<u8, BTreeMap<String, u64>> = Array::new();
    together(|nth| {
        let entry = ["even", "odd"][nth as usize % 2];
        for _ in 0..300 {
            dicts.nested(&0).incr(entry, 1).unwrap();
        }
    });
    let counts = ["even", "odd"].map(|entry| dicts.nested(&0).get(entry).unwrap());
    assert_eq!(counts, [THREADS / 2 * 300; 2]);
}

#[test]
fn or_won_twice() {
    let array: Array<u64, u64> = Array::new();
    let wins = AtomicUsize::new(0);
    together(|nth| {
        for key in 0..EACH {
            let winner = array.get_or_set(&key, nth).unwrap();
            wins.fetch_add(usize::from(winner == nth), SeqCst);
            assert_eq!(array.get(&key), Some(winner));
        }
    });
    assert_eq!(wins.into_inner() as u64, EACH);
}

#[test]
fn or_taken_twice() {
    let array: Array<u64, u64> = Array::new();
    array.merge((0..EACH).map(|key| (key, key))).unwrap();
    let taken = AtomicUsize::new(0);
    together(|_| {
        for key in 0..EACH {
            taken.fetch_add(usize::from(array.take(&key).unwrap().is_some()), SeqCst);
        }
    });
    assert_eq!((taken.into_inner() as u64, array.len()), (EACH, 0));
}

/// Each array that is made begins at 1 and counts without gaps. So there are never more ones than
/// arrays, nor more of a number than of the one before. There may be more arrays than ones: one can
/// be unset after it was made for a sum and before the sum is in it, and then another is made.
#[test]
fn in_an_array_that_is_unset() {
    let vars: Vars<String, u64> = Vars::new();
    let ended = AtomicBool::new(false);
    let mut seen = BTreeMap::<u64, usize>::new();
    let unset = thread::scope(|scope| {
        let unsetting = scope.spawn(|| {
            let mut unset = 0;
            while !ended.load(SeqCst) {
                unset += usize::from(vars.unset("a").unwrap());
                thread::yield_now();
            }
            unset
        });
        let count = || (0..EACH).map(|_| vars.array("a").incr("k", 1).unwrap()).collect();
        let counting: Vec<_> = (0..THREADS).map(|_| scope.spawn(count)).collect();
        for thread in counting {
            let counts: Vec<u64> = thread.join().unwrap();
            counts.into_iter().for_each(|count| *seen.entry(count).or_default() += 1);
        }
        ended.store(true, SeqCst);
        unsetting.join().unwrap()
    });
    assert!(seen[&1] <= unset + usize::from(vars.exists("a")));
    assert_eq!(vars.len(), usize::from(vars.exists("a")));
    assert_eq!(seen.values().sum::<usize>() as u64, THREADS * EACH);
    let counts: Vec<_> = seen.into_iter().collect();
    for pair in counts.windows(2) {
        assert_eq!(pair[0].0 + 1, pair[1].0, "a gap");
        assert!(pair[0].1 >= pair[1].1, "more of {:?} than of {:?}", pair[1], pair[0]);
    }
}
