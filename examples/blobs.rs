//! Large files that a database holds are copied out once, and served by descriptor from then on.
//!
//! Read through SQLite, a blob is in the page cache as pages of the database, in the cache of each
//! connection, and in the buffer of each thread that sends it. Spilled, it is one plain file: one
//! copy in the page cache, sent by `sendfile`, and the connection is free as soon as it is copied.
//!
//! `cargo run -p larder-examples --example blobs`

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use larder_files::{Entry, FileCache, Key, Limits};
use rusqlite::{Connection, MAIN_DB, OpenFlags};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let database = dir.path().join("films.db");
    fill(&database)?;
    let library = Library {
        database: &database,
        cache: FileCache::open(dir.path().join("films"), Limits::new().max_bytes(1 << 30))?,
        copied: AtomicUsize::new(0),
    };

    // Thirty-two threads want the same film, and none of them holds eight megabytes of it.
    let served: Vec<Entry> = thread::scope(|scope| {
        let threads: Vec<_> = (0..32).map(|_| scope.spawn(|| library.film(1))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    let first = served[0].file().ok_or("the disk would not have it")?;
    let is_one = served.iter().all(|e| e.file().is_some_and(|file| Arc::ptr_eq(file, first)));
    println!(
        "32 threads, {} copied it out of the database",
        library.copied.load(Ordering::Relaxed)
    );
    println!("{} bytes each, one open file for all: {is_one}", served[0].len());

    // A new version of the row is a new entry; whoever still sends the old one has all of it.
    Connection::open(&database)?
        .execute("UPDATE film SET version = 2, body = zeroblob(1000) WHERE id = 1", [])?;
    println!("the new version: {} bytes", library.film(1).len());
    println!("the old one, to its end: {} bytes", served[0].read()?.len());
    Ok(())
}

struct Library<'a> {
    database: &'a Path,
    cache: FileCache,
    copied: AtomicUsize,
}

impl Library<'_> {
    /// The body of a film as an open file, copied from the database if nobody has asked before.
    fn film(&self, id: i64) -> Entry {
        self.find(id).expect("the film is there")
    }

    fn find(&self, id: i64) -> Result<Entry, Box<dyn Error>> {
        // A server has this from a pool; the version from a memo, and so no query at all.
        let connection =
            Connection::open_with_flags(self.database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // One snapshot for both, lest a new body be kept as that of the old version.
        let snapshot = connection.unchecked_transaction()?;
        let version: i64 =
            snapshot.query_row("SELECT version FROM film WHERE id = ?1", [id], |row| row.get(0))?;
        let key = Key::new(format!("film/{id}"), version.to_string(), "");
        let entry = self.cache.get_or_copy(&key, || {
            self.copied.fetch_add(1, Ordering::Relaxed);
            snapshot.blob_open(MAIN_DB, "film", "body", id, true)
        })?;
        Ok(entry)
    }
}

fn fill(database: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(database)?;
    connection.execute_batch(
        "CREATE TABLE film (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL);
         INSERT INTO film VALUES (1, 1, zeroblob(8000000))",
    )
}
