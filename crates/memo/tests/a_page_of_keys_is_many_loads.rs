//! `get_many`: one load for all that miss, whoever else asks, and whatever becomes of it.
#![cfg(not(loom))]

use larder_memo::{LoadError, Memo, Tables};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

type Rows = Vec<(u64, u64)>;

fn memo() -> Memo<u64, u64> {
    Memo::builder(1000).build()
}

/// The row of a key is ten times the key.
fn rows(keys: &[u64]) -> Rows {
    keys.iter().map(|key| (*key, key * 10)).collect()
}

fn tens<const N: usize>(keys: [u64; N]) -> Vec<Option<u64>> {
    keys.map(|key| Some(key * 10)).to_vec()
}

#[test]
fn for_one_caller() {
    let memo = memo();
    memo.insert(2, 20);
    let calls = Mutex::new(Vec::new());
    let load = |keys: &[u64]| {
        calls.lock().unwrap().push(keys.to_vec());
        rows(keys)
    };
    assert_eq!(memo.get_many(&[3, 1, 2, 3, 1], load), tens([3, 1, 2, 3, 1]));
    assert_eq!(memo.get_many(&[1, 2, 3], load), tens([1, 2, 3]));
    assert_eq!(memo.get_many(&[], load), []);
    assert_eq!(*calls.lock().unwrap(), [[3, 1]], "each missing key once, and in one call");
    let stats = memo.stats();
    assert_eq!((stats.loads, stats.misses, stats.hits), (1, 2, 4));
}

#[test]
fn or_of_the_wrong_rows() {
    let memo = memo();
    let got = memo.get_many(&[1, 2], |_| vec![(9, 90), (2, 7), (2, 20)]);
    assert_eq!(got, [None, Some(20)], "the last row of a key counts");
    assert_eq!((memo.get(&9), memo.get(&1), memo.len()), (None, None, 1));
    assert_eq!(memo.get_many(&[1], rows), [Some(10)], "that there is none is not remembered");
}

#[test]
fn for_keys_that_are_known_to_be_absent() {
    let memo: Memo<u64, u64> = Memo::builder(8).negative(8, Duration::from_secs(60)).build();
    assert_eq!(memo.get_many(&[1, 2], |_| vec![(2, 20)]), [None, Some(20)]);
    let got = memo.get_many(&[1, 2, 3], |keys| {
        assert_eq!(keys, [3]);
        rows(keys)
    });
    assert_eq!(got, [None, Some(20), Some(30)]);
    assert_eq!(memo.stats().negative_hits, 1);
}

/// Pages of overlapping keys, forwards and backwards, on eight threads: every key is loaded once.
#[test]
fn for_threads_whose_keys_overlap() {
    for _ in 0..20 {
        let memo = memo();
        let loads: Vec<AtomicUsize> = (0..200).map(|_| AtomicUsize::new(0)).collect();
        let start = Barrier::new(8);
        let ask = |number: u64| {
            let mut page: Vec<u64> = (number * 10..number * 10 + 100).collect();
            if number % 2 == 1 {
                page.reverse();
            }
            start.wait();
            let got = memo.get_many(&page, |keys| {
                thread::yield_now();
                keys.iter().for_each(|key| {
                    loads[*key as usize].fetch_add(1, Ordering::SeqCst);
                });
                rows(keys)
            });
            let expected: Vec<_> = page.iter().map(|key| Some(key * 10)).collect();
            assert_eq!(got, expected);
        };
        let ask = &ask;
        thread::scope(|scope| (0..8).for_each(|number| drop(scope.spawn(move || ask(number)))));
        let loads = loads.iter().map(|loads| loads.load(Ordering::SeqCst));
        assert!(loads.take(170).all(|loads| loads == 1));
        assert!(memo.stats().loads <= 8);
    }
}

/// Each may come to lead what the other is going to wait for; the models try every order.
#[test]
fn or_a_deadlock_of_two_that_wait_for_each_other() {
    for _ in 0..500 {
        let memo: Memo<u64, u64> = Memo::builder(8).wait(Duration::MAX).build();
        let start = Barrier::new(2);
        let ask = |keys: [u64; 4]| {
            start.wait();
            assert_eq!(memo.get_many(&keys, rows), tens(keys));
        };
        thread::scope(|scope| {
            scope.spawn(|| ask([1, 2, 3, 4]));
            scope.spawn(|| ask([4, 3, 2, 1]));
        });
        assert_eq!(memo.stats().evicted + memo.stats().replaced, 0, "no key was loaded twice");
    }
}

