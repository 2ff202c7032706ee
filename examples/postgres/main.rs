//! PostgreSQL through a manager that was written for r2d2, unchanged.
//!
//! ```text
//! cargo run -p postgres-example -- postgres://user:password@localhost/database
//! ```
//!
//! It makes a table `larder_visit` and drops it again.

#![forbid(unsafe_code)]

use std::thread;
use std::time::Duration;

use anyhow::Result;
use larder_pool::Pool;
use r2d2_postgres::PostgresConnectionManager;
use r2d2_postgres::postgres::{Config, NoTls};

const VISITORS: i32 = 8;
const VISITS: i64 = 25;

fn main() -> Result<()> {
    let Some(url) = std::env::args().nth(1) else {
        println!("which database? postgres-example postgres://user:password@localhost/database");
        return Ok(());
    };
    // A server that accepts and stays silent holds `connect`: bound that here, where it happens.
    let mut config: Config = url.parse()?;
    config.connect_timeout(Duration::from_secs(3));
    let pool = Pool::builder()
        .max_size(4)
        .connection_timeout(Duration::from_secs(5))
        .build(PostgresConnectionManager::new(config, NoTls))?;

    pool.get()?.batch_execute(
        "DROP TABLE IF EXISTS larder_visit; CREATE TABLE larder_visit (page TEXT, who INTEGER)",
    )?;
    thread::scope(|scope| {
        let visit = |who| {
            // A transaction that is dropped is rolled back by the driver.
            let mut conn = pool.get()?;
            let mut tx = conn.transaction()?;
            tx.execute("INSERT INTO larder_visit VALUES ('/', $1)", &[&who])?;
            tx.commit()?;
            Result::<()>::Ok(())
        };
        for who in 0..VISITORS {
            scope.spawn(move || {
                for _ in 0..VISITS {
                    visit(who).expect("a visit is written");
                }
            });
        }
    });

    let row = pool.get()?.query_one("SELECT count(*) FROM larder_visit", &[])?;
    let visits: i64 = row.get(0);
    assert_eq!(visits, i64::from(VISITORS) * VISITS);
    pool.get()?.batch_execute("DROP TABLE larder_visit")?;
    println!("{visits} visits by {VISITORS} threads; {:?}", pool.state());
    Ok(())
}
