//! Sessions in SQLite, on a pool of many readers and one writer.
//!
//! ```text
//! larder_session_row    (end_ms, handle): rows that expire together lie together
//! larder_session_end    one row for each end that there is: how many rows have it
//! larder_account        (name), with an index on the time of expiry
//! ```
//! The end of a row is when it expires, rounded up to a sixteenth of the idle time, so that there
//! are some twenty ends; they are even, and one more is the end of what only names the session that
//! it went on as, which is not counted as one. Clean-up removes neighbours: a few pages, however many rows there are, where
//! rows in the order of their handles would each dirty a page of its own. Who looks for a handle
//! looks under each end, the latest first, since what is in use was put off last: one look mostly,
//! and twenty for what is not there.
//!
//! Each write is one transaction of the one writer, which finds the row, changes it and keeps the
//! counts: what is not there is not brought back.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_pool::sqlite::SqlitePool;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Params, params};
use xxhash_rust::xxh3::xxh3_64;

use crate::account::Account;
use crate::clock::millis;
use crate::error::Error;
use crate::id::{Handle, user_name};
use crate::record::Record;
use crate::store::{Census, Cleaned, Store, Swap};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS larder_session_row (
        end_ms INTEGER NOT NULL, handle BLOB NOT NULL, expires_ms INTEGER NOT NULL,
        version INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (end_ms, handle)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS larder_session_end (
        end_ms INTEGER PRIMARY KEY, count INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS larder_account (
        name BLOB PRIMARY KEY, version INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
        body BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS larder_account_expiry ON larder_account (expires_ms);";

/// CROSS JOIN: in this order, which is what makes it a look under each end. SELECT ?1: for a handle
/// that is bound in a join by itself SQLite plans the join anew with each value.
const LOAD: &str = "SELECT expires_ms, body, version, row.end_ms
    FROM larder_session_end AS known CROSS JOIN larder_session_row AS row
    ON row.end_ms = known.end_ms AND row.handle = (SELECT ?1)
    WHERE known.end_ms > ?2 AND row.expires_ms > ?2 ORDER BY known.end_ms DESC LIMIT 1";
const CREATE: &str = "INSERT INTO larder_session_row VALUES (?1, ?2, ?3, ?4, ?5)";
const SAVE: &str = "UPDATE larder_session_row
    SET end_ms = ?3, expires_ms = ?4, version = ?5, body = ?6 WHERE end_ms = ?1 AND handle = ?2";
const TOUCH: &str = "UPDATE larder_session_row
    SET end_ms = ?3, expires_ms = ?4 WHERE end_ms = ?1 AND handle = ?2";
const REVOKE: &str = "DELETE FROM larder_session_row
    WHERE end_ms IN (SELECT end_ms FROM larder_session_end) AND handle = ?1
    RETURNING expires_ms, body, version, end_ms";
const COUNT: &str = "INSERT INTO larder_session_end VALUES (?1, ?2)
    ON CONFLICT DO UPDATE SET count = count + excluded.count";
const LOAD_USER: &str = "SELECT body, version, expires_ms FROM larder_account WHERE name = ?1";
const CREATE_USER: &str =
    "INSERT INTO larder_account VALUES (?1, 1, ?2, ?3) ON CONFLICT DO NOTHING";
const SAVE_USER: &str =
    "UPDATE larder_account SET version = version + 1, expires_ms = ?3, body = ?4
    WHERE name = ?1 AND version = ?2";
const ALL: &str = "SELECT handle, body FROM larder_session_row";
const FIRST_OVER: &str = "SELECT min(end_ms) FROM larder_session_end WHERE end_ms <= ?1";
/// The first handle that is beyond the budget, if there is one.
const BEYOND: &str =
    "SELECT handle FROM larder_session_row WHERE end_ms = ?1 ORDER BY handle LIMIT 1 OFFSET ?2";
const CLEAN_BEFORE: &str = "DELETE FROM larder_session_row WHERE end_ms = ?1 AND handle < ?2";
const CLEAN_ALL: &str = "DELETE FROM larder_session_row WHERE end_ms = ?1";
const DROP_END: &str = "DELETE FROM larder_session_end WHERE end_ms = ?1";
const CLEAN_USERS: &str = "DELETE FROM larder_account WHERE name IN
    (SELECT name FROM larder_account WHERE expires_ms <= ?1 LIMIT ?2)";
/// An index alone is counted, of a bounded number.
const USERS_OVER: &str = "SELECT count(*) FROM
    (SELECT 1 FROM larder_account WHERE expires_ms <= ?1 LIMIT 100000)";
const IS_ANY_OVER: &str = "SELECT EXISTS (SELECT 1 FROM larder_session_end WHERE end_ms <= ?1)
    OR EXISTS (SELECT 1 FROM larder_account WHERE expires_ms <= ?1)";
const CENSUS: &str = "SELECT coalesce(sum(count) FILTER (WHERE end_ms > ?1 AND end_ms & 1 = 0), 0),
    coalesce(sum(count) FILTER (WHERE end_ms <= ?1), 0) FROM larder_session_end";

/// So many spoiled rows are told apart; there may be more.
const MAX_FOREIGN: usize = 4096;

/// Sessions in the tables `larder_session_row`, `larder_session_end` and `larder_account` of a
/// SQLite database, which other processes may share. Each check is a query.
///
/// Nobody who [writes](SqlitePool::write) on the same pool can save a session before that is
/// committed or dropped: the pool refuses the thread's second write, as it would wait for itself.
///
/// Clean-up looks at what has expired alone, which lies together. A [census](Store::census) reads
/// some twenty counts, however many sessions there are.
pub struct SqliteStore {
    pool: SqlitePool,
    /// Rows expire by spans of so long; set once, by `prepare`.
    width_ms: AtomicU64,
    /// Hashes of rows that are no records, by whoever found them: each counts once.
    foreign: Mutex<HashSet<u64>>,
}

/// A row of a session.
struct Row {
    expires_ms: u64,
    body: Vec<u8>,
    version: u64,
    end_ms: i64,
}

impl SqliteStore {
    /// Makes the tables, unless they are there.
    ///
    /// # Errors
    /// When the pool or SQLite fails.
    pub fn open(pool: SqlitePool) -> Result<SqliteStore, Error> {
        let made = pool.transact(|tx| tx.execute_batch(SCHEMA));
        made.map_err(|e| Error::store("make the tables of sessions", e))?;
        Ok(SqliteStore { pool, width_ms: AtomicU64::new(60_000), foreign: Mutex::default() })
    }

    /// The pool.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    fn read<T>(
        &self,
        what: &str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let conn = self.pool.read().map_err(|e| Error::store(what, e))?;
        work(&conn).map_err(|e| Error::store(what, e))
    }

    fn write<T>(
        &self,
        what: &str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.pool.transact(work).map_err(|e| Error::store(what, e))
    }

    fn note_foreign(&self, body: &[u8]) {
        let mut foreign = self.foreign.lock();
        if foreign.len() < MAX_FOREIGN {
            foreign.insert(xxh3_64(body));
        }
    }

    /// Under which end a row lies that expires then.
    fn end_ms(&self, expires_ms: u64, is_passed: bool) -> i64 {
        let width_ms = self.width_ms.load(Ordering::Relaxed);
        let end_ms = number(expires_ms.div_ceil(width_ms).saturating_mul(width_ms)) & !1;
        end_ms + i64::from(is_passed)
    }

    fn end_of(&self, record: &Record) -> i64 {
        self.end_ms(record.expires_ms(), record.successor.is_some())
    }

    fn decode(&self, row: &Row) -> Option<Arc<Record>> {
        let record = Record::decode(&row.body, row.expires_ms);
        if record.is_none() {
            self.note_foreign(&row.body);
        }
        record.map(Arc::new)
    }

    fn decode_live(&self, row: &Row, now_ms: u64) -> Option<Arc<Record>> {
        self.decode(row).filter(|record| record.is_live(now_ms))
    }
}

/// A time as SQLite can keep it: the last ones there are stand for all after them.
fn number(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// The row of a session that one of the statements returns.
fn find(conn: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Option<Row>> {
    let mut query = conn.prepare_cached(sql)?;
    let read = |row: &rusqlite::Row<'_>| {
        let [expires_ms, version] = [row.get(0)?, row.get(2)?];
        Ok(Row { expires_ms, body: row.get(1)?, version, end_ms: row.get(3)? })
    };
    query.query_row(params, read).optional()
}

/// Notes that there are more rows with this end, or fewer.
fn count(tx: &Connection, end_ms: i64, more: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(COUNT)?.execute([end_ms, more]).map(drop)
}

/// Notes that a row was moved from one end to another, if it was.
fn count_moved(tx: &Connection, from_ms: i64, to_ms: i64) -> rusqlite::Result<()> {
    if from_ms == to_ms {
        return Ok(());
    }
    count(tx, from_ms, -1)?;
    count(tx, to_ms, 1)
}

/// Removes up to `budget` rows of what is over, end by end, and the ends themselves; returns how
/// many rows there were.
fn remove_over(tx: &Connection, now_ms: i64, budget: usize) -> rusqlite::Result<Cleaned> {
    let mut cleaned = Cleaned::default();
    let mut left = budget;
    while left > 0 {
        let first = tx.prepare_cached(FIRST_OVER)?.query_row([now_ms], |row| row.get(0))?;
        let Some(end_ms): Option<i64> = first else { break };
        let mut beyond = tx.prepare_cached(BEYOND)?;
        let beyond: Option<Vec<u8>> =
            beyond.query_row(params![end_ms, left], |row| row.get(0)).optional()?;
        let removed = match beyond {
            Some(beyond) => {
                let some = tx.prepare_cached(CLEAN_BEFORE)?.execute(params![end_ms, beyond])?;
                count(tx, end_ms, -(some as i64))?;
                some
            }
            None => {
                let all = tx.prepare_cached(CLEAN_ALL)?.execute([end_ms])?;
                tx.prepare_cached(DROP_END)?.execute([end_ms])?;
                all
            }
        };
        left -= removed;
        match end_ms & 1 {
            0 => cleaned.removed += removed,
            _ => cleaned.others += removed,
        }
    }
    cleaned.is_more = left == 0;
    Ok(cleaned)
}

impl Store for SqliteStore {
    fn prepare(&self, sessions: Duration, _: Duration) {
        self.width_ms.store(((millis(sessions) / 16) & !1).max(2), Ordering::Relaxed);
    }

    fn load(&self, handle: Handle, now_ms: u64) -> Result<Option<Arc<Record>>, Error> {
        let row = self.read("read a session", |conn| {
            find(conn, LOAD, params![handle.to_bytes(), number(now_ms)])
        })?;
        Ok(row.and_then(|row| self.decode_live(&row, now_ms)))
    }

    fn create(&self, handle: Handle, record: Record, _: u64) -> Result<(), Error> {
        let (name, body) = (handle.to_bytes(), record.encode());
        let end_ms = self.end_of(&record);
        self.write("store a session", |tx| {
            let row = params![end_ms, name, number(record.expires_ms()), record.version(), body];
            tx.prepare_cached(CREATE)?.execute(row)?;
            count(tx, end_ms, 1)
        })
    }

    fn save(
        &self,
        handle: Handle,
        expected: u64,
        record: Record,
        now_ms: u64,
    ) -> Result<Swap, Error> {
        let (name, body) = (handle.to_bytes(), record.encode());
        let (version, expires_ms) = (record.version(), record.expires_ms());
        let end_ms = self.end_of(&record);
        let found = self.write("store a session", |tx| {
            let found = find(tx, LOAD, params![name, number(now_ms)])?;
            if let Some(now) = found.as_ref().filter(|now| now.version == expected) {
                let row = params![now.end_ms, name, end_ms, number(expires_ms), version, body];
                tx.prepare_cached(SAVE)?.execute(row)?;
                count_moved(tx, now.end_ms, end_ms)?;
            }
            Ok(found)
        })?;
        Ok(match found {
            None => Swap::Gone,
            Some(now) if now.version == expected => Swap::Stored(Arc::new(record)),
            Some(moved) => self.decode_live(&moved, now_ms).map_or(Swap::Gone, Swap::Moved),
        })
    }

    fn touch(&self, handle: Handle, expires_ms: u64, now_ms: u64) -> Result<bool, Error> {
        let name = handle.to_bytes();
        let end_ms = self.end_ms(expires_ms, false);
        self.write("touch a session", |tx| {
            let found = find(tx, LOAD, params![name, number(now_ms)])?;
            // What another one went on as is touched in its place.
            let is_due = |now: &&Row| now.expires_ms < expires_ms && now.end_ms & 1 == 0;
            if let Some(now) = found.as_ref().filter(is_due) {
                let row = params![now.end_ms, name, end_ms, number(expires_ms)];
                tx.prepare_cached(TOUCH)?.execute(row)?;
                count_moved(tx, now.end_ms, end_ms)?;
            }
            Ok(found.is_some())
        })
    }

    fn revoke(&self, handle: Handle, _: u64) -> Result<Option<Arc<Record>>, Error> {
        let row = self.write("end a session", |tx| {
            let row = find(tx, REVOKE, [handle.to_bytes()])?;
            row.iter().try_for_each(|row| count(tx, row.end_ms, -1))?;
            Ok(row)
        })?;
        Ok(row.and_then(|row| self.decode(&row)))
    }

    fn load_user(&self, user: &str, _: u64) -> Result<Account, Error> {
        let name = user_name(user).to_be_bytes();
        let row: Option<(Vec<u8>, u64, u64)> = self.read("read an account", |conn| {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            conn.prepare_cached(LOAD_USER)?.query_row([name], read).optional()
        })?;
        let Some((body, version, expires_ms)) = row else { return Ok(Account::new(user)) };
        Ok(Account::decode(&body, user).unwrap_or_else(|| {
            self.note_foreign(&body);
            Account::torn(user, version, expires_ms)
        }))
    }

    fn save_user(&self, expected: u64, mut account: Account, _: u64) -> Result<bool, Error> {
        account.version = expected + 1;
        let name = user_name(account.user()).to_be_bytes();
        let (expires_ms, body) = (number(account.expires_ms()), account.encode());
        let changed = self.write("store an account", |tx| match expected {
            0 => tx.prepare_cached(CREATE_USER)?.execute(params![name, expires_ms, body]),
            _ => tx.prepare_cached(SAVE_USER)?.execute(params![name, expected, expires_ms, body]),
        })?;
        Ok(changed == 1)
    }

    fn find_user(&self, user: &str) -> Result<Vec<Handle>, Error> {
        self.read("search for sessions", |conn| {
            let mut all = conn.prepare(ALL)?;
            let (mut rows, mut found) = (all.query([])?, Vec::new());
            while let Some(row) = rows.next()? {
                let record = Record::decode(row.get_ref(1)?.as_bytes()?, 0);
                if record.is_some_and(|record| record.user() == Some(user)) {
                    found.push(Handle::from_bytes(row.get(0)?));
                }
            }
            Ok(found)
        })
    }

    fn clean(&self, now_ms: u64, budget: usize) -> Result<Cleaned, Error> {
        let now = number(now_ms);
        let is_any = self.read("look for what has expired", |conn| {
            conn.prepare_cached(IS_ANY_OVER)?.query_row([now], |row| row.get::<_, bool>(0))
        })?;
        if !is_any {
            return Ok(Cleaned::default());
        }
        self.write("clean up sessions", |tx| {
            let users = tx.prepare_cached(CLEAN_USERS)?.execute(params![now, budget])?;
            let mut cleaned = remove_over(tx, now, budget)?;
            cleaned.others += users;
            cleaned.is_more = budget > 0 && (cleaned.is_more || users == budget);
            Ok(cleaned)
        })
    }

    fn census(&self, now_ms: u64) -> Census {
        let counted = self.read("count sessions", |conn| {
            let now = [number(now_ms)];
            let users = conn.prepare_cached(USERS_OVER)?.query_row(now, |row| row.get(0))?;
            let mut census = conn.prepare_cached(CENSUS)?;
            census.query_row(now, |row| Ok((row.get(0)?, row.get(1)?, users)))
        });
        // What can't be counted is not there for now.
        let (live, backlog, users): (u64, u64, u64) = counted.unwrap_or_default();
        let mut census = Census::new(live, backlog + users);
        census.waits = self.pool.writer().metrics().waits;
        census.foreign = self.foreign.lock().len() as u64;
        census
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    /// How SQLite goes about a statement.
    fn plan(conn: &Connection, sql: &str) -> String {
        let mut explained = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let nulls = vec![rusqlite::types::Null; explained.parameter_count()];
        let steps = explained.query_map(rusqlite::params_from_iter(nulls), |row| row.get(3));
        steps.unwrap().collect::<rusqlite::Result<Vec<String>>>().unwrap().join("; ")
    }

    #[test]
    fn no_statement_looks_at_all_sessions() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(SCHEMA).unwrap();
        for sql in [LOAD, SAVE, TOUCH, REVOKE] {
            let plan = plan(&conn, sql);
            assert!(plan.contains("PRIMARY KEY (end_ms=? AND handle=?)"), "{sql}: {plan}");
        }
        for sql in [BEYOND, CLEAN_BEFORE, CLEAN_ALL] {
            let plan = plan(&conn, sql);
            assert!(plan.contains("PRIMARY KEY (end_ms=?"), "{sql}: {plan}");
        }
        for sql in [LOAD, REVOKE, BEYOND, CENSUS, FIRST_OVER, IS_ANY_OVER, USERS_OVER] {
            let plan = plan(&conn, sql);
            assert!(!plan.contains("SCAN row") && !plan.contains("SCAN larder_session_row"));
            assert!(!plan.contains("SCAN larder_account"), "{sql}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    }

    /// Each look at it counted.
    #[test]
    fn a_row_that_is_no_record_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        let manager = larder_pool::sqlite::SqliteManager::file(dir.path().join("sessions.db"));
        let store = SqliteStore::open(SqlitePool::open(manager, 2).unwrap()).unwrap();
        let handle = Handle::from_bytes([7; 16]);
        store.create(handle, Record::new(0, 60_000, 60_000), 0).unwrap();
        let spoil =
            |tx: &Connection| tx.execute("UPDATE larder_session_row SET body = X'6A75'", []);
        store.write("spoil it", spoil).unwrap();
        for _ in 0..100 {
            assert!(store.load(handle, 0).unwrap().is_none());
        }
        assert_eq!(store.census(0).foreign, 1);
    }

    /// SQLite plans some statements anew for each value that is bound, which takes as long as
    /// several looks.
    #[test]
    fn no_statement_is_planned_anew() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(SCHEMA).unwrap();
        count(&conn, 1000, 1).unwrap();
        for sql in [LOAD, SAVE, TOUCH, REVOKE, COUNT, CENSUS, IS_ANY_OVER] {
            let mut statement = conn.prepare(sql).unwrap();
            for value in 0..3 {
                let values = vec![value; statement.parameter_count()];
                let mut rows = statement.query(rusqlite::params_from_iter(values)).unwrap();
                while rows.next().unwrap().is_some() {}
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
        }
    }
}
