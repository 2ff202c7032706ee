//! A lease ends: the query is interrupted, the error says by what, the connection stays good. And
//! a reader that stays all the same is named by the governor of the WAL.
#![cfg(feature = "sqlite")]

mod support;

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use larder_pool::Returned;
use larder_pool::sqlite::{SqliteManager, SqlitePool};
use rusqlite::{Connection, ErrorCode};
use support::{Ear, until};

const ENDLESS: &str =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
const SOON: Duration = Duration::from_millis(20);

fn in_file(dir: &tempfile::TempDir, ear: &Ear) -> SqlitePool {
    let manager = SqliteManager::file(dir.path().join("t.db")).wal_limit_bytes(256 << 10);
    let handler =
        |builder: larder_pool::Builder<SqliteManager>| builder.error_handler(Box::new(ear.clone()));
    let pool = SqlitePool::open_with(manager, 2, handler).unwrap();
    pool.transact(|tx| tx.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)")).unwrap();
    pool
}

fn count(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0))
}

#[test]
fn a_lease_interrupts_its_query_and_no_other() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    let pool = in_file(&dir, &ear);
    let error = pool
        .read_within(SOON, |conn| conn.query_row(ENDLESS, [], |row| row.get::<_, i64>(0)))
        .unwrap_err();
    assert!(error.to_string().contains("cannot read: the lease of 20ms was over"), "{error}");
    let cause = error.cause().unwrap().sqlite_error_code();
    assert_eq!(cause, Some(ErrorCode::OperationInterrupted));
    assert_eq!(pool.readers().state().connections, 1, "the connection stays");
    // Far more instructions than a lease looks at the clock between.
    let thousands = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000)
        SELECT max(i) FROM n";
    let sum: i64 = pool.read().unwrap().query_row(thousands, [], |row| row.get(0)).unwrap();
    assert_eq!(sum, 50_000, "by a holder without a lease");
    assert_eq!(pool.read_within(Duration::from_secs(60), count).unwrap(), 1);
    assert!(ear.heard().is_empty(), "{:?}", ear.heard());
}

#[test]
fn a_lease_leaves_other_errors_as_they_are() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    let pool = in_file(&dir, &ear);
    let error = pool.read_within(Duration::ZERO, |conn| {
        // Its deadline is over at once, but this fails by itself.
        conn.execute_batch("SELEKT")
    });
    let message = error.unwrap_err().to_string();
    assert!(message.contains("syntax error"), "{message}");
}

#[test]
fn a_lease_counts_the_wait_for_a_connection() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    let pool = in_file(&dir, &ear);
    let _both = (pool.read().unwrap(), pool.read().unwrap());
    assert!(pool.read_within(SOON, count).unwrap_err().is_timeout());
    let _writer = pool.write().unwrap();
    let ask = || pool.transact_within(SOON, count).unwrap_err();
    let error = thread::scope(|scope| scope.spawn(ask).join().unwrap());
    assert!(error.is_timeout(), "{error}");
}

#[test]
fn a_write_interrupted_leaves_nothing() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    let pool = in_file(&dir, &ear);
    let insert = format!("INSERT INTO t {ENDLESS}");
    let error = pool.transact_within(SOON, |tx| {
        tx.execute("INSERT INTO t VALUES (2)", [])?;
        tx.execute(&insert, [])
    });
    assert!(error.unwrap_err().to_string().contains("cannot write: the lease of 20ms"));
    pool.transact_within(Duration::from_secs(60), |tx| tx.execute("INSERT INTO t VALUES (3)", []))
        .unwrap();
    assert_eq!(pool.read_within(Duration::from_secs(60), count).unwrap(), 2);
    assert!(ear.heard().is_empty(), "{:?}", ear.heard());
}

fn fill(pool: &SqlitePool, rows: usize) {
    for _ in 0..rows {
        pool.transact(|tx| {
            tx.prepare_cached("INSERT INTO t VALUES (randomblob(20000))")?.execute([])
        })
        .unwrap();
    }
}

fn wal_bytes(dir: &tempfile::TempDir) -> u64 {
    std::fs::metadata(dir.path().join("t.db-wal")).unwrap().len()
}

#[test]
fn the_wal_stays_below_its_bound() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    let pool = in_file(&dir, &ear);
    let mut longest = 0;
    for _ in 0..40 {
        fill(&pool, 5);
        longest = longest.max(wal_bytes(&dir));
    }
    // 4 MB were written. One transaction may pass the bound, and is cut back after it.
    assert!(longest < 320 << 10, "{longest} bytes");
    assert!(ear.heard().is_empty(), "{:?}", ear.heard());
}

