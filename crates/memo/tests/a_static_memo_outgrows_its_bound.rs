//! A `BoundedMemo` keeps what it has and answers everybody, full or not.
#![cfg(not(loom))]

use larder_memo::{BoundedMemo, Lent, StaticMemo};
use proptest::prelude::*;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

static SHARED: BoundedMemo<u32, String> = StaticMemo::new().bounded(100);

#[test]
fn sixteen_threads_keep_no_more_than_the_bound() {
    let run = |thread: u32| {
        let mut held: Vec<(u32, &'static str)> = Vec::new();
        for step in 0..1000 {
            let key = (step * 7 + thread * 31) % 1000;
            let lent = SHARED.get_or_load(&key, || format!("row {key}"));
            assert_eq!(*lent, format!("row {key}"));
            held.extend(lent.kept().map(|kept| (key, kept.as_str())));
            assert!(SHARED.len() <= 100);
        }
        for (key, kept) in held {
            assert!(std::ptr::eq(SHARED.get(&key).expect("what was kept stays").as_str(), kept));
        }
    };
    thread::scope(|scope| (0..16).for_each(|thread| drop(scope.spawn(move || run(thread)))));
    assert!(SHARED.is_full());
    assert_eq!((SHARED.len(), SHARED.iter().count()), (100, 100));
}

/// All wait for one load, which finds the place taken by then: each goes on to load for itself.
#[test]
fn waiters_of_a_load_that_found_no_room_are_answered() {
    let memo: BoundedMemo<u32, u32> = StaticMemo::new().bounded(1);
    let (loads, barrier) = (AtomicUsize::new(0), Barrier::new(8));
    let ask = || {
        barrier.wait();
        let lent = memo.get_or_load(&1, || {
            loads.fetch_add(1, SeqCst);
            memo.preload([(2, 20)]);
            10
        });
        assert_eq!((*lent, lent.kept()), (10, None));
    };
    thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(ask))));
    assert_eq!((loads.load(SeqCst), memo.len(), memo.get(&2)), (8, 1, Some(&20)));
}

#[test]
fn one_cold_key_is_loaded_once_while_there_is_room() {
    let memo: BoundedMemo<u32, u32> = StaticMemo::new().bounded(1);
    let (loads, barrier) = (AtomicUsize::new(0), Barrier::new(64));
    let ask = || {
        barrier.wait();
        let lent = memo.get_or_load(&1, || loads.fetch_add(1, SeqCst) as u32);
        assert!(lent.kept().is_some());
    };
    thread::scope(|scope| (0..64).for_each(|_| drop(scope.spawn(ask))));
    assert_eq!(loads.load(SeqCst), 1);
}

#[test]
fn a_loader_that_asks_for_its_own_key_never_runs_for_ever() {
    let memo: BoundedMemo<u32, u32> = StaticMemo::new().bounded(1);
    fn ask(memo: &BoundedMemo<u32, u32>, key: u32) -> u32 {
        *memo.get_or_load(&key, || ask(memo, key))
    }
    for keys in [0..1, 1..3] {
        for key in keys {
            let panic = catch_unwind(AssertUnwindSafe(|| ask(&memo, key))).unwrap_err();
            let message = panic.downcast_ref::<String>().expect("a formatted message");
            assert_eq!(*message, format!("the loader of key {key} asked for that key itself"));
        }
        memo.preload([(9, 9)]);
        assert!(memo.is_full());
    }
    let error = memo.get_or_try_load(&7, || {
        let other = memo.get_or_try_load(&8, || Ok::<_, &str>(8)).map(Lent::into_owned);
        assert_eq!(other.ok(), Some(8), "another key may be asked for");
        memo.get_or_try_load(&7, || Err("never called")).map(Lent::into_owned)
    });
    assert!(matches!(error, Err(larder_memo::LoadError::Loader(inner)) if inner.is_recursion()));
    let again = memo.get_or_try_load(&7, || Ok::<_, ()>(70)).unwrap();
    assert_eq!((*again, again.kept()), (70, None));
}

#[test]
fn a_panic_in_a_full_memo_spoils_nothing() {
    let memo: BoundedMemo<u32, u32> = StaticMemo::new().bounded(1);
    memo.preload([(1, 10), (2, 20), (3, 30)]);
    assert_eq!(memo.iter().collect::<Vec<_>>(), [(&1, &10)]);
    catch_unwind(AssertUnwindSafe(|| *memo.get_or_load(&2, || panic!("no row")))).unwrap_err();
    assert_eq!(*memo.get_or_load(&2, || 21), 21);
    assert_eq!(memo.get_or_try_load(&2, || Err::<u32, _>("no")).unwrap_err().to_string(), {
        "the loader failed: no"
    });
    assert_eq!(memo.get(&1), Some(&10));
}

#[test]
#[should_panic(expected = "room for at least one entry")]
fn a_bound_of_nothing_is_refused() {
    let _ = StaticMemo::<u32, u32>::new().bounded(0);
}

proptest! {
    #[test]
    fn it_is_a_map_that_stops_growing(
        bound in 1_usize..20,
        rows in proptest::collection::vec((any::<u8>(), any::<u32>()), 0..400),
    ) {
        let memo: BoundedMemo<u8, u32> = StaticMemo::new().bounded(bound);
        let mut map: HashMap<u8, u32> = HashMap::new();
        for (key, value) in rows {
            let lent = memo.get_or_load(&key, || value);
            if map.len() < bound {
                map.entry(key).or_insert(value);
            }
            prop_assert_eq!(*lent, map.get(&key).copied().unwrap_or(value));
            prop_assert_eq!(lent.kept(), map.get(&key));
            prop_assert_eq!(memo.get(&key), map.get(&key));
            prop_assert_eq!((memo.len(), memo.is_full()), (map.len(), map.len() == bound));
        }
    }
}
