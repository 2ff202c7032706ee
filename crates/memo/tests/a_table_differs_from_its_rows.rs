//! Random histories of a `StaticTable` on one thread, beside a `HashMap` that does the same.
#![cfg(not(loom))]

use larder_memo::{StaticTable, Tables};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug)]
enum Step {
    Get(u8),
    Write(u8, u32),
    Delete(u8),
    Reload,
    Bump,
    Outage(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<u8>().prop_map(Step::Get),
        4 => (any::<u8>(), any::<u32>()).prop_map(|(key, value)| Step::Write(key, value)),
        2 => any::<u8>().prop_map(Step::Delete),
        1 => Just(Step::Reload),
        1 => Just(Step::Bump),
        1 => any::<bool>().prop_map(Step::Outage),
    ]
}

/// What the loader reads; `None` while the database cannot be reached.
#[derive(Default)]
struct Database {
    rows: HashMap<String, u32>,
    is_down: bool,
}

proptest! {
    #[test]
    fn it_is_the_rows_of_its_last_load(steps in proptest::collection::vec(step(), 0..300)) {
        let (database, tables) = (Arc::new(Mutex::new(Database::default())), Tables::new());
        let source = database.clone();
        let table = StaticTable::with_loader(move || {
            let database = source.lock().unwrap();
            match database.is_down {
                true => Err("down".into()),
                false => Ok(database.rows.clone().into_iter().collect()),
            }
        });
        let table = table.depends_on(&tables, ["rows"]);
        let (mut loaded, mut is_stale) = (None::<HashMap<String, u32>>, true);
        for step in steps {
            let mut load = |force: bool, is_stale: &mut bool| {
                let database = database.lock().unwrap();
                if (force || *is_stale) && !database.is_down {
                    (loaded, *is_stale) = (Some(database.rows.clone()), false);
                }
                (!database.is_down || !(force || *is_stale)).then(|| loaded.clone()).flatten()
            };
            match step {
                Step::Get(key) => {
                    let (rows, key) = (load(false, &mut is_stale), key.to_string());
                    let got = table.get(key.as_str()).ok();
                    prop_assert_eq!(got, rows.map(|rows| rows.get(&key).copied()));
                }
                Step::Reload => {
                    let rows = load(true, &mut is_stale);
                    prop_assert_eq!(table.reload().is_ok(), rows.is_some());
                }
                Step::Bump => {
                    tables.bump("rows");
                    is_stale = true;
                }
                Step::Write(key, value) => {
                    database.lock().unwrap().rows.insert(key.to_string(), value);
                }
                Step::Delete(key) => {
                    database.lock().unwrap().rows.remove(&key.to_string());
                }
                Step::Outage(is_down) => database.lock().unwrap().is_down = is_down,
            }
            let last = table.last();
            let last: Option<HashMap<_, _>> =
                last.as_ref().map(|rows| rows.iter().map(|(k, v)| (k.clone(), *v)).collect());
            prop_assert_eq!(&last, &loaded);
            prop_assert_eq!(table.len(), loaded.as_ref().map_or(0, HashMap::len));
            prop_assert_eq!(table.status().is_stale, is_stale);
        }
    }

    #[test]
    fn of_two_rows_with_one_key_the_later_counts(
        rows in proptest::collection::vec((any::<u8>(), any::<u32>()), 0..600),
    ) {
        let map: HashMap<u8, u32> = rows.iter().copied().collect();
        let table = StaticTable::with_loader(move || Ok(rows.clone()));
        for key in 0..=255 {
            prop_assert_eq!(table.get(&key).unwrap(), map.get(&key).copied());
        }
        prop_assert_eq!(table.len(), map.len());
    }
}
