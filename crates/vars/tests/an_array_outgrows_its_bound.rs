//! What may be no more is no more, whoever asks and however.
#![cfg(not(loom))]

use larder_vars::{Array, Vars};
use std::collections::BTreeMap;
use std::thread;

#[test]
fn of_variables() {
    static ARRAY: Array<u64, u64> = Array::new().max_entries(100);
    thread::scope(|scope| {
        for nth in 0..4_u64 {
            scope.spawn(move || {
                for key in 0..200 {
                    let refused = match key % 3 {
                        0 => ARRAY.set(&(nth * 1_000 + key), 1).err(),
                        1 => ARRAY.merge([(key, 1), (key + 50, 2), (nth * 500 + key, 3)]).err(),
                        _ => ARRAY.take(&(key - 2)).err(),
                    };
                    assert!(refused.is_none_or(|error| error.is_full()));
                    assert!(ARRAY.len() <= 100 && ARRAY.snapshot().len() <= 100);
                }
            });
        }
    });
    let held = ARRAY.len();
    ARRAY.clear().unwrap();
    ARRAY.merge((0..100).map(|key| (key, key))).expect("all room has come back");
    assert!(held > 0 && ARRAY.set(&100, 1).unwrap_err().is_full());
    assert_eq!(ARRAY.incr(&99, 1).unwrap(), 100, "what is there can change");
    let error = ARRAY.merge([(1, 0), (200, 0), (201, 0)]).unwrap_err();
    assert_eq!(error.to_string(), "100 variables and 2 more are over the limit of 100");
    assert_eq!(ARRAY.get(&1), Some(1), "a merge that was refused has set nothing");
    ARRAY.replace((500..600).map(|key| (key, key))).expect("as many as there may be");
    assert!(ARRAY.replace((0..101).map(|key| (key, key))).unwrap_err().is_full());
    assert_eq!((ARRAY.len(), ARRAY.get(&500)), (100, Some(500)));
}

#[test]
fn of_arrays() {
    let vars: Vars<String, u64> = Vars::new().max_arrays(2).max_entries(1);
    vars.array("a").set("k", 1).unwrap();
    vars.array("b").incr("k", 1).unwrap();
    let error = vars.array("c").set("k", 1).unwrap_err();
    assert!(error.is_full());
    let text = "array \"c\": no more arrays than 2, the limit, can have a name";
    assert_eq!(error.to_string(), text);
    assert!(!vars.exists("c"));
    let error = vars.array("a").set("l", 1).unwrap_err();
    assert_eq!(error.to_string(), "array \"a\": 1 variables and 1 more are over the limit of 1");
    assert!(vars.unset("a").unwrap());
    assert!(!vars.unset("a").unwrap());
    vars.array("c").set("k", 1).expect("there is room again");
    assert_eq!(vars.names("*"), ["b", "c"]);
}

#[test]
fn of_a_count() {
    let counts: Array<String, u8> = Array::new();
    assert_eq!(counts.incr("k", 255).unwrap(), 255);
    let error = counts.incr("k", 1).unwrap_err();
    assert!(error.is_overflow());
    assert_eq!(error.to_string(), "variable \"k\": 255 + 1 overflows");
    assert_eq!(counts.decr("k", 255).unwrap(), 0);
    assert_eq!(counts.decr("k", 1).unwrap_err().to_string(), "variable \"k\": 0 - 1 overflows");
    assert!(counts.decr("new", 1).unwrap_err().is_overflow());
    assert!(!counts.exists("new"), "what was refused makes nothing");

    let nested: Array<u8, BTreeMap<String, i8>> = Array::new();
    nested.nested(&0).set("k", 127).unwrap();
    assert!(nested.nested(&0).incr("k", 1).unwrap_err().is_overflow());
    assert_eq!(nested.nested(&0).get("k"), Some(127));
}

#[test]
#[should_panic(expected = "room for no variable at all")]
fn of_nothing() {
    let _ = Array::<u8, u8>::new().max_entries(0);
}

#[test]
fn by_asking_for_what_is_not_there() {
    let vars: Vars<String, BTreeMap<String, u64>> = Vars::new();
    let array = vars.array("a");
    assert_eq!(array.get("k"), None);
    assert_eq!(array.take("k").unwrap(), None);
    assert!(!array.unset("k").unwrap() && !array.nested("k").unset("d").unwrap());
    assert!(array.snapshot().is_empty() && array.keys().is_empty() && array.is_empty());
    assert_eq!(array.get_many(["k", "l"]), [None, None]);
    array.clear().unwrap();
    assert!(vars.is_empty() && vars.names("*").is_empty(), "none of that makes an array");

    array.nested("k").set("d", 1).unwrap();
    assert!(array.nested("k").unset("d").unwrap());
    assert!(array.exists("k") && array.nested("k").is_empty(), "an empty dictionary stays");
    assert!(array.unset("k").unwrap());
    assert!(vars.exists("a"), "an array outlives its variables");
}
