//! Expiry and invalidation, with loads in flight that would undo them.
#![cfg(not(loom))]

mod by_hand;

use by_hand::{Hand, overlapped, secs};
use larder_memo::{Memo, Tables};
use std::sync::mpsc::channel;
use std::thread;

struct World {
    memo: Memo<u8, u32>,
    tables: Tables,
    hand: Hand,
}

impl World {
    fn new() -> Self {
        let (tables, hand) = (Tables::new(), Hand::at(1000));
        let memo: Memo<u8, u32> = Memo::builder(8)
            .ttl(secs(100))
            .refresh_ahead(secs(16))
            .stale_on_error(secs(100))
            .negative(8, secs(100))
            .depends_on(&tables, ["rows", "users"])
            .clock(hand.clock())
            .build();
        World { memo, tables, hand }
    }
}

/// A way to load 1 under key 1, stalled for as long as `stall` takes.
type Path = fn(&World, stall: &dyn Fn()) -> u32;

/// Every way that a load can take.
const PATHS: [(&str, Path); 6] = [
    ("get_or_load", |world, stall| {
        world.memo.get_or_load(&1, || {
            stall();
            1
        })
    }),
    ("get_or_try_load", |world, stall| {
        let load = || {
            stall();
            Ok::<_, ()>(1)
        };
        world.memo.get_or_try_load(&1, load).unwrap()
    }),
    ("get_or_find", |world, stall| {
        let look = || {
            stall();
            Ok::<_, ()>(Some(1))
        };
        world.memo.get_or_find(&1, look).unwrap().unwrap()
    }),
    ("with a table of its own", |world, stall| {
        world.memo.get_or_load_with(&1, |load| {
            load.depends_on("its own").expires_in(secs(50));
            stall();
            1
        })
    }),
    ("refresh", |world, stall| {
        world.hand.set(1000);
        world.memo.insert(1, 0);
        world.hand.set(1090);
        world.memo.get_or_load(&1, || {
            stall();
            1
        })
    }),
    ("late", |world, stall| {
        world.hand.set(1000);
        world.memo.insert(1, 0);
        world.hand.set(1100);
        let fail = || {
            stall();
            Err("down")
        };
        // It asked before, so it may have the late value, what came meanwhile, or the error.
        let _ = world.memo.get_or_try_load(&1, fail);
        1
    }),
];

/// Forgets while a load is under way, then asks; the load must neither be joined nor kept.
fn forgotten_in_flight(forget: impl Fn(&World)) {
    for (name, path) in PATHS {
        let world = World::new();
        let (early, ()) = overlapped(
            |stall| path(&world, stall),
            || {
                forget(&world);
                assert_eq!(world.memo.get(&1), None, "{name}: a hit on what was forgotten");
                let late = world.memo.get_or_load(&1, || 2);
                assert_eq!(late, 2, "{name}: asked after, and joined a load from before");
            },
        );
        assert_eq!(early, 1, "{name}: asked before, may have what was read before");
        assert_eq!(world.memo.get(&1), Some(2), "{name}: the load from before is kept over it");

        // And if nobody asks meanwhile, nothing is left of it.
        let world = World::new();
        let (early, ()) = overlapped(|stall| path(&world, stall), || forget(&world));
        assert_eq!((early, world.memo.get(&1)), (1, None), "{name}: kept what was forgotten");
        let failed = world.memo.get_or_find(&1, || Err("down"));
        assert!(failed.is_err(), "{name}: known without a look, or late: {failed:?}");
    }
}

#[test]
fn by_invalidate_in_flight() {
    forgotten_in_flight(|world| world.memo.invalidate(&1));
}

#[test]
fn by_invalidate_all_in_flight() {
    forgotten_in_flight(|world| world.memo.invalidate_all());
}

/// What is in flight cannot be judged, so it is forgotten whatever the predicate says of others.
#[test]
fn by_invalidate_if_in_flight() {
    forgotten_in_flight(|world| world.memo.invalidate_if(|&key, _| key == 1));
}

#[test]
fn by_bump_in_flight() {
    forgotten_in_flight(|world| world.tables.bump("users"));
}

#[test]
fn by_bump_every_in_flight() {
    forgotten_in_flight(|world| world.tables.bump_every());
}

/// Nobody knows the table while the load runs; those who joined it learn of it when it lands.
#[test]
fn by_bump_of_a_table_that_the_load_names_at_last() {
    let world = &World::new();
    let (joined, has_joined) = channel();
    let early = move |stall: &dyn Fn()| {
        world.memo.get_or_load_with(&1, |load| {
            stall();
            // The other one is about to join: if it comes later, it finds a stale entry.
            has_joined.recv().expect("the other one asks");
            load.depends_on("named at last");
            1
        })
    };
    let late = move || {
        joined.send(()).expect("the load waits for it");
        world.memo.get_or_load(&1, || 2)
    };
    thread::scope(|scope| {
        let (early, late) = overlapped(early, || {
            world.tables.bump("named at last");
            scope.spawn(late)
        });
        assert_eq!((early, late.join().unwrap()), (1, 2));
    });
    assert_eq!(world.memo.get(&1), Some(2));
}

#[test]
fn by_bump_of_a_table_that_one_load_named() {
    let World { memo, tables, .. } = World::new();
    for (key, table) in [(1, "photos"), (2, "albums")] {
        memo.get_or_load_with(&key, |load| {
            load.depends_on(table).depends_on("both");
            0
        });
    }
    tables.bump("photos");
    assert_eq!((memo.get(&1), memo.get(&2)), (None, Some(0)));
    tables.bump("both");
    assert_eq!(memo.get(&2), None);
    // A load without such tables of the same key depends on them no longer.
    memo.get_or_load(&1, || 1);
    tables.bump("photos");
    assert_eq!(memo.get(&1), Some(1));
}

#[test]
#[should_panic(expected = "built without tables")]
fn a_table_that_nobody_can_bump_is_refused() {
    let memo: Memo<u8, u32> = Memo::builder(8).build();
    memo.get_or_load_with(&1, |load| {
        load.depends_on("photos");
        1
    });
}

#[test]
fn invalidate_if_forgets_what_it_says_and_no_more() {
    let memo: Memo<u8, u32> = Memo::builder(200).build();
    (0..200).for_each(|key| memo.insert(key, u32::from(key) * 2));
    memo.invalidate_if(|&key, &value| key < 100 && value % 3 == 0);
    assert!((0..200).all(|key| memo.contains(&key) == (key >= 100 || key % 3 != 0)));
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
