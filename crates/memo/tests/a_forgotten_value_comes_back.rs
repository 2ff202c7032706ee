//! Expiry and invalidation, with loads in flight that would undo them.
#![cfg(not(loom))]

use larder_memo::{Memo, Tables};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Forgets while a load is under way, then asks; the load must neither be joined nor kept.
fn forgotten_in_flight(forget: impl Fn(&Memo<u8, u32>, &Tables)) {
    let tables = Tables::new();
    let memo: Memo<u8, u32> = Memo::builder(8).depends_on(&tables, ["rows", "users"]).build();
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    let (memo, tables) = (&memo, &tables);
    // The scope owns `release`: if an assertion fails, the stalled loader ends too.
    thread::scope(move |scope| {
        let early = scope.spawn(move || {
            memo.get_or_load(&1, || {
                started.send(()).unwrap();
                released.recv().unwrap();
                1
            })
        });
        has_started.recv().unwrap();
        forget(memo, tables);
        assert_eq!(memo.get_or_load(&1, || 2), 2, "asked after: joins no load from before");
        release.send(()).unwrap();
        assert_eq!(early.join().unwrap(), 1, "asked before: may have what was read before");
    });
    assert_eq!(memo.get(&1), Some(2), "the load from before is not stored over the new value");
}

#[test]
fn by_invalidate_in_flight() {
    forgotten_in_flight(|memo, _| memo.invalidate(&1));
}

#[test]
fn by_invalidate_all_in_flight() {
    forgotten_in_flight(|memo, _| memo.invalidate_all());
}

#[test]
fn by_bump_in_flight() {
    forgotten_in_flight(|_, tables| tables.bump("users"));
}

#[test]
fn a_late_load_is_not_stored_after_an_insert_that_was_invalidated() {
    let memo: Memo<u8, u32> = Memo::builder(8).build();
    let stored = memo.get_or_load(&1, || {
        memo.insert(1, 2);
        memo.invalidate(&1);
        1
    });
    assert_eq!(stored, 1);
    assert_eq!(memo.get(&1), None);
}

#[test]
fn a_bump_of_another_table_forgets_nothing() {
    let tables = Tables::new();
    let memo: Memo<u8, u32> = Memo::builder(8).depends_on(&tables, ["rows"]).build();
    let other: Memo<u8, u32> = Memo::builder(8).depends_on(&tables, ["users"]).build();
    memo.insert(1, 1);
    other.insert(1, 1);
    tables.bump("users");
    tables.bump("nobody depends on this");
    assert_eq!((memo.get(&1), other.get(&1)), (Some(1), None));
}

#[test]
fn an_entry_is_served_until_its_time_and_not_after() {
    let seconds = Arc::new(AtomicU64::new(1000));
    let clock = {
        let seconds = seconds.clone();
        move || Duration::from_secs(seconds.load(Ordering::Relaxed))
    };
    let ttl = Duration::from_secs(10);
    let memo: Memo<u8, u32> = Memo::builder(8).ttl(ttl).clock(clock).build();
    assert_eq!(memo.get_or_load(&1, || 1), 1);
    seconds.store(1009, Ordering::Relaxed);
    assert_eq!(memo.get(&1), Some(1));
    seconds.store(1010, Ordering::Relaxed);
    assert_eq!(memo.get(&1), None);
    assert_eq!(memo.get_or_load(&1, || 2), 2, "an expired entry is loaded again");

    // A load takes its age from its beginning.
    memo.get_or_load(&2, || {
        seconds.store(1015, Ordering::Relaxed);
        2
    });
    seconds.store(1020, Ordering::Relaxed);
    assert_eq!(memo.get(&2), None);

    // A clock that goes back lengthens lives and does nothing worse.
    seconds.store(0, Ordering::Relaxed);
    assert_eq!(memo.get(&2), Some(2));
    assert_eq!(memo.get_or_load(&3, || 3), 3);
}

#[test]
fn an_endless_time_to_live_overflows_nothing() {
    let memo: Memo<u8, u32> = Memo::builder(8).ttl(Duration::MAX).wait(Duration::MAX).build();
    assert_eq!(memo.get_or_load(&1, || 1), 1);
    assert_eq!(memo.get(&1), Some(1));
}
