//! Transactions: what waits for the commit, what a rollback leaves, and whom a scope concerns.
#![cfg(not(loom))]

mod by_hand;

use by_hand::{overlapped, secs};
use larder_memo::{LoadError, Memo, StaticTable, Tables, Transaction};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;

fn memo_of(tables: &Tables, name: &str) -> Memo<u8, u32> {
    let memo = Memo::builder(8).depends_on(tables, [name]).build();
    memo.insert(1, 1);
    memo
}

#[test]
fn before_the_commit_or_after_a_rollback() {
    let tables = Tables::new();
    let memo = memo_of(&tables, "rows");
    let elsewhere = |memo: &Memo<u8, u32>| thread::scope(|s| s.spawn(|| memo.get(&1)).join());
    let open = tables.transaction();
    open.bump("rows");
    assert_eq!(elsewhere(&memo).unwrap(), Some(1), "nothing has changed for other threads");
    open.rollback();
    assert_eq!(memo.get(&1), Some(1));

    let open = tables.transaction();
    open.bump_all(["users", "rows"]);
    open.commit();
    assert_eq!(memo.get(&1), None);
    assert_eq!(elsewhere(&memo).unwrap(), None);
}

#[test]
fn by_a_panic_or_an_early_return() {
    let tables = Tables::new();
    let memo = memo_of(&tables, "rows");
    let panics = AssertUnwindSafe(|| {
        let open = tables.transaction();
        open.bump_every();
        std::panic::resume_unwind(Box::new("no"));
    });
    assert!(catch_unwind(panics).is_err());
    assert_eq!(memo.get(&1), Some(1), "it was rolled back, and is over");
}

#[test]
fn by_a_bump_of_every_table_too_early_or_too_late() {
    let tables = Tables::new();
    let (rows, users) = (memo_of(&tables, "rows"), memo_of(&tables, "users"));
    let open = tables.transaction();
    open.bump_every();
    drop(open);
    assert_eq!((rows.get(&1), users.get(&1)), (Some(1), Some(1)));
    let open = tables.transaction();
    open.bump_every();
    open.commit();
    assert_eq!((rows.get(&1), users.get(&1)), (None, None));
}

#[test]
fn in_what_the_scope_loads() {
    let tables = Tables::new();
    let memo = memo_of(&tables, "rows");
    let open = tables.transaction();
    assert_eq!(memo.get(&1), None, "what is kept is not what this transaction sees");
    assert_eq!(memo.read(&1, |value| *value), None);
    assert_eq!(memo.get_or_load(&1, || 90), 90);
    assert_eq!(memo.get_or_load(&2, || 91), 91);
    assert_eq!(memo.get_or_try_load(&3, || Ok::<_, ()>(92)).ok(), Some(92));
    let failed = memo.get_or_try_load(&3, || Err(5));
    assert!(matches!(failed, Err(LoadError::Loader(5))));
    memo.insert(4, 93);
    drop(open);
    let all = [1, 2, 3, 4].map(|key| memo.get(&key));
    assert_eq!(all, [Some(1), None, None, None], "nothing of it was kept");
}

#[test]
fn in_an_entry_that_the_scope_replaced() {
    let tables = Tables::new();
    let memo = memo_of(&tables, "rows");
    let open = tables.transaction();
    memo.insert(1, 90);
    open.bump("rows");
    open.commit();
    assert_eq!(memo.get(&1), None, "neither the old value nor the uncommitted one");
}

/// A load inside the scope neither waits for one outside nor is waited for.
#[test]
fn in_a_load_that_is_shared() {
    let tables = Tables::new();
    let memo: Memo<u8, u32> = Memo::builder(8).depends_on(&tables, ["rows"]).build();
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    let memo = &memo;
    thread::scope(move |scope| {
        let outside = scope.spawn(move || {
            memo.get_or_load(&1, || {
                started.send(()).unwrap();
                released.recv().unwrap();
                1
            })
        });
        has_started.recv().unwrap();
        let open = tables.transaction();
        assert_eq!(memo.get_or_load(&1, || 90), 90, "does not wait");
        let inside = memo.get_or_load(&2, || {
            scope.spawn(move || assert_eq!(memo.get_or_load(&2, || 2), 2)).join().unwrap();
            91
        });
        assert_eq!(inside, 91);
        drop(open);
        release.send(()).unwrap();
        assert_eq!(outside.join().unwrap(), 1);
    });
    assert_eq!((memo.get(&1), memo.get(&2)), (Some(1), Some(2)));
}

