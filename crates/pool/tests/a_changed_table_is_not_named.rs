//! Whatever a transaction does, each table whose content differs after its commit is named to the
//! listeners. A table that is missing would be a stale answer for ever.
#![cfg(feature = "sqlite")]

use std::sync::{Arc, Mutex};

use larder_pool::sqlite::{SqliteManager, SqlitePool};
use proptest::prelude::*;
use rusqlite::Connection;

/// What one event said.
#[derive(Debug, Clone, Default)]
struct Heard {
    tables: Vec<String>,
    schema_changed: bool,
    unknown: bool,
}

impl Heard {
    fn covers(&self, table: &str) -> bool {
        self.unknown || self.schema_changed || self.tables.iter().any(|name| name == table)
    }
}

type Log = Arc<Mutex<Vec<Heard>>>;

fn listen(pool: &SqlitePool) -> Log {
    let log = Log::default();
    let hears = Arc::clone(&log);
    pool.on_commit(move |commit| {
        hears.lock().unwrap().push(Heard {
            tables: commit.tables().map(String::from).collect(),
            schema_changed: commit.schema_changed(),
            unknown: commit.is_unknown(),
        });
    });
    log
}

fn take(log: &Log) -> Vec<Heard> {
    std::mem::take(&mut log.lock().unwrap())
}

/// All the ways for one statement to write to a table that its text does not name.
const SCHEMA: &str = "
    CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER, y INTEGER UNIQUE);
    CREATE TABLE b (k TEXT PRIMARY KEY, x INTEGER) WITHOUT ROWID;
    CREATE TABLE c (id INTEGER PRIMARY KEY, a REFERENCES a (id) ON DELETE CASCADE);
    CREATE TABLE d (id INTEGER PRIMARY KEY, c REFERENCES c (id) ON DELETE SET NULL);
    CREATE TABLE e (id INTEGER PRIMARY KEY, d REFERENCES d (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE log (what TEXT);
    CREATE TABLE plain (x INTEGER);
    CREATE VIEW v AS SELECT id, x FROM a;
    CREATE TRIGGER a_in AFTER INSERT ON a WHEN new.x > 5 BEGIN INSERT INTO log VALUES ('a'); END;
    CREATE TRIGGER b_up AFTER UPDATE ON b BEGIN UPDATE plain SET x = x + 1; END;
    CREATE TRIGGER v_in INSTEAD OF INSERT ON v BEGIN INSERT INTO b VALUES (new.id, new.x)
        ON CONFLICT (k) DO UPDATE SET x = x + 1; END;
";

const TABLES: [&str; 7] = ["a", "b", "c", "d", "e", "log", "plain"];

/// One line a table: equal if and only if the content is.
fn contents(conn: &Connection) -> Vec<String> {
    TABLES.map(|table| content(conn, table)).to_vec()
}

fn content(conn: &Connection, table: &str) -> String {
    let Ok(mut rows) = conn.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")) else {
        let mut rows = match conn.prepare(&format!("SELECT * FROM {table} ORDER BY 1")) {
            Ok(rows) => rows,
            Err(error) => return error.to_string(),
        };
        return lines(&mut rows);
    };
    lines(&mut rows)
}

fn lines(statement: &mut rusqlite::Statement<'_>) -> String {
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..columns)
            .map(|nth| row.get::<_, rusqlite::types::Value>(nth))
            .collect::<Result<Vec<_>, _>>()
    });
    rows.unwrap().map(|row| format!("{:?};", row.unwrap())).collect()
}

/// Statements with small numbers for arguments, most of them bound to be met again: what is
/// prepared once and run in many transactions is where a hook of SQLite's own tells nothing.
const STATEMENTS: [&str; 31] = [
    "INSERT OR IGNORE INTO a VALUES (?1, ?2, ?1)",
    "REPLACE INTO a VALUES (?1, ?2, ?2)",
    "INSERT INTO a VALUES (?1, ?2, ?2) ON CONFLICT (id) DO UPDATE SET x = ?2",
    "UPDATE a SET x = ?2 WHERE id = ?1",
    "UPDATE OR REPLACE a SET id = ?2, y = ?1 WHERE id = ?1",
    "DELETE FROM a WHERE id = ?1 OR x = ?2",
    "DELETE FROM a",
    "INSERT INTO v VALUES (?1, ?2)",
    "INSERT OR REPLACE INTO b VALUES (?1, ?2)",
    "UPDATE b SET x = x + ?1 WHERE x < ?2",
    "DELETE FROM b",
    "INSERT OR IGNORE INTO c VALUES (?1, ?2)",
    "DELETE FROM c WHERE id = ?1 OR id = ?2",
    "INSERT OR IGNORE INTO d VALUES (?1, ?2)",
    "REPLACE INTO e VALUES (?1, ?2)",
    "DELETE FROM e",
    "INSERT INTO plain VALUES (?1 + ?2)",
    "DELETE FROM plain",
    "WITH n AS (SELECT ?1 AS i) INSERT INTO plain SELECT i + ?2 FROM n",
    "INSERT INTO log SELECT x FROM plain WHERE x = ?1 OR x = ?2",
    "/* a comment */ UPDATE plain SET x = ?1 WHERE x = ?2 RETURNING x",
    "SELECT ?1 + ?2 FROM a",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "RELEASE s",
    "CREATE TRIGGER IF NOT EXISTS late AFTER INSERT ON plain BEGIN INSERT INTO log VALUES (1); END",
    "DROP TRIGGER IF EXISTS late",
    "CREATE TRIGGER IF NOT EXISTS gone AFTER DELETE ON log BEGIN UPDATE b SET x = x + 1; END",
    "DROP TRIGGER IF EXISTS gone",
    "CREATE INDEX IF NOT EXISTS by_x ON a (x)",
    "DROP INDEX IF EXISTS by_x",
];

