//! An array that was made for an update is gone again when that has set nothing, and never takes
//! along what another thread has set in it.
#![cfg(not(loom))]

use larder_vars::{NamedArray, Vars};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;

const ROUNDS: u64 = 500;

type Update = fn(&NamedArray<'_, u64, u64>);

/// Updates that set nothing in an array with room for one variable.
const IN_VAIN: [(&str, Update); 8] = [
    ("a merge of too much", |array| assert!(array.merge(two()).unwrap_err().is_full())),
    ("a replace by too much", |array| assert!(array.replace(two()).unwrap_err().is_full())),
    ("a count below zero", |array| assert!(array.decr(&0, 1).unwrap_err().is_overflow())),
    ("an update to nothing", |array| assert_eq!(array.update(&0, |_| None).unwrap(), None)),
    ("a merge of nothing", |array| array.merge([]).unwrap()),
    ("a replace by nothing", |array| array.replace([]).unwrap()),
    ("a panic", |array| {
        let update = || array.update(&0, |_| panic!("in an update"));
        assert!(catch_unwind(AssertUnwindSafe(update)).is_err());
    }),
    ("an update within another", |array| {
        let other = Vars::<u8, u8>::new();
        let refused = |_| {
            assert!(array.set(&0, 1).unwrap_err().is_reentrant());
            None
        };
        other.array("b").update(&0, refused).unwrap();
        assert!(other.is_empty());
    }),
];

fn two() -> [(u64, u64); 2] {
    [(0, 1), (1, 1)]
}

#[test]
fn after_it() {
    let vars: Vars<u64, u64> = Vars::new().max_arrays(2).max_entries(1);
    for (what, update) in IN_VAIN {
        update(&vars.array(what));
        assert!(!vars.exists(what), "{what} leaves an array");
        assert_eq!((vars.len(), vars.names("*").len()), (0, 0), "after {what}");
    }
    vars.array("one").set(&0, 1).unwrap();
    vars.array("two").incr(&0, 1).expect("no name was used up");
    assert!(vars.array("three").set(&0, 1).unwrap_err().is_full());
}

#[test]
fn of_dictionaries() {
    let vars: Vars<String, BTreeMap<String, u8>> = Vars::new();
    let array = vars.array("a");
    let update = || array.nested("k").update("e", |_| panic!("in an update"));
    assert!(catch_unwind(AssertUnwindSafe(update)).is_err());
    assert!(!vars.exists("a"));
    assert_eq!(array.nested("k").update("e", |_| None).unwrap(), None);
    assert!(array.exists("k") && vars.exists("a"), "an empty dictionary is a value");
}

/// An array in which something was set stays, whatever is refused there later.
#[test]
fn that_was_there() {
    let vars: Vars<u64, u64> = Vars::new().max_entries(1);
    for (what, update) in IN_VAIN {
        vars.array("a").set(&9, 1).unwrap();
        assert_eq!(vars.array("a").take(&9).unwrap(), Some(1));
        update(&vars.array("a"));
        assert!(vars.exists("a"), "{what} ends an array");
    }
}

/// Of two at once one sets nothing: the array that is left is the other's.
#[test]
fn beside_one_that_is_set() {
    let vars: Vars<u64, u64> = Vars::new().max_arrays(1).max_entries(1);
    // A replace by nothing may unset what the other has set.
    for (what, update) in IN_VAIN.into_iter().filter(|(what, _)| *what != "a replace by nothing") {
        let start = Barrier::new(2);
        for key in 10..10 + ROUNDS / 10 {
            thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    update(&vars.array("a"));
                });
                start.wait();
                vars.array("a").set(&key, key).unwrap();
                assert_eq!(vars.array("a").get(&key), Some(key), "beside {what}");
            });
            assert_eq!(vars.array("a").get(&key), Some(key), "beside {what}");
            assert!(vars.unset("a").unwrap() && vars.is_empty());
        }
    }
}

/// The other sets its variable while the closure runs, or waits for it and makes another array.
#[test]
fn while_one_is_set() {
    let vars: Vars<u64, u64> = Vars::new();
    for key in 1..ROUNDS {
        let (send, receive) = std::sync::mpsc::channel();
        let vars = &vars;
        thread::scope(|scope| {
            scope.spawn(move || {
                receive.recv().unwrap();
                vars.array("a").set(&key, key).unwrap();
            });
            let nothing = |_| {
                assert!(vars.exists("a"));
                send.send(()).unwrap();
                (0..5).for_each(|_| thread::yield_now());
                None
            };
            assert_eq!(vars.array("a").update(&0, nothing).unwrap(), None);
        });
        assert_eq!(vars.array("a").get(&key), Some(key));
        assert!(vars.unset("a").unwrap());
    }
}
