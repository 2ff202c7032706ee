//! A backup is one moment of the database, whatever is written meanwhile; it replaces nothing, and
//! has its name only when it is whole.
#![cfg(feature = "sqlite")]

use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;

use larder_pool::sqlite::{SqliteManager, SqlitePool};
use rusqlite::Connection;

/// Two tables whose sums are the same at each commit.
const TABLES: &str = "CREATE TABLE l (x); CREATE TABLE r (x, pad)";

fn add(pool: &SqlitePool, x: i64) {
    pool.transact(|tx| {
        tx.prepare_cached("INSERT INTO l VALUES (?1)")?.execute([x])?;
        tx.prepare_cached("INSERT INTO r VALUES (?1, randomblob(3000))")?.execute([x])
    })
    .unwrap();
}

fn sums(conn: &Connection) -> (i64, i64) {
    let sum = |sql: &str| conn.query_row(sql, [], |row| row.get(0)).unwrap();
    (sum("SELECT total(x) = (SELECT total(x) FROM r) FROM l"), sum("SELECT count(*) FROM l"))
}

fn check(path: &std::path::Path) -> i64 {
    let copy = Connection::open(path).unwrap();
    let sound: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let (equal, rows) = sums(&copy);
    assert_eq!(equal, 1, "two halves of two moments");
    rows
}

fn in_file(dir: &tempfile::TempDir) -> SqlitePool {
    let pool = SqlitePool::open(SqliteManager::file(dir.path().join("t.db")), 2).unwrap();
    pool.transact(|tx| tx.execute_batch(TABLES)).unwrap();
    pool
}

fn files(dir: &tempfile::TempDir) -> Vec<String> {
    let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn it_is_one_moment_while_writers_go_on() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pool = in_file(&dir);
    (0..500).for_each(|x| add(&pool, x));
    let path = to.path().join("copy.db");
    let mut steps = Vec::new();
    thread::scope(|scope| {
        pool.backup_with(&path, |done, all| {
            // Between two steps, a writer gets through.
            scope.spawn(|| add(&pool, 1_000_000)).join().unwrap();
            steps.push((done, all));
        })
        .unwrap();
    });
    assert!(steps.len() > 1 && steps.is_sorted(), "{steps:?}");
    assert!(steps.last().is_some_and(|(done, all)| done == all), "{steps:?}");
    assert_eq!(check(&path), 500, "as it was when it was asked for");
    assert_eq!(files(&to), ["copy.db"]);
    assert!(pool.read().unwrap().is_autocommit());
}

#[test]
fn it_replaces_nothing() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pool = in_file(&dir);
    let error = pool.backup(dir.path().join("t.db")).unwrap_err().to_string();
    assert!(error.contains("cannot back up: there is a file already"), "{error}");
    // It would be replayed into the copy.
    fs::write(to.path().join("copy.db-wal"), "of another").unwrap();
    let error = pool.backup(to.path().join("copy.db")).unwrap_err().to_string();
    assert!(error.contains("copy.db-wal"), "{error}");
    let error = pool.backup(to.path().join("none/copy.db")).unwrap_err().to_string();
    assert!(error.contains("none/copy.db"), "{error}");
    assert_eq!(files(&to), ["copy.db-wal"]);
    add(&pool, 1);
    pool.backup(to.path().join("other.db")).unwrap();
    assert_eq!(check(&to.path().join("other.db")), 1);
}

#[test]
fn it_copies_memory_too() {
    let to = tempfile::tempdir().unwrap();
    let pool = SqlitePool::open(SqliteManager::memory(), 1).unwrap();
    pool.transact(|tx| tx.execute_batch(TABLES)).unwrap();
    (0..10).for_each(|x| add(&pool, x));
    pool.backup(to.path().join("copy.db")).unwrap();
    assert_eq!(check(&to.path().join("copy.db")), 10);
    add(&pool, 1);
}

#[test]
fn a_panic_while_it_is_made_leaves_no_file_and_no_slot_taken() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pool = in_file(&dir);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        pool.backup_with(to.path().join("copy.db"), |_, _| panic!("a caller's own"))
    }));
    assert!(panicked.is_err());
    assert!(files(&to).is_empty(), "{:?}", files(&to));
    let both = (pool.read().unwrap(), pool.read().unwrap());
    drop(both);
}

#[test]
fn statistics_are_brought_up_to_date_and_are_nobodys_news() {
    let dir = tempfile::tempdir().unwrap();
    let pool = in_file(&dir);
    pool.transact(|tx| tx.execute_batch("CREATE INDEX by_x ON l (x)")).unwrap();
    (0..100).for_each(|x| add(&pool, x));
    let log = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&log);
    pool.on_commit(move |commit| hears.lock().unwrap().push(format!("{commit:?}")));
    pool.optimize().unwrap();
    let conn = pool.read().unwrap();
    let found: i64 =
        conn.query_row("SELECT count(*) FROM sqlite_stat1", [], |row| row.get(0)).unwrap();
    assert!(found > 0);
    assert!(log.lock().unwrap().is_empty(), "{:?}", log.lock().unwrap());
    add(&pool, 1);
    assert_eq!(log.lock().unwrap().len(), 1);
    let refused = SqlitePool::open(SqliteManager::file(dir.path().join("t.db")).read_only(), 1);
    assert!(refused.unwrap().optimize().is_err());
}

#[test]
fn it_overwrites_no_file_that_came_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let pool = SqlitePool::open(SqliteManager::file(dir.path().join("t.db")), 1).unwrap();
    pool.transact(|tx| tx.execute_batch("CREATE TABLE t (x)")).unwrap();
    let to = dir.path().join("copy.db");
    let error = pool.backup_with(&to, |_, _| std::fs::write(&to, "mine").unwrap()).unwrap_err();
    assert!(error.is_manager() && error.to_string().contains("copy.db"), "{error}");
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "mine");
    let left = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().ends_with(".partial")));
}
