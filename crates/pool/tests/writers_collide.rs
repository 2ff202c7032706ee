//! Writers of one process wait for each other in a queue: no SQLITE_BUSY, no lost write, and
//! readers go on meanwhile.
#![cfg(feature = "sqlite")]

mod support;

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use larder_pool::sqlite::{SqliteManager, SqlitePool};
use support::until;

const TABLE: &str = "CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (0)";

fn in_file(dir: &tempfile::TempDir) -> SqlitePool {
    // No patience at all with SQLite's own locks: what collides, fails.
    let manager = SqliteManager::file(dir.path().join("t.db")).busy_timeout(Duration::ZERO);
    let pool = SqlitePool::open(manager, 4).unwrap();
    pool.transact(|tx| tx.execute_batch(TABLE)).unwrap();
    pool
}

#[test]
fn no_write_is_lost_and_none_is_busy() {
    const THREADS: i64 = 8;
    const WRITES: i64 = 50;
    let dir = tempfile::tempdir().unwrap();
    let pool = in_file(&dir);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..WRITES {
                    // Read, then write what was read: the pattern that a deferred transaction
                    // loses.
                    let writer = pool.write().unwrap();
                    let x: i64 = writer.query_row("SELECT x FROM t", [], |row| row.get(0)).unwrap();
                    writer.execute("UPDATE t SET x = ?1", [x + 1]).unwrap();
                    writer.commit().unwrap();
                    let conn = pool.read().unwrap();
                    let now: i64 = conn.query_row("SELECT x FROM t", [], |row| row.get(0)).unwrap();
                    assert!(now > x, "a reader sees what was committed before it asked");
                }
            });
        }
    });
    let x: i64 = pool.read().unwrap().query_row("SELECT x FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(x, THREADS * WRITES);
}

#[test]
fn writers_come_in_the_order_of_asking_and_readers_do_not_wait() {
    let dir = tempfile::tempdir().unwrap();
    let pool = in_file(&dir);
    let order = Mutex::new(Vec::new());
    let first = pool.write().unwrap();
    first.execute("UPDATE t SET x = 100", []).unwrap();
    thread::scope(|scope| {
        for nth in 0..8 {
            let (pool, order) = (&pool, &order);
            scope.spawn(move || {
                let writer = pool.write().unwrap();
                order.lock().unwrap().push(nth);
                writer.commit().unwrap();
            });
            until("the writer in the queue", || pool.writer().state().waiters == nth + 1);
        }
        let conn = pool.read().unwrap();
        let x: i64 = conn.query_row("SELECT x FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(x, 0, "before the commit");
        first.commit().unwrap();
    });
    assert_eq!(*order.lock().unwrap(), (0..8).collect::<Vec<_>>());
}

#[test]
fn waiting_for_the_writer_ends_at_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let pool = in_file(&dir);
    let _writer = pool.write().unwrap();
    let ask = || pool.write_timeout(Duration::from_millis(20)).unwrap_err();
    let error = thread::scope(|scope| scope.spawn(ask).join().unwrap());
    assert!(error.is_timeout(), "{error}");
}

#[test]
fn waiting_for_another_process_ends_at_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let pool = SqlitePool::open(SqliteManager::file(&path), 1).unwrap();
    pool.transact(|tx| tx.execute_batch(TABLE)).unwrap();
    // Another connection of ours stands for it: SQLite's locks do not tell the two apart.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked = Instant::now();
    let error = pool.write_timeout(Duration::from_millis(100)).unwrap_err();
    assert!(asked.elapsed() < Duration::from_secs(2), "not the busy time-out of 5 s");
    assert!(error.is_manager());
    assert!(error.to_string().contains("cannot begin a write"), "{error}");
    let busy = error.cause().unwrap().sqlite_error_code();
    assert_eq!(busy, Some(rusqlite::ErrorCode::DatabaseBusy));
    other.execute_batch("COMMIT").unwrap();
    pool.write().unwrap().commit().unwrap();
}

#[test]
fn a_thread_that_has_the_writer_is_refused_a_second_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let pool = in_file(&dir);
    let here = line!();
    let writer = pool.write().unwrap();
    // With the 30 s of the default it would wait for itself.
    let error = pool.transact(|tx| tx.execute("UPDATE t SET x = 1", [])).unwrap_err();
    assert!(error.is_nested() && !error.is_timeout(), "{error}");
    let message = error.to_string();
    for line in [here + 1, here + 3] {
        assert!(message.contains(&format!("{}:{line}:", file!())), "{line}: {message}");
    }
    assert!(pool.optimize().unwrap_err().is_nested());
    assert!(pool.read().is_ok(), "a reader is no second writer");
    drop(writer);
    pool.transact(|tx| tx.execute("UPDATE t SET x = 1", [])).unwrap();
}

#[test]
fn who_moves_writers_may_allow_a_second() {
    let manager = SqliteManager::memory();
    let allow = |builder: larder_pool::Builder<SqliteManager>| {
        builder.nested_checkout(larder_pool::Nested::Allow)
    };
    let pool = SqlitePool::open_with(manager, 1, allow).unwrap();
    let first = pool.write().unwrap();
    assert!(pool.write_timeout(Duration::from_millis(20)).unwrap_err().is_timeout());
    drop(first);
}