#[test]
fn while_another_caller_loads_one_of_them() {
    let memo = &memo();
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    thread::scope(move |scope| {
        let single = scope.spawn(move || {
            memo.get_or_load(&2, || {
                started.send(()).unwrap();
                released.recv().unwrap();
                77
            })
        });
        has_started.recv().unwrap();
        let got = memo.get_many(&[1, 2, 3], |keys| {
            assert_eq!(keys, [1, 3], "2 is on its way");
            // Only now may the other one go on: it is waited for after this load.
            release.send(()).unwrap();
            rows(keys)
        });
        assert_eq!(got, [Some(10), Some(77), Some(30)]);
        assert_eq!(single.join().unwrap(), 77);
    });
    assert_eq!(memo.stats().coalesced, 1);
}

/// A single caller waits for a bulk load, and finds that its key has no row there.
#[test]
fn for_a_single_caller_who_waits() {
    let memo = &memo();
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    thread::scope(move |scope| {
        scope.spawn(move || {
            memo.get_many(&[1, 2], |_| {
                started.send(()).unwrap();
                released.recv().unwrap();
                vec![(1, 10)]
            })
        });
        has_started.recv().unwrap();
        let waits = scope.spawn(move || memo.get_or_load(&1, || 99));
        let needs_one = scope.spawn(move || memo.get_or_load(&2, || 98));
        release.send(()).unwrap();
        assert_eq!(waits.join().unwrap(), 10);
        assert_eq!(needs_one.join().unwrap(), 98, "none is no answer for it: it loads");
    });
}

/// The loads of others fail under it: it takes their keys over.
#[test]
fn when_another_load_fails_under_it() {
    for panics in [false, true] {
        let memo = &memo();
        let (started, has_started) = channel();
        let (release, released) = channel::<()>();
        thread::scope(move |scope| {
            let failing = scope.spawn(move || {
                let load = |_: &[u64]| -> Result<Rows, &str> {
                    started.send(()).unwrap();
                    released.recv().unwrap();
                    match panics {
                        true => resume_unwind(Box::new("no")),
                        false => Err("no"),
                    }
                };
                let call = AssertUnwindSafe(|| memo.try_get_many(&[2, 3], load));
                match catch_unwind(call) {
                    Ok(result) => assert!(matches!(result, Err(LoadError::Loader("no")))),
                    Err(_) => assert!(panics),
                }
            });
            has_started.recv().unwrap();
            let mut calls = Vec::new();
            let got = memo.get_many(&[1, 2, 3, 4], |keys| {
                calls.push(keys.to_vec());
                release.send(()).ok();
                rows(keys)
            });
            assert_eq!(got, tens([1, 2, 3, 4]));
            assert_eq!(calls, [[1, 4], [2, 3]]);
            failing.join().unwrap();
        });
    }
}

#[test]
fn after_its_own_load_failed() {
    let memo = memo();
    memo.insert(1, 10);
    let failed = memo.try_get_many(&[1, 2], |_| Err::<Rows, _>("no"));
    assert!(matches!(failed, Err(LoadError::Loader("no"))));
    let panics = AssertUnwindSafe(|| memo.get_many(&[2, 3], |_| -> Rows { panic!("no rows") }));
    assert!(catch_unwind(panics).is_err());
    assert_eq!((memo.get(&2), memo.len()), (None, 1));
    assert_eq!(memo.get_many(&[1, 2, 3], rows), tens([1, 2, 3]));
}

#[test]
fn that_ask_for_themselves() {
    let memo = memo();
    let failed = memo.try_get_many(&[1, 2], |_| {
        let inner = memo.try_get_many(&[5, 2], |_| Ok::<Rows, &str>(vec![]));
        let error = inner.unwrap_err();
        assert_eq!(error.to_string(), "the loader of key 2 asked for that key itself");
        Err::<Rows, _>(error.is_recursion())
    });
    assert!(matches!(failed, Err(LoadError::Loader(true))));
    let inside =
        AssertUnwindSafe(|| memo.get_many(&[1], |_| vec![(1, memo.get_or_load(&1, || 1))]));
    let panic = catch_unwind(inside).unwrap_err();
    assert!(panic.downcast_ref::<String>().is_some_and(|text| text.contains("key 1 ")));
    assert_eq!(memo.get_many(&[5, 2, 1], rows), tens([5, 2, 1]), "and all are free again");
}

