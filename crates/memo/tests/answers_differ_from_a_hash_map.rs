//! Random histories on one thread, beside a `HashMap` that does the same.
#![cfg(not(loom))]

mod by_hand;

use by_hand::{Hand, secs};
use larder_memo::{LoadError, Memo, StaticMemo, Tables};
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

/// Seconds: of a life, of an idle time, of a negative entry, and the grace after a life.
const TTL: u64 = 40;
const IDLE: u64 = 16;
const NEGATIVE: u64 = 10;
const GRACE: u64 = 20;

#[derive(Clone, Debug)]
enum TimedStep {
    Get(u8),
    Load(u8, u32),
    LoadFor(u8, u32, u64),
    FailToLoad(u8),
    Find(u8, Option<u32>),
    Insert(u8, u32),
    InsertFor(u8, u32, u64),
    Invalidate(u8),
    InvalidateIfOdd,
    Bump,
    BumpOwn,
    Wait(u64),
}

fn timed_step() -> impl Strategy<Value = TimedStep> {
    use TimedStep::*;
    let key = || 0_u8..12;
    prop_oneof![
        4 => key().prop_map(Get),
        4 => (key(), any::<u32>()).prop_map(|(key, value)| Load(key, value)),
        2 => (key(), any::<u32>(), 1_u64..60).prop_map(|(key, value, life)| LoadFor(key, value, life)),
        2 => key().prop_map(FailToLoad),
        4 => (key(), any::<Option<u32>>()).prop_map(|(key, found)| Find(key, found)),
        2 => (key(), any::<u32>()).prop_map(|(key, value)| Insert(key, value)),
        2 => (key(), any::<u32>(), 1_u64..60).prop_map(|(key, value, life)| InsertFor(key, value, life)),
        2 => key().prop_map(Invalidate),
        1 => Just(InvalidateIfOdd),
        1 => Just(Bump),
        1 => Just(BumpOwn),
        6 => (0_u64..20).prop_map(Wait),
    ]
}

/// What a plain map has to keep to know as much as the memo.
#[derive(Clone, Copy)]
struct Row {
    value: Option<u32>,
    expires: u64,
    /// The last hit, as the memo notes it: not within a sixteenth of the idle time.
    used: u64,
    depends_on_own: bool,
    /// The last turn of its grace in which a load failed; a turn is 156 ms, so a second has its own.
    failed_at: Option<u64>,
}

#[derive(Default)]
struct Model {
    now: u64,
    rows: HashMap<u8, Row>,
}

impl Model {
    fn put(&mut self, key: u8, value: Option<u32>, life: u64) -> Option<u32> {
        let (expires, used) = (self.now + life, self.now);
        let row = Row { value, expires, used, depends_on_own: false, failed_at: None };
        self.rows.insert(key, row);
        value
    }

    fn end(row: &Row) -> u64 {
        match row.value {
            Some(_) => row.expires.min(row.used + IDLE),
            None => row.expires,
        }
    }

    /// A value that is served, which notes its use.
    fn hit(&mut self, key: u8) -> Option<u32> {
        let now = self.now;
        let row = self.rows.get_mut(&key).filter(|row| now < Self::end(row))?;
        row.value?;
        if now - row.used > IDLE / 16 {
            row.used = now;
        }
        row.value
    }

    fn is_absent(&self, key: u8) -> bool {
        let live = |row: &&Row| self.now < Self::end(row);
        self.rows.get(&key).filter(live).is_some_and(|row| row.value.is_none())
    }

    /// An expired value in its grace, and whether its load has failed in this turn already.
    fn late(&mut self, key: u8) -> Option<&mut Row> {
        let now = self.now;
        let in_grace = |row: &&mut Row| now >= Self::end(row) && now < Self::end(row) + GRACE;
        self.rows.get_mut(&key).filter(|row| row.value.is_some()).filter(in_grace)
    }

    /// Who is spared a load that has just failed.
    fn spared(&mut self, key: u8) -> Option<u32> {
        let now = self.now;
        let row = self.late(key).filter(|row| row.failed_at == Some(now))?;
        row.value
    }

    fn load(&mut self, key: u8, value: u32, life: u64) -> u32 {
        let known = self.hit(key).or_else(|| self.spared(key));
        known.unwrap_or_else(|| self.put(key, Some(value), life).unwrap_or(value))
    }

    fn fail(&mut self, key: u8) -> Option<u32> {
        let now = self.now;
        if let Some(known) = self.hit(key).or_else(|| self.spared(key)) {
            return Some(known);
        }
        let row = self.late(key)?;
        row.failed_at = Some(now);
        row.value
    }

