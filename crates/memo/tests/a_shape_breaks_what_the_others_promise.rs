//! One harness for all shapes: what each of them promises, asked of each of them.
#![cfg(not(loom))]

use larder_memo::{BoundedMemo, Memo, StaticMemo, StaticTable, Tables};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex, OnceLock, Weak};
use std::thread;

const KEYS: u64 = 4;

type Load = Arc<dyn Fn(u64) -> Result<u64, String> + Send + Sync>;

/// Something that answers by loading: a row, or all of them.
trait Shape: Send + Sync + 'static {
    fn new(load: Load) -> Self;
    fn ask(&self, key: u64) -> Result<u64, String>;
}

struct Rows(StaticMemo<u64, u64>, Load);
struct Few(BoundedMemo<u64, u64>, Load);
struct Bounded(Memo<u64, u64>, Load);

impl Shape for Rows {
    fn new(load: Load) -> Self {
        Rows(StaticMemo::new(), load)
    }

    fn ask(&self, key: u64) -> Result<u64, String> {
        let row = self.0.get_or_try_load(&key, || (self.1)(key));
        row.copied().map_err(|error| error.to_string())
    }
}

impl Shape for Few {
    fn new(load: Load) -> Self {
        Few(StaticMemo::new().bounded(2), load)
    }

    fn ask(&self, key: u64) -> Result<u64, String> {
        let row = self.0.get_or_try_load(&key, || (self.1)(key));
        row.map(|row| *row).map_err(|error| error.to_string())
    }
}

impl Shape for Bounded {
    fn new(load: Load) -> Self {
        Self::new_on(load, &Tables::new())
    }

    fn ask(&self, key: u64) -> Result<u64, String> {
        self.0.get_or_try_load(&key, || (self.1)(key)).map_err(|error| error.to_string())
    }
}

impl Shape for StaticTable<u64, u64> {
    fn new(load: Load) -> Self {
        let row = move |key| Ok((key, load(key)?));
        StaticTable::with_loader(move || (0..KEYS).map(&row).collect())
    }

    fn ask(&self, key: u64) -> Result<u64, String> {
        let row = self.get(&key).map_err(|error| error.to_string())?;
        Ok(row.expect("the table has all keys"))
    }
}

/// A shape that forgets what a bump made stale.
trait Forgets: Shape {
    fn new_on(load: Load, tables: &Tables) -> Self;
}

impl Forgets for Bounded {
    fn new_on(load: Load, tables: &Tables) -> Self {
        Bounded(Memo::builder(8).depends_on(tables, ["rows"]).build(), load)
    }
}

impl Forgets for StaticTable<u64, u64> {
    fn new_on(load: Load, tables: &Tables) -> Self {
        <Self as Shape>::new(load).depends_on(tables, ["rows"])
    }
}

/// Runs a test on each shape.
macro_rules! on_every_shape {
    ($test:ident) => {
        $test::<Rows>();
        $test::<Few>();
        $test::<Bounded>();
        $test::<StaticTable<u64, u64>>();
    };
}

macro_rules! on_all_that_forget {
    ($test:ident) => {
        $test::<Bounded>();
        $test::<StaticTable<u64, u64>>();
    };
}

fn a_cold_key<S: Shape>() {
    const THREADS: usize = 16;
    let (loads, asking) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let shape = S::new(Arc::new({
        let (loads, asking) = (loads.clone(), asking.clone());
        move |key| {
            loads.fetch_add(usize::from(key == 1), Ordering::SeqCst);
            while asking.load(Ordering::SeqCst) < THREADS {
                thread::yield_now();
            }
            Ok(key * 10)
        }
    }));
    let start = Barrier::new(THREADS);
    let ask = || {
        start.wait();
        asking.fetch_add(1, Ordering::SeqCst);
        assert_eq!(shape.ask(1), Ok(10));
    };
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(ask))));
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[test]
fn a_cold_key_is_loaded_once() {
    on_every_shape!(a_cold_key);
}

/// Fails, then panics, then loads.
fn a_failure<S: Shape>() {
    let calls = AtomicUsize::new(0);
    let shape = S::new(Arc::new(move |key| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Err("no rows".to_owned()),
        1 => resume_unwind(Box::new("no")),
        _ => Ok(key * 10),
    }));
    let error = shape.ask(1).unwrap_err();
    assert!(error.contains("no rows"), "{error}");
    assert!(catch_unwind(AssertUnwindSafe(|| shape.ask(1))).is_err());
    assert_eq!(shape.ask(1), Ok(10));
}

