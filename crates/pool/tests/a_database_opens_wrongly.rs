//! Each connection has the settings that were asked for, and one that can't be opened says which
//! file it is about.
#![cfg(feature = "sqlite")]

use std::fs;
use std::path::Path;

use larder_pool::sqlite::{SqliteManager, SqlitePool};
use larder_pool::{ManageConnection, Pool};
use rusqlite::Connection;

fn pragma<T: rusqlite::types::FromSql>(conn: &Connection, name: &str) -> T {
    conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap()
}

fn refusal(manager: &SqliteManager) -> String {
    manager.connect().expect_err("it can't be opened").to_string()
}

#[test]
fn with_other_settings_than_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let manager = SqliteManager::file(dir.path().join("t.db"));
    let conn = manager.connect().unwrap();
    assert_eq!(pragma::<String>(&conn, "journal_mode"), "wal");
    assert_eq!(pragma::<i64>(&conn, "synchronous"), 1);
    assert_eq!(pragma::<i64>(&conn, "foreign_keys"), 1);
    assert_eq!(pragma::<i64>(&conn, "busy_timeout"), 5000);
    assert_eq!(pragma::<i64>(&conn, "cache_size"), -8192);
    assert_eq!(pragma::<i64>(&conn, "mmap_size"), 0);
    assert_eq!(pragma::<i64>(&conn, "query_only"), 0);

    let manager = manager
        .busy_timeout(std::time::Duration::from_millis(77))
        .foreign_keys(false)
        .durable(true)
        .cache_size_kib(100)
        .mmap_size_bytes(1 << 20)
        .query_only()
        .with_init(|conn| conn.execute_batch("CREATE TEMP TABLE mine (x)"));
    let conn = manager.connect().unwrap();
    assert_eq!(pragma::<i64>(&conn, "synchronous"), 2);
    assert_eq!(pragma::<i64>(&conn, "foreign_keys"), 0);
    assert_eq!(pragma::<i64>(&conn, "busy_timeout"), 77);
    assert_eq!(pragma::<i64>(&conn, "cache_size"), -100);
    assert_eq!(pragma::<i64>(&conn, "mmap_size"), 1 << 20);
    assert_eq!(pragma::<i64>(&conn, "query_only"), 1);
    conn.prepare("SELECT x FROM mine").unwrap();
}

#[test]
fn where_there_is_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing").join("t.db");
    let error = Pool::new(SqliteManager::file(&path)).unwrap_err();
    assert!(error.is_manager());
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}

#[test]
fn where_there_is_a_directory_or_no_database() {
    let dir = tempfile::tempdir().unwrap();
    let message = refusal(&SqliteManager::file(dir.path()));
    assert!(message.contains(dir.path().to_str().unwrap()), "{message}");

    let path = dir.path().join("picture.jpg");
    fs::write(&path, vec![0xa5; 8192]).unwrap();
    let message = refusal(&SqliteManager::file(&path));
    assert!(message.contains("not a database"), "{message}");
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    assert_eq!(fs::read(&path).unwrap(), vec![0xa5; 8192], "and it is left alone");
}

#[test]
fn where_reading_only_finds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let message = refusal(&SqliteManager::file(&path).read_only());
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    assert!(!path.exists(), "reading creates nothing");
}

#[test]
fn where_nothing_may_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let manager = SqliteManager::file(&path);
    manager.connect().unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let Some(_locked) = ReadOnlyDir::lock(dir.path()) else {
        return; // a superuser writes where it likes
    };
    let message = refusal(&manager);
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    let message = refusal(&manager.read_only());
    assert!(message.contains(path.to_str().unwrap()), "{message}");
}

/// Writable again when dropped, so that it can be removed.
struct ReadOnlyDir<'a>(&'a Path);

impl<'a> ReadOnlyDir<'a> {
    fn lock(path: &'a Path) -> Option<Self> {
        let locked = ReadOnlyDir(path);
        locked.set(true);
        fs::write(path.join("probe"), "").is_err().then_some(locked)
    }

    fn set(&self, read_only: bool) {
        for entry in fs::read_dir(self.0).unwrap() {
            let path = entry.unwrap().path();
            let mut permissions = fs::metadata(&path).unwrap().permissions();
            permissions.set_readonly(read_only);
            fs::set_permissions(&path, permissions).unwrap();
        }
        let mut permissions = fs::metadata(self.0).unwrap().permissions();
        permissions.set_readonly(read_only);
        fs::set_permissions(self.0, permissions).unwrap();
    }
}

impl Drop for ReadOnlyDir<'_> {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[test]
fn a_writer_of_a_read_only_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let keeps_the_wal = SqliteManager::file(&path).connect().unwrap();
    keeps_the_wal.execute_batch("CREATE TABLE t (x)").unwrap();
    let pool = SqlitePool::open(SqliteManager::file(&path).read_only(), 2).unwrap();
    pool.read().unwrap().prepare("SELECT x FROM t").unwrap();
    let error = pool.write().unwrap_err();
    assert!(error.to_string().contains("for reading only"), "{error}");
}

#[test]
fn memory_is_shared_by_clones_and_outlives_its_connections() {
    let manager = SqliteManager::memory();
    let conn = manager.connect().unwrap();
    conn.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (7)").unwrap();
    drop(conn);
    let conn = manager.clone().connect().unwrap();
    assert_eq!(conn.query_row("SELECT x FROM t", [], |row| row.get::<_, i64>(0)).unwrap(), 7);
    let other = SqliteManager::memory().connect().unwrap();
    assert!(other.prepare("SELECT x FROM t").is_err(), "another memory is another database");
}

#[test]
fn a_connection_is_valid_while_another_has_the_database_locked() {
    let dir = tempfile::tempdir().unwrap();
    let manager = SqliteManager::file(dir.path().join("t.db"));
    let mut conn = manager.connect().unwrap();
    let other = manager.connect().unwrap();
    other.execute_batch("CREATE TABLE t (x); BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)").unwrap();
    manager.is_valid(&mut conn).unwrap();
    assert!(!manager.has_broken(&mut conn));
}
