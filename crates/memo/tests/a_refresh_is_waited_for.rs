//! Refresh ahead: one caller loads, and nobody else notices.
#![cfg(not(loom))]

mod by_hand;

use by_hand::{Hand, overlapped, secs};
use larder_memo::Memo;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A life of 100 seconds, of which the last 16 are for the refresh: a try in each two of them.
fn memo(hand: &Hand) -> Memo<u8, u32> {
    Memo::builder(8)
        .ttl(secs(100))
        .refresh_ahead(secs(16))
        .wait(Duration::from_millis(20))
        .clock(hand.clock())
        .build()
}

/// With a value that is due for a refresh.
fn due() -> (Memo<u8, u32>, Hand) {
    let hand = Hand::at(1000);
    let memo = memo(&hand);
    memo.insert(1, 1);
    hand.set(1084);
    (memo, hand)
}

#[test]
fn it_comes_in_the_window_and_not_before() {
    let (memo, hand) = due();
    hand.set(1083);
    assert_eq!(memo.get_or_load(&1, || 2), 1);
    hand.set(1084);
    assert_eq!(memo.get(&1), Some(1), "who has no loader refreshes nothing");
    assert_eq!(memo.get_or_load(&1, || 2), 2);
    assert_eq!(memo.get_or_load(&1, || 3), 2, "it is fresh now");
    // And has a whole life before it.
    hand.set(1183);
    assert_eq!(memo.get(&1), Some(2));
    hand.set(1184);
    assert_eq!(memo.get(&1), None);
    let stats = memo.stats();
    assert_eq!((stats.refreshes, stats.loads, stats.misses, stats.replaced), (1, 1, 1, 1));
}

#[test]
fn one_refreshes_and_the_others_get_the_present_value() {
    let (memo, _hand) = due();
    let refresh = |stall: &dyn Fn()| {
        memo.get_or_load(&1, || {
            stall();
            2
        })
    };
    let (refreshed, ()) = overlapped(refresh, || {
        for _ in 0..100 {
            assert_eq!(memo.get(&1), Some(1));
            assert_eq!(memo.get_or_load(&1, || 3), 1);
            assert_eq!(memo.get_or_try_load(&1, || Err("is not asked")).unwrap(), 1);
            assert_eq!(memo.get_or_find(&1, || Err("is not asked")).unwrap(), Some(1));
        }
    });
    assert_eq!((refreshed, memo.get(&1)), (2, Some(2)));
}

/// The refresh is a flight like any other: those who come after the expiry wait for it.
#[test]
fn after_the_expiry_it_is_joined() {
    let (memo, hand) = due();
    let refresh = |stall: &dyn Fn()| {
        memo.get_or_load(&1, || {
            stall();
            2
        })
    };
    let (refreshed, late) = overlapped(refresh, || {
        hand.set(1100);
        assert_eq!(memo.get(&1), None);
        memo.get_or_try_load(&1, || Ok::<_, ()>(3))
    });
    assert!(late.unwrap_err().is_timeout(), "it was waited for, and not loaded twice");
    assert_eq!((refreshed, memo.get(&1)), (2, Some(2)));
}

#[test]
fn one_that_fails_keeps_the_value_and_is_not_tried_again_at_once() {
    let (memo, hand) = due();
    let mut tries = 0;
    for now in 1084..1100 {
        hand.set(now);
        for _ in 0..10 {
            let got = memo.get_or_try_load(&1, || {
                tries += 1;
                Err("down")
            });
            assert_eq!(got.unwrap(), 1);
        }
    }
    assert_eq!(tries, 8, "a try in each eighth of the window");
    assert_eq!(memo.stats().load_failures, 8);
    hand.set(1100);
    assert!(memo.get_or_try_load(&1, || Err("down")).is_err());
}

#[test]
fn one_that_panics_panics_its_caller_alone() {
    let (memo, _hand) = due();
    let panics = || memo.get_or_load(&1, || panic!("no row"));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(memo.get_or_load(&1, || 2), 1);
    assert_eq!(memo.stats().load_failures, 1);
}

#[test]
fn a_loader_that_asks_for_the_key_it_refreshes_gets_the_present_value() {
    let (memo, _hand) = due();
    assert_eq!(memo.get_or_load(&1, || memo.get_or_load(&1, || 5) + 1), 2);
    assert_eq!(memo.get(&1), Some(2));
}

/// An entry whose whole life lies in the window would otherwise be loaded by every caller.
#[test]
fn an_entry_that_is_born_due_is_not_loaded_by_everybody() {
    let hand = Hand::at(1000);
    let memo = memo(&hand);
    let mut loads = 0;
    for _ in 0..100 {
        memo.get_or_load_with(&1, |load| {
            load.expires_in(secs(6));
            loads += 1;
            loads
        });
    }
    assert_eq!(loads, 1);
    hand.set(1002);
    assert_eq!(memo.get_or_load(&1, || 2), 2);
}

#[test]
fn a_row_that_is_found_to_be_gone_is_gone() {
    let (memo, _hand) = due();
    assert_eq!(memo.get_or_find(&1, || Ok::<_, ()>(None)).unwrap(), None);
    assert_eq!((memo.get(&1), memo.len()), (None, 0));
}

/// The settings do not disturb each other.
#[test]
fn an_idle_entry_expires_without_being_due() {
    let hand = Hand::at(1000);
    let memo: Memo<u8, u32> = Memo::builder(8)
        .ttl(secs(100))
        .idle(secs(20))
        .refresh_ahead(secs(16))
        .stale_on_error(Duration::from_secs(128))
        .clock(hand.clock())
        .build();
    memo.insert(1, 1);
    hand.set(1019);
    assert_eq!(memo.get_or_load(&1, || 2), 1, "the window is before the end of the ttl alone");
    hand.set(1040);
    assert_eq!(memo.get(&1), None);
    assert_eq!(memo.get_or_try_load(&1, || Err("down")).unwrap(), 1, "idle is expired");
}
