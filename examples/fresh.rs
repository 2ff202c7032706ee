//! Answers that are as fresh as the database: a pool's commits make a memo forget.
//!
//! Neither crate knows the other. Run it with `cargo run -p larder-examples --example fresh`.

use larder_memo::{Bumps, Memo, Tables};
use larder_pool::sqlite::{SqliteManager, SqlitePool};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let pool = SqlitePool::open(SqliteManager::memory(), 4)?;
    pool.transact(|tx| {
        tx.execute_batch(
            "CREATE TABLE photo (id INTEGER PRIMARY KEY, title TEXT);
             CREATE TABLE visit (photo INTEGER);
             INSERT INTO photo VALUES (7, 'Dawn')",
        )
    })?;

    // Each commit says which tables it touched; what was computed from them is stale.
    let tables = Tables::new();
    tables.follow(|bumps: Bumps| {
        pool.on_commit(move |commit| match commit.is_unknown() || commit.schema_changed() {
            true => bumps.bump_every(),
            false => bumps.bump_all(commit.tables()),
        })
    });
    let titles: Memo<i64, String> = Memo::builder(10_000).depends_on(&tables, ["photo"]).build();

    let title = |id: i64| {
        titles.get_or_try_load(&id, || {
            println!("  querying photo {id}");
            let title = "SELECT title FROM photo WHERE id = ?1";
            Ok::<String, Box<dyn Error>>(pool.read()?.query_row(title, [id], |row| row.get(0))?)
        })
    };

    println!("two visits, one query:");
    for _ in 0..2 {
        pool.transact(|tx| tx.execute("INSERT INTO visit VALUES (7)", []))?;
        println!("  {}", title(7).expect("a title"));
    }
    println!("the title changes, and is asked for again:");
    pool.transact(|tx| tx.execute("UPDATE photo SET title = 'Dusk' WHERE id = 7", []))?;
    println!("  {}", title(7).expect("a title"));

    println!("a change that is rolled back forgets nothing:");
    let writer = pool.write()?;
    writer.execute("UPDATE photo SET title = 'Noon' WHERE id = 7", [])?;
    writer.rollback()?;
    println!("  {}", title(7).expect("a title"));
    Ok(())
}
