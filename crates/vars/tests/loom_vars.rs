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

/// An array whose variables are counts, changed in place.
fn counts(rows: impl IntoIterator<Item = (u8, u8)>) -> Arc<Array<u8, u8>> {
    let array = Array::new();
    for (key, count) in rows {
        array.incr(&key, count).unwrap();
    }
    Arc::new(array)
}

/// As `loom::model`, but with few switches between threads that could go on: for what is too long
/// to try all of them.
fn few_switches(run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(run);
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

/// The order of staging, commit and settling; and the partners in `cell`.
#[test]
fn reads_in_a_row_never_see_half_of_a_merge_of_counts() {
    loom::model(|| {
        let array = counts([(0, 1), (1, 1)]);
        let merge = |array: &Array<u8, u8>| array.merge([(0, 2), (1, 2)]).unwrap();
        let (first, second) = beside(&array, merge, |array| (array.get(&0), array.get(&1)));
        assert!(first == Some(1) || second == Some(2), "{first:?} {second:?}");
        assert_eq!((array.get(&0), array.get(&1)), (Some(2), Some(2)));
    });
}

/// One of the two is changed in place, the other gets a new slot.
#[test]
fn reads_in_a_row_never_see_half_of_a_replace_of_counts() {
    loom::model(|| {
        let array = counts([(0, 1), (1, 1)]);
        let replace = |array: &Array<u8, u8>| array.replace([(1, 2)]).unwrap();
        let (first, second) = beside(&array, replace, |array| (array.get(&0), array.get(&1)));
        assert!(first.is_some() || second == Some(2), "{first:?} {second:?}");
        assert_eq!((array.get(&0), array.get(&1)), (None, Some(2)));
    });
}

/// What a cell will be by one batch is not what it will be by the next.
#[test]
fn a_count_is_never_read_before_its_merge_nor_after_the_next() {
    few_switches(|| {
        let array = counts([(0, 1)]);
        let merge = |array: &Array<u8, u8>| {
            array.merge([(0, 2)]).unwrap();
            array.merge([(0, 3)]).unwrap();
        };
        let (first, second) = beside(&array, merge, |array| (array.get(&0), array.get(&0)));
        assert!(Some(1) <= first && first <= second, "{first:?}, then {second:?}");
        assert_eq!(array.get(&0), Some(3));
    });
}

/// If it were, the reader would have a third value, which is not there yet.
#[test]
fn a_merge_of_counts_is_never_read_before_another_that_was_first() {
    few_switches(|| {
        let array = counts([(0, 1), (1, 1)]);
        let merge = |array: &Array<u8, u8>| {
            array.merge([(0, 2)]).unwrap();
            array.merge([(0, 3), (1, 3)]).unwrap();
        };
        let (first, second) = beside(&array, merge, |array| (array.get(&0), array.get(&1)));
        assert!(first != Some(3) || second == Some(3), "{first:?} {second:?}");
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
fn a_view_never_sees_a_second_count_without_the_first() {
    loom::model(|| {
        let array = counts([(0, 1), (1, 1)]);
        let count = |array: &Array<u8, u8>| {
            array.incr(&0, 1).unwrap();
            array.incr(&1, 1).unwrap();
        };
        let [second, first] = beside(&array, count, |array| array.get_many([&1, &0]));
        assert!(first == Some(2) || second == Some(1), "{first:?} {second:?}");
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

/// Both briefly; or one briefly, while the other holds the stripe for long.
#[test]
fn a_count_is_never_lost() {
    loom::model(|| {
        let array = counts([(0, 1)]);
        let incr = |array: &Array<u8, u8>| assert!(array.incr(&0, 1).unwrap() > 1);
        beside(&array, incr, incr);
        assert_eq!(array.get(&0), Some(3));
    });
    loom::model(|| {
        let array = counts([(0, 1)]);
        let incr = |array: &Array<u8, u8>| assert!(array.incr(&0, 1).unwrap() > 1);
        let double = |array: &Array<u8, u8>| {
            array.update(&0, |now| now.map(|now| 2 * now)).unwrap();
        };
        beside(&array, incr, double);
        let now = array.get(&0);
        assert!(now == Some(3) || now == Some(4), "{now:?}");
    });
}

#[test]
fn a_count_that_is_taken_is_taken_whole() {
    loom::model(|| {
        let array = counts([(0, 5)]);
        let incr = |array: &Array<u8, u8>| assert!(array.incr(&0, 1).unwrap() > 0);
        let taken = beside(&array, incr, |array| array.take(&0).unwrap());
        let now = array.get(&0);
        assert!((taken, now) == (Some(6), None) || (taken, now) == (Some(5), Some(1)));
    });
}

#[test]
fn a_count_beside_a_merge_is_before_or_after_it() {
    loom::model(|| {
        let array = counts([(0, 1)]);
        let merge = |array: &Array<u8, u8>| array.merge([(0, 5), (1, 5)]).unwrap();
        let sum = beside(&array, merge, |array| array.incr(&0, 1).unwrap());
        let now = array.get(&0);
        assert!((sum, now) == (2, Some(5)) || (sum, now) == (6, Some(6)), "{sum} {now:?}");
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

/// It takes its array away again, but never one in which the other has set something.
#[test]
fn nothing_is_lost_with_an_array_that_was_made_in_vain() {
    loom::model(|| {
        let vars: Arc<Vars<u8, u8>> = Arc::new(Vars::new().max_arrays(1));
        let in_vain = |vars: &Vars<u8, u8>| {
            assert_eq!(vars.array("a").update(&0, |_| None).unwrap(), None);
        };
        beside(&vars, in_vain, |vars| vars.array("a").set(&1, 1).unwrap());
        assert_eq!((vars.array("a").get(&1), vars.len()), (Some(1), 1));
    });
}

#[test]
fn two_that_make_an_array_in_vain_leave_none() {
    loom::model(|| {
        let vars: Arc<Vars<u8, u8>> = Arc::new(Vars::new().max_arrays(1));
        let overflow = |vars: &Vars<u8, u8>| {
            assert!(vars.array("a").decr(&0, 1).unwrap_err().is_overflow());
        };
        let nothing = |vars: &Vars<u8, u8>| vars.array("a").merge([]).unwrap();
        beside(&vars, overflow, nothing);
        assert!(!vars.exists("a") && vars.is_empty());
    });
}

/// Each holds a stripe, or both want the same; and each may ask the other to pause.
#[test]
fn two_closures_that_look_at_all_of_their_array_end() {
    few_switches(|| {
        let array = array([(0, 0), (1, 0)]);
        let look = |key: u8| {
            move |array: &Array<u8, u8>| {
                let sum = |_| {
                    let all = array.snapshot();
                    assert_eq!(all.len(), 2);
                    Some(1 + all.iter().map(|(_, value)| value).sum::<u8>())
                };
                array.update(&key, sum).unwrap();
            }
        };
        beside(&array, look(0), look(1));
        let now = (array.get(&0).unwrap(), array.get(&1).unwrap());
        assert!([(1, 1), (1, 2), (2, 1)].contains(&now), "{now:?}");
    });
}

/// A look from within a closure sees one moment, however often it is spoiled.
#[test]
fn a_look_from_a_closure_never_sees_a_second_count_without_the_first() {
    few_switches(|| {
        let array = counts([(0, 1), (1, 1)]);
        let count = |array: &Array<u8, u8>| {
            array.incr(&0, 1).unwrap();
            array.incr(&1, 1).unwrap();
        };
        let [second, first] =
            beside(&array, count, |array| array.view(|_| Ok(array.get_many([&1, &0]))));
        assert!(first == Some(2) || second == Some(1), "{first:?} {second:?}");
    });
}