#[test]
fn that_outlast_the_wait() {
    let memo: Memo<u64, u64> = Memo::builder(8).wait(Duration::from_millis(20)).build();
    let memo = &memo;
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    thread::scope(move |scope| {
        let stalled = scope.spawn(move || {
            memo.get_many(&[1, 2], |keys| {
                started.send(()).unwrap();
                released.recv().unwrap();
                rows(keys)
            })
        });
        has_started.recv().unwrap();
        let error = memo.try_get_many(&[1, 2, 3], |keys| Ok::<_, ()>(rows(keys))).unwrap_err();
        assert!(error.is_timeout());
        assert_eq!(memo.get(&3), Some(30), "what has been loaded by then is kept");
        let mut calls = Vec::new();
        let got = memo.get_many(&[1, 2, 4], |keys| {
            calls.push(keys.to_vec());
            keys.iter().map(|key| (*key, key * 100)).collect::<Rows>()
        });
        assert_eq!(got, [Some(100), Some(200), Some(400)]);
        assert_eq!(calls, [vec![1, 2, 4]], "the stalled load is not waited for again");
        release.send(()).unwrap();
        assert_eq!(stalled.join().unwrap(), tens([1, 2]));
    });
    assert_eq!(memo.get(&1), Some(100), "what began later is kept");
}

/// A bump in the middle: what was asked for before may be old, but is neither kept nor joined.
#[test]
fn or_are_kept_across_a_bump() {
    let tables = Tables::new();
    let memo: Memo<u64, u64> = Memo::builder(8).tables(&tables).build();
    let (memo, tables) = (&memo, &tables);
    let load = |keys: &[u64], load: &larder_memo::Load<'_>| {
        load.depends_on("rows");
        Ok::<_, ()>(rows(keys))
    };
    memo.try_get_many_with(&[1, 2], load).unwrap();
    tables.bump("rows");
    assert_eq!((memo.get(&1), memo.get(&2)), (None, None));
    let got = memo.try_get_many_with(&[1, 2], |keys, load| {
        load.depends_on("rows");
        thread::scope(|scope| {
            scope.spawn(|| {
                tables.bump("rows");
                memo.invalidate(&3);
            });
        });
        Ok::<_, ()>(rows(keys))
    });
    assert_eq!(got.unwrap(), tens([1, 2]));
    assert_eq!((memo.get(&1), memo.get(&2)), (None, None));

    let one = memo.get_many(&[1, 2], |keys| {
        memo.invalidate(&1);
        rows(keys)
    });
    assert_eq!(one, tens([1, 2]));
    assert_eq!((memo.get(&1), memo.get(&2)), (None, Some(20)));
}

#[test]
fn or_go_past_a_transaction() {
    let tables = Tables::new();
    let memo: Memo<u64, u64> = Memo::builder(8).depends_on(&tables, ["rows"]).build();
    memo.insert(1, 10);
    let open = tables.transaction();
    let got = memo.get_many(&[1, 2, 1], |keys| {
        assert_eq!(keys, [1, 2]);
        vec![(1, 91)]
    });
    assert_eq!(got, [Some(91), None, Some(91)]);
    open.rollback();
    assert_eq!((memo.get(&1), memo.len()), (Some(10), 1));
}

/// Expired values stand in for those that cannot be loaded; due ones are refreshed in passing.
#[test]
fn or_fail_where_an_old_value_would_do() {
    let seconds = Arc::new(AtomicU64::new(1000));
    let clock = {
        let seconds = seconds.clone();
        move || Duration::from_secs(seconds.load(Ordering::Relaxed))
    };
    let memo: Memo<u64, u64> = Memo::builder(8)
        .ttl(Duration::from_secs(100))
        .refresh_ahead(Duration::from_secs(20))
        .stale_on_error(Duration::from_secs(1000))
        .clock(clock)
        .build();
    memo.get_many(&[1, 2], rows);
    seconds.store(1090, Ordering::Relaxed);
    let failed = memo.try_get_many(&[1, 2], |_| Err::<Rows, _>("no"));
    assert_eq!(failed.unwrap(), tens([1, 2]), "a failed refresh is no failure");
    let none_is_due = memo.get_many(&[1, 2], |_| -> Rows { panic!("their turn is taken") });
    assert_eq!(none_is_due, tens([1, 2]));
    seconds.store(1095, Ordering::Relaxed);
    let got =
        memo.get_many(&[1, 3], |keys| keys.iter().map(|key| (*key, key * 11)).collect::<Rows>());
    assert_eq!(got, [Some(11), Some(33)], "the due one and the missing one in one load");
    assert_eq!(memo.get(&1), Some(11));

    seconds.store(1150, Ordering::Relaxed);
    let late = memo.try_get_many(&[2, 1], |_| Err::<Rows, _>("no"));
    assert_eq!(late.unwrap(), [Some(20), Some(11)]);
    seconds.store(1170, Ordering::Relaxed);
    let failed = memo.try_get_many(&[2, 9], |_| Err::<Rows, _>("no"));
    assert!(matches!(failed, Err(LoadError::Loader("no"))), "9 has nothing in its place");
}
