//! Models of arrays: every interleaving of a few threads, by loom.
//!
//! Run them with `RUSTFLAGS="--cfg loom" cargo test -p larder-vars --release --test 'loom_*'`.
#![cfg(loom)]

use larder_vars::{Array, Vars};
use loom::sync::Arc;
use loom::thread;

fn array(rows: impl IntoIterator<Item = (u8, u8)>) -> Arc<Array<u8, u8>> {
    let array = Array::new();
    array.merge(rows).unwrap();
    Arc::new(array)
}

/// Runs `other` on a thread beside `here`, and waits for it.
fn beside<T: Send + Sync + 'static, R>(
    shared: &Arc<T>,
    other: impl FnOnce(&T) + Send + 'static,
    here: impl FnOnce(&T) -> R,
) -> R {
    let other = thread::spawn({
        let shared = shared.clone();
        move || other(&shared)
    });
    let answer = here(shared);
    other.join().unwrap();
    answer
}

/// The order of staging, commit and settling; and the partners in `slot`.
#[test]
fn reads_in_a_row_never_see_half_of_a_merge() {
    loom::model(|| {
        let array = array([(0, 1)]);
        let merge = |array: &Array<u8, u8>| array.merge([(0, 2), (1, 2)]).unwrap();
        let (first, second) = beside(&array, merge, |array| (array.get(&0), array.get(&1)));
        assert!(first == Some(1) || second == Some(2), "{first:?} {second:?}");
        assert_eq!((array.get(&0), array.get(&1)), (Some(2), Some(2)));
    });
}

#[test]
fn reads_in_a_row_never_see_half_of_a_replace() {
    loom::model(|| {
        let array = array([(0, 1)]);
        let replace = |array: &Array<u8, u8>| array.replace([(1, 2)]).unwrap();
        let (first, second) = beside(&array, replace, |array| (array.get(&0), array.get(&1)));
        assert!(first.is_some() || second == Some(2), "neither the old nor the new");
        assert_eq!((array.get(&0), array.get(&1)), (None, Some(2)));
    });
}

/// The partners in `stripe`; loom tries a view without locks, and then with them.
#[test]
fn a_view_never_sees_half_of_a_merge() {
    loom::model(|| {
        let array = array([]);
        let merge = |array: &Array<u8, u8>| array.merge([(0, 2), (1, 2)]).unwrap();
        let [first, second] = beside(&array, merge, |array| array.get_many([&0, &1]));
        assert_eq!(first, second);
    });
}

#[test]
fn a_view_never_sees_a_second_update_without_the_first() {
    loom::model(|| {
        let array = array([]);
        let set = |array: &Array<u8, u8>| {
            array.set(&0, 1).unwrap();
            array.set(&1, 1).unwrap();
        };
        let [second, first] = beside(&array, set, |array| array.get_many([&1, &0]));
        assert!(first.is_some() || second.is_none());
    });
}

#[test]
fn a_snapshot_never_sees_half_of_a_replace() {
    loom::model(|| {
        let array = array([(0, 1), (1, 1)]);
        let replace = |array: &Array<u8, u8>| array.replace([(2, 2)]).unwrap();
        let (all, len) = beside(&array, replace, |array| (array.snapshot(), array.len()));
        assert!(all == [(2, 2)] || all.len() == 2, "{all:?}");
        assert!(len <= all.len(), "{len} after {}", all.len());
    });
}

#[test]
fn an_update_is_never_lost() {
    loom::model(|| {
        let array = array([]);
        let incr = |array: &Array<u8, u8>| assert!(array.incr(&0, 1).unwrap() > 0);
        beside(&array, incr, incr);
        assert_eq!(array.get(&0), Some(2));
    });
}

#[test]
fn an_update_beside_a_replace_is_before_or_after_it() {
    loom::model(|| {
        let array = array([(0, 1)]);
        let replace = |array: &Array<u8, u8>| array.replace([(0, 5), (1, 5)]).unwrap();
        let sum = beside(&array, replace, |array| array.incr(&0, 1).unwrap());
        let now = array.get(&0);
        assert!((sum, now) == (2, Some(5)) || (sum, now) == (6, Some(6)), "{sum} {now:?}");
    });
}

#[test]
fn nothing_is_set_in_an_array_that_was_unset() {
    loom::model(|| {
        let vars: Arc<Vars<u8, u8>> = Arc::new(Vars::new());
        vars.array("a").set(&0, 5).unwrap();
        let unset = |vars: &Vars<u8, u8>| assert!(vars.unset("a").unwrap());
        let sum = beside(&vars, unset, |vars| vars.array("a").incr(&0, 1).unwrap());
        let now = vars.array("a").get(&0);
        assert!((sum, now) == (6, None) || (sum, now) == (1, Some(1)), "{sum} {now:?}");
        assert_eq!(vars.len(), usize::from(now.is_some()));
    });
}
