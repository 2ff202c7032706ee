//! What one holder of a SQLite connection left open, the next does not continue.
#![cfg(feature = "sqlite")]

mod support;

use larder_pool::Pool;
use larder_pool::sqlite::{SqliteManager, SqlitePool};
use support::Ear;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS t (x INTEGER)";

fn count(conn: &rusqlite::Connection) -> i64 {
    conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

#[test]
fn an_open_one_is_rolled_back_and_reported() {
    let ear = Ear::default();
    let pool = SqliteManager::pool()
        .max_size(1)
        .error_handler(Box::new(ear.clone()))
        .build(SqliteManager::memory())
        .unwrap();
    let conn = pool.get().unwrap();
    conn.execute_batch(TABLE).unwrap();
    conn.execute_batch("BEGIN; INSERT INTO t VALUES (1)").unwrap();
    drop(conn);
    let conn = pool.get().unwrap();
    assert!(conn.is_autocommit());
    assert_eq!(count(&conn), 0);
    let heard = ear.heard();
    assert_eq!(heard.len(), 1);
    assert!(heard[0].contains("open transaction"), "{heard:?}");
}

#[test]
fn an_open_one_is_rolled_back_in_a_plain_pool_too() {
    let pool = Pool::builder().max_size(1).build(SqliteManager::memory()).unwrap();
    let conn = pool.get().unwrap();
    conn.execute_batch(TABLE).unwrap();
    conn.execute_batch("BEGIN; INSERT INTO t VALUES (1)").unwrap();
    drop(conn);
    assert_eq!(count(&pool.get().unwrap()), 0);
}

#[test]
fn the_report_says_where_the_connection_was_asked_for() {
    let ear = Ear::default();
    let pool = SqlitePool::open_with(SqliteManager::memory(), 1, |builder| {
        builder.error_handler(Box::new(ear.clone()))
    })
    .unwrap();
    let (conn, line) = (pool.read().unwrap(), line!());
    conn.execute_batch("BEGIN").unwrap();
    drop(conn);
    let site = format!("lent at {}:{line}:", file!());
    assert!(ear.heard()[0].contains(&site), "{site}: {:?}", ear.heard());
}

/// Steps a statement and forgets it, as a leaked iterator does.
fn leave_running(conn: &rusqlite::Connection, sql: &str) {
    let mut statement = std::mem::ManuallyDrop::new(conn.prepare(sql).unwrap());
    let mut rows = std::mem::ManuallyDrop::new(statement.query([]).unwrap());
    assert!(rows.next().unwrap().is_some());
}

#[test]
fn a_statement_left_running_is_reset_and_reported() {
    let ear = Ear::default();
    let pool = SqliteManager::pool()
        .max_size(1)
        .error_handler(Box::new(ear.clone()))
        .build(SqliteManager::memory())
        .unwrap();
    let conn = pool.get().unwrap();
    conn.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)").unwrap();
    leave_running(&conn, "SELECT x FROM t");
    leave_running(&conn, "SELECT x + 1 FROM t");
    drop(conn);
    assert_eq!(pool.state().connections, 1, "it is as good as before");
    assert!(ear.heard()[0].contains("2 statements still running"), "{:?}", ear.heard());
    let conn = pool.get().unwrap();
    assert!(!conn.is_busy());
    assert_eq!(count(&conn), 2);
    drop(conn);
    assert_eq!(ear.heard().len(), 1);
}

#[test]
fn a_statement_left_running_keeps_no_old_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let pool = SqlitePool::open_with(SqliteManager::file(dir.path().join("t.db")), 1, |builder| {
        builder.error_handler(Box::new(Ear::default()))
    })
    .unwrap();
    pool.transact(|tx| tx.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)")).unwrap();
    leave_running(&pool.read().unwrap(), "SELECT x FROM t");
    pool.transact(|tx| tx.execute("INSERT INTO t VALUES (2)", [])).unwrap();
    assert_eq!(count(&pool.read().unwrap()), 2);
}