#[derive(Debug, Clone)]
struct Step {
    sql: usize,
    n: i64,
    m: i64,
    how: How,
}

#[derive(Debug, Clone, Copy)]
enum How {
    /// From the statement cache, and back.
    Cached,
    /// Prepared and dropped.
    Once,
    /// Put into the cache, and not run: for some later transaction to run.
    Prepared,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Commit,
    Rollback,
    /// The same on the writer's connection, past a `Writer`.
    Bare,
    /// No transaction around them.
    Autocommit,
    /// By another connection, as another process would.
    Other,
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![6 => Just(How::Cached), 2 => Just(How::Once), 1 => Just(How::Prepared)];
    // The schema changes seldom, or every event would be about that.
    let sql = prop_oneof![12 => 0..25_usize, 1 => 25..STATEMENTS.len()];
    (sql, 0..8_i64, 0..8_i64, how).prop_map(|(sql, n, m, how)| Step { sql, n, m, how })
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        8 => Just(End::Commit),
        2 => Just(End::Rollback),
        2 => Just(End::Bare),
        2 => Just(End::Autocommit),
        1 => Just(End::Other),
    ]
}

/// Runs it; what fails changes nothing, and that is a case as well.
fn run(conn: &Connection, step: &Step) {
    let sql = STATEMENTS[step.sql];
    let arguments = [step.n, step.m];
    let act = |statement: &mut rusqlite::Statement<'_>| {
        let count = statement.parameter_count();
        let mut rows = statement.query(rusqlite::params_from_iter(&arguments[..count]))?;
        while rows.next()?.is_some() {}
        Ok::<_, rusqlite::Error>(())
    };
    let _ = match step.how {
        How::Cached => conn.prepare_cached(sql).and_then(|mut statement| act(&mut statement)),
        How::Once => conn.prepare(sql).and_then(|mut statement| act(&mut statement)),
        How::Prepared => conn.prepare_cached(sql).map(drop),
    };
}

fn transaction(pool: &SqlitePool, other: &Connection, steps: &[Step], end: End) {
    let on = |conn: &Connection| steps.iter().for_each(|step| run(conn, step));
    match end {
        End::Commit | End::Rollback => {
            let writer = pool.write().unwrap();
            on(&writer);
            // A deferred foreign key may forbid it.
            let _ = if end == End::Commit { writer.commit() } else { writer.rollback() };
        }
        End::Bare => {
            let conn = pool.writer().get().unwrap();
            conn.execute_batch("BEGIN").unwrap();
            on(&conn);
            let _ = conn.execute_batch("COMMIT");
        }
        End::Autocommit => on(&pool.writer().get().unwrap()),
        End::Other => {
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            on(other);
            if other.execute_batch("COMMIT").is_err() {
                other.execute_batch("ROLLBACK").unwrap();
            }
            pool.check_other_writers().unwrap();
        }
    }
}

fn check(transactions: &[(Vec<Step>, End)]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let pool = SqlitePool::open(SqliteManager::file(&path), 1).unwrap();
    pool.transact(|tx| tx.execute_batch(SCHEMA)).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA foreign_keys=ON").unwrap();
    let log = listen(&pool);
    let mut before = contents(&other);
    for (nth, (steps, end)) in transactions.iter().enumerate() {
        transaction(&pool, &other, steps, *end);
        let (heard, after) = (take(&log), contents(&other));
        for (table, (old, new)) in TABLES.iter().zip(before.iter().zip(&after)) {
            assert!(
                old == new || heard.iter().any(|event| event.covers(table)),
                "transaction {nth} changed {table} and named only {heard:?}"
            );
        }
        assert!(*end != End::Rollback || heard.is_empty(), "told of a rollback: {heard:?}");
        before = after;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn in_no_sequence_of_transactions(
        transactions in prop::collection::vec((prop::collection::vec(step(), 1..8), end()), 1..12)
    ) {
        check(&transactions);
    }
}
