//! Models of `Memo`: every interleaving of a load and what forbids it, by loom.
//!
//! Run them with `RUSTFLAGS="--cfg loom" cargo test -p larder-memo --release --test 'loom_*'`.
//! The index is a locked map here, since papaya cannot run under loom; flights, stamps and
//! policy are those that ship. The row is an atomic that the writer changes before it invalidates.
#![cfg(loom)]

use larder_memo::{Memo, Tables};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A model of more steps than can be tried in every order: all orders in which threads are
/// interrupted no more than three times. (They switch freely where they wait.)
fn model_of_many_steps(run: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(run);
}

struct World {
    memo: Memo<u8, usize>,
    tables: Tables,
    row: AtomicUsize,
}

impl World {
    fn new() -> Arc<Self> {
        let tables = Tables::new();
        let memo = Memo::builder(4).depends_on(&tables, ["rows"]).build();
        Arc::new(World { memo, tables, row: AtomicUsize::new(1) })
    }

    fn ask(&self) -> usize {
        self.memo.get_or_load(&1, || self.row.load(Ordering::Acquire))
    }
}

/// Whoever changes the row and then invalidates must never again meet what was read before,
/// whether the load was under way, had just landed, or was being waited for.
fn never_stale_after(invalidate: fn(&World)) {
    loom::model(move || {
        let world = World::new();
        let loader = thread::spawn({
            let world = world.clone();
            move || world.ask()
        });
        world.row.store(2, Ordering::Release);
        invalidate(&world);
        assert_eq!(world.ask(), 2, "asked after the invalidation");
        let loaded = loader.join().unwrap();
        assert!(loaded == 1 || loaded == 2);
        assert_eq!(world.memo.get(&1), Some(2), "what is stored is what is now");
    });
}

#[test]
fn a_load_from_before_invalidate_is_never_served_after_it() {
    never_stale_after(|world| world.memo.invalidate(&1));
}

#[test]
fn a_load_from_before_invalidate_all_is_never_served_after_it() {
    never_stale_after(|world| world.memo.invalidate_all());
}

#[test]
fn a_load_from_before_a_bump_is_never_served_after_it() {
    never_stale_after(|world| world.tables.bump("rows"));
}

#[test]
fn a_load_never_overwrites_a_later_insert() {
    loom::model(|| {
        let world = World::new();
        let loader = thread::spawn({
            let world = world.clone();
            move || world.ask()
        });
        world.memo.insert(1, 9);
        assert_eq!(world.memo.get(&1), Some(9));
        loader.join().unwrap();
        assert_eq!(world.memo.get(&1), Some(9));
    });
}

#[test]
fn a_waiter_of_an_invalidated_load_is_never_stranded() {
    model_of_many_steps(|| {
        let world = World::new();
        let asks = |world: &Arc<World>| {
            let world = world.clone();
            thread::spawn(move || world.ask())
        };
        let (one, two) = (asks(&world), asks(&world));
        world.memo.invalidate(&1);
        assert_eq!((one.join().unwrap(), two.join().unwrap()), (1, 1));
    });
}

#[test]
fn a_panicking_loader_never_strands_its_waiters() {
    loom::model(|| {
        let world = World::new();
        let panicking = thread::spawn({
            let world = world.clone();
            move || {
                let panic = || std::panic::resume_unwind(Box::new("no"));
                let load = || world.memo.get_or_load(&1, panic);
                let _ = catch_unwind(AssertUnwindSafe(load));
            }
        });
        assert_eq!(world.ask(), 1);
        panicking.join().unwrap();
    });
}

/// The committer holds an open scope: its own loads see what nobody else may.
#[test]
fn a_load_from_before_a_commit_is_never_served_after_it() {
    loom::model(|| {
        let world = World::new();
        let loader = thread::spawn({
            let world = world.clone();
            move || world.ask()
        });
        let open = world.tables.transaction();
        open.bump("rows");
        assert_eq!(world.memo.get_or_load(&1, || 9), 9, "an uncommitted row");
        world.row.store(2, Ordering::Release);
        open.commit();
        assert_eq!(world.ask(), 2, "asked after the commit");
        let loaded = loader.join().unwrap();
        assert!(loaded == 1 || loaded == 2);
        assert_eq!(world.memo.get(&1), Some(2), "what is stored is what is now");
    });
}

/// Two bumps overtake each other between the sequence and the version.
#[test]
fn two_bumps_of_a_table_never_hide_each_other() {
    loom::model(|| {
        let world = World::new();
        let bump = |world: &World| {
            world.row.fetch_add(1, Ordering::AcqRel);
            world.tables.bump("rows");
        };
        let other = thread::spawn({
            let world = world.clone();
            move || bump(&world)
        });
        bump(&world);
        assert!(world.ask() >= 2, "asked after one of them");
        other.join().unwrap();
        assert_eq!(world.ask(), 3, "asked after both");
    });
}

/// Two calls for the same keys in opposite orders: each may lead what the other waits for.
#[test]
fn two_bulk_loads_never_wait_for_each_other() {
    model_of_many_steps(|| {
        let world = World::new();
        let loads = Arc::new(AtomicUsize::new(0));
        let ask = |world: &World, loads: &AtomicUsize, keys: [u8; 2]| {
            let got = world.memo.get_many(&keys, |missing| {
                loads.fetch_add(missing.len(), Ordering::Relaxed);
                missing.iter().map(|key| (*key, usize::from(*key))).collect::<Vec<_>>()
            });
            assert_eq!(got, keys.map(|key| Some(usize::from(key))));
        };
        let other = thread::spawn({
            let (world, loads) = (world.clone(), loads.clone());
            move || ask(&world, &loads, [2, 1])
        });
        ask(&world, &loads, [1, 2]);
        other.join().unwrap();
        assert_eq!(loads.load(Ordering::Relaxed), 2, "each key is loaded once");
    });
}

/// The row of a bulk load is as fresh as any, whatever was bumped while it was under way.
#[test]
fn a_bulk_load_from_before_a_bump_is_never_served_after_it() {
    loom::model(|| {
        let world = World::new();
        let page = |world: &World| {
            let load = |keys: &[u8]| [(keys[0], world.row.load(Ordering::Acquire))];
            world.memo.get_many(&[1], load)[0]
        };
        let loader = thread::spawn({
            let world = world.clone();
            move || page(&world)
        });
        world.row.store(2, Ordering::Release);
        world.tables.bump("rows");
        assert_eq!(page(&world), Some(2), "asked after the bump");
        assert!(loader.join().unwrap().is_some());
        assert_eq!(world.memo.get(&1), Some(2), "what is stored is what is now");
    });
}
