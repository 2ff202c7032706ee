//! Stale on error: expired values stand in for a load that failed, and forgotten ones never do.
#![cfg(not(loom))]

mod by_hand;

use by_hand::{Hand, overlapped, secs};
use larder_memo::{LoadError, Memo, Tables};
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const TTL: u64 = 10;
const GRACE: u64 = 128;
const EXPIRED: u64 = 1000 + TTL;

struct World {
    memo: Memo<u8, u32>,
    tables: Tables,
    hand: Hand,
}

/// With a value under key 1 that has just expired.
fn expired() -> World {
    let (tables, hand) = (Tables::new(), Hand::at(1000));
    let memo: Memo<u8, u32> = Memo::builder(8)
        .ttl(secs(TTL))
        .stale_on_error(secs(GRACE))
        .negative(8, secs(TTL))
        .depends_on(&tables, ["rows"])
        .wait(Duration::from_millis(20))
        .clock(hand.clock())
        .build();
    memo.get_or_load_with(&1, |load| {
        load.depends_on("one row");
        1
    });
    hand.set(EXPIRED);
    World { memo, tables, hand }
}

impl World {
    fn fail(&self) -> Result<u32, LoadError<&'static str>> {
        self.memo.get_or_try_load(&1, || Err("down"))
    }
}

#[test]
fn it_is_returned_when_the_load_fails_and_at_no_other_time() {
    let world = expired();
    assert_eq!(world.memo.get(&1), None, "an expired value is no hit");
    assert_eq!(world.fail().unwrap(), 1);
    assert_eq!(world.memo.get(&1), None, "a late value is no hit either");
    assert_eq!(world.memo.stats().stale_serves, 1);
    world.hand.set(EXPIRED + GRACE - 1);
    assert_eq!(world.fail().unwrap(), 1);
    world.hand.set(EXPIRED + GRACE);
    assert!(matches!(world.fail(), Err(LoadError::Loader("down"))), "its grace is over");
}

#[test]
fn without_the_setting_an_error_is_an_error() {
    let hand = Hand::at(1000);
    let memo: Memo<u8, u32> = Memo::builder(8).ttl(secs(1)).clock(hand.clock()).build();
    memo.insert(1, 1);
    hand.set(1001);
    assert!(memo.get_or_try_load(&1, || Err("down")).is_err());
}

#[test]
fn a_key_without_a_value_has_no_late_one() {
    let world = expired();
    assert!(world.memo.get_or_try_load(&2, || Err("down")).is_err());
    // That there was none is not served late: nobody misses an answer that says nothing.
    assert_eq!(world.memo.get_or_find(&3, || Ok::<_, ()>(None)).unwrap(), None);
    world.hand.set(EXPIRED + TTL);
    assert!(world.memo.get_or_find(&3, || Err("down")).is_err());
}

fn never_after(forget: impl Fn(&World)) {
    let world = expired();
    forget(&world);
    assert!(world.fail().is_err(), "asked after it was forgotten");

    let world = expired();
    assert_eq!(world.fail().unwrap(), 1);
    forget(&world);
    assert!(world.fail().is_err(), "asked again after it was forgotten");

    // Forgotten while the load is failing: its leader asked before, but whoever asks now did not.
    let world = expired();
    let fail = |stall: &dyn Fn()| {
        world.memo.get_or_try_load(&1, || {
            stall();
            Err("down")
        })
    };
    let (_, late) = overlapped(fail, || {
        forget(&world);
        world.fail()
    });
    assert!(late.is_err(), "asked while the load from before was failing");
}

#[test]
fn never_after_invalidate() {
    never_after(|world| world.memo.invalidate(&1));
}

#[test]
fn never_after_invalidate_all() {
    never_after(|world| world.memo.invalidate_all());
}

#[test]
fn never_after_invalidate_if() {
    never_after(|world| world.memo.invalidate_if(|_, &value| value == 1));
}

