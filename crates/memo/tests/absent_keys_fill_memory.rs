//! Negative entries: keys that a client makes up, in a room of their own.
#![cfg(not(loom))]

mod by_hand;

use by_hand::{Hand, overlapped, secs};
use larder_memo::{LoadError, Memo, Tables};
use std::sync::mpsc::channel;
use std::thread;

const NO_ROW: Result<Option<u64>, ()> = Ok(None);

struct World {
    memo: Memo<u64, u64>,
    tables: Tables,
    hand: Hand,
}

fn world() -> World {
    let (tables, hand) = (Tables::new(), Hand::at(1000));
    let memo: Memo<u64, u64> = Memo::builder(100)
        .ttl(secs(100))
        .negative(10, secs(5))
        .depends_on(&tables, ["rows"])
        .clock(hand.clock())
        .build();
    World { memo, tables, hand }
}

impl World {
    /// Tells whether the memo knows that there is no such row.
    fn is_known(&self, key: u64) -> bool {
        match self.memo.get_or_find(&key, || Err("asked")) {
            Ok(None) => true,
            Err(LoadError::Loader("asked")) => false,
            other => panic!("{other:?}"),
        }
    }

    fn look_in_vain(&self, key: u64) {
        assert_eq!(self.memo.get_or_find(&key, || NO_ROW).unwrap(), None);
    }
}

#[test]
fn keys_that_a_client_makes_up_stay_within_their_bound() {
    let world = world();
    (0..100).for_each(|key| world.memo.insert(key, key));
    (1000..101_000).for_each(|key| {
        world.look_in_vain(key);
        assert!(key % 100 != 0 || world.memo.stats().negative_entries <= 10);
    });
    let stats = world.memo.stats();
    assert_eq!((stats.entries, stats.evicted), (100, 0), "they pushed out what is there");
    assert!((0..100).all(|key| world.memo.get(&key) == Some(key)));
}

#[test]
fn many_threads_do_not_stretch_the_bound() {
    let world = &world();
    let ask = |from: u64| (from..from + 5000).for_each(|key| world.look_in_vain(key));
    thread::scope(|scope| (0..4).for_each(|n| drop(scope.spawn(move || ask(n * 10_000)))));
    assert!(world.memo.stats().negative_entries <= 10);
}

#[test]
fn a_key_without_a_row_is_looked_for_once_in_its_time() {
    let world = world();
    world.look_in_vain(1);
    assert!(world.is_known(1));
    assert_eq!((world.memo.get(&1), world.memo.contains(&1), world.memo.len()), (None, false, 0));
    world.hand.set(1004);
    assert!(world.is_known(1));
    world.hand.set(1005);
    assert!(!world.is_known(1));
    // A load may shorten that time, not lengthen it.
    for (key, life, known) in [(2, 2, false), (3, 50, true)] {
        let found = world.memo.get_or_find_with(&key, |load| {
            load.expires_in(secs(life));
            NO_ROW
        });
        assert_eq!(found.unwrap(), None);
        world.hand.advance_ms(4000);
        assert_eq!(world.is_known(key), known);
        world.hand.advance_ms(1000);
        assert!(!world.is_known(key));
    }
}

#[test]
fn without_the_setting_nothing_is_remembered() {
    let memo: Memo<u64, u64> = Memo::builder(10).build();
    assert_eq!(memo.get_or_find(&1, || NO_ROW).unwrap(), None);
    assert_eq!(memo.get_or_find(&1, || Ok::<_, ()>(Some(2))).unwrap(), Some(2));
}

#[test]
fn a_row_that_comes_into_being_is_seen() {
    let world = world();
    world.look_in_vain(1);
    world.memo.insert(1, 11);
    assert_eq!(world.memo.get_or_find(&1, || NO_ROW).unwrap(), Some(11));
    // Who needs a value is not helped by knowing that there was none.
    world.look_in_vain(2);
    assert_eq!(world.memo.get_or_load(&2, || 22), 22);
    assert_eq!(world.memo.get_or_find(&2, || NO_ROW).unwrap(), Some(22));
    // And the other way round: nothing of the absence is left when the value goes.
    world.memo.invalidate(&2);
    assert!(!world.is_known(2));
    assert_eq!(world.memo.stats().negative_entries, 0);
}

fn forgotten_by(forget: impl Fn(&World)) {
    let world = world();
    world.look_in_vain(1);
    forget(&world);
    assert!(!world.is_known(1), "asked after it was forgotten");

    let early = |stall: &dyn Fn()| {
        world.memo.get_or_find(&1, || {
            stall();
            NO_ROW
        })
    };
    let (early, late) = overlapped(early, || {
        forget(&world);
        world.memo.get_or_find(&1, || Ok::<_, ()>(Some(2)))
    });
    assert_eq!((early.unwrap(), late.unwrap()), (None, Some(2)), "joined a look from before");
    assert_eq!(world.memo.get(&1), Some(2), "the look from before is kept over the new value");

    let early = |stall: &dyn Fn()| {
        world.memo.get_or_find(&7, || {
            stall();
            NO_ROW
        })
    };
    let (early, ()) = overlapped(early, || forget(&world));
    assert_eq!(early.unwrap(), None);
    assert!(!world.is_known(7), "the look from before is remembered");
}

#[test]
fn by_invalidate() {
    forgotten_by(|world| [1, 7].iter().for_each(|key| world.memo.invalidate(key)));
}

#[test]
fn by_invalidate_all() {
    forgotten_by(|world| world.memo.invalidate_all());
}

/// A predicate on values cannot tell which of the absent would match by now.
#[test]
fn by_invalidate_if() {
    forgotten_by(|world| world.memo.invalidate_if(|_, _| false));
}

#[test]
fn by_a_bump() {
    forgotten_by(|world| world.tables.bump("rows"));
}

#[test]
fn by_a_bump_of_what_the_look_named() {
    let world = world();
    let look = |load: &larder_memo::Load<'_>| {
        load.depends_on("users");
        NO_ROW
    };
    assert_eq!(world.memo.get_or_find_with(&1, look).unwrap(), None);
    assert!(world.is_known(1));
    world.tables.bump("users");
    assert!(!world.is_known(1));
}

/// Those who wait for a look that finds nothing, but need a value, load for themselves.
#[test]
fn a_waiter_that_needs_a_value_gets_one() {
    let World { memo, .. } = &world();
    let (asking, is_asking) = channel();
    let look = move |stall: &dyn Fn()| {
        memo.get_or_find(&1, || {
            stall();
            // It is about to wait: that it does not wait yet only makes it load at once.
            is_asking.recv().expect("the waiter comes");
            NO_ROW
        })
    };
    let need = || {
        asking.send(()).expect("the look waits for it");
        memo.get_or_load(&1, || 5)
    };
    thread::scope(|scope| {
        let (found, waiter) = overlapped(look, || scope.spawn(need));
        assert_eq!((found.unwrap(), waiter.join().unwrap()), (None, 5));
    });
    assert_eq!(memo.get(&1), Some(5));
}
