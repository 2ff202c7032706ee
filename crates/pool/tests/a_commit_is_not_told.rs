//! Listeners hear of each commit, once, after it and never of a rollback, with the tables that it
//! touched; and of what other processes commit.
#![cfg(feature = "sqlite")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use larder_pool::sqlite::{Commit, SqliteManager, SqlitePool};

type Log = Arc<Mutex<Vec<String>>>;

/// As one line: the tables in order, then `schema` and `unknown`.
fn line(commit: &Commit<'_>) -> String {
    let mut words: Vec<_> = commit.tables().collect();
    words.sort_unstable();
    words.extend(commit.schema_changed().then_some("schema"));
    words.extend(commit.is_unknown().then_some("unknown"));
    words.join(" ")
}

fn listen(pool: &SqlitePool) -> Log {
    let log = Log::default();
    let hears = Arc::clone(&log);
    pool.on_commit(move |commit| hears.lock().unwrap().push(line(commit)));
    log
}

fn take(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

struct Place {
    pool: SqlitePool,
    log: Log,
    dir: tempfile::TempDir,
}

impl Place {
    fn with(schema: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pool = SqlitePool::open(SqliteManager::file(dir.path().join("t.db")), 2).unwrap();
        pool.transact(|tx| tx.execute_batch(schema)).unwrap();
        let log = listen(&pool);
        Place { pool, log, dir }
    }

    /// What the listeners hear of one transaction of these statements, from the cache.
    fn hear(&self, statements: &[&str]) -> Vec<String> {
        let writer = self.pool.write().unwrap();
        for sql in statements {
            let mut statement = writer.prepare_cached(sql).unwrap();
            let mut rows = statement.query([]).unwrap();
            while rows.next().unwrap().is_some() {}
        }
        writer.commit().unwrap();
        take(&self.log)
    }

    /// The same, and again in a second transaction, for which nothing is prepared any more.
    #[track_caller]
    fn assert_twice(&self, statements: &[&str], expected: &str) {
        for time in ["prepared", "cached"] {
            assert_eq!(self.hear(statements), [expected], "{time}: {statements:?}");
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("t.db")
    }
}

const ROWS: &str = "
    CREATE TABLE t (id INTEGER PRIMARY KEY, x);
    CREATE TABLE wo (id INTEGER PRIMARY KEY, x) WITHOUT ROWID;
    INSERT INTO t VALUES (1, 1), (2, 2); INSERT INTO wo VALUES (1, 1), (2, 2);
";

#[test]
fn rows_of_every_kind_of_table_are_told() {
    let place = Place::with(ROWS);
    place.assert_twice(&["UPDATE t SET x = x + 1"], "t");
    place.assert_twice(&["UPDATE wo SET x = x + 1"], "wo");
    place.assert_twice(&["REPLACE INTO wo VALUES (1, random())"], "wo");
    place.assert_twice(&["INSERT OR REPLACE INTO t VALUES (1, random())"], "t");
    let upsert = "INSERT INTO t VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET x = random()";
    place.assert_twice(&[upsert], "t");
    place.assert_twice(&["INSERT INTO t (x) SELECT random()", "DELETE FROM t"], "t");
    place.assert_twice(&["INSERT INTO t (x) SELECT x FROM wo"], "t");
    place.assert_twice(&["UPDATE t SET x = random()", "UPDATE wo SET x = random()"], "t wo");
}

#[test]
fn a_delete_without_a_condition_is_told_though_it_visits_no_row() {
    let place = Place::with(ROWS);
    assert_eq!(place.hear(&["DELETE FROM t"]), ["t"]);
    assert_eq!(place.hear(&["INSERT INTO t VALUES (1, 1)"]), ["t"]);
    assert_eq!(place.hear(&["DELETE FROM t"]), ["t"], "the same statement, cached");
}

#[test]
fn tables_behind_triggers_views_and_foreign_keys_are_told() {
    let place = Place::with(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, x);
         CREATE TABLE child (p REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE);
         CREATE TABLE log (x);
         CREATE VIEW v AS SELECT x FROM log;
         CREATE TRIGGER bye AFTER DELETE ON child BEGIN INSERT INTO log VALUES (old.p); END;
         CREATE TRIGGER v_in INSTEAD OF INSERT ON v BEGIN INSERT INTO log VALUES (new.x); END;",
    );
    let steps = ["INSERT INTO parent VALUES (1, 1)", "INSERT INTO child VALUES (1)"];
    place.assert_twice(&[steps[0], steps[1], "DELETE FROM parent"], "child log parent");
    place.assert_twice(&["INSERT INTO v VALUES (7)"], "log v");
}

#[test]
fn a_trigger_that_comes_later_is_told_of_by_an_old_statement() {
    let place = Place::with(ROWS);
    place.assert_twice(&["UPDATE t SET x = random()"], "t");
    let trigger = "CREATE TRIGGER more AFTER UPDATE ON t BEGIN DELETE FROM wo; END";
    assert!(place.hear(&[trigger])[0].contains("schema"));
    place.assert_twice(&["UPDATE t SET x = random()"], "t wo");
    assert!(place.hear(&["DROP TRIGGER more"])[0].contains("schema"));
    place.assert_twice(&["UPDATE t SET x = random()"], "t");
}

#[test]
fn a_trigger_that_another_process_made_is_told_of_by_an_old_statement() {
    let place = Place::with(ROWS);
    place.assert_twice(&["UPDATE t SET x = random()"], "t");
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.execute_batch("CREATE TRIGGER more AFTER UPDATE ON t BEGIN DELETE FROM wo; END").unwrap();
    assert_eq!(place.hear(&["UPDATE t SET x = random()"]), ["unknown", "t wo"]);
    assert_eq!(place.hear(&["UPDATE t SET x = random()"]), ["t wo"]);
}

#[test]
fn tables_of_a_virtual_one_are_told_with_it() {
    let place = Place::with("CREATE VIRTUAL TABLE words USING fts5 (body)");
    for _ in 0..3 {
        let heard = place.hear(&["INSERT INTO words VALUES ('larder')"]);
        assert!(heard[0].split(' ').any(|table| table == "words"), "{heard:?}");
    }
}

#[test]
fn a_changed_schema_is_told() {
    let place = Place::with(ROWS);
    for sql in [
        "CREATE TABLE u (x)",
        "ALTER TABLE u ADD COLUMN y",
        "ALTER TABLE u RENAME TO w",
        "CREATE INDEX w_x ON w (x)",
        "/* in a comment: */ DROP TABLE w",
        "CREATE VIEW v AS SELECT 1",
    ] {
        let heard = place.hear(&[sql]);
        assert!(heard.len() == 1 && heard[0].contains("schema"), "{sql}: {heard:?}");
    }
}

#[test]
fn nothing_is_told_of_what_changed_nothing() {
    let place = Place::with(ROWS);
    for statements in [
        &[][..],
        &["SELECT count(*) FROM t"],
        &["UPDATE t SET x = 0 WHERE id = 77", "DELETE FROM wo WHERE id = 77"],
        &["CREATE TABLE IF NOT EXISTS t (x)"],
    ] {
        assert!(place.hear(statements).is_empty(), "{statements:?}");
    }
}

#[test]
fn nothing_is_told_of_a_rollback() {
    let place = Place::with(ROWS);
    let writer = place.pool.write().unwrap();
    writer.execute("DELETE FROM t", []).unwrap();
    writer.rollback().unwrap();
    let writer = place.pool.write().unwrap();
    writer.execute("DELETE FROM t", []).unwrap();
    drop(writer);
    assert!(place.pool.transact(|tx| tx.execute("DELETE FROM nowhere", [])).is_err());
    assert!(take(&place.log).is_empty());
    place.assert_twice(&["UPDATE wo SET x = random()"], "wo");
}

#[test]
fn nothing_is_told_of_a_commit_that_failed() {
    let place = Place::with(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (p REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);",
    );
    let writer = place.pool.write().unwrap();
    writer.execute("INSERT INTO child VALUES (1)", []).unwrap();
    assert!(writer.commit().unwrap_err().to_string().contains("FOREIGN KEY"));
    assert!(take(&place.log).is_empty());
    place.assert_twice(&["INSERT INTO parent DEFAULT VALUES"], "parent");
}

#[test]
fn nothing_is_told_of_a_commit_that_readers_kept_out() {
    let manager = SqliteManager::memory().busy_timeout(std::time::Duration::ZERO);
    let pool = SqlitePool::open(manager, 1).unwrap();
    pool.transact(|tx| tx.execute_batch(ROWS)).unwrap();
    let log = listen(&pool);
    let reader = pool.read().unwrap();
    let mut statement = reader.prepare("SELECT x FROM t").unwrap();
    let mut rows = statement.query([]).unwrap();
    rows.next().unwrap();
    // In memory there is no WAL, and so the two exclude each other.
    let refused = pool.transact(|tx| tx.execute("UPDATE t SET x = 3", []));
    assert!(refused.is_err());
    assert!(take(&log).is_empty());
    drop(rows);
    drop(statement);
    drop(reader);
    pool.transact(|tx| tx.execute("UPDATE wo SET x = 3", [])).unwrap();
    assert_eq!(take(&log), ["wo"]);
}

#[test]
fn a_savepoint_rolled_back_is_told_rather_than_missed() {
    let place = Place::with(ROWS);
    let steps = ["SAVEPOINT s", "DELETE FROM t", "ROLLBACK TO s", "UPDATE wo SET x = random()"];
    place.assert_twice(&steps, "t wo");
}

#[test]
fn tables_of_an_attached_database_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let aside = dir.path().join("aside.db");
    let manager = SqliteManager::file(dir.path().join("t.db"));
    let attach = format!("ATTACH '{}' AS aside", aside.display());
    let pool = SqlitePool::open(manager.with_init(move |conn| conn.execute_batch(&attach)), 1);
    let pool = pool.unwrap();
    pool.transact(|tx| tx.execute_batch("CREATE TABLE aside.far (x)")).unwrap();
    let log = listen(&pool);
    for _ in 0..2 {
        let insert = |tx: &rusqlite::Connection| {
            tx.prepare_cached("INSERT INTO aside.far VALUES (1)")?.execute([])
        };
        pool.transact(insert).unwrap();
        assert_eq!(take(&log), ["far"], "though the WAL of `main` did not grow");
    }
}

