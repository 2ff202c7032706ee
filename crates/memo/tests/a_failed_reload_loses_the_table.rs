//! A load of a `StaticTable` that fails is told to its caller, and takes nothing from the others.
#![cfg(not(loom))]

use larder_memo::{Loaded, StaticTable, Tables};
use std::error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::thread;
use std::time::Duration;

/// What the next loads do; without an order they give the row `1 -> number of the load`.
#[derive(Default)]
struct Script {
    orders: Mutex<Vec<&'static str>>,
    loads: AtomicUsize,
}

impl Script {
    fn table(self: &Arc<Self>) -> StaticTable<u8, usize> {
        let script = self.clone();
        StaticTable::with_loader(move || script.load())
    }

    fn order(&self, order: &'static str) {
        self.orders.lock().unwrap().insert(0, order);
    }

    fn load(&self) -> Loaded<u8, usize> {
        let load = self.loads.fetch_add(1, SeqCst);
        let order = self.orders.lock().unwrap().pop();
        match order {
            None => Ok(vec![(1, load)]),
            Some("panic") => panic!("no such file"),
            Some(error) => Err(error.into()),
        }
    }

    fn loads(&self) -> usize {
        self.loads.load(SeqCst)
    }
}

fn panics<R>(run: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(run)).is_err()
}

#[test]
fn a_first_load_that_fails_is_told_and_tried_again() {
    let script = Arc::new(Script::default());
    let table = script.table();
    assert!(table.is_empty() && table.last().is_none() && table.status().age.is_none());
    script.order("no such table: countries");
    let error = table.get(&1).unwrap_err();
    assert!(error.is_load_failure() && !error.is_timeout() && !error.is_recursion());
    let text = "loading the table of usize failed: no such table: countries";
    assert_eq!(error.to_string(), text);
    let source = error::Error::source(&error).expect("the loader's own error");
    assert_eq!(source.to_string(), "no such table: countries");
    assert_eq!(table.get(&1).unwrap(), Some(1), "a failure is not remembered");
    let status = table.status();
    assert_eq!((status.loads, status.failures, status.rows, status.is_stale), (1, 1, 1, false));
    assert_eq!(status.last_error.expect("it says so").to_string(), text);
}

#[test]
fn a_failed_reload_keeps_the_old_table_and_says_so() {
    let script = Arc::new(Script::default());
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = told.clone();
    let table = script.table().on_error(move |error| hook.lock().unwrap().push(error.to_string()));
    assert_eq!(table.get(&1).unwrap(), Some(0));
    script.order("connection refused");
    assert!(table.reload().unwrap_err().is_load_failure());
    script.order("panic");
    assert!(panics(|| table.reload()), "a panic is its caller's");
    assert_eq!(table.get(&1).unwrap(), Some(0));
    let status = table.status();
    assert_eq!((status.loads, status.failures, status.is_stale), (1, 2, false));
    let last = status.last_error.expect("it says so").to_string();
    assert_eq!(last, "loading the table of usize failed: the loader panicked");
    let told = told.lock().unwrap().clone();
    assert_eq!(told, ["loading the table of usize failed: connection refused"]);
    table.reload().unwrap();
    assert_eq!(table.get(&1).unwrap(), Some(3));
}

/// After a bump the old table is wrong: it is no answer, but `last` still has it.
#[test]
fn a_failed_reload_after_a_bump_keeps_the_old_table_for_those_who_ask_for_it() {
    let (script, tables) = (Arc::new(Script::default()), Tables::new());
    let table = script.table().depends_on(&tables, ["rows"]);
    table.reload().unwrap();
    tables.bump("rows");
    assert!(table.status().is_stale);
    script.order("connection refused");
    assert!(table.get(&1).unwrap_err().is_load_failure());
    assert_eq!(table.last().expect("it is kept").get(&1), Some(&0));
    assert_eq!((table.len(), table.status().is_stale), (1, true));
    assert_eq!(table.get(&1).unwrap(), Some(2));
}

