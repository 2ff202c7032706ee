//! A bulk update happens at one moment, to whoever reads, in whatever way.
#![cfg(not(loom))]

use larder_vars::{Array, Home, Vars};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

const KEYS: u64 = 40;
const ROUNDS: u64 = 400;

/// Sets all keys to the round's number, by turns in one of the ways.
fn write<H: Home<u64, u64>>(array: &Array<u64, u64, H>, done: &AtomicBool) {
    for round in 1..=ROUNDS {
        let rows = (0..KEYS).map(|key| (key, round));
        match round % 2 {
            0 => array.merge(rows).unwrap(),
            _ => array.replace(rows).unwrap(),
        }
    }
    done.store(true, SeqCst);
}

/// Runs `read` beside the writer until that is done: where every value is a new one in the index,
/// and where all have been counted and are changed in place.
fn beside<H: Home<u64, u64> + Sync>(array: &Array<u64, u64, H>, read: impl Fn() + Sync) {
    beside_one(array, &read);
    for key in 0..KEYS {
        array.incr(&key, 1).unwrap();
    }
    beside_one(array, &read);
}

fn beside_one<H: Home<u64, u64> + Sync>(array: &Array<u64, u64, H>, read: &(impl Fn() + Sync)) {
    array.replace((0..KEYS).map(|key| (key, 0))).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    read();
                }
                read();
            });
        }
        write(array, &done);
    });
}

fn key_by_key<H: Home<u64, u64> + Sync>(array: &Array<u64, u64, H>) {
    beside(array, || {
        let mut last = 0;
        for key in (0..KEYS).chain((0..KEYS).rev()) {
            let now = array.get(&key).expect("it is set in all rounds");
            assert!(now >= last, "key {key} is of round {now}, but one before it of {last}");
            last = now;
        }
    });
}

#[test]
fn key_by_key_in_an_array() {
    key_by_key(&Array::new());
}

#[test]
fn key_by_key_in_a_named_array() {
    key_by_key(&Vars::new().array("a"));
}

#[test]
fn in_a_view() {
    let array = Array::new();
    beside(&array, || {
        array.view(|view| {
            let first = view.get(&0)?.copied();
            for key in 1..KEYS {
                // Whether or not this run is the last one.
                assert_eq!(view.get(&key)?.copied(), first, "key {key} beside key 0");
            }
            Ok(())
        });
    });
}

#[test]
fn by_who_asks_for_several() {
    let array = Array::new();
    beside(&array, || {
        let [first, second, third] = array.get_many([&0, &7, &39]);
        assert!(first.is_some() && first == second && second == third);
    });
}

#[test]
fn in_a_snapshot() {
    let array = Array::new();
    beside(&array, || {
        let all = array.snapshot();
        assert_eq!(all.len() as u64, KEYS);
        assert!(all.iter().all(|(_, value)| *value == all[0].1), "{all:?}");
    });
}

#[test]
fn in_the_number_of_variables() {
    let array: Array<u64, u64> = Array::new();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                let (len, keys) = (array.len() as u64, array.keys().len() as u64);
                assert!(len == 0 || len == KEYS, "{len} of {KEYS}");
                assert!(keys == 0 || keys == KEYS, "{keys} of {KEYS}");
            }
        });
        for _ in 0..ROUNDS {
            array.merge((0..KEYS).map(|key| (key, key))).unwrap();
            array.clear().unwrap();
        }
        done.store(true, SeqCst);
    });
}

/// Two updates of one key each, one after the other: a view sees none, the first, or both.
#[test]
fn nor_a_second_update_without_the_first() {
    let array: Array<u64, u64> = Array::new();
    for key in [0, 1] {
        array.incr(&key, 0).unwrap();
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                let [second, first] = array.get_many([&1, &0]).map(|value| value.unwrap());
                assert!(first == second || first == second + 1, "{first} and {second}");
            }
        });
        for _ in 0..20_000 {
            array.incr(&0, 1).unwrap();
            array.incr(&1, 1).unwrap();
        }
        done.store(true, SeqCst);
    });
}