#[test]
fn a_failure_is_told_and_not_remembered() {
    on_every_shape!(a_failure);
}

fn a_waiter<S: Shape>() {
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    let (calls, released) = (AtomicUsize::new(0), Mutex::new(released));
    let shape = &S::new(Arc::new(move |key| {
        if calls.fetch_add(1, Ordering::SeqCst) > 0 {
            return Ok(key * 10);
        }
        started.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
        resume_unwind(Box::new("no"))
    }));
    // The scope owns `release`: if an assertion fails, the stalled loader ends too.
    thread::scope(move |scope| {
        let panics = scope.spawn(|| catch_unwind(AssertUnwindSafe(|| shape.ask(1))).is_err());
        has_started.recv().unwrap();
        let waits = scope.spawn(|| shape.ask(1));
        release.send(()).unwrap();
        assert_eq!(waits.join().unwrap(), Ok(10));
        assert!(panics.join().unwrap());
    });
}

#[test]
fn a_waiter_of_a_panicking_load_is_answered() {
    on_every_shape!(a_waiter);
}

fn a_loader_of_itself<S: Shape>() {
    let itself: Arc<OnceLock<Weak<S>>> = Arc::default();
    let is_told = Arc::new(AtomicUsize::new(0));
    let shape = Arc::new(S::new(Arc::new({
        let (itself, is_told) = (itself.clone(), is_told.clone());
        move |key| {
            let shape = itself.get().and_then(Weak::upgrade).expect("it is asked below");
            if key == 1 {
                is_told.fetch_add(usize::from(shape.ask(1).is_err()), Ordering::SeqCst);
            }
            Ok(key * 10)
        }
    })));
    itself.set(Arc::downgrade(&shape)).unwrap_or_else(|_| unreachable!("it is set once"));
    assert_eq!(shape.ask(1), Ok(10), "the loader was told, and went on");
    assert_eq!(is_told.load(Ordering::SeqCst), 1);
}

#[test]
fn a_loader_that_asks_for_what_it_loads_is_told() {
    on_every_shape!(a_loader_of_itself);
}

fn a_bump<S: Forgets>() {
    let (tables, row) = (Tables::new(), Arc::new(AtomicU64::new(1)));
    let read = row.clone();
    let shape = S::new_on(Arc::new(move |_| Ok(read.load(Ordering::SeqCst))), &tables);
    assert_eq!(shape.ask(1), Ok(1));
    row.store(2, Ordering::SeqCst);
    tables.bump("users");
    assert_eq!(shape.ask(1), Ok(1), "another table");
    tables.bump_all(["users", "rows"]);
    assert_eq!(shape.ask(1), Ok(2));
    row.store(3, Ordering::SeqCst);
    tables.bump_every();
    assert_eq!(shape.ask(1), Ok(3));
}

#[test]
fn a_bump_is_seen_by_whoever_asks_after_it() {
    on_all_that_forget!(a_bump);
}

fn a_transaction<S: Forgets>() {
    let (tables, row) = (Tables::new(), Arc::new(AtomicU64::new(1)));
    let read = row.clone();
    let shape = S::new_on(Arc::new(move |_| Ok(read.load(Ordering::SeqCst))), &tables);
    let elsewhere = || thread::scope(|scope| scope.spawn(|| shape.ask(1)).join().unwrap());
    assert_eq!(shape.ask(1), Ok(1));
    for committed in [false, true] {
        let open = tables.transaction();
        open.bump("rows");
        row.store(2, Ordering::SeqCst);
        assert_eq!((shape.ask(1), elsewhere()), (Ok(2), Ok(1)));
        match committed {
            true => open.commit(),
            false => {
                row.store(1, Ordering::SeqCst);
                open.rollback();
            }
        }
        let now = 1 + u64::from(committed);
        assert_eq!((shape.ask(1), elsewhere()), (Ok(now), Ok(now)));
    }
}

#[test]
fn an_open_transaction_is_seen_by_itself_alone() {
    on_all_that_forget!(a_transaction);
}
