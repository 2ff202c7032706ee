//! Many readers and one writer on a SQLite database, and what happens to a writer that fails.

use std::error::Error;
use std::thread;

use larder_pool::sqlite::{SqliteManager, SqlitePool};

const WRITERS: i64 = 4;
const VISITS: i64 = 25;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let pool = SqlitePool::open(SqliteManager::file(dir.path().join("visits.db")), 4)?;
    pool.transact(|tx| tx.execute_batch("CREATE TABLE visit (page TEXT, who INTEGER)"))?;

    // Writers queue for the one write connection; nobody meets SQLITE_BUSY, and nobody retries.
    thread::scope(|scope| {
        for who in 0..WRITERS {
            let pool = &pool;
            scope.spawn(move || {
                for _ in 0..VISITS {
                    pool.transact(|tx| tx.execute("INSERT INTO visit VALUES ('/', ?1)", [who]))
                        .expect("a visit is written");
                }
            });
        }
    });

    // A writer that is dropped, by an early return or a `?`, leaves nothing behind.
    let abandoned = pool.write()?;
    abandoned.execute("DELETE FROM visit", [])?;
    drop(abandoned);

    let visits: i64 = pool.read()?.query_row("SELECT count(*) FROM visit", [], |row| row.get(0))?;
    assert_eq!(visits, WRITERS * VISITS);
    println!("{visits} visits; {:?}", pool.readers().state());

    // Readers can't write, whatever they are asked to.
    let refused = pool.read()?.execute("DELETE FROM visit", []).unwrap_err();
    println!("a reader says: {refused}");
    Ok(())
}
