//! Models of `StaticMemo`: every interleaving of a few threads, by loom.
//!
//! Run them with `RUSTFLAGS="--cfg loom" cargo test -p larder-memo --release --test 'loom_*'`.
//! Values are atomics that their loader writes `Relaxed`: a reader that got a value before it
//! was published would read the 0 from before.
#![cfg(loom)]

use larder_memo::StaticMemo;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;
use std::panic::{AssertUnwindSafe, catch_unwind};

type Cells = StaticMemo<u8, AtomicUsize>;

fn cell(value: usize) -> AtomicUsize {
    let cell = AtomicUsize::new(0);
    cell.store(value, Relaxed);
    cell
}

/// The order of publication: entry, slot, tag; and the filled index before `current`.
#[test]
fn a_reader_never_sees_a_slot_before_its_entry() {
    loom::model(|| {
        let memo: Arc<Cells> = Arc::new(StaticMemo::new());
        let writer = thread::spawn({
            let memo = memo.clone();
            move || memo.preload([(1, cell(10))])
        });
        if let Some(value) = memo.get(&1) {
            assert_eq!(value.load(Relaxed), 10);
        }
        writer.join().unwrap();
        assert_eq!(memo.get(&1).map(|value| value.load(Relaxed)), Some(10));
    });
}

/// Under loom an index is full with one entry a group, so these inserts grow it twice.
#[test]
fn growth_never_loses_or_moves_what_a_reader_holds() {
    loom::model(|| {
        let memo: Arc<Cells> = Arc::new(StaticMemo::new());
        memo.preload([(1, cell(10))]);
        let writer = thread::spawn({
            let memo = memo.clone();
            move || {
                memo.preload([(2, cell(20))]);
                memo.preload([(3, cell(30))]);
            }
        });
        let held = memo.get(&1).expect("it was there before the writer began");
        if let Some(value) = memo.get(&3) {
            assert_eq!(value.load(Relaxed), 30);
            assert!(memo.get(&2).is_some(), "what came first is there too");
        }
        assert!(memo.iter().count() >= 1);
        writer.join().unwrap();
        assert_eq!(held.load(Relaxed), 10);
        assert_eq!(memo.len(), 3);
    });
}

#[test]
fn two_inserts_of_a_key_never_give_two_values() {
    loom::model(|| {
        let memo: Arc<Cells> = Arc::new(StaticMemo::new());
        let writer = thread::spawn({
            let memo = memo.clone();
            move || memo.preload([(1, cell(10)), (2, cell(20))])
        });
        memo.preload([(1, cell(11))]);
        let first = memo.get(&1).expect("it was just inserted").load(Relaxed);
        writer.join().unwrap();
        assert_eq!(memo.get(&1).expect("nothing is forgotten").load(Relaxed), first);
        assert_eq!(memo.len(), 2);
    });
}

#[test]
fn a_cold_key_is_never_loaded_twice() {
    loom::model(|| {
        let memo: Arc<Cells> = Arc::new(StaticMemo::new());
        let loads = Arc::new(AtomicUsize::new(0));
        let ask = |memo: Arc<Cells>, loads: Arc<AtomicUsize>| {
            let load = || {
                loads.fetch_add(1, Relaxed);
                cell(10)
            };
            assert_eq!(memo.get_or_load(&1, load).load(Relaxed), 10);
        };
        let other = thread::spawn({
            let (memo, loads) = (memo.clone(), loads.clone());
            move || ask(memo, loads)
        });
        ask(memo, loads.clone());
        other.join().unwrap();
        assert_eq!(loads.load(Relaxed), 1);
    });
}

#[test]
fn a_panicking_loader_never_strands_its_waiters() {
    loom::model(|| {
        let memo: Arc<Cells> = Arc::new(StaticMemo::new());
        let panicking = thread::spawn({
            let memo = memo.clone();
            move || {
                let load = || memo.get_or_load(&1, || std::panic::resume_unwind(Box::new("no")));
                let _ = catch_unwind(AssertUnwindSafe(load));
            }
        });
        assert_eq!(memo.get_or_load(&1, || cell(10)).load(Relaxed), 10);
        panicking.join().unwrap();
    });
}

#[test]
fn a_failing_loader_never_strands_its_waiters() {
    loom::model(|| {
        let memo: Arc<Cells> = Arc::new(StaticMemo::new());
        let failing = thread::spawn({
            let memo = memo.clone();
            move || {
                let got = memo.get_or_try_load(&1, || Err::<AtomicUsize, _>("no"));
                // Either its own failure, or what the other one loaded meanwhile.
                got.map(|value| value.load(Relaxed)).unwrap_or(10)
            }
        });
        assert_eq!(memo.get_or_load(&1, || cell(10)).load(Relaxed), 10);
        assert_eq!(failing.join().unwrap(), 10);
    });
}
