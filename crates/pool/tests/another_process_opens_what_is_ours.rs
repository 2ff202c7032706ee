//! An exclusive database is this process's alone, and as good as any other within it.
#![cfg(all(feature = "sqlite", unix))]

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use larder_pool::ManageConnection;
use larder_pool::sqlite::{SqliteManager, SqlitePool};
use rusqlite::{Connection, ErrorCode};

const WRITE: &str = "UPDATE t SET x = x + 1";

fn exclusive(path: &Path) -> SqliteManager {
    SqliteManager::file(path).exclusive(true)
}

fn pool(path: &Path) -> SqlitePool {
    let pool = SqlitePool::open(exclusive(path), 2).unwrap();
    pool.transact(|tx| tx.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (0)")).unwrap();
    pool
}

fn read(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT x FROM t", [], |row| row.get(0))
}

/// This test program itself, as another process; whether it could write. If not, it was refused.
fn writes_in_another_process(path: &Path) -> bool {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program);
    child.args(["--exact", "a_second_process", "--ignored", "--quiet"]);
    let ended = child.env("LARDER_TEST_PATH", path).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() || said.contains("database is locked"), "{said}");
    ended.status.success()
}

#[test]
#[ignore = "run by the tests of another process, as it"]
fn a_second_process() {
    let Some(path) = std::env::var_os("LARDER_TEST_PATH") else { return };
    let conn = Connection::open(path).unwrap();
    conn.busy_timeout(Duration::ZERO).unwrap();
    conn.execute_batch(WRITE).unwrap();
}

#[test]
fn while_it_is_open_and_not_after() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let pool = pool(&path);
    assert!(!writes_in_another_process(&path), "it is ours");
    assert!(!dir.path().join("t.db-shm").exists(), "the WAL's index is in memory");
    pool.close_within(Duration::from_secs(60)).unwrap();
    drop(pool);
    assert!(writes_in_another_process(&path), "it was ours");
    let conn = exclusive(&path).connect().unwrap();
    assert_eq!(read(&conn).unwrap(), 1);
}

#[test]
fn while_another_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let theirs = SqlitePool::open(SqliteManager::file(&path), 1).unwrap();
    theirs.transact(|tx| tx.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (0)")).unwrap();
    let program = std::env::current_exe().unwrap();
    let opened = Command::new(program)
        .args(["--exact", "an_exclusive_process", "--ignored", "--quiet"])
        .env("LARDER_TEST_PATH", &path)
        .status();
    assert!(opened.unwrap().success(), "it is refused, and says why");
}

#[test]
#[ignore = "run by the test of a database that another has, as the one who is refused"]
fn an_exclusive_process() {
    let Some(path) = std::env::var_os("LARDER_TEST_PATH") else { return };
    let manager = exclusive(path.as_ref()).busy_timeout(Duration::ZERO);
    let error = manager.connect().expect_err("another has it open");
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy), "{error}");
    assert!(error.to_string().contains("t.db"), "{error}");
}

#[test]
fn its_own_threads_read_what_they_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let pool = pool(&path);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let before = read(&pool.read().unwrap()).unwrap();
                    pool.transact(|tx| tx.execute_batch(WRITE)).unwrap();
                    assert!(read(&pool.read().unwrap()).unwrap() > before);
                }
            });
        }
    });
    assert_eq!(read(&pool.read().unwrap()).unwrap(), 400);
    let copy = dir.path().join("copy.db");
    pool.backup(&copy).unwrap();
    assert_eq!(read(&Connection::open(&copy).unwrap()).unwrap(), 400);
}
