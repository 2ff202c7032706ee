//! Statistics: what each call counts, and that no thread's counts are lost.
#![cfg(not(loom))]

mod by_hand;

use by_hand::{Hand, overlapped, secs};
use larder_memo::{Memo, Stats};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

#[test]
fn each_call_counts_what_it_did() {
    let memo: Memo<u8, u32> = Memo::builder(8).negative(8, secs(10)).build();
    assert_eq!(memo.stats(), Stats::default());
    assert_eq!(memo.stats().hit_ratio(), 0.0);
    memo.get(&1);
    memo.get_or_load(&1, || 1);
    memo.get(&1);
    memo.read(&1, |_| ());
    memo.get_or_load(&1, || 2);
    let _ = memo.get_or_find(&2, || Ok::<_, ()>(None));
    let _ = memo.get_or_find(&2, || Ok::<_, ()>(None));
    let _ = memo.get_or_try_load(&3, || Err("down"));
    let panics = || memo.get_or_load(&4, || panic!("down"));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    // These are no look-ups.
    memo.contains(&1);
    memo.for_each(|_, _| {});
    memo.insert(5, 5);
    let stats = memo.stats();
    assert_eq!((stats.hits, stats.negative_hits, stats.misses), (3, 1, 5));
    assert_eq!((stats.loads, stats.load_failures), (4, 2));
    assert_eq!((stats.entries, stats.negative_entries, stats.weight), (2, 1, 2));
    assert!((stats.hit_ratio() - 4.0 / 9.0).abs() < 1e-9);
}

#[test]
fn a_wait_is_counted_as_what_came_of_it() {
    let memo: Memo<u8, u32> = Memo::builder(8).wait(Duration::from_millis(20)).build();
    let slow = |stall: &dyn Fn()| {
        memo.get_or_load(&1, || {
            stall();
            1
        })
    };
    overlapped(slow, || memo.get_or_try_load(&1, || Ok::<_, ()>(2)).unwrap_err());
    let stats = memo.stats();
    assert_eq!((stats.misses, stats.loads, stats.timeouts, stats.coalesced), (2, 1, 1, 0));

    let memo: Memo<u8, u32> = Memo::builder(8).build();
    let ask = || memo.get_or_load(&1, || 1);
    thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(ask))));
    let stats = memo.stats();
    assert_eq!((stats.loads, stats.hits + stats.coalesced), (1, 7));
    assert_eq!(stats.misses, stats.loads + stats.coalesced);
}

#[test]
fn time_saved_is_what_the_loads_would_have_taken() {
    let hand = Hand::at(1000);
    let memo: Memo<u8, u32> = Memo::builder(8).clock(hand.clock()).build();
    let load = |key: u8, ms: u64| {
        memo.get_or_load(&key, || {
            hand.advance_ms(ms);
            0
        });
    };
    load(1, 30);
    load(2, 200);
    memo.insert(3, 0);
    (0..10).for_each(|_| load(1, 30));
    load(2, 200);
    load(3, 1000);
    let stats = memo.stats();
    assert_eq!(stats.load_time, Duration::from_millis(230));
    assert_eq!(stats.load_time_saved, Duration::from_millis(500));
}

/// More threads than there are lines of counters, at once and one after another.
#[test]
fn no_threads_counts_are_lost() {
    const THREADS: u64 = 100;
    const HITS: u64 = 500;
    let memo: Memo<u8, u32> = Memo::builder(8).build();
    memo.insert(1, 1);
    let barrier = std::sync::Barrier::new(THREADS as usize);
    let ask = || {
        memo.get(&1);
        barrier.wait();
        (1..HITS).for_each(|_| assert!(memo.get(&1).is_some()));
    };
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(ask))));
    assert_eq!(memo.stats().hits, THREADS * HITS);
    for _ in 0..THREADS {
        thread::scope(|scope| scope.spawn(|| memo.get(&1)).join().unwrap());
    }
    assert_eq!(memo.stats().hits, THREADS * (HITS + 1));
}
