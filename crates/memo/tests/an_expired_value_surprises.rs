//! Lives: of all entries, of one, and of those that nobody asks for; by a clock that may go back.
#![cfg(not(loom))]

mod by_hand;

use by_hand::{Hand, secs};
use larder_memo::{Builder, Memo};
use std::convert::Infallible;
use std::time::Duration;

fn memo(settings: impl FnOnce(Builder<u8, u32>) -> Builder<u8, u32>) -> (Memo<u8, u32>, Hand) {
    let hand = Hand::at(1000);
    (settings(Memo::builder(8)).clock(hand.clock()).build(), hand)
}

/// Whatever looks at an entry agrees whether it is there.
fn is_there(memo: &Memo<u8, u32>, key: u8) -> bool {
    let there = memo.contains(&key);
    let mut shown = 0;
    memo.for_each(|&other, _| shown += usize::from(other == key));
    assert_eq!(shown == 1, there, "for_each does not agree with contains");
    // Last, for it is a hit.
    assert_eq!(memo.get(&key).is_some(), there, "get does not agree with contains");
    there
}

#[test]
fn no_look_up_returns_it() {
    let (memo, hand) = memo(|builder| builder.ttl(secs(10)));
    memo.insert(1, 1);
    memo.get_or_load(&2, || 2);
    hand.set(1009);
    assert!(is_there(&memo, 1) && is_there(&memo, 2));
    hand.set(1010);
    assert!(!is_there(&memo, 1) && !is_there(&memo, 2));
    assert_eq!(memo.read(&1, |_| ()), None);
    assert_eq!(memo.get_or_load(&1, || 11), 11);
    assert_eq!(memo.get_or_try_load(&2, || Err("down")).unwrap_err().to_string(), {
        "the loader failed: down"
    });
    assert_eq!(memo.get_or_find(&2, || Ok::<_, Infallible>(None)).unwrap(), None);
    assert_eq!(memo.len(), 1, "what was found to be gone takes up no room");
}

#[test]
fn an_expired_entry_is_counted_until_its_place_is_needed() {
    let (memo, hand) = memo(|builder| builder.ttl(secs(10)));
    (0..8).for_each(|key| memo.insert(key, 0));
    hand.set(1010);
    assert_eq!(memo.len(), 8);
    (10..18).for_each(|key| memo.insert(key, 0));
    assert_eq!((memo.len(), memo.stats().expired, memo.stats().evicted), (8, 8, 0));
    assert!((10..18).all(|key| is_there(&memo, key)), "the dead kept the living out");
}

#[test]
fn an_entry_has_the_life_that_its_load_gave_it() {
    let (memo, hand) = memo(|builder| builder.ttl(secs(10)));
    memo.get_or_load_with(&1, |load| {
        load.expires_in(secs(5));
        1
    });
    memo.get_or_load_with(&2, |load| {
        load.expires_in(secs(20));
        2
    });
    memo.insert_with_ttl(3, 3, secs(5));
    hand.set(1005);
    assert_eq!([1, 2, 3].map(|key| is_there(&memo, key)), [false, true, false]);
    hand.set(1019);
    assert!(is_there(&memo, 2));
    hand.set(1020);
    assert!(!is_there(&memo, 2));
}

/// The life counts from when the load began, since that is the age of what it has read.
#[test]
fn a_slow_load_does_not_lengthen_a_life() {
    let (memo, hand) = memo(|builder| builder);
    memo.get_or_load_with(&1, |load| {
        load.expires_in(secs(10));
        hand.set(1008);
        1
    });
    hand.set(1010);
    assert!(!is_there(&memo, 1));
    // One that took longer than that is returned, and that is all.
    let slow = memo.get_or_load_with(&2, |load| {
        load.expires_in(secs(10));
        hand.set(1030);
        2
    });
    assert_eq!((slow, is_there(&memo, 2)), (2, false));
}

