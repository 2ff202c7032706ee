//! Readers of a `StaticTable` see one load or another, whole and alive, however they read.
#![cfg(not(loom))]

use larder_memo::{Loaded, StaticTable};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;

const ROWS: u64 = 64;

/// A table all of whose rows carry the number of their load; text, so that the memory of a row
/// that was freed cannot pass for one.
fn numbered() -> StaticTable<u64, String> {
    let loads = AtomicU64::new(0);
    StaticTable::with_loader(move || {
        let load = loads.fetch_add(1, SeqCst);
        Ok((0..ROWS).map(|key| (key, format!("load {load:020}"))).collect())
    })
}

/// Also the subject of `valgrind`: eight threads read in every way while one reloads. What a
/// thread has seen of a load it never sees an older one of.
#[test]
fn eight_readers_never_see_two_loads_at_once_nor_go_back() {
    let (table, over) = (numbered(), AtomicBool::new(false));
    table.reload().unwrap();
    let read = |thread: u64| {
        let mut newest = String::new();
        for step in thread.. {
            let key = step % ROWS;
            let row = table.get(&key).unwrap().expect("every load has every row");
            assert!(row >= newest, "{row} after {newest}");
            newest = row;
            let nested = |outer: &String| {
                let inner = table.get(&(ROWS - 1 - key)).unwrap().expect("every load has it");
                assert!(inner >= *outer, "{inner} within {outer}");
            };
            assert_eq!(table.read(&key, nested).unwrap(), Some(()));
            let whole = table.snapshot().unwrap();
            let first = whole.get(&0).expect("every load has it");
            assert!(*first >= newest && whole.iter().all(|(_, row)| row == first));
            if over.load(SeqCst) {
                break;
            }
        }
    };
    thread::scope(|scope| {
        (0..8).for_each(|thread| drop(scope.spawn(move || read(thread))));
        (0..300).for_each(|_| table.reload().unwrap());
        over.store(true, SeqCst);
    });
    assert_eq!((table.status().loads, table.len()), (301, 64));
}

/// A snapshot goes on answering from its load, however often the table is loaded again, and after
/// the table has gone.
#[test]
fn a_snapshot_never_changes() {
    let table = numbered();
    let snapshot = table.snapshot().unwrap();
    (0..10).for_each(|_| table.reload().unwrap());
    assert_eq!(table.get(&5).unwrap().as_deref(), Some("load 00000000000000000010"));
    drop(table);
    let copy = snapshot.clone();
    drop(snapshot);
    assert!(copy.iter().all(|(_, row)| row == "load 00000000000000000000"));
    assert_eq!((copy.len(), copy.iter().len(), copy.is_empty()), (64, 64, false));
    assert!(copy.contains(&63) && !copy.contains(&64) && copy.get(&64).is_none());
}

/// A value that counts itself.
struct Counted(Arc<AtomicU64>);