/// A reader who is there from each return of the writer to the next commit: SQLite itself never
/// finds the moment to begin the WAL anew, and the governor does.
fn beside_a_reader(dir: &tempfile::TempDir, ear: &Ear) -> (SqlitePool, Arc<Mutex<Connection>>) {
    drop(in_file(dir, ear));
    let reader = Arc::new(Mutex::new(Connection::open(dir.path().join("t.db")).unwrap()));
    let begins = Arc::clone(&reader);
    let manager = SqliteManager::file(dir.path().join("t.db")).wal_limit_bytes(256 << 10);
    let pool = SqlitePool::open_with(manager, 2, |builder| {
        let begins = Arc::clone(&begins);
        builder.error_handler(Box::new(ear.clone())).return_gate(move |_, _| {
            let reader = begins.lock().unwrap();
            if reader.is_autocommit() {
                reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
            }
            Returned::Clean
        })
    });
    (pool.unwrap(), reader)
}

/// Ends the reading after each commit, before the governor looks.
fn let_go(pool: &SqlitePool, reader: &Arc<Mutex<Connection>>) {
    let reader = Arc::clone(reader);
    pool.on_commit(move |_| {
        let reader = reader.lock().unwrap();
        if !reader.is_autocommit() {
            reader.execute_batch("ROLLBACK").unwrap();
        }
    });
}

fn lengths_while_filled(dir: &tempfile::TempDir, pool: &SqlitePool, rows: usize) -> Vec<u64> {
    let one = |_| {
        fill(pool, 1);
        wal_bytes(dir)
    };
    (0..rows).map(one).collect()
}

/// Freeing it would keep the writers waiting, and each commit after would have to grow it again.
#[test]
fn a_wal_at_its_bound_keeps_its_file() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    let (pool, reader) = beside_a_reader(&dir, &ear);
    let_go(&pool, &reader);
    let lengths = lengths_while_filled(&dir, &pool, 60);
    let later: Vec<_> = lengths.iter().skip_while(|&&bytes| bytes < 240 << 10).collect();
    assert!(later.len() > 40, "1.2 MB were written: {lengths:?}");
    assert!(later.iter().all(|&&bytes| (240 << 10..320 << 10).contains(&bytes)), "{lengths:?}");
    assert!(ear.heard().is_empty(), "{:?}", ear.heard());
}

#[test]
fn a_wal_beyond_twice_its_bound_is_freed_at_once() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    let (pool, reader) = beside_a_reader(&dir, &ear);
    fill(&pool, 15);
    assert_eq!(ear.heard().len(), 1, "it can't be cut: {:?}", ear.heard());
    let_go(&pool, &reader);
    // The next try is due after four more megabytes.
    let lengths = lengths_while_filled(&dir, &pool, 250);
    let longest = lengths.iter().max().unwrap();
    assert!(*longest > 4 << 20 && lengths.contains(&0), "{lengths:?}");
}

#[test]
fn the_wal_stays_below_its_bound_when_the_writer_is_used_bare() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    let pool = in_file(&dir, &ear);
    for _ in 0..100 {
        let conn = pool.writer().get().unwrap();
        conn.execute("INSERT INTO t VALUES (randomblob(20000))", []).unwrap();
    }
    assert!(wal_bytes(&dir) < 320 << 10, "{} bytes", wal_bytes(&dir));
}

#[test]
fn who_keeps_the_wal_beyond_its_bound_is_named() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    let pool = in_file(&dir, &ear);
    let (reader, line) = (pool.read().unwrap(), line!());
    reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
    fill(&pool, 30);
    let heard = ear.heard();
    assert!(!heard.is_empty(), "nobody was named with {} bytes", wal_bytes(&dir));
    assert!(heard.len() < 10, "once for so much growth, not for each commit: {heard:?}");
    let site = format!("{}:{line}:", file!());
    assert!(heard[0].contains("the WAL of") && heard[0].contains(&site), "{site}: {}", heard[0]);
    reader.execute_batch("COMMIT").unwrap();
    drop(reader);
    fill(&pool, 20);
    assert!(wal_bytes(&dir) < 320 << 10, "cut as soon as it could be: {}", wal_bytes(&dir));
}

#[test]
fn a_reader_of_another_process_is_named_as_such() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    let pool = in_file(&dir, &ear);
    // SQLite's locks do not tell another connection of ours from another process.
    let other = Connection::open(dir.path().join("t.db")).unwrap();
    other.execute_batch("BEGIN; SELECT * FROM t").unwrap();
    fill(&pool, 30);
    assert!(ear.heard()[0].contains("a reader of another process"), "{:?}", ear.heard());
}

