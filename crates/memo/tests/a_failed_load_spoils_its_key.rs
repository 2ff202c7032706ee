//! Panics, errors, recursion and stalls: each ends where it began.
#![cfg(not(loom))]

use larder_memo::{BoundedMemo, LoadError, Memo, StaticMemo, Tables};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(20);

fn static_memo() -> StaticMemo<String, u32> {
    StaticMemo::new().wait(SOON)
}

fn memo() -> Memo<String, u32> {
    Memo::builder(8).wait(SOON).build()
}

#[test]
fn a_panic_reaches_its_caller_only() {
    let (static_memo, memo) = (static_memo(), memo());
    let panics = || *static_memo.get_or_load("a", || panic!("no row"));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    let panics = || memo.get_or_load("a", || panic!("no row"));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(*static_memo.get_or_load("a", || 1), 1);
    assert_eq!(memo.get_or_load("a", || 1), 1);
}

#[test]
fn an_error_is_the_callers_and_is_not_remembered() {
    let (static_memo, memo) = (static_memo(), memo());
    let failed = static_memo.get_or_try_load("a", || "x".parse::<u32>());
    assert!(matches!(failed, Err(LoadError::Loader(_))));
    let failed = memo.get_or_try_load("a", || "x".parse::<u32>()).unwrap_err();
    assert_eq!(failed.to_string(), "the loader failed: invalid digit found in string");
    assert!(std::error::Error::source(&failed).is_some());
    assert_eq!(static_memo.get("a"), None);
    assert_eq!(memo.get("a"), None);
    assert_eq!(static_memo.get_or_try_load("a", || "7".parse()).unwrap(), &7);
    assert_eq!(memo.get_or_try_load("a", || "7".parse()).unwrap(), 7);
}

#[test]
fn recursion_is_an_error_that_names_the_key() {
    let (static_memo, memo) = (static_memo(), memo());
    let inner = |error: LoadError<LoadError<()>>| match error {
        LoadError::Loader(inner) => inner,
        LoadError::Memo(error) => panic!("the outer load was refused: {error}"),
    };
    let recurse = || static_memo.get_or_try_load("a", || Ok::<_, ()>(1)).copied();
    let error = inner(static_memo.get_or_try_load("a", recurse).unwrap_err());
    assert!(error.is_recursion() && !error.is_timeout());
    let LoadError::Memo(error) = error else { panic!("not the memo's own error") };
    assert_eq!(error.to_string(), "the loader of key \"a\" asked for that key itself");

    let recurse = || memo.get_or_try_load("a", || Ok::<_, ()>(1));
    assert!(inner(memo.get_or_try_load("a", recurse).unwrap_err()).is_recursion());

    // Another key in between hides nothing, and the infallible form panics rather than hang.
    let far = || memo.get_or_load("a", || memo.get_or_load("b", || memo.get_or_load("a", || 1)));
    let panic = catch_unwind(AssertUnwindSafe(far)).unwrap_err();
    assert!(panic.downcast_ref::<String>().is_some_and(|text| text.contains("key \"a\"")));
    assert_eq!(memo.get_or_load("a", || 5), 5);
}

#[test]
fn a_key_in_a_message_is_cut_short() {
    let memo = memo();
    let long = "x".repeat(1000);
    let recurse = || memo.get_or_try_load(&long, || Ok::<_, ()>(1));
    let error = memo.get_or_try_load(&long, recurse).unwrap_err();
    let message = format!("{error:?}");
    assert!(message.len() < 200, "{message}");
}

#[test]
fn a_stalled_load_is_waited_for_within_the_deadline() {
    let memo = memo();
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    let memo = &memo;
    // The scope owns `release`: if an assertion fails, the stalled loader ends too.
    thread::scope(move |scope| {
        let stalled = scope.spawn(move || {
            memo.get_or_load("a", || {
                started.send(()).unwrap();
                released.recv().unwrap();
                1
            })
        });
        has_started.recv().unwrap();
        let error = memo.get_or_try_load("a", || Ok::<_, ()>(2)).unwrap_err();
        assert!(error.is_timeout() && !error.is_recursion());
        assert_eq!(memo.get_or_load("a", || 3), 3, "the next one does not wait for it again");
        assert_eq!(memo.get_or_load("a", || 4), 3, "and what it brings is kept");
        release.send(()).unwrap();
        assert_eq!(stalled.join().unwrap(), 1);
    });
    assert_eq!(memo.get("a"), Some(3), "what began later stays");
    assert_eq!(memo.stats().timeouts, 1);
}

