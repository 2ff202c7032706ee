//! Whoever looks at several keys from within a closure, where it may take no lock, ends, however
//! many updates there are.
#![cfg(not(loom))]

use larder_vars::Array;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

/// Four runs without a pause; one more that the writer spoils, as it had begun; and the last.
const RUNS: usize = 6;

/// Stops the writers, also when the test fails.
struct Stop<'s>(&'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Runs `look` while `write` is being run again and again by another thread.
fn beside<R>(write: impl Fn() + Sync, look: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                write();
            }
        });
        let _stop = Stop(&done);
        look()
    })
}

/// Waits until an update has been made, or for so long that there is none.
fn disturbed<T: PartialEq>(read: impl Fn() -> T) -> bool {
    let first = read();
    let changed = |nth: &u32| {
        if nth.is_multiple_of(100) {
            thread::yield_now();
        }
        read() != first
    };
    (0..100_000).find(changed).is_some()
}

/// A view that waits for an update before it goes on, for as long as there are any.
fn view_until_still(array: &Array<u8, u64>, runs: &AtomicUsize) {
    let was_disturbed = array.view(|view| {
        let first = view.get(&0)?.copied();
        // Not those that found a change in the making: while its thread is not run, there are many.
        let run = runs.fetch_add(1, SeqCst) + 1;
        assert!(run <= RUNS, "a view has no end");
        let was_disturbed = disturbed(|| array.get(&0));
        assert_eq!(view.get(&0)?.copied(), first);
        Ok(was_disturbed)
    });
    assert!(!was_disturbed, "it was disturbed, and has not begun anew");
}

#[test]
fn as_a_view_in_an_update_of_another_array() {
    let (one, two): (Array<u8, u64>, Array<u8, u64>) = (Array::new(), Array::new());
    two.incr(&0, 1).unwrap();
    let writers: [&(dyn Fn() + Sync); 3] = [
        &|| assert!(two.incr(&0, 1).unwrap() > 0),
        &|| assert!(two.update(&0, |now| now.map(|now| now + 1)).unwrap() > Some(0)),
        &|| two.merge([(0, two.get(&0).unwrap() + 1)]).unwrap(),
    ];
    for write in writers {
        let runs = AtomicUsize::new(0);
        let look = |now: Option<u64>| {
            view_until_still(&two, &runs);
            now
        };
        beside(write, || one.update(&0, look).unwrap());
    }
}

/// The outer view holds no lock, or all of them.
#[test]
fn as_a_view_in_a_view() {
    let array: Array<u8, u64> = Array::new();
    array.incr(&0, 1).unwrap();
    let write = || assert!(array.incr(&0, 1).unwrap() > 0);
    beside(write, || {
        array.view(|_| {
            view_until_still(&array, &AtomicUsize::new(0));
            Ok(())
        });
    });
}

static ROWS: Array<u8, Row> = Array::new();

thread_local! {
    /// How often this thread's snapshot of `ROWS` has begun; none outside of one.
    static SNAPSHOTS: Cell<Option<usize>> = const { Cell::new(None) };
}

/// A row whose copies, in a snapshot, wait for an update.
struct Row(u64);

impl Clone for Row {
    fn clone(&self) -> Self {
        if let Some(begun) = SNAPSHOTS.get() {
            SNAPSHOTS.set(Some(begun + 1));
            assert!(begun < RUNS, "a snapshot has no end");
            disturbed(|| ROWS.read(&0, |row| row.0));
        }
        Row(self.0)
    }
}

#[test]
fn as_a_snapshot() {
    let one: Array<u8, u64> = Array::new();
    ROWS.set(&0, Row(0)).unwrap();
    let next = AtomicUsize::new(1);
    let write = || ROWS.set(&0, Row(next.fetch_add(1, SeqCst) as u64)).unwrap();
    let snapshot = |_| {
        SNAPSHOTS.set(Some(0));
        assert_eq!(ROWS.snapshot().len(), 1);
        SNAPSHOTS.replace(None).map(|begun| begun as u64)
    };
    let begun = beside(write, || one.update(&0, snapshot).unwrap());
    assert!(begun >= Some(1));
}

/// Closures of all stripes look at all of their array, whose updates they are, at the same time.
#[test]
fn as_many_at_once() {
    let array: Array<u64, u64> = Array::new();
    array.merge((0..100).map(|key| (key, 0))).unwrap();
    let array = &array;
    thread::scope(|scope| {
        for nth in 0..4 {
            scope.spawn(move || {
                for round in 0..200 {
                    let look = |now: Option<u64>| {
                        assert_eq!((array.snapshot().len(), array.len()), (100, 100));
                        let [a, b] = array.get_many([&0, &99]);
                        assert!(a.is_some() && b.is_some());
                        now.map(|now| now + 1)
                    };
                    array.update(&((nth * 25 + round) % 100), look).unwrap();
                    array.incr(&(round % 100), 1).unwrap();
                }
            });
        }
    });
    let sum: u64 = array.snapshot().into_iter().map(|(_, count)| count).sum();
    assert_eq!(sum, 4 * 200 * 2, "an update was lost");
}
