//! Code of the caller's runs within an array: it may read, be told that it may not update, panic,
//! clone and drop; and neither hangs nor leaves anything half done.
#![cfg(not(loom))]

use larder_vars::{Array, Vars};
use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

fn panics<R>(run: impl FnOnce() -> R) {
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "it was to panic");
}

#[test]
fn an_update_that_updates_is_told() {
    static ARRAY: Array<String, u64> = Array::new();
    static VARS: Vars<String, u64> = Vars::new();
    VARS.array("there").set("k", 1).unwrap();
    let inner = |_: Option<u64>| {
        assert!(ARRAY.set("k", 1).unwrap_err().is_reentrant());
        assert!(ARRAY.unset("other").unwrap_err().is_reentrant());
        assert!(ARRAY.merge([("l".to_owned(), 1)]).unwrap_err().is_reentrant());
        assert!(ARRAY.clear().unwrap_err().is_reentrant());
        let error = VARS.array("new").set("k", 1).unwrap_err();
        assert!(error.is_reentrant() && error.to_string().contains("\"new\""), "{error}");
        assert!(VARS.array("there").incr("k", 1).unwrap_err().is_reentrant());
        assert!(VARS.unset("there").unwrap_err().is_reentrant());
        Some(7)
    };
    assert_eq!(ARRAY.update("k", inner).unwrap(), Some(7));
    assert!(!VARS.exists("new"));
    assert_eq!(VARS.array("there").get("k"), Some(1));
    assert_eq!(ARRAY.snapshot(), [("k".to_owned(), 7)]);
    ARRAY.set("k", 8).expect("it is over");
}

#[test]
fn an_update_that_reads_is_answered() {
    let array: Array<u64, u64> = Array::new();
    array.merge((0..50).map(|key| (key, key))).unwrap();
    let read = |now: Option<u64>| {
        assert_eq!(array.get(&1), Some(1));
        assert_eq!(array.get_many([&1, &2]), [Some(1), Some(2)]);
        assert_eq!((array.len(), array.snapshot().len()), (50, 50));
        now.map(|now| now + 100)
    };
    assert_eq!(array.update(&1, read).unwrap(), Some(101));
}

/// Who unsets the array waits for the update, and must not keep it waiting.
#[test]
fn an_update_that_lists_the_arrays_is_answered() {
    let vars: Vars<u8, u64> = Vars::new();
    vars.array("a").set(&0, 1).unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let unset = || vars.unset("a").unwrap();
        scope.spawn(move || {
            receive.recv().unwrap();
            assert!(unset());
        });
        let list = |now| {
            send.send(()).unwrap();
            for _ in 0..1_000 {
                thread::yield_now();
                assert_eq!(vars.names("*"), ["a"]);
                assert!(vars.exists("a") && vars.len() == 1);
            }
            now
        };
        assert_eq!(vars.array("a").update(&0, list).unwrap(), Some(1));
    });
    assert!(!vars.exists("a"));
}

/// Each of two updates reads the array that the other is updating.
#[test]
fn two_updates_that_read_each_other_are_answered() {
    let (one, two): (Array<u8, u64>, Array<u8, u64>) = (Array::new(), Array::new());
    let run = |array: &Array<u8, u64>, other: &Array<u8, u64>| {
        for _ in 0..500 {
            array.update(&0, |now| Some(now.unwrap_or(0) + other.snapshot().len() as u64)).unwrap();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| run(&one, &two));
        scope.spawn(|| run(&two, &one));
    });
    assert!(one.exists(&0) && two.exists(&0));
}

#[test]
fn a_view_that_updates_is_told() {
    let array: Array<u8, u64> = Array::new();
    array.view(|_| {
        assert!(array.set(&0, 1).unwrap_err().is_reentrant());
        Ok(())
    });
    array.set(&0, 1).unwrap();
    let within = array.view(|view| Ok(array.view(|inner| inner.exists(&0)) && view.exists(&0)?));
    assert!(within);
}

/// A view whose keys change at each of its runs ends all the same.
#[test]
fn a_view_that_is_always_disturbed_ends() {
    let array: Array<u8, u64> = Array::new();
    array.set(&0, 0).unwrap();
    let (runs, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(SeqCst) {
                array.incr(&0, 1).unwrap();
            }
        });
        let disturbed = array.view(|view| {
            let first = view.get(&0)?.copied();
            // Until it has changed; in the last run, when it cannot, for a while.
            let changes = |_: &u32| array.get(&0) != first;
            let changed = (0..200_000).find(changes).is_some();
            runs.fetch_add(1, SeqCst);
            let second = view.get(&0)?.copied();
            assert_eq!(first, second);
            assert!(!changed, "a view that goes on has not been disturbed");
            Ok(changed)
        });
        stop.store(true, SeqCst);
        assert!(!disturbed);
    });
    assert!(runs.into_inner() <= 5);
}

/// Whoever catches what a view tells it is run again none the less.
#[test]
fn a_view_that_swallows_is_run_again() {
    let array: Array<u8, u64> = Array::new();
    array.set(&0, 0).unwrap();
    let mut runs = 0;
    let seen = array.view(|view| {
        runs += 1;
        let first = view.get(&0)?.copied();
        if runs == 1 {
            thread::scope(|scope| drop(scope.spawn(|| array.set(&0, 1).unwrap())));
        }
        Ok((first, view.get(&0).unwrap_or(None).copied()))
    });
    assert_eq!((runs, seen), (2, (Some(1), Some(1))));
}

