//! A SQLite database of photographs, and the ways to it.

use std::path::{Path, PathBuf};

use larder_pool::sqlite::SqliteManager;
use r2d2::ManageConnection;
use rusqlite::Connection;
use tempfile::TempDir;

/// The manager that r2d2's users have for SQLite, as `r2d2_sqlite` 0.35 does it by default (which
/// can't be had beside this version of `rusqlite`), with larder's settings of each connection: they
/// are not what is compared. larder's own manager would test by a dearer query.
pub struct Theirs {
    manager: SqliteManager,
}

impl ManageConnection for Theirs {
    type Connection = Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> rusqlite::Result<Connection> {
        self.manager.connect()
    }

    fn is_valid(&self, conn: &mut Connection) -> rusqlite::Result<()> {
        conn.execute_batch("SELECT 1;")
    }

    fn has_broken(&self, _: &mut Connection) -> bool {
        false
    }
}

const SCHEMA: &str = "
    CREATE TABLE photo (id INTEGER PRIMARY KEY, path TEXT NOT NULL, views INTEGER NOT NULL)";

/// The query of a page that shows one photograph.
pub const FIND: &str = "SELECT path FROM photo WHERE id = ?1";

/// A new database in a directory of its own, which goes with it.
pub struct Photos {
    dir: TempDir,
    exclusive: bool,
}

impl Photos {
    /// Creates a database of `rows` photographs, numbered from 0.
    pub fn new(rows: u32) -> Self {
        Self::with(rows, false)
    }

    /// Creates the same, for this process alone: all of its connections are opened with SQLite's
    /// `unix-excl`.
    pub fn exclusive(rows: u32) -> Self {
        Self::with(rows, true)
    }

    fn with(rows: u32, exclusive: bool) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let photos = Photos { dir, exclusive };
        let mut conn = photos.manager().connect().expect("a database");
        conn.execute_batch(SCHEMA).expect("a schema");
        let tx = conn.transaction().expect("a transaction");
        {
            let mut insert = tx.prepare("INSERT INTO photo VALUES (?1, ?2, 0)").expect("SQL");
            for id in 0..rows {
                let path = format!("albums/{:03}/img_{id:06}.jpg", id % 500);
                insert.execute((id, path)).expect("a row");
            }
        }
        tx.commit().expect("a commit");
        photos
    }

    /// Returns where it is.
    pub fn path(&self) -> PathBuf {
        Path::join(self.dir.path(), "photos.db")
    }

    /// Returns larder's manager for it.
    pub fn manager(&self) -> SqliteManager {
        SqliteManager::file(self.path()).exclusive(self.exclusive)
    }

    /// Returns a pool of r2d2's for it, with all its connections open, and with or without the test
    /// of each connection at each checkout.
    pub fn r2d2(&self, connections: u32, test: bool) -> r2d2::Pool<Theirs> {
        let builder = r2d2::Pool::builder().max_size(connections).test_on_check_out(test);
        builder.build(Theirs { manager: self.manager() }).expect("r2d2 opens its connections")
    }
}
