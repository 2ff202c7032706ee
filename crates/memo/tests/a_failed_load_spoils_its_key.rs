//! Panics, errors, recursion and stalls: each ends where it began.
#![cfg(not(loom))]

use larder_memo::{LoadError, Memo, StaticMemo};
use std::panic::{AssertUnwindSafe, catch_unwind};
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
        assert_eq!(memo.get_or_load("a", || 3), 3, "the waiter loads for itself");
        release.send(()).unwrap();
        assert_eq!(stalled.join().unwrap(), 1);
    });
    assert_eq!(memo.get("a"), Some(1), "the flight's own load is what is kept");
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
