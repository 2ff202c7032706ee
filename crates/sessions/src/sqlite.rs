//! Sessions in SQLite, on a pool of many readers and one writer.
//!
//! A save is an `UPDATE ... WHERE version = ?`, in the writer's transaction: what is not there is
//! not brought back. Clean-up follows an index on the time of expiry, a bounded number of rows in a
//! transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_pool::sqlite::SqlitePool;
use rusqlite::{Connection, OptionalExtension, params};

use crate::account::Account;
use crate::error::Error;
use crate::id::{Handle, user_name};
use crate::record::Record;
use crate::store::{Census, Cleaned, Store, Swap};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS larder_session (
        handle BLOB PRIMARY KEY, version INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
        body BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS larder_session_expiry ON larder_session (expires_ms);
    CREATE TABLE IF NOT EXISTS larder_account (
        name BLOB PRIMARY KEY, version INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
        body BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS larder_account_expiry ON larder_account (expires_ms);";

const LOAD: &str =
    "SELECT expires_ms, body FROM larder_session WHERE handle = ?1 AND expires_ms > ?2";
const CREATE: &str = "INSERT INTO larder_session VALUES (?1, ?2, ?3, ?4)";
const SAVE: &str = "UPDATE larder_session SET version = ?3, expires_ms = ?4, body = ?5
    WHERE handle = ?1 AND version = ?2 AND expires_ms > ?6";
const TOUCH: &str = "UPDATE larder_session SET expires_ms = ?2 WHERE handle = ?1
    AND expires_ms > ?3 AND expires_ms < ?2";
const REVOKE: &str = "DELETE FROM larder_session WHERE handle = ?1 RETURNING expires_ms, body";
const LOAD_USER: &str = "SELECT body FROM larder_account WHERE name = ?1";
const CREATE_USER: &str =
    "INSERT INTO larder_account VALUES (?1, 1, ?2, ?3) ON CONFLICT DO NOTHING";
const SAVE_USER: &str =
    "UPDATE larder_account SET version = version + 1, expires_ms = ?3, body = ?4
    WHERE name = ?1 AND version = ?2";
const DROP_USER: &str = "DELETE FROM larder_account WHERE name = ?1";
const CLEAN: &str = "DELETE FROM larder_session WHERE handle IN
    (SELECT handle FROM larder_session WHERE expires_ms <= ?1 LIMIT ?2)";
const CLEAN_USERS: &str = "DELETE FROM larder_account WHERE name IN
    (SELECT name FROM larder_account WHERE expires_ms <= ?1 LIMIT ?2)";
const IS_ANY_OVER: &str = "SELECT EXISTS (SELECT 1 FROM larder_session WHERE expires_ms <= ?1)
    OR EXISTS (SELECT 1 FROM larder_account WHERE expires_ms <= ?1)";
const COUNT: &str = "SELECT count(*), count(*) FILTER (WHERE expires_ms <= ?1) FROM larder_session";

/// Sessions in the tables `larder_session` and `larder_account` of a SQLite database, which other
/// processes may share. Each check is a query.
///
/// Nobody who [writes](SqlitePool::write) on the same pool can save a session before that is
/// committed or dropped: the pool refuses the thread's second write, as it would wait for itself.
///
/// Clean-up looks at what has expired alone, but rows lie in the order of their handles: in a small
/// table many share a page, in a large one each dirties a page of its own, which is twelve times the
/// work, and then no more. A [census](Store::census) counts the rows of an index, all of them.
pub struct SqliteStore {
    pool: SqlitePool,
    /// Rows that are no records, by whoever found them.
    foreign: AtomicU64,
}

impl SqliteStore {
    /// Makes the tables, unless they are there.
    ///
    /// # Errors
    /// When the pool or SQLite fails.
    pub fn open(pool: SqlitePool) -> Result<SqliteStore, Error> {
        let made = pool.transact(|tx| tx.execute_batch(SCHEMA));
        made.map_err(|e| Error::store("make the tables of sessions", e))?;
        Ok(SqliteStore { pool, foreign: AtomicU64::new(0) })
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

    fn decode(&self, (expires_ms, body): (u64, Vec<u8>), now_ms: u64) -> Option<Arc<Record>> {
        let Some(record) = Record::decode(&body, expires_ms) else {
            self.foreign.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        record.is_live(now_ms).then(|| Arc::new(record))
    }
}

/// A time as SQLite can keep it: the last ones there are stand for all after them.
fn number(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// The row of a session.
fn find(
    conn: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Option<(u64, Vec<u8>)>> {
    let mut query = conn.prepare_cached(sql)?;
    query.query_row(params, |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

impl Store for SqliteStore {
    fn load(&self, handle: Handle, now_ms: u64) -> Result<Option<Arc<Record>>, Error> {
        let row = self
            .read("read a session", |conn| find(conn, LOAD, params![handle.to_bytes(), now_ms]))?;
        Ok(row.and_then(|row| self.decode(row, now_ms)))
    }

    fn create(&self, handle: Handle, record: Record, _: u64) -> Result<(), Error> {
        let (name, body) = (handle.to_bytes(), record.encode());
        self.write("store a session", |tx| {
            let row = params![name, record.version(), number(record.expires_ms()), body];
            tx.prepare_cached(CREATE)?.execute(row)
        })?;
        Ok(())
    }

    fn save(
        &self,
        handle: Handle,
        expected: u64,
        record: Record,
        now_ms: u64,
    ) -> Result<Swap, Error> {
        let (name, body) = (handle.to_bytes(), record.encode());
        let moved = self.write("store a session", |tx| {
            let (version, expires_ms) = (record.version(), number(record.expires_ms()));
            let row = params![name, expected, version, expires_ms, body, now_ms];
            match tx.prepare_cached(SAVE)?.execute(row)? {
                1 => Ok(None),
                _ => find(tx, LOAD, params![name, now_ms]).map(Some),
            }
        })?;
        Ok(match moved {
            None => Swap::Stored(Arc::new(record)),
            Some(row) => {
                row.and_then(|row| self.decode(row, now_ms)).map_or(Swap::Gone, Swap::Moved)
            }
        })
    }

    fn touch(&self, handle: Handle, expires_ms: u64, now_ms: u64) -> Result<bool, Error> {
        let name = handle.to_bytes();
        self.write("touch a session", |tx| {
            let row = params![name, number(expires_ms), now_ms];
            let is_touched = tx.prepare_cached(TOUCH)?.execute(row)? == 1;
            Ok(is_touched || find(tx, LOAD, params![name, now_ms])?.is_some())
        })
    }

    fn revoke(&self, handle: Handle, now_ms: u64) -> Result<Option<Arc<Record>>, Error> {
        let row = self.write("end a session", |tx| find(tx, REVOKE, [handle.to_bytes()]))?;
        Ok(row.and_then(|row| self.decode(row, now_ms)))
    }

    fn load_user(&self, user: &str, _: u64) -> Result<Account, Error> {
        let name = user_name(user).to_be_bytes();
        let body: Option<Vec<u8>> = self.read("read an account", |conn| {
            conn.prepare_cached(LOAD_USER)?.query_row([name], |row| row.get(0)).optional()
        })?;
        let Some(body) = body else { return Ok(Account::new(user)) };
        if let Some(account) = Account::decode(&body, user) {
            return Ok(account);
        }
        // Its sessions put themselves into a new one when they are touched.
        self.foreign.fetch_add(1, Ordering::Relaxed);
        self.write("drop an account", |tx| tx.prepare_cached(DROP_USER)?.execute(params![name]))?;
        Ok(Account::new(user))
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

    fn clean(&self, now_ms: u64, budget: usize) -> Result<Cleaned, Error> {
        let is_any = self.read("look for what has expired", |conn| {
            conn.prepare_cached(IS_ANY_OVER)?.query_row([now_ms], |row| row.get::<_, bool>(0))
        })?;
        if !is_any {
            return Ok(Cleaned::default());
        }
        let removed = self.write("clean up sessions", |tx| {
            tx.prepare_cached(CLEAN_USERS)?.execute(params![now_ms, budget])?;
            tx.prepare_cached(CLEAN)?.execute(params![now_ms, budget])
        })?;
        Ok(Cleaned { removed, is_more: removed == budget })
    }

    fn census(&self, now_ms: u64) -> Census {
        let counted = self.read("count sessions", |conn| {
            conn.prepare_cached(COUNT)?
                .query_row([now_ms], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?)))
        });
        // What can't be counted is not there for now.
        let (all, backlog) = counted.unwrap_or_default();
        let mut census = Census::new(all - backlog, backlog);
        census.waits = self.pool.writer().metrics().waits;
        census.foreign = self.foreign.load(Ordering::Relaxed);
        census
    }
}
