//! Listeners, loaders, weighers and predicates use the memo that calls them: none of them hangs.
#![cfg(not(loom))]

mod by_hand;

use by_hand::{Hand, secs};
use larder_memo::{Cause, Memo, StaticTable, Tables};
use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;

type Numbers = Memo<u64, u64>;
type Told = Arc<Mutex<Vec<(u64, u64, Cause)>>>;

/// A memo that notes what its listener is told.
fn told(hand: &Hand, tables: &Tables) -> (Numbers, Told) {
    let told = Told::default();
    let note = told.clone();
    let memo = Memo::builder(10)
        .ttl(secs(10))
        .negative(2, secs(10))
        .weigher(1000, |_, _| 1)
        .depends_on(tables, ["rows"])
        .clock(hand.clock())
        .on_eviction(move |&key, &value, cause| note.lock().unwrap().push((key, value, cause)))
        .build();
    (memo, told)
}

#[test]
fn each_departure_is_told_once_with_its_cause() {
    let (hand, tables) = (Hand::at(1000), Tables::new());
    let (memo, told) = told(&hand, &tables);
    let news = || std::mem::take(&mut *told.lock().unwrap());
    memo.insert(1, 10);
    memo.insert(1, 11);
    assert_eq!(news(), [(1, 10, Cause::Replaced)]);
    memo.invalidate(&1);
    memo.invalidate(&1);
    assert_eq!(news(), [(1, 11, Cause::Invalidated)]);
    (0..10).for_each(|key| memo.insert(key, key));
    memo.insert(50, 50);
    assert_eq!(news(), [(0, 0, Cause::Evicted)]);
    memo.invalidate_if(|_, &value| value < 5);
    let mut gone = news();
    gone.sort_by_key(|news| news.0);
    assert_eq!(gone, [1, 2, 3, 4].map(|key| (key, key, Cause::Invalidated)));
    assert_eq!(memo.get_or_find(&99, || Ok::<_, ()>(None)).unwrap(), None);
    memo.invalidate(&99);
    assert_eq!(news(), [], "there was no value");
    // The rest is noticed when its place is needed.
    hand.set(1010);
    (100..110).for_each(|key| memo.insert(key, 0));
    assert!(news().iter().all(|news| news.2 == Cause::Expired));
    tables.bump("rows");
    (200..210).for_each(|key| memo.insert(key, 0));
    let gone = news();
    assert!(gone.len() == 10 && gone.iter().all(|news| news.2 == Cause::Invalidated), "{gone:?}");
    memo.get_or_load(&200, || 1);
    hand.set(1020);
    memo.get_or_load(&200, || 2);
    assert_eq!(news(), [(200, 0, Cause::Replaced)]);
}

/// What came is there, or was told to have gone: nothing twice, nothing lost.
#[test]
fn under_threads_what_came_is_there_or_was_told() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 3000;
    let told: Arc<Mutex<HashMap<u64, u32>>> = Arc::default();
    let note = told.clone();
    let memo: Numbers = Memo::builder(50)
        .on_eviction(move |_, &value, _| *note.lock().unwrap().entry(value).or_default() += 1)
        .build();
    let write = |writer: u64| {
        for step in 0..EACH {
            let (key, value) = (step * 7 % 200, writer * EACH + step);
            match step % 7 {
                0 => memo.invalidate(&key),
                1 if step % 100 == 1 => memo.invalidate_if(|&key, _| key % 3 == 0),
                _ => {}
            }
            memo.insert(key, value);
        }
    };
    let write = &write;
    thread::scope(|scope| (0..WRITERS).for_each(|n| drop(scope.spawn(move || write(n)))));
    let mut seen = told.lock().unwrap().clone();
    memo.for_each(|_, &value| *seen.entry(value).or_default() += 1);
    let wrong = (0..WRITERS * EACH).filter(|value| seen.get(value) != Some(&1)).count();
    assert_eq!(wrong, 0, "values that are neither there nor told of once");
    let stats = memo.stats();
    let gone = stats.evicted + stats.replaced + stats.invalidated + stats.expired;
    assert_eq!(gone + memo.len() as u64, WRITERS * EACH);
}

