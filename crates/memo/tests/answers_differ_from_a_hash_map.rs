//! Random histories on one thread, beside a `HashMap` that does the same.
#![cfg(not(loom))]

use larder_memo::{Memo, StaticMemo, Tables};
use proptest::prelude::*;
use std::collections::HashMap;

#[derive(Clone, Debug)]
enum Step {
    Get(u8),
    Load(u8, u32),
    FailToLoad(u8),
    Insert(u8, u32),
    Invalidate(u8),
    InvalidateAll,
    Bump,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<u8>().prop_map(Step::Get),
        4 => (any::<u8>(), any::<u32>()).prop_map(|(key, value)| Step::Load(key, value)),
        1 => any::<u8>().prop_map(Step::FailToLoad),
        2 => (any::<u8>(), any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
        2 => any::<u8>().prop_map(Step::Invalidate),
        1 => Just(Step::InvalidateAll),
        1 => Just(Step::Bump),
    ]
}

proptest! {
    #[test]
    fn static_memo_is_a_map_whose_first_value_stays(
        rows in proptest::collection::vec((any::<u16>(), any::<u32>()), 0..2000),
    ) {
        let memo: StaticMemo<String, u32> = StaticMemo::new();
        let mut map = HashMap::new();
        for (key, value) in rows {
            let key = key.to_string();
            prop_assert_eq!(memo.get(key.as_str()), map.get(&key));
            let kept = *map.entry(key.clone()).or_insert(value);
            prop_assert_eq!(*memo.get_or_load(key.as_str(), || value), kept);
        }
        prop_assert_eq!(memo.len(), map.len());
        let seen: HashMap<String, u32> = memo.iter().map(|(k, v)| (k.clone(), *v)).collect();
        prop_assert_eq!(memo.iter().count(), map.len());
        prop_assert_eq!(seen, map);
    }

    /// 256 keys in 300 places: nothing is evicted, so the memo has to know all that the map does.
    #[test]
    fn memo_is_a_map_that_can_forget(steps in proptest::collection::vec(step(), 0..400)) {
        let tables = Tables::new();
        let memo: Memo<u8, u32> = Memo::builder(300).depends_on(&tables, ["rows"]).build();
        let mut map: HashMap<u8, u32> = HashMap::new();
        for step in steps {
            match step {
                Step::Get(key) => prop_assert_eq!(memo.get(&key), map.get(&key).copied()),
                Step::Load(key, value) => {
                    let kept = *map.entry(key).or_insert(value);
                    prop_assert_eq!(memo.get_or_load(&key, || value), kept);
                }
                Step::FailToLoad(key) => {
                    let got = memo.get_or_try_load(&key, || Err::<u32, _>("no"));
                    prop_assert_eq!(got.ok(), map.get(&key).copied());
                }
                Step::Insert(key, value) => {
                    memo.insert(key, value);
                    map.insert(key, value);
                }
                Step::Invalidate(key) => {
                    memo.invalidate(&key);
                    map.remove(&key);
                }
                Step::InvalidateAll => {
                    memo.invalidate_all();
                    map.clear();
                }
                Step::Bump => {
                    tables.bump("rows");
                    map.clear();
                }
            }
        }
    }

    #[test]
    fn memo_never_holds_more_than_its_bound(
        bound in 1_usize..40,
        keys in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let memo: Memo<u8, u8> = Memo::builder(bound).build();
        for key in keys {
            prop_assert_eq!(memo.get_or_load(&key, || key ^ 0x55), key ^ 0x55);
            prop_assert!(memo.len() <= bound);
        }
    }
}
