//! Models of `StaticTable`: every interleaving of a few threads, by loom.
//!
//! Run them with `RUSTFLAGS="--cfg loom" cargo test -p larder-memo --release --test 'loom_*'`.
//!
//! A value has an atomic that its loader sets to 1 and its drop to 0, both `Relaxed`. A reader
//! that could meet it before it was published, or while it is freed, would in some execution see
//! a 0. The fence is the portable one; `membarrier` is what the kernel says it is.
#![cfg(loom)]

use larder_memo::StaticTable;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use loom::thread;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A value that knows whether it is alive.
struct Tracked(Arc<AtomicUsize>);

impl Tracked {
    fn assert_alive(&self) {
        assert_eq!(self.0.load(Relaxed), 1, "a value is read that is not there");
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.store(0, Relaxed);
    }
}

/// A table whose n-th load gives a value that reports to the n-th flag.
fn table(flags: usize) -> (Arc<StaticTable<u8, Tracked>>, Vec<Arc<AtomicUsize>>) {
    let flags: Vec<_> = (0..flags).map(|_| Arc::new(AtomicUsize::new(0))).collect();
    let next = AtomicUsize::new(0);
    let mine = flags.clone();
    let table = StaticTable::with_loader(move || {
        let flag = mine[next.fetch_add(1, Relaxed)].clone();
        flag.store(1, Relaxed);
        Ok(vec![(1, Tracked(flag))])
    });
    (Arc::new(table), flags)
}

fn read(table: &StaticTable<u8, Tracked>) {
    assert_eq!(table.read(&1, Tracked::assert_alive).unwrap(), Some(()));
}

/// A reader and a reload: the reader sees a whole, living table, and whichever of the two is the
/// last to be done with the old one frees it.
#[test]
fn a_reader_never_meets_what_a_reload_frees() {
    loom::model(|| {
        let (table, flags) = table(2);
        table.reload().unwrap();
        let reader = thread::spawn({
            let table = table.clone();
            move || read(&table)
        });
        table.reload().unwrap();
        reader.join().unwrap();
        assert_eq!((flags[0].load(Relaxed), flags[1].load(Relaxed)), (0, 1));
        drop(table);
        assert_eq!(flags[1].load(Relaxed), 0);
    });
}

/// Two readers and a reload, with the bound on preemptions that keeps it finite.
#[test]
fn the_last_of_two_readers_frees_the_old_table() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let (table, flags) = table(2);
        table.reload().unwrap();
        let readers = [0, 1].map(|_| {
            let table = table.clone();
            thread::spawn(move || read(&table))
        });
        table.reload().unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert_eq!((flags[0].load(Relaxed), flags[1].load(Relaxed)), (0, 1));
    });
}

/// A read within a read has no hazard left (the models have one a thread) and holds a count.
#[test]
fn a_read_within_a_read_never_meets_what_a_reload_frees() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let (table, flags) = table(2);
        table.reload().unwrap();
        let reader = thread::spawn({
            let table = table.clone();
            move || {
                let nested = |outer: &Tracked| {
                    read(&table);
                    outer.assert_alive();
                };
                assert_eq!(table.read(&1, nested).unwrap(), Some(()));
            }
        });
        table.reload().unwrap();
        reader.join().unwrap();
        assert_eq!((flags[0].load(Relaxed), flags[1].load(Relaxed)), (0, 1));
    });
}

/// The table may go as soon as its last owner has read: nobody else looks at its memory.
#[test]
fn a_table_is_never_dropped_under_a_reader() {
    loom::model(|| {
        let (table, flags) = table(2);
        let owner = thread::spawn({
            let table = table.clone();
            move || read(&table)
        });
        read(&table);
        drop(table);
        owner.join().unwrap();
        assert_eq!((flags[0].load(Relaxed), flags[1].load(Relaxed)), (0, 0));
    });
}

#[test]
fn two_first_callers_never_load_twice() {
    loom::model(|| {
        let loads = Arc::new(AtomicUsize::new(0));
        let table = Arc::new(StaticTable::with_loader({
            let loads = loads.clone();
            move || {
                loads.fetch_add(1, SeqCst);
                Ok(vec![(1, 7)])
            }
        }));
        let other = thread::spawn({
            let table = table.clone();
            move || assert_eq!(table.get(&1).unwrap(), Some(7))
        });
        assert_eq!(table.get(&1).unwrap(), Some(7));
        other.join().unwrap();
        assert_eq!(loads.load(SeqCst), 1);
    });
}

/// What was written before a bump is seen by whoever asks after it.
#[test]
fn a_bumped_table_is_never_served() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let row = Arc::new(AtomicUsize::new(1));
        let tables = larder_memo::Tables::new();
        let table = StaticTable::with_loader({
            let row = row.clone();
            move || Ok(vec![(1, row.load(Relaxed))])
        });
        let table = Arc::new(table.depends_on(&tables, ["rows"]));
        let reader = thread::spawn({
            let table = table.clone();
            move || {
                let first = table.get(&1).unwrap().unwrap();
                assert!(table.get(&1).unwrap().unwrap() >= first, "the table went back");
            }
        });
        row.store(2, Relaxed);
        tables.bump("rows");
        assert_eq!(table.get(&1).unwrap(), Some(2));
        reader.join().unwrap();
    });
}

/// The leader panics: its caller alone unwinds, and nobody waits for ever.
#[test]
fn a_panicking_loader_never_leaves_a_waiter() {
    loom::model(|| {
        let loads = AtomicUsize::new(0);
        let table = Arc::new(StaticTable::with_loader(move || {
            assert!(loads.fetch_add(1, SeqCst) > 0, "the first load panics");
            Ok(vec![(1, 7)])
        }));
        let ask = |table: &StaticTable<u8, i32>| {
            catch_unwind(AssertUnwindSafe(|| table.get(&1).unwrap())).ok()
        };
        let other = thread::spawn({
            let table = table.clone();
            move || ask(&table)
        });
        let answers = [ask(&table), other.join().unwrap()];
        assert_eq!(answers.iter().filter(|answer| answer.is_none()).count(), 1);
        assert!(answers.contains(&Some(Some(7))));
    });
}