#[test]
fn a_scheduled_reload_that_fails_is_tried_again_after_an_eighth() {
    let (script, now) = (Arc::new(Script::default()), Arc::new(AtomicU64::new(100)));
    let clock = now.clone();
    let clock = move || Duration::from_secs(clock.load(SeqCst));
    let table = script.table().every(Duration::from_secs(80)).clock(clock);
    let at = |time: u64| {
        now.store(time, SeqCst);
        let value = table.get(&1).expect("a scheduled reload never fails its caller");
        (value.expect("every load has the row"), script.loads())
    };
    assert_eq!([at(100), at(179)], [(0, 1), (0, 1)]);
    script.order("connection refused");
    assert_eq!([at(180), at(180), at(189)], [(0, 2), (0, 2), (0, 2)]);
    assert_eq!(table.status().age, Some(Duration::from_secs(89)));
    assert_eq!([at(190), at(269), at(270)], [(2, 3), (2, 3), (3, 4)]);
    script.order("panic");
    now.store(350, SeqCst);
    assert!(panics(|| table.get(&1)), "the caller that is due panics");
    assert_eq!([at(350), at(359), at(360)], [(3, 5), (3, 5), (5, 6)]);
    assert_eq!(at(5), (5, 6), "a clock that goes back delays the next load, no more");
    assert_eq!(table.status().age, Some(Duration::ZERO));
}

#[test]
fn a_loader_that_asks_for_its_own_table_is_refused() {
    let here: Arc<OnceLock<Weak<StaticTable<u8, u8>>>> = Arc::default();
    let inner = Arc::new(Mutex::new(Vec::new()));
    let (itself, answers) = (here.clone(), inner.clone());
    let tables = Tables::new();
    let table = StaticTable::with_loader(move || {
        let table = itself.get().and_then(Weak::upgrade).expect("the table is asked");
        answers.lock().unwrap().push(table.get(&1));
        assert!(table.reload().is_err() || table.status().loads > 0);
        Ok(vec![(1, 7)])
    });
    let table = Arc::new(table.depends_on(&tables, ["rows"]));
    here.set(Arc::downgrade(&table)).unwrap();
    let last = || inner.lock().unwrap().pop().expect("the loader has asked");

    assert_eq!(table.get(&1).unwrap(), Some(7));
    let error = last().unwrap_err();
    assert!(error.is_recursion());
    assert_eq!(error.to_string(), "the loader of the table of u8 asked for that table itself");

    table.reload().unwrap();
    assert_eq!(last().unwrap(), Some(7), "there is a table that is not known to be wrong");
    tables.bump("rows");
    assert_eq!(table.get(&1).unwrap(), Some(7));
    assert!(last().unwrap_err().is_recursion());

    let transaction = tables.transaction();
    assert_eq!(table.get(&1).unwrap(), Some(7));
    assert!(last().unwrap_err().is_recursion());
    drop(transaction);
}

#[test]
fn a_caller_is_never_kept_past_its_deadline() {
    let (entered, entries) = mpsc::channel();
    let (release, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let table = StaticTable::with_loader(move || {
        entered.send(()).unwrap();
        wait.lock().unwrap().recv()?;
        Ok(vec![(1, 1)])
    });
    let table = Arc::new(table.wait(Duration::from_millis(20)));
    let leader = thread::spawn({
        let table = table.clone();
        move || table.get(&1).unwrap()
    });
    entries.recv().unwrap();
    let error = table.get(&1).unwrap_err();
    assert!(error.is_timeout());
    let text = "waited 20ms for another thread's load of the table of i32";
    assert_eq!(error.to_string(), text);
    release.send(()).unwrap();
    assert_eq!(leader.join().unwrap(), Some(1));
    assert_eq!(table.get(&1).unwrap(), Some(1));
}