    fn find(&mut self, key: u8, found: Option<u32>) -> Option<u32> {
        if let Some(known) = self.hit(key) {
            return Some(known);
        }
        if self.is_absent(key) {
            return None;
        }
        if let Some(spared) = self.spared(key) {
            return Some(spared);
        }
        let life = if found.is_some() { TTL } else { NEGATIVE };
        self.put(key, found, life)
    }
}

proptest! {
    /// With lives, absences, late values and a clock that the steps move: one table for all keys,
    /// and one that only `LoadFor` names.
    #[test]
    fn memo_is_a_map_whose_rows_grow_old(steps in proptest::collection::vec(timed_step(), 0..400)) {
        use TimedStep::*;
        let (tables, hand) = (Tables::new(), Hand::at(0));
        let memo: Memo<u8, u32> = Memo::builder(300)
            .ttl(secs(TTL))
            .idle(secs(IDLE))
            .negative(300, secs(NEGATIVE))
            .stale_on_error(secs(GRACE))
            .weigher(300, |_, _| 1)
            .depends_on(&tables, ["rows"])
            .clock(hand.clock())
            .build();
        let mut model = Model::default();
        for step in steps {
            match step.clone() {
                Get(key) => prop_assert_eq!(memo.get(&key), model.hit(key), "{:?}", step),
                Load(key, value) => {
                    let expected = model.load(key, value, TTL);
                    prop_assert_eq!(memo.get_or_load(&key, || value), expected, "{:?}", step);
                }
                LoadFor(key, value, life) => {
                    let mut loaded = false;
                    let got = memo.get_or_load_with(&key, |load| {
                        load.depends_on("own").expires_in(secs(life));
                        loaded = true;
                        value
                    });
                    prop_assert_eq!(got, model.load(key, value, life), "{:?}", step);
                    if loaded {
                        model.rows.get_mut(&key).unwrap().depends_on_own = true;
                    }
                }
                FailToLoad(key) => {
                    let got = memo.get_or_try_load(&key, || Err("down"));
                    prop_assert_eq!(got.ok(), model.fail(key), "{:?}", step);
                }
                Find(key, found) => {
                    let got = memo.get_or_find(&key, || Ok::<_, ()>(found));
                    prop_assert!(!matches!(got, Err(LoadError::Memo(_))));
                    prop_assert_eq!(got.unwrap(), model.find(key, found), "{:?}", step);
                }
                Insert(key, value) => {
                    memo.insert(key, value);
                    model.put(key, Some(value), TTL);
                }
                InsertFor(key, value, life) => {
                    memo.insert_with_ttl(key, value, secs(life));
                    model.put(key, Some(value), life);
                }
                Invalidate(key) => {
                    memo.invalidate(&key);
                    model.rows.remove(&key);
                }
                InvalidateIfOdd => {
                    memo.invalidate_if(|_, value| value % 2 == 1);
                    model.rows.retain(|_, row| row.value.is_some_and(|value| value % 2 == 0));
                }
                Bump => {
                    tables.bump("rows");
                    model.rows.clear();
                }
                BumpOwn => {
                    tables.bump("own");
                    model.rows.retain(|_, row| !row.depends_on_own);
                }
                Wait(seconds) => {
                    model.now += seconds;
                    hand.set(model.now);
                }
            }
            prop_assert_eq!(memo.weight(), memo.len() as u64);
        }
    }

    /// Whatever the weights, what is there weighs no more than it may, and is what was put there.
    #[test]
    fn memo_never_weighs_more_than_its_bound(
        max_entries in 1_usize..20,
        max_weight in 1_u64..50,
        rows in proptest::collection::vec((any::<u8>(), 0_u32..60), 0..400),
    ) {
        let weigher = |_: &u8, &weight: &u32| weight;
        let memo: Memo<u8, u32> = Memo::builder(max_entries).weigher(max_weight, weigher).build();
        let mut map = HashMap::new();
        for (key, weight) in rows {
            memo.insert(key, weight);
            map.insert(key, weight);
            let (mut weighed, mut entries) = (0, 0);
            memo.for_each(|key, weight| {
                assert_eq!(map.get(key), Some(weight));
                weighed += u64::from(*weight);
                entries += 1;
            });
            prop_assert!(weighed <= max_weight && entries <= max_entries);
            prop_assert_eq!((memo.weight(), memo.len()), (weighed, entries));
            prop_assert!(memo.contains(&key) || u64::from(weight) > max_weight || entries > 0);
        }
    }
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
