//! Transactions: what waits for the commit, what a rollback leaves, and whom a scope concerns.
#![cfg(not(loom))]

use larder_memo::{LoadError, Memo, Tables};
use std::panic::{AssertUnwindSafe, catch_unwind};
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