/// When the load begins there is no scope yet, and when it ends there may be none any more.
#[test]
fn in_a_load_that_opens_the_scope() {
    let tables = Tables::new();
    let memo: Memo<u8, u32> =
        Memo::builder(8).depends_on(&tables, ["rows"]).negative(8, secs(1000)).build();
    let elsewhere = |key| thread::scope(|s| s.spawn(|| memo.get(&key)).join().unwrap());
    let mut open = None;
    let seen = memo.get_or_load(&1, || {
        open = Some(tables.transaction());
        90
    });
    assert_eq!((seen, elsewhere(1)), (90, None), "its caller has it, and nobody else");
    drop(open);
    assert_eq!(memo.get(&1), None, "nor is it there after the rollback");

    let change = || tables.transaction().rollback();
    assert_eq!(memo.get_or_load(&2, || (change(), 91).1), 91);
    let page = memo.get_many(&[3, 4], |keys| {
        change();
        keys.iter().map(|&key| (key, 92)).collect::<Vec<_>>()
    });
    assert_eq!(page, [Some(92), Some(92)]);
    assert_eq!(memo.get_or_find(&5, || (change(), Ok::<_, ()>(None)).1).unwrap(), None);
    let outer = memo.get_or_load(&6, || memo.get_or_load(&7, || (change(), 93).1));
    assert_eq!(outer, 93, "a load within a load");
    assert_eq!((memo.len(), memo.stats().negative_entries), (0, 0));

    // What does not concern the memo is kept.
    let others = Tables::new();
    memo.get_or_load(&1, || (others.transaction().rollback(), 1).1);
    let _ = catch_unwind(AssertUnwindSafe(|| memo.get_or_load(&2, || panic!("no"))));
    memo.get_or_load(&2, || 2);
    assert_eq!((memo.get(&1), memo.get(&2)), (Some(1), Some(2)));
}

#[test]
fn to_those_who_wait_for_a_load_that_opens_the_scope() {
    let tables = Tables::new();
    let memo: Memo<u8, u32> = Memo::builder(8).depends_on(&tables, ["rows"]).build();
    let (memo, tables) = (&memo, &tables);
    thread::scope(|scope| {
        let before = |stall: &dyn Fn()| {
            memo.get_or_load(&1, || {
                tables.transaction().rollback();
                stall();
                90
            })
        };
        let (seen, waiter) = overlapped(before, || {
            let waiter = scope.spawn(|| memo.get_or_load(&1, || 1));
            while memo.stats().misses < 2 {
                thread::yield_now();
            }
            waiter
        });
        assert_eq!((seen, waiter.join().unwrap()), (90, 1));
    });
    assert_eq!(memo.get(&1), Some(1));
}

#[test]
fn in_a_table_whose_loader_opens_the_scope() {
    thread_local!(static OPEN: RefCell<Option<Transaction>> = const { RefCell::new(None) });
    let tables = Tables::new();
    let (set, loads) = (tables.clone(), std::sync::Arc::new(AtomicU32::new(0)));
    let count = loads.clone();
    // The first two loads are of rows that are not committed.
    let table = StaticTable::with_loader(move || {
        let load = count.fetch_add(1, SeqCst);
        (load < 2).then(|| OPEN.set(Some(set.transaction())));
        Ok(vec![(1, load)])
    });
    let table = table.depends_on(&tables, ["rows"]);
    assert_eq!(table.get(&1).unwrap(), Some(0), "its caller has it");
    assert!(table.last().is_none(), "and nobody else");
    OPEN.set(None);
    table.reload().unwrap();
    OPEN.set(None);
    assert!(table.last().is_none(), "nor after a reload");
    assert_eq!(table.status().loads, 0);
    assert_eq!(table.get(&1).unwrap(), Some(2));
    assert_eq!((table.get(&1).unwrap(), loads.load(SeqCst)), (Some(2), 3), "which is kept");
}

/// After `reload` nobody gets an older table, though what it loaded was not kept.
#[test]
fn in_a_reload_that_opens_the_scope() {
    let tables = Tables::new();
    let (set, loads) = (tables.clone(), AtomicU32::new(0));
    let table = StaticTable::with_loader(move || {
        let load = loads.fetch_add(1, SeqCst);
        (load == 1).then(|| set.transaction().rollback());
        Ok(vec![(1, load)])
    });
    let table = table.depends_on(&tables, ["rows"]);
    assert_eq!(table.get(&1).unwrap(), Some(0));
    table.reload().unwrap();
    assert_eq!(table.last().unwrap().get(&1), Some(&0), "the uncommitted one is not kept");
    assert_eq!(table.get(&1).unwrap(), Some(2), "nor is the old one served");
}