#[test]
fn a_writer_with_a_statement_left_running_is_rolled_back() {
    let ear = Ear::default();
    let dir = tempfile::tempdir().unwrap();
    let pool = SqlitePool::open_with(SqliteManager::file(dir.path().join("t.db")), 1, |builder| {
        builder.error_handler(Box::new(ear.clone()))
    })
    .unwrap();
    pool.transact(|tx| tx.execute_batch(TABLE)).unwrap();
    let writer = pool.write().unwrap();
    leave_running(&writer, "INSERT INTO t VALUES (1), (2) RETURNING x");
    drop(writer);
    pool.transact(|tx| tx.execute("INSERT INTO t VALUES (3)", [])).unwrap();
    assert_eq!(count(&pool.read().unwrap()), 1);
}

#[test]
fn a_writer_dropped_or_failed_leaves_nothing() {
    let ear = Ear::default();
    let pool = SqlitePool::open_with(SqliteManager::memory(), 2, |builder| {
        builder.error_handler(Box::new(ear.clone()))
    })
    .unwrap();
    pool.transact(|tx| tx.execute_batch(TABLE)).unwrap();

    let writer = pool.write().unwrap();
    writer.execute("INSERT INTO t VALUES (1)", []).unwrap();
    drop(writer);

    let failed = pool.transact(|tx| {
        tx.execute("INSERT INTO t VALUES (2)", [])?;
        tx.execute("INSERT INTO nowhere VALUES (2)", [])
    });
    let error = failed.unwrap_err();
    assert!(error.is_manager());
    assert!(error.to_string().starts_with("cannot write: no such table"), "{error}");

    let writer = pool.write().unwrap();
    writer.execute("INSERT INTO t VALUES (3)", []).unwrap();
    writer.rollback().unwrap();

    let writer = pool.write().unwrap();
    writer.execute("INSERT INTO t VALUES (4)", []).unwrap();
    writer.commit().unwrap();

    let seen: Vec<i64> = {
        let conn = pool.read().unwrap();
        let mut statement = conn.prepare("SELECT x FROM t").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(seen, [4]);
    assert!(ear.heard().is_empty(), "an intended rollback is no news: {:?}", ear.heard());
}

#[test]
fn a_panicking_writer_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let pool = SqlitePool::open(SqliteManager::file(dir.path().join("t.db")), 1).unwrap();
    pool.transact(|tx| tx.execute_batch(TABLE)).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let writer = pool.write().unwrap();
        writer.execute("INSERT INTO t VALUES (1)", []).unwrap();
        panic!("half way through");
    }));
    assert!(panicked.is_err());
    pool.transact(|tx| tx.execute("INSERT INTO t VALUES (2)", [])).unwrap();
    assert_eq!(count(&pool.read().unwrap()), 1);
}

#[test]
fn a_reader_cannot_write() {
    let pool = SqlitePool::open(SqliteManager::memory(), 1).unwrap();
    pool.transact(|tx| tx.execute_batch(TABLE)).unwrap();
    let error = pool.read().unwrap().execute("INSERT INTO t VALUES (1)", []).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::ReadOnly), "{error}");
}

#[test]
fn a_gate_of_ones_own_is_heard_beside_the_pools() {
    let ear = Ear::default();
    let mended = |_: &mut rusqlite::Connection, _: &'static std::panic::Location<'static>| {
        larder_pool::Returned::Mended(rusqlite::Error::InvalidQuery)
    };
    let pool = SqlitePool::open_with(SqliteManager::memory(), 1, |builder| {
        builder.error_handler(Box::new(ear.clone())).return_gate(mended)
    })
    .unwrap();
    let before = ear.heard().len();
    pool.read().unwrap().execute_batch("BEGIN").unwrap();
    assert!(pool.read().unwrap().is_autocommit());
    let heard = &ear.heard()[before];
    let own = rusqlite::Error::InvalidQuery.to_string();
    assert!(heard.contains(&own) && heard.contains("inside an open transaction"), "{heard}");
}