/// Runs `then` while another thread's load stalls that `lead` began.
fn while_stalled(lead: impl Fn(&dyn Fn()) + Send, then: impl FnOnce()) {
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    thread::scope(move |scope| {
        scope.spawn(move || {
            lead(&|| {
                started.send(()).unwrap();
                let _ = released.recv();
            })
        });
        has_started.recv().unwrap();
        // Dropped when `then` is over, also by a panic: so the stalled loader ends too.
        let _release = release;
        then();
    });
}

#[test]
fn a_stalled_load_is_overtaken_by_the_first_who_waited() {
    let memo: Memo<u32, u32> = Memo::builder(8).wait(SOON).build();
    let page = |from| move |keys: &[u32]| keys.iter().map(|&key| (key, from)).collect::<Vec<_>>();
    let lead = |stall: &dyn Fn()| {
        memo.get_many(&[1, 2], |_| {
            stall();
            vec![(1, 10), (2, 10)]
        });
    };
    while_stalled(lead, || {
        assert_eq!(memo.get_or_load(&1, || 20), 20);
        assert_eq!(memo.get(&1), Some(20), "it is kept");
        assert_eq!(memo.get_many(&[1, 2], page(30)), [Some(20), Some(30)]);
        assert_eq!(memo.get(&2), Some(30));
        assert_eq!(memo.stats().timeouts, 2, "each key was waited for once");
    });
    assert_eq!((memo.get(&1), memo.get(&2)), (Some(20), Some(30)), "what began later stays");
}

/// Else a load that takes longer than its callers wait would never be kept.
#[test]
fn an_overtaken_load_that_lands_first_is_kept() {
    let memo: Memo<u32, u32> = Memo::builder(8).wait(Duration::ZERO).build();
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    let (memo, landed) = (&memo, &Barrier::new(2));
    thread::scope(move |scope| {
        scope.spawn(move || {
            memo.get_or_load(&7, || {
                started.send(()).unwrap();
                let _ = released.recv();
                1
            });
            landed.wait();
        });
        has_started.recv().unwrap();
        let load = || {
            drop(release);
            landed.wait();
            assert_eq!(memo.get(&7), Some(1), "the older one has landed, and is kept meanwhile");
            2
        };
        assert_eq!((memo.get_or_load(&7, load), memo.get(&7)), (2, Some(2)));
    });
}

/// An invalidation reaches the overtaken load as it does the one that overtook it.
#[test]
fn an_overtaken_load_does_not_bring_back_what_was_invalidated() {
    let memo: Memo<u32, u32> = Memo::builder(8).wait(SOON).build();
    let lead = |stall: &dyn Fn()| {
        let load = || {
            stall();
            1
        };
        assert_eq!(memo.get_or_load(&7, load), 1);
    };
    while_stalled(lead, || {
        let error = memo.get_or_try_load(&7, || Ok::<_, ()>(2)).unwrap_err();
        assert!(error.is_timeout(), "it has waited, and says so");
        memo.invalidate(&7);
    });
    assert_eq!(memo.get(&7), None);
}

/// Deep enough to tell that nobody refused.
const DEEP: u32 = 50;

fn ask(memo: &Memo<u32, u32>, depth: u32) -> u32 {
    assert!(depth < DEEP, "the recursion was never refused");
    match memo.get_or_try_load(&7, || Ok::<_, String>(ask(memo, depth + 1))) {
        Ok(depth) => depth,
        Err(error) => {
            assert!(error.is_recursion() && error.to_string().contains("key 7"), "{error}");
            depth
        }
    }
}

/// A panic that tells of the recursion, and not of the depth.
fn assert_refused<R>(load: impl FnOnce() -> R) {
    let panic = catch_unwind(AssertUnwindSafe(load)).err().expect("it was not refused");
    let said = panic.downcast_ref::<String>().expect("a message with a key");
    assert!(said.contains("the loader of key 7 asked for that key itself"), "{said}");
}