#[test]
fn a_temporary_table_is_nobodys_news() {
    let place = Place::with(ROWS);
    assert!(place.hear(&["CREATE TEMP TABLE mine (x)", "INSERT INTO mine VALUES (1)"]).is_empty());
}

#[test]
fn what_is_committed_past_a_writer_is_told_when_it_comes_back() {
    let place = Place::with(ROWS);
    for _ in 0..2 {
        let conn = place.pool.writer().get().unwrap();
        conn.prepare_cached("UPDATE t SET x = random()").unwrap().execute([]).unwrap();
        // Stepped once and reset: SQLite does not call its WAL hook then.
        let insert = "INSERT INTO t (x) VALUES (1) RETURNING id";
        conn.query_row(insert, [], |row| row.get::<_, i64>(0)).unwrap();
        drop(conn);
        let heard = take(&place.log);
        assert!(heard.len() == 1 && heard[0].contains('t'), "{heard:?}");
    }
    let writer = place.pool.write().unwrap();
    writer.execute_batch("DELETE FROM t; COMMIT; BEGIN; DELETE FROM wo").unwrap();
    drop(writer);
    let heard = take(&place.log);
    assert!(heard.len() == 1 && heard[0].contains('t'), "{heard:?}");
}

#[test]
fn what_is_committed_before_a_panic_is_told() {
    let place = Place::with(ROWS);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let conn = place.pool.writer().get().unwrap();
        conn.execute("DELETE FROM t", []).unwrap();
        panic!("after the commit");
    }));
    assert!(panicked.is_err());
    let heard = take(&place.log);
    assert!(heard.len() == 1 && heard[0].contains('t'), "{heard:?}");
}

