//! Models of the other ways through `Memo`: absences, refreshes, late values, tables that a load
//! names, predicates and listeners. `loom_memo` has the plain load.
//!
//! Run them with `RUSTFLAGS="--cfg loom" cargo test -p larder-memo --release --test 'loom_*'`.
#![cfg(loom)]

use larder_memo::{Builder, Memo, Tables};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::time::Duration;

/// The clock stands while the threads run.
const NOW: Duration = Duration::from_secs(100);
const TTL: Duration = Duration::from_secs(10);

struct World {
    memo: Memo<u8, usize>,
    tables: Tables,
    /// The row that everybody loads; 0 is none.
    row: AtomicUsize,
}

/// Time as this model's threads see it: loom runs them one at a time, on one thread of the system.
#[derive(Clone)]
struct Hand(std::sync::Arc<std::sync::atomic::AtomicU64>);

impl Hand {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::Relaxed);
    }
}

impl World {
    fn new(settings: fn(Builder<u8, usize>) -> Builder<u8, usize>) -> (Arc<Self>, Hand) {
        let tables = Tables::new();
        let hand = Hand(std::sync::Arc::new(NOW.as_secs().into()));
        let now = hand.clone();
        let clock = move || Duration::from_secs(now.0.load(Ordering::Relaxed));
        let memo = settings(Memo::builder(4)).depends_on(&tables, ["rows"]).clock(clock).build();
        (Arc::new(World { memo, tables, row: AtomicUsize::new(1) }), hand)
    }

    fn load(&self) -> usize {
        self.memo.get_or_load(&1, || self.row.load(Ordering::Acquire))
    }

    fn find(&self) -> Option<usize> {
        let look = || Ok::<_, ()>(Some(self.row.load(Ordering::Acquire)).filter(|&row| row > 0));
        self.memo.get_or_find(&1, look).expect("it does not recur")
    }

    fn fail(&self) -> Option<usize> {
        self.memo.get_or_try_load(&1, || Err("down")).ok()
    }
}

/// Every interleaving with at most three preemptions: without a bound each takes minutes.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// One thread takes a way that may meet the row from before; another changes the row, forgets,
/// and must not meet it.
fn forgotten(
    settings: fn(Builder<u8, usize>) -> Builder<u8, usize>,
    prepare: fn(&World, &Hand),
    way: fn(&World),
    forget: fn(&World),
    check: fn(&World),
) {
    model(move || {
        let (world, hand) = World::new(settings);
        prepare(&world, &hand);
        let other = thread::spawn({
            let world = world.clone();
            move || way(&world)
        });
        world.row.store(2, Ordering::Release);
        forget(&world);
        check(&world);
        other.join().unwrap();
        check(&world);
    });
}

const FORGET: [fn(&World); 3] = [
    |world| world.memo.invalidate(&1),
    |world| world.memo.invalidate_if(|_, _| true),
    |world| world.tables.bump("rows"),
];

#[test]
fn a_load_from_before_invalidate_if_is_never_served_after_it() {
    let way = |world: &World| assert!(world.load() > 0);
    let check = |world: &World| assert_eq!(world.load(), 2);
    forgotten(|builder| builder, |_, _| {}, way, FORGET[1], check);
}

#[test]
fn an_absence_from_before_is_never_told_after_it_was_forgotten() {
    for forget in FORGET {
        let no_row = |world: &World, _: &Hand| world.row.store(0, Ordering::Release);
        let way = |world: &World| assert!(matches!(world.find(), None | Some(2)));
        let check = |world: &World| assert_eq!(world.find(), Some(2));
        forgotten(|builder| builder.negative(2, TTL), no_row, way, forget, check);
    }
}

/// The value is due: the other thread loads it anew, while it is forgotten.
#[test]
fn a_refresh_from_before_is_never_served_after_it_was_forgotten() {
    for forget in FORGET {
        let due = |world: &World, hand: &Hand| {
            world.memo.insert(1, 1);
            hand.advance(TTL - Duration::from_secs(1));
        };
        let settings =
            |builder: Builder<u8, usize>| builder.ttl(TTL).refresh_ahead(Duration::from_secs(2));
        let way = |world: &World| assert!(world.load() > 0);
        let check = |world: &World| assert_eq!(world.load(), 2);
        forgotten(settings, due, way, forget, check);
    }
}

/// The value has expired and its load fails, while it is forgotten.
#[test]
fn a_late_value_is_never_served_after_it_was_forgotten() {
    for forget in FORGET {
        let expired = |world: &World, hand: &Hand| {
            world.memo.insert(1, 1);
            hand.advance(TTL);
        };
        let settings = |builder: Builder<u8, usize>| builder.ttl(TTL).stale_on_error(TTL);
        let way = |world: &World| assert!(matches!(world.fail(), Some(1) | None));
        let check = |world: &World| assert_eq!(world.fail(), None);
        forgotten(settings, expired, way, forget, check);
    }
}

/// The load names the table when it has read it, so whoever joins it cannot know.
#[test]
fn a_load_is_never_served_after_a_bump_of_a_table_that_it_named() {
    let load = |world: &World| {
        world.memo.get_or_load_with(&1, |load| {
            let row = world.row.load(Ordering::Acquire);
            load.depends_on("own");
            row
        })
    };
    let bumped = move || {
        let (world, _) = World::new(|builder| builder);
        let other = thread::spawn({
            let world = world.clone();
            move || load(&world)
        });
        world.row.store(2, Ordering::Release);
        world.tables.bump("own");
        assert_eq!(load(&world), 2);
        other.join().unwrap();
        assert_eq!(world.memo.get(&1), Some(2));
    };
    model(bumped);
}

/// Two values and an invalidation: each value is there in the end, or was told to have gone.
#[test]
fn no_departure_is_told_twice_or_never() {
    model(|| {
        let told = Arc::new(AtomicUsize::new(0));
        let tell = told.clone();
        let listener = move |_: &u8, &value: &usize, _| {
            tell.fetch_add(value, Ordering::Relaxed);
        };
        let memo: Memo<u8, usize> = Memo::builder(1).on_eviction(listener).build();
        let memo = Arc::new(memo);
        let other = thread::spawn({
            let memo = memo.clone();
            move || memo.insert(1, 1)
        });
        memo.insert(2, 10);
        memo.invalidate(&1);
        other.join().unwrap();
        let mut there = 0;
        memo.for_each(|_, value| there += value);
        assert_eq!(told.load(Ordering::Relaxed) + there, 11);
        assert!(memo.len() <= 1);
    });
}