fn deeper(depth: u32) -> u32 {
    assert!(depth < DEEP, "the recursion was never refused");
    depth + 1
}

#[test]
fn recursion_is_refused_inside_a_transaction() {
    let tables = Tables::new();
    let memo: Memo<u32, u32> = Memo::builder(8).depends_on(&tables, ["rows"]).build();
    let change = tables.transaction();
    assert_eq!(ask(&memo, 0), 1);
    fn page(memo: &Memo<u32, u32>, depth: u32) {
        memo.get_many(&[7], |_| {
            page(memo, deeper(depth));
            vec![(7, 1)]
        });
    }
    assert_refused(|| page(&memo, 0));
    // Between the two there is nothing to refuse, and nothing is left behind.
    assert_eq!(memo.get_or_load(&7, || memo.get_or_load(&8, || 5)), 5);
    drop(change);
    let in_scopes = || {
        let _change = tables.transaction();
        memo.get_or_load(&7, || 1)
    };
    assert_refused(|| memo.get_or_load(&7, in_scopes));
    assert_eq!(memo.get_or_load(&7, || 6), 6);
}

#[test]
fn recursion_is_refused_after_a_wait() {
    let memo: Memo<u32, u32> = Memo::builder(8).wait(Duration::ZERO).build();
    fn load(memo: &Memo<u32, u32>, depth: u32) -> u32 {
        memo.get_or_load(&7, || load(memo, deeper(depth)))
    }
    let stall = |stall: &dyn Fn()| assert_eq!(memo.get_or_load(&7, || (stall(), 1).1), 1);
    while_stalled(stall, || assert_refused(|| load(&memo, 0)));

    let memo: StaticMemo<u32, u32> = StaticMemo::new().wait(Duration::ZERO);
    fn load_static(memo: &StaticMemo<u32, u32>, depth: u32) -> u32 {
        *memo.get_or_load(&7, || load_static(memo, deeper(depth)))
    }
    let stall = |stall: &dyn Fn()| assert_eq!(*memo.get_or_load(&7, || (stall(), 1).1), 1);
    while_stalled(stall, || assert_refused(|| load_static(&memo, 0)));

    let memo: BoundedMemo<u32, u32> = StaticMemo::new().wait(Duration::ZERO).bounded(1);
    fn load_bounded(memo: &BoundedMemo<u32, u32>, depth: u32) -> u32 {
        *memo.get_or_load(&7, || load_bounded(memo, deeper(depth)))
    }
    let stall = |stall: &dyn Fn()| assert_eq!(*memo.get_or_load(&7, || (stall(), 1).1), 1);
    while_stalled(stall, || assert_refused(|| load_bounded(&memo, 0)));
}

#[test]
fn recursion_is_refused_after_an_invalidation() {
    let forget: [fn(&Memo<u32, u32>); 3] = [
        |memo| memo.invalidate_all(),
        |memo| memo.invalidate(&7),
        |memo| memo.invalidate_if(|_, _| true),
    ];
    fn load(memo: &Memo<u32, u32>, forget: fn(&Memo<u32, u32>), depth: u32) -> u32 {
        memo.get_or_load(&7, || {
            forget(memo);
            load(memo, forget, deeper(depth))
        })
    }
    for forget in forget {
        let memo: Memo<u32, u32> = Memo::builder(8).build();
        assert_refused(|| load(&memo, forget, 0));
        assert_eq!(memo.get_or_load(&7, || 5), 5);
    }
}

#[test]
fn a_stalled_load_yields_to_the_value_stored_first() {
    let memo = static_memo();
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    let memo = &memo;
    // The scope owns `release`: if an assertion fails, the stalled loader ends too.
    thread::scope(move |scope| {
        let stalled = scope.spawn(move || {
            *memo.get_or_load("a", || {
                started.send(()).unwrap();
                released.recv().unwrap();
                1
            })
        });
        has_started.recv().unwrap();
        let error = memo.get_or_try_load("a", || Ok::<_, String>(2)).unwrap_err();
        assert_eq!(format!("{error}"), "waited 20ms for another thread's load of key \"a\"",);
        assert_eq!(*memo.get_or_load("a", || 3), 3);
        release.send(()).unwrap();
        assert_eq!(stalled.join().unwrap(), 3, "nobody sees two values");
    });
}