#[test]
fn what_is_written_past_sql_is_told_as_unknown() {
    let place = Place::with(ROWS);
    assert_eq!(place.hear(&["PRAGMA user_version=7"]), ["unknown"]);
}

#[test]
fn many_texts_of_one_transaction_are_told_of_all_the_same() {
    let place = Place::with(ROWS);
    let texts: Vec<_> = (0..200).map(|n| format!("INSERT INTO t (x) VALUES ({n})")).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    let heard = place.hear(&texts);
    assert!(heard.len() == 1 && heard[0].split(' ').any(|table| table == "t"), "{heard:?}");
}

#[test]
fn one_listener_that_panics_keeps_it_from_no_other() {
    let place = Place::with(ROWS);
    let panics = AtomicBool::new(true);
    place.pool.on_commit(move |_| {
        assert!(!panics.swap(false, Ordering::Relaxed), "a listener's own");
    });
    let late = listen(&place.pool);
    let commit = || place.pool.transact(|tx| tx.execute("DELETE FROM t", []));
    let panicked = catch_unwind(AssertUnwindSafe(commit)).unwrap_err();
    assert_eq!(panicked.downcast_ref::<&str>(), Some(&"a listener's own"));
    assert_eq!(take(&late), ["t"]);
    assert_eq!(place.pool.writer().state().connections, 0, "closed, as by any panic");
    let kept: i64 = place
        .pool
        .read()
        .unwrap()
        .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 0, "it was committed");
    drop(place.pool.write().expect("no slot is lost"));
    assert_eq!(take(&late), ["unknown"], "while it was closed, other processes may have written");
}

