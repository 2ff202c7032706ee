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
    loom::model(|| {
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