impl Counted {
    fn new(alive: &Arc<AtomicU64>) -> Self {
        alive.fetch_add(1, SeqCst);
        Counted(alive.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

fn counted(rows: u64) -> (StaticTable<u64, Counted>, Arc<AtomicU64>) {
    let alive = Arc::new(AtomicU64::new(0));
    let mine = alive.clone();
    let load = move || Ok((0..rows).map(|key| (key, Counted::new(&mine))).collect());
    (StaticTable::with_loader(load), alive)
}

/// Readers sit in `read` while the table is loaded again: each keeps its own load alive, and the
/// last one of a load frees it, without another reload.
#[test]
fn an_old_table_is_never_freed_under_a_reader_nor_kept_after_it() {
    let (table, alive) = counted(10);
    let hold = |entered: mpsc::Sender<()>, release: mpsc::Receiver<()>| {
        let look = |_: &Counted| {
            entered.send(()).unwrap();
            release.recv().unwrap();
        };
        assert_eq!(table.read(&3, look).unwrap(), Some(()));
    };
    table.reload().unwrap();
    thread::scope(|scope| {
        let mut releases = Vec::new();
        for load in 1..=3 {
            for _ in 0..2 {
                let ((entered, entries), (release, wait)) = (mpsc::channel(), mpsc::channel());
                let thread = scope.spawn(move || hold(entered, wait));
                entries.recv().unwrap();
                releases.push((thread, release));
            }
            assert_eq!(alive.load(SeqCst), 10 * load);
            table.reload().unwrap();
            assert_eq!(alive.load(SeqCst), 10 * (load + 1), "two readers hold each old table");
        }
        for (left, (thread, release)) in (0..6_u64).rev().zip(releases) {
            release.send(()).unwrap();
            thread.join().unwrap();
            assert_eq!(alive.load(SeqCst), 10 * (1 + left.div_ceil(2)), "{left} readers are left");
        }
    });
    drop(table);
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn a_reader_that_panics_never_keeps_its_table_past_the_next_reload() {
    let (table, alive) = counted(10);
    let table = Arc::new(table);
    let panics = thread::spawn({
        let table = table.clone();
        move || {
            table.read(&3, |_| {
                table.reload().unwrap();
                panic!("in the middle of a read");
            })
        }
    });
    assert!(panics.join().is_err());
    table.reload().unwrap();
    assert_eq!(alive.load(SeqCst), 10);
}

/// Deeper than a thread has hazards, over tables that are all loaded anew at each level.
#[test]
fn reads_within_reads_of_many_tables_see_what_they_began_with() {
    fn descend(tables: &[StaticTable<u64, String>], above: &[&str]) {
        let Some((table, rest)) = tables.split_first() else {
            assert!(above.iter().all(|row| *row == "load 00000000000000000000"), "{above:?}");
            return;
        };
        let look = |row: &String| {
            table.reload().unwrap();
            table.read(&1, |new| assert_eq!(new, "load 00000000000000000001")).unwrap();
            let seen: Vec<&str> = above.iter().copied().chain([row.as_str()]).collect();
            descend(rest, &seen);
            assert_eq!(row, "load 00000000000000000000");
        };
        assert_eq!(table.read(&0, look).unwrap(), Some(()));
    }
    let tables: Vec<_> = (0..12).map(|_| numbered()).collect();
    thread::scope(|scope| drop(scope.spawn(|| descend(&tables, &[]))));
    descend(&(0..12).map(|_| numbered()).collect::<Vec<_>>(), &[]);
    assert!(tables.iter().all(|table| table.status().loads == 2));
}

static AT_EXIT: StaticTable<u64, String> = StaticTable::new(at_exit);

fn at_exit() -> Loaded<u64, String> {
    Ok(vec![(1, "still here".to_owned())])
}

/// Reads the table when its thread's storage is taken down.
struct ReadsWhenDropped(Cell<Option<mpsc::Sender<Option<String>>>>);

impl Drop for ReadsWhenDropped {
    fn drop(&mut self) {
        let answer = AT_EXIT.read(&1, |row| {
            AT_EXIT.reload().unwrap();
            row.clone()
        });
        if let Some(sender) = self.0.take() {
            sender.send(answer.unwrap()).unwrap();
        }
    }
}

thread_local! {
    static EARLIER: ReadsWhenDropped = const { ReadsWhenDropped(Cell::new(None)) };
    static LATER: ReadsWhenDropped = const { ReadsWhenDropped(Cell::new(None)) };
}

/// Before and after the thread's own hazards are returned, whichever comes first.
#[test]
fn reads_while_a_thread_ends_are_answered() {
    for reads_first in [false, true] {
        let (sender, answers) = mpsc::channel();
        let ends = thread::spawn(move || {
            EARLIER.with(|slot| slot.0.set(Some(sender.clone())));
            if reads_first {
                assert_eq!(AT_EXIT.get(&1).unwrap().as_deref(), Some("still here"));
            }
            LATER.with(|slot| slot.0.set(Some(sender)));
        });
        ends.join().unwrap();
        let answers: Vec<_> = answers.iter().collect();
        assert_eq!(answers, [Some("still here".to_owned()), Some("still here".to_owned())]);
    }
}