#[test]
fn no_writer_is_busy_while_the_wal_is_cut() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    // No patience with SQLite's own locks: a checkpoint that were in a writer's way would show.
    let manager = SqliteManager::file(dir.path().join("t.db"))
        .wal_limit_bytes(256 << 10)
        .busy_timeout(Duration::ZERO);
    let pool = SqlitePool::open_with(manager, 4, |b| b.error_handler(Box::new(ear.clone())));
    let pool = pool.unwrap();
    pool.transact(|tx| tx.execute_batch("CREATE TABLE t (x)")).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    fill(&pool, 1);
                    count(&pool.read().unwrap()).unwrap();
                }
            });
        }
    });
    assert_eq!(count(&pool.read().unwrap()).unwrap(), 200);
}

#[test]
fn a_closed_pool_leaves_no_wal() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    let pool = in_file(&dir, &ear);
    fill(&pool, 100);
    assert!(wal_bytes(&dir) > 0);
    pool.close();
    until("the WAL's end", || !dir.path().join("t.db-wal").exists());
}

/// Without a WAL readers and the writer wait for each other, by SQLite's busy handler.
fn in_memory() -> SqlitePool {
    let manager = SqliteManager::memory().busy_timeout(Duration::from_secs(60));
    let pool = SqlitePool::open(manager, 2).unwrap();
    pool.transact(|tx| tx.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)")).unwrap();
    pool
}

fn busy_timeout(conn: &Connection) -> i64 {
    conn.query_row("PRAGMA busy_timeout", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_lease_ends_while_its_query_waits_for_a_lock() {
    let pool = in_memory();
    // So that it knows the schema, which it could not read later.
    assert_eq!(count(&pool.read().unwrap()).unwrap(), 1);
    let writer = pool.write().unwrap();
    writer.execute("INSERT INTO t VALUES (2)", []).unwrap();
    let asked = Instant::now();
    let error = pool.read_within(SOON, count).unwrap_err();
    assert!(asked.elapsed() < Duration::from_secs(30), "not the busy time-out of 60 s");
    assert!(error.to_string().contains("cannot read: the lease of 20ms was over"), "{error}");
    assert!(error.to_string().contains("lock"), "{error}");
    let code = error.cause().unwrap().sqlite_error_code();
    assert!(matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)), "{code:?}");
    drop(writer);
    assert_eq!(busy_timeout(&pool.read().unwrap()), 60_000, "the next holder's is as it was");
}

#[test]
fn a_lease_ends_while_its_commit_waits_for_a_lock() {
    let pool = in_memory();
    let reader = pool.read().unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
    let asked = Instant::now();
    let insert = |tx: &Connection| tx.execute("INSERT INTO t VALUES (2)", []);
    let error = pool.transact_within(SOON, insert).unwrap_err();
    assert!(asked.elapsed() < Duration::from_secs(30), "not the busy time-out of 60 s");
    assert!(error.to_string().contains("the lease of 20ms was over"), "{error}");
    reader.execute_batch("COMMIT").unwrap();
    drop(reader);
    assert_eq!(busy_timeout(&pool.writer().get().unwrap()), 60_000);
    assert_eq!(count(&pool.read().unwrap()).unwrap(), 1, "it was rolled back");
    pool.transact_within(Duration::from_secs(60), insert).unwrap();
    assert_eq!(busy_timeout(&pool.writer().get().unwrap()), 60_000);
}

#[test]
fn who_keeps_the_wal_is_named_beside_an_older_idle_one() {
    let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
    let pool = in_file(&dir, &ear);
    let (_idle, idle_line) = (pool.read().unwrap(), line!());
    let (reader, line) = (pool.read().unwrap(), line!());
    reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
    fill(&pool, 30);
    let heard = ear.heard();
    assert!(heard[0].contains("one of 2 readers"), "{}", heard[0]);
    for line in [idle_line, line] {
        assert!(heard[0].contains(&format!("{}:{line}:", file!())), "{line}: {}", heard[0]);
    }
}

#[test]
fn a_small_bound_and_a_reader_stall_few_writes() {
    for page_bytes in [4096, 65_536] {
        let (dir, ear) = (tempfile::tempdir().unwrap(), Ear::default());
        let set = format!("PRAGMA page_size={page_bytes}");
        let manager = SqliteManager::file(dir.path().join("t.db")).wal_limit_bytes(64 << 10);
        Connection::open(dir.path().join("t.db"))
            .unwrap()
            .execute_batch(&format!("{set}; CREATE TABLE t (x); INSERT INTO t VALUES (1)"))
            .unwrap();
        let handler = |builder: larder_pool::Builder<SqliteManager>| {
            builder.error_handler(Box::new(ear.clone()))
        };
        let pool = SqlitePool::open_with(manager, 2, handler).unwrap();
        let reader = pool.read().unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        for _ in 0..200 {
            pool.transact(|tx| tx.execute("INSERT INTO t VALUES (randomblob(3000))", [])).unwrap();
        }
        // Each of these kept the writers waiting.
        let reports = ear.heard().len();
        assert!((1..=3).contains(&reports), "{reports} of 200, pages of {page_bytes}");
    }
}