/// The listener uses the memo in every way, for keys of its own, which leave too.
#[test]
fn a_listener_may_use_the_memo() {
    static MEMO: OnceLock<Weak<Numbers>> = OnceLock::new();
    static CALLS: AtomicU64 = AtomicU64::new(0);
    thread_local!(static IS_INSIDE: Cell<bool> = const { Cell::new(false) });
    let use_it = |&key: &u64, _: &u64, _| {
        CALLS.fetch_add(1, Ordering::Relaxed);
        let Some(memo) = MEMO.get().and_then(Weak::upgrade) else { return };
        // What it makes leave is told too; once is enough.
        if IS_INSIDE.replace(true) {
            return;
        }
        memo.insert(key, 0);
        memo.get_or_load(&(key + 1_000_000), || key);
        let _ = memo.get_or_find(&(key + 2_000_000), || Ok::<_, ()>(None));
        memo.invalidate(&(key + 1_000_000));
        memo.invalidate_if(|&other, _| other == key);
        assert!(memo.len() <= 10 && memo.stats().entries <= 10);
        IS_INSIDE.set(false);
    };
    let memo = Memo::builder(10).negative(2, secs(10)).on_eviction(use_it).build();
    let memo: Arc<Numbers> = Arc::new(memo);
    MEMO.set(Arc::downgrade(&memo)).expect("set once");
    (0..1000).for_each(|key| memo.insert(key, key));
    (0..1000).for_each(|key| memo.invalidate(&key));
    assert!(CALLS.load(Ordering::Relaxed) > 1000);
}

#[test]
fn a_listener_that_panics_panics_the_call_and_spoils_nothing() {
    let armed = Arc::new(AtomicBool::new(true));
    let is_armed = armed.clone();
    let memo: Numbers = Memo::builder(1)
        .on_eviction(move |_, _, _| assert!(!is_armed.load(Ordering::Relaxed), "told"))
        .build();
    memo.insert(1, 1);
    let insert = || memo.insert(2, 2);
    assert!(catch_unwind(AssertUnwindSafe(insert)).is_err());
    assert_eq!((memo.get(&1), memo.get(&2), memo.len()), (None, Some(2), 1));
    armed.store(false, Ordering::Relaxed);
    memo.insert(3, 3);
    assert_eq!((memo.get(&3), memo.len()), (Some(3), 1));
}

/// Each callback uses keys that share a flights lock with the key it is called for: there are
/// fewer locks than keys.
#[test]
fn weighers_and_predicates_may_use_the_memo() {
    static MEMO: OnceLock<Numbers> = OnceLock::new();
    let memo = MEMO.get_or_init(|| {
        let weigh = |&key: &u64, _: &u64| {
            let memo = MEMO.get().expect("it was built before it was used");
            if key < 100 {
                memo.invalidate(&(key + 100));
                memo.get_or_load(&(key + 200), || 0);
            }
            1
        };
        Memo::builder(1000).weigher(10_000, weigh).build()
    });
    (0..100).for_each(|key| assert_eq!(memo.get_or_load(&key, || key), key));
    assert_eq!(memo.len(), 200);
    memo.invalidate_if(|&key, _| {
        memo.get_or_load(&(key + 500), || 0);
        memo.invalidate(&(key + 500));
        key < 100
    });
    assert_eq!((0..100).filter(|key| memo.contains(key)).count(), 0);
    let mut shown = 0;
    memo.for_each(|&key, _| shown += usize::from(memo.contains(&key)));
    assert_eq!(shown, 100);
}

/// A value that uses the memo when it is dropped: it is dropped under no lock of the memo.
#[test]
fn what_has_gone_is_dropped_under_no_lock() {
    static MEMO: OnceLock<Memo<u64, Loud>> = OnceLock::new();
    static DROPS: AtomicU64 = AtomicU64::new(0);
    #[derive(Clone)]
    struct Loud(u64);
    impl Drop for Loud {
        fn drop(&mut self) {
            let memo = MEMO.get().expect("values come after it");
            // Would wait for ever if the dropping thread held the lock of one of these keys.
            (0..32).for_each(|key| memo.invalidate(&(key + 1_000_000)));
            DROPS.fetch_add(self.0.min(1), Ordering::Relaxed);
        }
    }
    let memo = MEMO.get_or_init(|| Memo::builder(10).build());
    for key in 0..2000 {
        memo.insert(key, Loud(1));
        memo.insert(key, Loud(1));
        memo.invalidate(&(key / 2));
        memo.get_or_load(&(key + 5000), || Loud(1));
    }
    assert!(DROPS.load(Ordering::Relaxed) > 4000, "most have been dropped by now");
}