#[test]
fn a_listener_may_read_and_may_listen() {
    let place = Place::with(ROWS);
    let (pool, seen) = (place.pool.clone(), Arc::new(Mutex::new(Vec::new())));
    let sees = Arc::clone(&seen);
    place.pool.on_commit(move |_| {
        let conn = pool.read().unwrap();
        let rows = conn.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
        sees.lock().unwrap().push(rows.unwrap());
        pool.on_commit(|_| {});
    });
    place.hear(&["DELETE FROM t"]);
    assert_eq!(*seen.lock().unwrap(), [0], "it reads what was committed");
}

/// This test program itself, as another process: `a_second_process` below, told where to write.
fn in_another_process(path: &Path, sql: &str) {
    let program = std::env::current_exe().unwrap();
    let status = Command::new(program)
        .args(["--exact", "a_second_process", "--ignored", "--quiet"])
        .env("LARDER_TEST_PATH", path)
        .env("LARDER_TEST_SQL", sql)
        .status();
    assert!(status.unwrap().success());
}

#[test]
#[ignore = "run by the test of other processes, as one of them"]
fn a_second_process() {
    let Some(path) = std::env::var_os("LARDER_TEST_PATH") else { return };
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.execute_batch(&std::env::var("LARDER_TEST_SQL").unwrap()).unwrap();
}

#[test]
fn what_another_process_commits_is_told() {
    let place = Place::with(ROWS);
    let check = || place.pool.check_other_writers().unwrap();
    assert!(!check(), "nobody wrote yet");
    in_another_process(&place.path(), "UPDATE t SET x = 10");
    assert!(check());
    assert_eq!(take(&place.log), ["unknown"]);
    assert!(!check(), "told once");
    assert_eq!(place.hear(&["UPDATE t SET x = random()"]), ["t"]);
    assert!(!check(), "our own commits are no other's");
    in_another_process(&place.path(), "UPDATE t SET x = 11");
    assert_eq!(place.hear(&["UPDATE wo SET x = random()"]), ["unknown", "wo"], "a writer looks");
    in_another_process(&place.path(), "PRAGMA user_version");
    assert!(!check(), "it only read");
    let _busy = place.pool.write().unwrap();
    assert!(!check(), "nobody else can write now, and looking does not wait");
}

#[test]
fn a_reader_that_is_due_hears_of_other_processes_first() {
    let place = Place::with(ROWS);
    in_another_process(&place.path(), "UPDATE t SET x = 10");
    drop(place.pool.read().unwrap());
    assert!(take(&place.log).is_empty(), "by default none looks");
    place.pool.check_other_writers_every(std::time::Duration::ZERO);
    drop(place.pool.read().unwrap());
    assert_eq!(take(&place.log), ["unknown"]);
    place.pool.check_other_writers_every(std::time::Duration::from_secs(3600));
    in_another_process(&place.path(), "UPDATE t SET x = 11");
    drop(place.pool.read().unwrap());
    assert!(take(&place.log).is_empty(), "not due for an hour");
}

#[test]
fn a_temporary_trigger_is_told_of_by_an_old_statement() {
    let place = Place::with(ROWS);
    place.assert_twice(&["UPDATE t SET x = random()"], "t");
    let trigger = "CREATE TEMP TRIGGER mine AFTER UPDATE ON main.t BEGIN DELETE FROM main.wo; END";
    place.pool.writer().get().unwrap().execute_batch(trigger).unwrap();
    take(&place.log);
    place.assert_twice(&["UPDATE t SET x = random()"], "t wo");
}

/// As a holder that panics does.
fn lose_the_writer(place: &Place) {
    let commit = || place.pool.transact(|_| -> rusqlite::Result<()> { panic!("a holder's own") });
    assert!(catch_unwind(AssertUnwindSafe(commit)).is_err());
    assert_eq!(place.pool.writer().state().connections, 0);
    take(&place.log);
}

#[test]
fn what_another_process_commits_while_the_writer_is_closed_is_told() {
    let place = Place::with(ROWS);
    lose_the_writer(&place);
    in_another_process(&place.path(), "UPDATE t SET x = 10");
    assert!(place.pool.check_other_writers().unwrap());
    assert_eq!(take(&place.log), ["unknown"]);
    assert!(!place.pool.check_other_writers().unwrap(), "told once");
    lose_the_writer(&place);
    in_another_process(&place.path(), "UPDATE t SET x = 11");
    place.pool.check_other_writers_every(std::time::Duration::ZERO);
    drop(place.pool.read().unwrap());
    assert_eq!(take(&place.log), ["unknown"], "a reader that is due looks as well");
}

