//! Who loads a `StaticTable`, and who goes on reading meanwhile.
#![cfg(not(loom))]

use larder_memo::{StaticTable, Tables};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// A table whose loader, from its second load on, says that it was entered and waits for leave.
struct Gated {
    table: Arc<StaticTable<u8, usize>>,
    entered: mpsc::Receiver<usize>,
    leave: mpsc::Sender<()>,
}

fn gated(finish: impl FnOnce(StaticTable<u8, usize>) -> StaticTable<u8, usize>) -> Gated {
    let ((enter, entered), (leave, wait)) = (mpsc::channel(), mpsc::channel());
    let (loads, wait) = (AtomicUsize::new(0), Mutex::new(wait));
    let table = StaticTable::with_loader(move || {
        let load = loads.fetch_add(1, SeqCst);
        if load > 0 {
            enter.send(load)?;
            wait.lock().unwrap().recv()?;
        }
        Ok(vec![(1, load)])
    });
    Gated { table: Arc::new(finish(table)), entered, leave }
}

fn ask(table: &Arc<StaticTable<u8, usize>>) -> thread::JoinHandle<Option<usize>> {
    let table = table.clone();
    thread::spawn(move || table.get(&1).unwrap())
}

/// The loader is stuck until we have read: a reader that waited for it would hang the test.
#[test]
fn readers_never_wait_for_a_scheduled_reload() {
    let now = Arc::new(AtomicU64::new(0));
    let clock = now.clone();
    let clock = move || Duration::from_secs(clock.load(SeqCst));
    let Gated { table, entered, leave } =
        gated(|table| table.every(Duration::from_secs(60)).clock(clock));
    assert_eq!(table.get(&1).unwrap(), Some(0));
    now.store(60, SeqCst);
    let due = ask(&table);
    assert_eq!(entered.recv().unwrap(), 1);
    for minute in 0..100 {
        now.store(60 * minute, SeqCst);
        assert_eq!(table.get(&1).unwrap(), Some(0));
        assert_eq!(table.snapshot().unwrap().get(&1), Some(&0));
    }
    assert_eq!(entered.try_recv().ok(), None, "one caller is due, not all");
    leave.send(()).unwrap();
    assert_eq!(due.join().unwrap(), Some(1), "whoever has loaded sees what it loaded");
    assert_eq!(table.get(&1).unwrap(), Some(1));
}

#[test]
fn readers_never_wait_for_a_reload_by_hand() {
    let Gated { table, entered, leave } = gated(|table| table);
    assert_eq!(table.get(&1).unwrap(), Some(0));
    let reload = thread::spawn({
        let table = table.clone();
        move || table.reload().unwrap()
    });
    assert_eq!(entered.recv().unwrap(), 1);
    assert_eq!(table.get(&1).unwrap(), Some(0));
    leave.send(()).unwrap();
    reload.join().unwrap();
    assert_eq!(table.get(&1).unwrap(), Some(1));
}

/// The scheduled load began before the bump: its table is not for those who ask after it.
#[test]
fn a_table_is_never_served_that_began_to_load_before_a_bump() {
    let (tables, now) = (Tables::new(), Arc::new(AtomicU64::new(0)));
    let clock = now.clone();
    let clock = move || Duration::from_secs(clock.load(SeqCst));
    let Gated { table, entered, leave } = gated(|table| {
        table.every(Duration::from_secs(60)).clock(clock).depends_on(&tables, ["rows"])
    });
    assert_eq!(table.get(&1).unwrap(), Some(0));
    now.store(60, SeqCst);
    let due = ask(&table);
    assert_eq!(entered.recv().unwrap(), 1);
    assert_eq!(table.get(&1).unwrap(), Some(0), "nothing is known to have changed");
    tables.bump("rows");
    assert!(table.status().is_stale);
    let after = [ask(&table), ask(&table), ask(&table)];
    leave.send(()).unwrap();
    assert_eq!(due.join().unwrap(), Some(1), "it asked before the bump");
    assert_eq!(entered.recv().unwrap(), 2);
    leave.send(()).unwrap();
    assert_eq!(after.map(|asker| asker.join().unwrap()), [Some(2); 3]);
    assert_eq!((table.status().loads, table.status().is_stale), (3, false));
}

/// Each load is overtaken by another bump; still whoever asks has an answer after two loads.
#[test]
fn a_storm_of_bumps_keeps_nobody_waiting() {
    let tables = Tables::new();
    let bumps = tables.clone();
    let table = StaticTable::with_loader(move || {
        bumps.bump("rows");
        Ok(vec![(1, 1)])
    });
    let table = table.depends_on(&tables, ["rows"]);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(table.get(&1).unwrap(), Some(1))));
        }
    });
    assert!(table.status().is_stale);
}

#[test]
fn sixty_four_first_callers_never_load_twice() {
    let (loads, barrier) = (Arc::new(AtomicUsize::new(0)), Barrier::new(64));
    let counter = loads.clone();
    let table = StaticTable::with_loader(move || {
        counter.fetch_add(1, SeqCst);
        Ok((0..1000).map(|key| (key, key * 2)).collect())
    });
    thread::scope(|scope| {
        for key in 0..64 {
            let (table, barrier) = (&table, &barrier);
            scope.spawn(move || {
                barrier.wait();
                assert_eq!(table.get(&key).unwrap(), Some(key * 2));
            });
        }
    });
    assert_eq!((loads.load(SeqCst), table.len()), (1, 1000));
}

/// What a transaction writes is seen by its own thread alone, until it is committed.
#[test]
fn uncommitted_rows_are_never_shared() {
    let (tables, row) = (Tables::new(), Arc::new(AtomicU64::new(1)));
    let database = row.clone();
    let table = StaticTable::with_loader(move || Ok(vec![(1, database.load(SeqCst))]));
    let table = table.depends_on(&tables, ["rows"]);
    let elsewhere =
        || thread::scope(|scope| scope.spawn(|| table.get(&1).unwrap()).join().unwrap());
    assert_eq!(table.get(&1).unwrap(), Some(1));

    let transaction = tables.transaction();
    row.store(2, SeqCst);
    transaction.bump("rows");
    assert_eq!(table.get(&1).unwrap(), Some(2), "it reads its own write");
    assert_eq!(table.snapshot().unwrap().get(&1), Some(&2));
    assert_eq!((elsewhere(), table.status().loads), (Some(1), 1));
    transaction.commit();
    assert_eq!((table.get(&1).unwrap(), elsewhere()), (Some(2), Some(2)));

    let transaction = tables.transaction();
    row.store(3, SeqCst);
    table.reload().unwrap();
    assert_eq!((table.status().loads, table.status().is_stale), (2, true));
    row.store(2, SeqCst);
    drop(transaction);
    assert_eq!(table.get(&1).unwrap(), Some(2));
}