#[test]
fn to_those_whom_it_does_not_concern() {
    let tables = Tables::new();
    let other = memo_of(&Tables::new(), "rows");
    let alone: Memo<u8, u32> = Memo::builder(8).build();
    alone.insert(1, 1);
    let open = tables.transaction();
    open.bump_every();
    assert_eq!((other.get(&1), alone.get(&1)), (Some(1), Some(1)));
    open.commit();
    assert_eq!((other.get(&1), alone.get(&1)), (Some(1), Some(1)));
}

#[test]
fn from_an_inner_scope_before_the_outer_commits() {
    let tables = Tables::new();
    let (rows, users) = (memo_of(&tables, "rows"), memo_of(&tables, "users"));
    let seen = || thread::scope(|s| s.spawn(|| (rows.get(&1), users.get(&1))).join().unwrap());

    let outer = tables.transaction();
    let inner = tables.transaction();
    inner.bump("rows");
    inner.commit();
    assert_eq!(seen(), (Some(1), Some(1)), "it waits for the outer one");
    assert_eq!(rows.get(&1), None, "and this thread is still inside");
    let inner = tables.transaction();
    inner.bump("users");
    inner.rollback();
    outer.commit();
    assert_eq!(seen(), (None, Some(1)), "what the inner one rolled back is not bumped");

    rows.insert(1, 1);
    let outer = tables.transaction();
    let inner = tables.transaction();
    inner.bump_every();
    inner.commit();
    outer.rollback();
    assert_eq!(seen(), (Some(1), Some(1)), "an outer rollback drops what was passed on");
}

/// Scopes are values, so they can end in any order.
#[test]
fn from_an_inner_scope_that_outlives_the_outer_one() {
    let tables = Tables::new();
    let (rows, users) = (memo_of(&tables, "rows"), memo_of(&tables, "users"));
    let outer = tables.transaction();
    let inner = tables.transaction();
    inner.bump("rows");
    outer.commit();
    assert_eq!(rows.get(&1), None, "taken along");
    assert_eq!(users.get(&1), Some(1), "and over: this thread is no longer inside");
    inner.bump("users");
    assert_eq!(users.get(&1), None, "with nothing to wait for, a bump is applied");
    inner.commit();

    let (outer, inner) = (tables.transaction(), tables.transaction());
    rows.insert(1, 1);
    inner.bump("rows");
    drop(outer);
    rows.insert(1, 2);
    inner.commit();
    assert_eq!(rows.get(&1), Some(2), "rolled back with the outer one");
}

#[test]
fn by_scopes_of_two_sets_that_end_crosswise() {
    let (ours, theirs) = (Tables::new(), Tables::new());
    let (rows, others) = (memo_of(&ours, "rows"), memo_of(&theirs, "rows"));
    let one = ours.transaction();
    let two = theirs.transaction();
    one.bump("rows");
    one.commit();
    assert_eq!((rows.get(&1), others.get(&1)), (None, None), "the second is still open");
    two.bump("rows");
    two.rollback();
    assert_eq!(others.get(&1), Some(1));
}

/// `Tables::bump` may mean what is committed elsewhere or what this scope will commit: both hold.
#[test]
fn by_a_bump_past_the_scope() {
    let tables = Tables::new();
    let memo = memo_of(&tables, "rows");
    let refill = || thread::scope(|s| s.spawn(|| memo.get_or_load(&1, || 2)).join().unwrap());
    let open = tables.transaction();
    tables.bump("rows");
    assert_eq!(refill(), 2, "at once");
    open.commit();
    assert_eq!(memo.get(&1), None, "and again at the commit");
    memo.insert(1, 1);
    let open = tables.transaction();
    tables.bump_every();
    assert_eq!(refill(), 2);
    open.rollback();
    assert_eq!(memo.get(&1), Some(2));
}

#[test]
fn in_a_scope_that_is_never_ended() {
    let tables = Tables::new();
    let memo = memo_of(&tables, "rows");
    thread::scope(|scope| {
        let forgetful = scope.spawn(|| {
            let open = tables.transaction();
            open.bump("rows");
            std::mem::forget(open);
            memo.get(&1)
        });
        assert_eq!(forgetful.join().unwrap(), None);
    });
    assert_eq!(memo.get(&1), Some(1), "it ended with its thread");
}
