//! Bumps of one table, of several, of all: what must go, and what must stay.
#![cfg(not(loom))]

use larder_memo::{Memo, Tables};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

/// Memos of one table each, with an entry.
fn filled<const N: usize>(tables: &Tables, names: [&str; N]) -> [Memo<u8, u8>; N] {
    names.map(|name| {
        let memo = Memo::builder(4).depends_on(tables, [name]).build();
        memo.insert(1, 1);
        memo
    })
}

fn kept<const N: usize>(memos: &[Memo<u8, u8>; N]) -> [bool; N] {
    memos.each_ref().map(|memo| memo.get(&1).is_some())
}

#[test]
fn by_one_of_several_tables() {
    let tables = Tables::new();
    let memos = filled(&tables, ["a", "b", "c"]);
    tables.bump_all(["c", "unheard of", "a"]);
    assert_eq!(kept(&memos), [false, true, false]);
}

#[test]
fn by_any_table_when_all_are_bumped() {
    let tables = Tables::new();
    let memos = filled(&tables, ["a", "b"]);
    let alone: Memo<u8, u8> = Memo::builder(4).build();
    alone.insert(1, 1);
    tables.bump_every();
    assert_eq!(kept(&memos), [false, false]);
    assert_eq!(alone.get(&1), Some(1), "what depends on no table stays");
}

#[test]
fn by_a_clone_of_the_tables() {
    let tables = Tables::new();
    let memos = filled(&tables, ["a"]);
    tables.clone().bump("a");
    assert_eq!(kept(&memos), [false]);
}

#[test]
fn by_a_memo_that_is_built_later() {
    let tables = Tables::new();
    tables.bump("a");
    let memos = filled(&tables, ["a"]);
    assert_eq!(kept(&memos), [true], "the bump came before the load");
    tables.bump("a");
    assert_eq!(kept(&memos), [false]);
}

#[test]
#[should_panic(expected = "tables of one set")]
fn by_a_memo_whose_tables_are_of_two_sets() {
    let half = Memo::<u8, u8>::builder(4).depends_on(&Tables::new(), ["a"]);
    let _ = half.depends_on(&Tables::new(), ["b"]);
}

/// A number is taken from the sequence, but the load in progress is none the worse for it.
#[test]
fn or_is_taken_for_one_of_another_table_by_a_load_in_progress() {
    let tables = Tables::new();
    let memo: Memo<u8, u32> = Memo::builder(8).depends_on(&tables, ["rows"]).build();
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    let (memo, tables, loads) = (&memo, &tables, &AtomicUsize::new(0));
    let load = move || loads.fetch_add(1, Ordering::Relaxed);
    thread::scope(move |scope| {
        scope.spawn(move || {
            memo.get_or_load(&1, || {
                started.send(()).unwrap();
                released.recv().unwrap();
                load();
                7
            })
        });
        has_started.recv().unwrap();
        tables.bump("users");
        let joining = scope.spawn(move || memo.get_or_load(&1, || load() as u32));
        release.send(()).unwrap();
        assert_eq!(joining.join().unwrap(), 7);
    });
    assert_eq!(loads.load(Ordering::Relaxed), 1);
    assert_eq!(memo.get(&1), Some(7));
}
