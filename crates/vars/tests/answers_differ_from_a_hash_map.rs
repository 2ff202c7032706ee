//! Whatever one thread does to an array, it answers as a `HashMap` with a bound would.
#![cfg(not(loom))]

use Step::*;
use larder_vars::{Array, Error, Home, Vars};
use proptest::prelude::*;
use std::collections::HashMap;

const LIMIT: usize = 5;

#[derive(Clone, Debug)]
enum Step {
    Get(u8),
    Set(u8, i8),
    GetOrSet(u8, i8),
    Swap(u8, i8),
    Take(u8),
    Unset(u8),
    Incr(u8, i8),
    Decr(u8, i8),
    UnsetIfOdd(u8, i8),
    Merge(Vec<(u8, i8)>),
    Replace(Vec<(u8, i8)>),
    Clear,
    GetMany([u8; 3]),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0_u8..8;
    let rows = proptest::collection::vec((key.clone(), any::<i8>()), 0..5);
    let pair = (key.clone(), any::<i8>());
    prop_oneof![
        key.clone().prop_map(Get),
        pair.clone().prop_map(|(key, value)| Set(key, value)),
        pair.clone().prop_map(|(key, value)| GetOrSet(key, value)),
        pair.clone().prop_map(|(key, value)| Swap(key, value)),
        key.clone().prop_map(Take),
        key.clone().prop_map(Unset),
        pair.clone().prop_map(|(key, value)| Incr(key, value)),
        pair.clone().prop_map(|(key, value)| Decr(key, value)),
        pair.prop_map(|(key, value)| UnsetIfOdd(key, value)),
        rows.clone().prop_map(Merge),
        rows.prop_map(Replace),
        Just(Clear),
        [key.clone(), key.clone(), key].prop_map(GetMany),
    ]
}

/// An answer, with errors by their kind.
#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Value(Option<i8>),
    Values([Option<i8>; 3]),
    Was(bool),
    Full,
    Overflow,
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        match (error.is_full(), error.is_overflow()) {
            (true, false) => Answer::Full,
            (false, true) => Answer::Overflow,
            _ => panic!("{error}"),
        }
    }
}

fn ask<H: Home<u8, i8>>(array: &Array<u8, i8, H>, step: &Step) -> Result<Answer, Error> {
    Ok(match step.clone() {
        Get(key) => {
            assert_eq!(array.exists(&key), array.get(&key).is_some());
            Answer::Value(array.get(&key))
        }
        Set(key, value) => array.set(&key, value).map(|()| Answer::Done)?,
        GetOrSet(key, value) => Answer::Value(Some(array.get_or_set(&key, value)?)),
        Swap(key, value) => Answer::Value(array.swap(&key, value)?),
        Take(key) => Answer::Value(array.take(&key)?),
        Unset(key) => Answer::Was(array.unset(&key)?),
        Incr(key, by) => Answer::Value(Some(array.incr(&key, by)?)),
        Decr(key, by) => Answer::Value(Some(array.decr(&key, by)?)),
        UnsetIfOdd(key, or) => Answer::Value(
            array.update(&key, |now| Some(now.unwrap_or(or)).filter(|value| value % 2 == 0))?,
        ),
        Merge(rows) => array.merge(rows).map(|()| Answer::Done)?,
        Replace(rows) => array.replace(rows).map(|()| Answer::Done)?,
        Clear => array.clear().map(|()| Answer::Done)?,
        GetMany(keys) => Answer::Values(array.get_many(keys.each_ref())),
    })
}

fn expect(map: &mut HashMap<u8, i8>, limit: usize, step: &Step) -> Answer {
    let mut next = map.clone();
    let mut count = |key: u8, value: Option<i8>| match value {
        None => Answer::Overflow,
        Some(value) => {
            next.insert(key, value);
            Answer::Value(Some(value))
        }
    };
    let answer = match step.clone() {
        Get(key) => Answer::Value(map.get(&key).copied()),
        Set(key, value) => {
            next.insert(key, value);
            Answer::Done
        }
        GetOrSet(key, value) => Answer::Value(Some(*next.entry(key).or_insert(value))),
        Swap(key, value) => Answer::Value(next.insert(key, value)),
        Take(key) => Answer::Value(next.remove(&key)),
        Unset(key) => Answer::Was(next.remove(&key).is_some()),
        Incr(key, by) => count(key, map.get(&key).unwrap_or(&0).checked_add(by)),
        Decr(key, by) => count(key, map.get(&key).unwrap_or(&0).checked_sub(by)),
        UnsetIfOdd(key, or) => {
            let value = next.remove(&key).unwrap_or(or);
            let value = (value % 2 == 0).then_some(value);
            next.extend(value.map(|value| (key, value)));
            Answer::Value(value)
        }
        Merge(rows) => {
            next.extend(rows);
            Answer::Done
        }
        Replace(rows) => {
            next = rows.into_iter().collect();
            Answer::Done
        }
        Clear => {
            next.clear();
            Answer::Done
        }
        GetMany(keys) => Answer::Values(keys.map(|key| map.get(&key).copied())),
    };
    if next.len() > limit {
        return Answer::Full;
    }
    *map = next;
    answer
}

fn run<H: Home<u8, i8>>(array: &Array<u8, i8, H>, limit: usize, steps: &[Step]) {
    let mut map = HashMap::new();
    for step in steps {
        let answer = ask(array, step).unwrap_or_else(Answer::from);
        assert_eq!(answer, expect(&mut map, limit, step), "{step:?}");
        assert_eq!((array.len(), array.is_empty()), (map.len(), map.is_empty()), "{step:?}");
        let snapshot = array.snapshot();
        assert_eq!(snapshot.len(), map.len(), "a key twice after {step:?}");
        assert_eq!(snapshot.into_iter().collect::<HashMap<_, _>>(), map, "{step:?}");
        let mut keys = array.keys();
        keys.sort();
        let mut expected: Vec<_> = map.keys().copied().collect();
        expected.sort();
        assert_eq!(keys, expected, "{step:?}");
    }
}

proptest! {
    #[test]
    fn of_an_array(steps in proptest::collection::vec(step(), 0..60)) {
        run(&Array::new(), usize::MAX, &steps);
    }

    #[test]
    fn of_a_bounded_array(steps in proptest::collection::vec(step(), 0..60)) {
        run(&Array::new().max_entries(LIMIT), LIMIT, &steps);
    }

    #[test]
    fn of_a_named_array(steps in proptest::collection::vec(step(), 0..60)) {
        let vars = Vars::new().max_entries(LIMIT);
        run(&vars.array("a"), LIMIT, &steps);
    }
}