#[test]
fn a_panic_leaves_the_old_value() {
    let array: Array<u8, Vec<u8>> = Array::new();
    array.set(&0, vec![1]).unwrap();
    panics(|| array.update(&0, |_| panic!("in an update")));
    panics(|| array.update(&1, |_| panic!("of a new one")));
    panics(|| array.append(&0, std::iter::once_with(|| -> u8 { panic!("in a piece") })));
    panics(|| array.view(|_| -> Result<(), _> { panic!("in a view") }));
    panics(|| array.read(&0, |_| panic!("in a read")));
    panics(|| array.merge(std::iter::once_with(|| -> (u8, Vec<u8>) { panic!("in a row") })));
    assert_eq!(array.snapshot(), [(0, vec![1])]);
    assert_eq!(array.push(&0, 2).unwrap(), [1, 2], "and the lock is free");
}

/// Panics when it is cloned for the n-th time from now.
struct Fragile(u64);

static CLONES_LEFT: AtomicUsize = AtomicUsize::new(usize::MAX);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        let left = CLONES_LEFT.fetch_sub(1, SeqCst);
        assert!(left > 0, "one clone too many");
        Fragile(self.0)
    }
}

#[test]
fn a_clone_that_panics_leaves_no_half_of_a_bulk_update() {
    let array: Array<u64, Fragile> = Array::new().max_entries(10);
    array.merge((0..5).map(|key| (key, Fragile(0)))).unwrap();
    let values = |expected: u64| {
        (0..5).for_each(|key| assert_eq!(array.read(&key, |v| v.0), Some(expected)));
        assert_eq!(array.len(), 5);
    };
    let mut panicked = 0;
    for clones in 0..40 {
        CLONES_LEFT.store(clones, SeqCst);
        let rows = || (0..5).map(|key| (key, Fragile(clones as u64 + 1)));
        let replaced = catch_unwind(AssertUnwindSafe(|| array.replace(rows())));
        CLONES_LEFT.store(usize::MAX, SeqCst);
        match replaced {
            Ok(done) => {
                done.unwrap();
                values(clones as u64 + 1);
                array.replace((0..5).map(|key| (key, Fragile(0)))).unwrap();
            }
            Err(_) => {
                panicked += 1;
                values(0);
            }
        }
    }
    assert!((5..40).contains(&panicked), "{panicked} of 40");
    array.merge((5..10).map(|key| (key, Fragile(0)))).expect("no room was lost");
}

/// Panics when it is hashed for the n-th time from now, which no key should.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Unhashable(u64);

thread_local! {
    static HASHES_LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl Hash for Unhashable {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let left = HASHES_LEFT.get();
        assert!(left > 0, "one hash too many");
        HASHES_LEFT.set(left - 1);
        self.0.hash(hasher);
    }
}

/// Some keys are changed in place, others are new; and what was given up does not happen with the
/// next bulk update either.
#[test]
fn a_hash_that_panics_leaves_no_half_of_a_bulk_update() {
    let (mut done, mut given_up) = (0, 0);
    for hashes in 0..100 {
        let array: Array<Unhashable, u64> = Array::new();
        (0..3).for_each(|key| assert_eq!(array.incr(&Unhashable(key), 1).unwrap(), 1));
        let values = || (0..6).map(|key| array.get(&Unhashable(key))).collect::<Vec<_>>();
        let before = values();
        HASHES_LEFT.set(hashes);
        let rows = (0..6).map(|key| (Unhashable(key), 2));
        let merged = catch_unwind(AssertUnwindSafe(|| array.merge(rows).unwrap()));
        HASHES_LEFT.set(usize::MAX);
        match merged {
            Ok(()) => done += 1,
            Err(_) => given_up += usize::from(values() == before),
        }
        let kept = values();
        assert!(kept == before || kept == [Some(2); 6], "{kept:?} after {hashes} hashes");
        array.merge([(Unhashable(7), 7)]).unwrap();
        assert_eq!(values(), kept, "after the next bulk update");
    }
    assert!(done > 0 && given_up > 0, "{done} done and {given_up} given up");
}

/// Updates another variable when it is dropped.
#[derive(Clone)]
struct Parting(u64);

static PARTINGS: Array<u64, Parting> = Array::new();
static DROPS: Array<u64, u64> = Array::new();
static REFUSED: AtomicUsize = AtomicUsize::new(0);
static TOLD: AtomicUsize = AtomicUsize::new(0);

impl Drop for Parting {
    fn drop(&mut self) {
        match DROPS.incr(&self.0, 1) {
            Ok(_) => TOLD.fetch_add(1, SeqCst),
            Err(error) => {
                assert!(error.is_reentrant(), "{error}");
                REFUSED.fetch_add(1, SeqCst)
            }
        };
    }
}

#[test]
fn a_drop_that_updates_does_not_hang() {
    thread::scope(|scope| {
        for nth in 0..3 {
            scope.spawn(move || {
                for round in 0..300 {
                    PARTINGS.set(&(round % 7), Parting(nth)).unwrap();
                    PARTINGS.merge((0..4).map(|key| (key, Parting(nth)))).unwrap();
                    PARTINGS.unset(&(round % 5)).unwrap();
                }
            });
        }
    });
    assert!(TOLD.load(SeqCst) > 0, "nothing was dropped outside");
    let _ = REFUSED.load(SeqCst);
}