#[test]
fn what_another_process_commits_is_told_by_an_optimize() {
    let place = Place::with(ROWS);
    in_another_process(&place.path(), "UPDATE t SET x = 10");
    place.pool.optimize().unwrap();
    assert_eq!(take(&place.log), ["unknown"]);
    lose_the_writer(&place);
    in_another_process(&place.path(), "UPDATE t SET x = 11");
    place.pool.optimize().unwrap();
    assert_eq!(take(&place.log), ["unknown"], "though the connection is a new one");
    place.pool.optimize().unwrap();
    assert!(take(&place.log).is_empty(), "what it writes itself is nobody's news");
}

#[test]
fn a_look_whose_listener_panics_loses_no_later_one() {
    let place = Place::with(ROWS);
    let panics = AtomicBool::new(true);
    place.pool.on_commit(move |_| {
        assert!(!panics.swap(false, Ordering::Relaxed), "a listener's own");
    });
    in_another_process(&place.path(), "UPDATE t SET x = 10");
    let look = || place.pool.check_other_writers();
    assert!(catch_unwind(AssertUnwindSafe(look)).is_err());
    take(&place.log);
    in_another_process(&place.path(), "UPDATE t SET x = 11");
    assert!(look().unwrap());
    assert_eq!(take(&place.log), ["unknown"]);
}

#[test]
fn a_look_at_a_pool_that_is_closed_or_paused_opens_nothing() {
    let place = Place::with(ROWS);
    lose_the_writer(&place);
    place.pool.pause();
    assert!(!place.pool.check_other_writers().unwrap());
    place.pool.resume();
    assert!(place.pool.check_other_writers().unwrap());
    place.pool.close();
    assert!(!place.pool.check_other_writers().unwrap());
}

#[test]
fn a_setting_changed_after_a_statement_hides_no_table_of_it() {
    let place = Place::with(ROWS);
    let trigger = "CREATE TRIGGER gone AFTER DELETE ON t BEGIN DELETE FROM wo; END";
    place.hear(&[trigger]);
    let set = |on: &str| format!("PRAGMA recursive_triggers={on}");
    let replace = "REPLACE INTO t VALUES (1, 2)";
    place.pool.writer().get().unwrap().execute_batch(&set("ON")).unwrap();
    // Prepared and rolled back, so that nothing but the trace tells of it the next time.
    let writer = place.pool.write().unwrap();
    writer.prepare_cached(replace).unwrap();
    drop(writer);
    let heard = place.hear(&[replace, &set("OFF")]);
    assert!(heard.len() == 1 && heard[0].split(' ').any(|table| table == "wo"), "{heard:?}");
}

#[test]
fn a_gate_of_ones_own_keeps_the_pool_from_telling_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let passed = Arc::new(AtomicBool::new(false));
    let passes = Arc::clone(&passed);
    let manager = SqliteManager::file(dir.path().join("t.db"));
    let pool = SqlitePool::open_with(manager, 1, move |builder| {
        let passes = Arc::clone(&passes);
        builder.error_handler(Box::new(larder_pool::NopErrorHandler)).return_gate(move |_, _| {
            passes.store(true, Ordering::Relaxed);
            larder_pool::Returned::Clean
        })
    })
    .unwrap();
    pool.transact(|tx| tx.execute_batch(ROWS)).unwrap();
    assert!(passed.load(Ordering::Relaxed));
    let log = listen(&pool);
    pool.writer().get().unwrap().execute("DELETE FROM t", []).unwrap();
    let heard = take(&log);
    assert!(heard.len() == 1 && heard[0].contains('t'), "{heard:?}");
    for conns in [pool.writer(), pool.readers()] {
        conns.get().unwrap().execute_batch("BEGIN; SELECT * FROM t").unwrap();
        assert!(conns.get().unwrap().is_autocommit());
    }
}

#[test]
fn a_listener_with_the_readers_keeps_no_dropped_pool_open() {
    let dir = tempfile::tempdir().unwrap();
    let pool = SqlitePool::open(SqliteManager::file(dir.path().join("t.db")), 1).unwrap();
    let readers = pool.readers().clone();
    pool.on_commit(move |_| drop(readers.get().unwrap()));
    pool.transact(|tx| tx.execute_batch(ROWS)).unwrap();
    assert!(dir.path().join("t.db-wal").exists());
    drop(pool);
    // The last connection to close takes it along.
    assert!(!dir.path().join("t.db-wal").exists());
}