#[test]
fn what_is_not_to_be_kept_is_not() {
    let (memo, _hand) = memo(|builder| builder);
    let passing = memo.get_or_load_with(&1, |load| {
        load.do_not_keep();
        1
    });
    let no_time = memo.get_or_load_with(&2, |load| {
        load.expires_in(Duration::ZERO);
        2
    });
    assert_eq!((passing, no_time, memo.len()), (1, 2, 0));
}

#[test]
fn what_nobody_asks_for_leaves_and_what_is_asked_for_stays() {
    let (memo, hand) = memo(|builder| builder.idle(secs(16)));
    memo.insert(1, 1);
    memo.insert(2, 2);
    // Looking without a hit does not lengthen a life.
    for _ in 0..30 {
        hand.advance_ms(1500);
        assert_eq!(memo.get(&1), Some(1));
        memo.contains(&2);
    }
    assert!(!is_there(&memo, 2));
    hand.advance_ms(14_900);
    assert!(is_there(&memo, 1), "a sixteenth of the idle time too early at most");
    hand.advance_ms(16_000);
    assert!(!is_there(&memo, 1));
}

#[test]
fn an_idle_time_does_not_outlast_the_time_to_live() {
    let (memo, hand) = memo(|builder| builder.idle(secs(5)).ttl(secs(12)));
    memo.insert(1, 1);
    for now in [1004, 1008, 1011] {
        hand.set(now);
        assert!(is_there(&memo, 1));
    }
    hand.set(1012);
    assert!(!is_there(&memo, 1));
}

/// A clock that goes back makes entries younger. It neither overflows nor empties the memo.
#[test]
fn a_clock_that_goes_back_does_no_harm() {
    let lives = |builder: Builder<u8, u32>| {
        let builder = builder.ttl(secs(100)).idle(secs(50)).negative(4, secs(10));
        builder.refresh_ahead(secs(10)).stale_on_error(secs(10))
    };
    let (memo, hand) = memo(lives);
    memo.insert(1, 1);
    assert_eq!(memo.get_or_find(&2, || Ok::<_, Infallible>(None)).unwrap(), None);
    hand.set(0);
    assert!(is_there(&memo, 1));
    assert_eq!(memo.get_or_find(&2, || Err("is known")).unwrap(), None);
    assert_eq!(memo.get_or_load(&1, || 7), 1, "nothing is due");
    assert_eq!(memo.get_or_load(&3, || 3), 3);
    // The load itself sees the clock go back.
    hand.set(2000);
    let loaded = memo.get_or_load(&4, || {
        hand.set(500);
        4
    });
    assert_eq!(loaded, 4);
    assert!(is_there(&memo, 4));
    hand.set(2200);
    assert!((1..5).all(|key| !is_there(&memo, key)));
    assert_eq!(memo.stats().load_time, Duration::ZERO);
}

#[test]
fn lives_without_end_overflow_nothing() {
    let (memo, hand) = memo(|builder| {
        builder.ttl(Duration::MAX).idle(Duration::MAX).stale_on_error(Duration::MAX)
    });
    memo.insert(1, 1);
    memo.insert_with_ttl(2, 2, Duration::MAX);
    hand.set(u64::MAX / 1_000_000);
    assert!(is_there(&memo, 1) && is_there(&memo, 2));
}

#[test]
fn lives_that_make_no_sense_are_refused_at_once() {
    type Setting = fn(Builder<u8, u32>) -> Builder<u8, u32>;
    let settings: [Setting; 7] = [
        |builder| builder.ttl(Duration::ZERO),
        |builder| builder.idle(Duration::ZERO),
        |builder| builder.refresh_ahead(Duration::ZERO),
        |builder| builder.stale_on_error(Duration::ZERO),
        |builder| builder.negative(0, secs(1)),
        |builder| builder.negative(1, Duration::ZERO),
        |builder| builder.ttl(secs(1)).refresh_ahead(secs(1)),
    ];
    for (at, setting) in settings.into_iter().enumerate() {
        let build = || setting(Memo::builder(1)).build();
        assert!(std::panic::catch_unwind(build).is_err(), "setting {at} was taken");
    }
}