/// Rows that reload their table when they are dropped, or panic: the load that replaced them has
/// ended well by then.
#[test]
fn rows_of_an_old_table_are_dropped_after_its_reload() {
    static TABLE: OnceLock<StaticTable<u8, Row>> = OnceLock::new();
    static LOADS: AtomicU64 = AtomicU64::new(0);
    static REFUSED: AtomicU64 = AtomicU64::new(0);
    struct Row(u64);
    impl Drop for Row {
        fn drop(&mut self) {
            match self.0 {
                0 => {
                    let reloaded = TABLE.get().expect("it made the row").reload();
                    REFUSED.fetch_add(u64::from(reloaded.is_err()), Ordering::Relaxed);
                }
                2 => panic!("a row that panics"),
                _ => {}
            }
        }
    }
    let loader = || Ok(vec![(1, Row(LOADS.fetch_add(1, Ordering::Relaxed)))]);
    let table = TABLE.get_or_init(|| StaticTable::with_loader(loader));
    table.reload().unwrap();
    // The first row goes, and its `Drop` brings the third.
    table.reload().unwrap();
    assert_eq!(REFUSED.load(Ordering::Relaxed), 0, "the reload that dropped it was over");
    assert_eq!(table.read(&1, |row| row.0).unwrap(), Some(2));
    assert!(catch_unwind(AssertUnwindSafe(|| table.reload())).is_err(), "its row panics");
    let status = table.status();
    assert_eq!((status.loads, status.failures), (4, 0), "but its load was good: {status:?}");
    assert_eq!(table.read(&1, |row| row.0).unwrap(), Some(3));
    table.reload().unwrap();
}

/// As above, between threads: what one of them retires is freed by another, which at that moment
/// copies a value under the lock of its key.
#[test]
fn what_another_thread_retired_is_dropped_under_no_lock() {
    static MEMO: OnceLock<Memo<u64, Loud>> = OnceLock::new();
    static DROPS: AtomicU64 = AtomicU64::new(0);
    static GATE: Mutex<Option<(Sender<()>, Receiver<()>)>> = Mutex::new(None);
    struct Loud(u64);
    impl Clone for Loud {
        fn clone(&self) -> Self {
            let gate = GATE.lock().unwrap().take_if(|_| self.0 == 0);
            if let Some((inside, go_on)) = gate {
                inside.send(()).unwrap();
                go_on.recv().unwrap();
            }
            Loud(self.0)
        }
    }
    impl Drop for Loud {
        fn drop(&mut self) {
            let memo = MEMO.get().expect("values come after it");
            (0..200).for_each(|key| memo.invalidate(&(key + 1_000_000)));
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }
    let hand = Hand::at(1000);
    let memo = MEMO.get_or_init(|| {
        Memo::builder(100).ttl(secs(10)).stale_on_error(secs(1000)).clock(hand.clock()).build()
    });
    memo.insert(0, Loud(0));
    hand.set(1015);
    let ask = || memo.get_or_try_load(&0, || Err(()));
    assert!(ask().is_ok(), "its turn to fail is taken, so the next one looks under the lock");
    let ((inside, is_inside), (go_on, may_go_on)) = (channel(), channel());
    *GATE.lock().unwrap() = Some((inside, may_go_on));
    // Not joined: a thread that waits for itself would hang the test.
    let (done, is_done) = channel();
    thread::spawn(move || done.send(ask().is_ok()));
    is_inside.recv().unwrap();
    let (retired, have_retired) = channel();
    for key in 1..=8 {
        let retired = retired.clone();
        thread::spawn(move || {
            // Some of these keys have the same lock and wait for it, but not all.
            (0..100).for_each(|_| memo.insert(key, Loud(key)));
            let _ = retired.send(());
        });
    }
    have_retired.recv_timeout(secs(60)).expect("not all keys have the same lock");
    go_on.send(()).unwrap();
    let is_ok = is_done.recv_timeout(secs(20)).expect("it waits for itself");
    assert!(is_ok && DROPS.load(Ordering::Relaxed) > 0);
}