#[test]
fn never_after_a_bump_of_its_table() {
    never_after(|world| world.tables.bump("rows"));
}

/// The load that is failing has not said what it depends on; the value from before has.
#[test]
fn never_after_a_bump_of_what_its_own_load_named() {
    let world = expired();
    world.tables.bump("one row");
    assert!(world.fail().is_err(), "asked after the bump");

    let world = expired();
    assert_eq!(world.fail().unwrap(), 1);
    world.tables.bump("one row");
    assert!(world.fail().is_err(), "asked again after the bump");
}

#[test]
fn never_after_the_row_was_found_to_be_gone() {
    let world = expired();
    assert_eq!(world.memo.get_or_find(&1, || Ok::<_, ()>(None)).unwrap(), None);
    world.hand.set(EXPIRED + TTL);
    assert!(world.memo.get_or_find(&1, || Err("down")).is_err());
}

#[test]
fn never_after_a_newer_value_that_was_not_kept() {
    let world = expired();
    let newer = world.memo.get_or_load_with(&1, |load| {
        load.do_not_keep();
        2
    });
    assert_eq!(newer, 2);
    assert!(world.fail().is_err(), "1 is older than what was loaded since");
}

/// A source that is down is asked once in a 128th of the grace, not by every caller.
#[test]
fn a_source_that_is_down_is_not_asked_by_everybody() {
    let world = expired();
    let asked = Cell::new(0);
    let ask = || {
        world.memo.get_or_try_load(&1, || {
            asked.set(asked.get() + 1);
            Err("down")
        })
    };
    (0..50).for_each(|_| assert_eq!(ask().unwrap(), 1));
    assert_eq!(asked.get(), 1);
    world.hand.set(EXPIRED + 1);
    (0..50).for_each(|_| assert_eq!(ask().unwrap(), 1));
    assert_eq!(asked.get(), 2);
    // It is up again, and that is noticed with the next turn.
    world.hand.set(EXPIRED + 2);
    assert_eq!(world.memo.get_or_load(&1, || 2), 2);
    assert_eq!(world.memo.get(&1), Some(2));
    assert_eq!(world.memo.stats().stale_serves, 100);
}

#[test]
fn those_who_wait_for_a_load_that_fails_get_it_too() {
    const WAITERS: u32 = 4;
    let hand = Hand::at(1000);
    let memo: Memo<u8, u32> =
        Memo::builder(8).ttl(secs(TTL)).stale_on_error(secs(GRACE)).clock(hand.clock()).build();
    memo.insert(1, 1);
    hand.set(EXPIRED);
    let (loads, asking) = (AtomicU32::new(0), AtomicU32::new(0));
    let ask = || {
        asking.fetch_add(1, Ordering::SeqCst);
        let got = memo.get_or_try_load(&1, || {
            loads.fetch_add(1, Ordering::SeqCst);
            // Those who do not wait yet find that the load has just failed.
            while asking.load(Ordering::SeqCst) < WAITERS {
                std::thread::yield_now();
            }
            Err("down")
        });
        assert_eq!(got.unwrap(), 1);
    };
    std::thread::scope(|scope| (0..WAITERS).for_each(|_| drop(scope.spawn(ask))));
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[test]
fn it_stands_in_for_a_load_that_takes_too_long() {
    let world = expired();
    let load = |stall: &dyn Fn()| {
        world.memo.get_or_load(&1, || {
            stall();
            2
        })
    };
    let (slow, late) = overlapped(load, || world.fail());
    assert_eq!((slow, late.unwrap()), (2, 1));
    assert_eq!(world.memo.stats().timeouts, 1);
    assert_eq!(world.memo.get(&1), Some(2));
}

#[test]
fn a_panic_is_a_panic() {
    let world = expired();
    let panics = || world.memo.get_or_load(&1, || panic!("down"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    assert_eq!(world.fail().unwrap(), 1, "and spoils nothing");
}
