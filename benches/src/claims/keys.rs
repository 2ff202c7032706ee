//! Does a pool of connections matter, or the order of a key?
//!
//! A page shows the ten photographs of a person. The table's primary key is (album, person), or
//! (person, album): the first is no help to find a person, the second is.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use larder_pool::Pool;
use larder_pool::sqlite::SqliteManager;
use r2d2::ManageConnection;
use r2d2_postgres::postgres::Client;
use rusqlite::Connection;

use super::chart::{Chart, Shape};
use super::claim::{Beside, Claim, Part, Table};
use super::postgres::{Manager, Postgres};
use super::{Outcome, Scale, measure};

const THREADS: usize = 4;
/// Photographs of a person.
const EACH: u32 = 10;
const ORDERS: [(&str, &str); 2] = [("a, b", "ab"), ("b, a", "ba")];
const WAYS: [&str; 3] = ["a connection a page", "one kept a thread", "pool"];

/// Runs the experiment.
pub fn run(scale: Scale) -> Outcome<Claim> {
    let words =
        "Pooling connections helped about 1 %; changing a primary key from a,b to b,a, 300 %";
    let source = "mod_python mailing list, 2003, author not recorded";
    let mut claim = Claim::new(4, "keys", words, source);
    claim.setup = format!(
        "A table of photographs with the primary key (a, b) or (b, a), in SQLite (WITHOUT ROWID, \
         not analysed) and in PostgreSQL (a cluster of its own, on a Unix socket). A page is one \
         query, for the {EACH} rows with a given b. {THREADS} threads ask for pages, each over a \
         new connection, over one that the thread keeps, or over larder-pool's."
    );
    let sizes = scale.pick(&[1000, 10_000, 100_000][..], &[1000, 10_000, 50_000]);
    let mut table =
        Table::new("Pages", "database, rows, key, way", &[("pages/s", 0), ("p99 ms", 2)]);
    let dir = tempfile::tempdir()?;
    for &rows in sizes {
        let sqlite = Sqlite::fill(dir.path(), rows)?;
        measure_all(scale, &mut table, "SQLite", rows, &sqlite)?;
    }
    match Postgres::start()? {
        None => claim.missing.push("PostgreSQL is not installed".into()),
        Some(server) => {
            for &rows in sizes {
                fill_postgres(&server, rows)?;
                measure_all(scale, &mut table, "PostgreSQL", rows, &server)?;
            }
        }
    }
    judge(&mut claim, &table, sizes);
    claim.chart = Some(chart(&table, sizes));
    claim.tables.push(table);
    Ok(claim)
}

fn row(database: &str, rows: u32, order: &str, way: &str) -> String {
    format!("{database}, {rows}, ({order}), {way}")
}

/// What one gains over another, as a part of 1.
fn gain(rate: f64, over: f64) -> f64 {
    rate / over - 1.0
}

/// What is gained in one database of one size.
struct Gains {
    /// By the pool over a connection a page, and over one that is kept: key (a, b).
    pool: [f64; 2],
    /// By the key, with the pool.
    key: f64,
    /// By the pool over a connection a page, key (b, a).
    after: f64,
}

impl Gains {
    fn of(table: &Table, database: &str, rows: u32) -> Self {
        let rate = |order, way| table.at(&row(database, rows, order, way), "pages/s");
        let [open, kept, pool] = WAYS;
        let pooling = |order, way| gain(rate(order, pool), rate(order, way));
        Gains {
            pool: [pooling("a, b", open), pooling("a, b", kept)],
            key: gain(rate("b, a", pool), rate("a, b", pool)),
            after: pooling("b, a", open),
        }
    }
}

/// The words do not say what pooling was compared with, nor how large the table was: the smallest
/// and the largest are judged, and pooling beside both.
fn judge(claim: &mut Claim, table: &Table, sizes: &[u32]) {
    for database in ["SQLite", "PostgreSQL"] {
        for rows in [sizes[0], sizes[sizes.len() - 1]] {
            let gains = Gains::of(table, database, rows);
            if gains.key.is_nan() {
                continue;
            }
            let of = format!("{database}, {rows} rows, gain in %");
            let percent = |gain: f64| gain * 100.0;
            claim.parts.extend([
                Part::at_most(
                    10.0,
                    format!("{of}: the pool over {}", WAYS[0]),
                    percent(gains.pool[0]),
                ),
                Part::at_most(
                    10.0,
                    format!("{of}: the pool over {}", WAYS[1]),
                    percent(gains.pool[1]),
                ),
                Part::at_least(300.0, format!("{of}: the key, with the pool"), percent(gains.key)),
            ]);
            let after = percent(gains.after);
            claim.beyond.push(format!(
                "{of}: once the key is right, the pool over {}: {after:.0}",
                WAYS[0]
            ));
            let rate = |way| table.at(&row(database, rows, "b, a", way), "pages/s");
            let what = format!("pages/s, {database}, {rows} rows, key (b, a)");
            claim.beside.push(Beside::more(what, rate(WAYS[2]), WAYS[1], rate(WAYS[1])));
        }
    }
}

fn chart(table: &Table, sizes: &[u32]) -> Chart {
    let mut lines = Vec::new();
    for database in ["SQLite", "PostgreSQL"] {
        let by = |of: &dyn Fn(Gains) -> f64| -> Vec<(f64, f64)> {
            // As factors: a gain of nothing has no logarithm.
            let point = |&rows| (f64::from(rows), 1.0 + of(Gains::of(table, database, rows)));
            sizes.iter().map(point).collect()
        };
        let pool = format!("{database}: the pool over {}", WAYS[0]);
        lines.push((pool, by(&|gains| gains.pool[0])));
        lines.push((format!("{database}: the pool over {}", WAYS[1]), by(&|gains| gains.pool[1])));
        lines.push((format!("{database}: the key"), by(&|gains| gains.key)));
    }
    Chart {
        title: "Times as many pages: by a pool, by the order of the key".into(),
        value: "times".into(),
        shape: Shape::Lines("rows".into(), lines),
    }
}

/// Something that answers a page's query, on connections of its own kind.
trait Database: Sync {
    type Manager: ManageConnection;

    fn manager(&self) -> Self::Manager;

    /// Asks for the photographs of a person; returns how many there are.
    fn page(
        conn: &mut <Self::Manager as ManageConnection>::Connection,
        sql: &str,
        b: i32,
    ) -> Outcome<usize>;

    /// How the query names its one parameter.
    const PARAMETER: &'static str;
}

fn measure_all<D: Database>(
    scale: Scale,
    table: &mut Table,
    name: &str,
    rows: u32,
    database: &D,
) -> Outcome<()> {
    for (order, suffix) in ORDERS {
        let sql =
            format!("SELECT a, title FROM photo_{suffix} WHERE b = {} ORDER BY a", D::PARAMETER);
        for way in WAYS {
            let ran = measure_one(scale, database, way, &sql, rows)?;
            table.push(row(name, rows, order, way), &[ran.rate(), ran.ms(0.99)]);
        }
    }
    Ok(())
}

fn measure_one<D: Database>(
    scale: Scale,
    database: &D,
    way: &str,
    sql: &str,
    rows: u32,
) -> Outcome<measure::Ran> {
    let manager = database.manager();
    let ask = |conn: &mut <D::Manager as ManageConnection>::Connection, nth: u64| {
        let b = (nth * 7919 % u64::from(rows / EACH)) as i32;
        let found = D::page(conn, sql, b).map_err(|error| error.to_string())?;
        if found == EACH as usize { Ok(()) } else { Err(format!("{found} rows")) }
    };
    let connect = || manager.connect().map_err(|error| error.to_string());
    let time = scale.time(1500, 400);
    let ran = match way {
        "pool" => {
            let pool = Pool::builder().max_size(THREADS as u32).build(database.manager())?;
            measure::again(THREADS, time, |_, nth| {
                ask(&mut *pool.get().map_err(|error| error.to_string())?, nth)
            })
        }
        "one kept a thread" => {
            let kept: Result<Vec<_>, _> = (0..THREADS).map(|_| connect().map(Mutex::new)).collect();
            let kept = kept?;
            measure::again(THREADS, time, |thread, nth| {
                ask(&mut kept[thread].lock().expect("nobody panics"), nth)
            })
        }
        _ => measure::again(THREADS, time, |_, nth| ask(&mut connect()?, nth)),
    };
    Ok(ran?)
}

/// The keys of a row: each b has [`EACH`] rows, and so has each a.
fn pair(nth: u32, rows: u32) -> (u32, u32) {
    let people = rows / EACH;
    let (a, turn) = (nth % people, nth / people);
    (a, (a + turn * 37) % people)
}

/// A file, and a connection that keeps it open: the last one that closes takes the log along, and
/// whoever opens at that moment finds the database locked.
struct Sqlite {
    path: PathBuf,
    _kept: Mutex<Connection>,
}

impl Sqlite {
    fn fill(dir: &Path, rows: u32) -> Outcome<Self> {
        let path = dir.join(format!("{rows}.db"));
        let mut conn = SqliteManager::file(&path).connect()?;
        for (order, suffix) in ORDERS {
            conn.execute_batch(&format!(
                "CREATE TABLE photo_{suffix} (a INTEGER, b INTEGER, title TEXT NOT NULL,
                 PRIMARY KEY ({order})) WITHOUT ROWID"
            ))?;
            let tx = conn.transaction()?;
            let sql =
                format!("INSERT INTO photo_{suffix} VALUES (?1, ?2, 'a title of some length')");
            for nth in 0..rows {
                tx.prepare_cached(&sql)?.execute(pair(nth, rows))?;
            }
            tx.commit()?;
        }
        Ok(Sqlite { path, _kept: Mutex::new(conn) })
    }
}

impl Database for Sqlite {
    type Manager = SqliteManager;
    const PARAMETER: &'static str = "?1";

    fn manager(&self) -> SqliteManager {
        SqliteManager::file(&self.path)
    }

    fn page(conn: &mut Connection, sql: &str, b: i32) -> Outcome<usize> {
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query([b])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            row.get_ref(1)?.as_str()?;
            count += 1;
        }
        Ok(count)
    }
}

impl Database for Postgres {
    type Manager = Manager;
    const PARAMETER: &'static str = "$1";

    fn manager(&self) -> Manager {
        Postgres::manager(self)
    }

    fn page(conn: &mut Client, sql: &str, b: i32) -> Outcome<usize> {
        Ok(conn.query(sql, &[&b])?.len())
    }
}

fn fill_postgres(server: &Postgres, rows: u32) -> Outcome<()> {
    let people = rows / EACH;
    let mut conn = server.connect()?;
    for (order, suffix) in ORDERS {
        // The same rows as `pair` has.
        conn.batch_execute(&format!(
            "DROP TABLE IF EXISTS photo_{suffix};
             CREATE TABLE photo_{suffix} (a INT, b INT, title TEXT NOT NULL, PRIMARY KEY ({order}));
             INSERT INTO photo_{suffix} SELECT nth % {people},
                 (nth % {people} + nth / {people} * 37) % {people}, 'a title of some length'
             FROM generate_series(0, {rows} - 1) AS nth;
             ANALYZE photo_{suffix}"
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::claim::Verdict;
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn each_person_has_as_many_rows() {
        let rows = 1000;
        let mut found: HashMap<u32, Vec<u32>> = HashMap::new();
        for nth in 0..rows {
            let (a, b) = pair(nth, rows);
            found.entry(b).or_default().push(a);
        }
        assert_eq!(found.len() as u32, rows / EACH);
        for albums in found.values_mut() {
            albums.sort_unstable();
            albums.dedup();
            assert_eq!(albums.len() as u32, EACH, "each in another album");
        }
    }

    fn judged(open: [f64; 2], pool: [f64; 2], over_kept: f64) -> Verdict {
        let mut table = Table::new("t", "way", &[("pages/s", 0)]);
        for (nth, (order, _)) in ORDERS.iter().enumerate() {
            table.push(row("SQLite", 1000, order, WAYS[0]), &[open[nth]]);
            table.push(row("SQLite", 1000, order, WAYS[1]), &[pool[nth] / over_kept]);
            table.push(row("SQLite", 1000, order, WAYS[2]), &[pool[nth]]);
        }
        let mut claim = Claim::new(4, "keys", "", "");
        judge(&mut claim, &table, &[1000]);
        claim.verdict()
    }

    #[test]
    fn a_pool_that_helps_contradicts_it() {
        assert_eq!(judged([100.0, 400.0], [101.0, 404.0], 1.0), Verdict::Holds);
        assert_eq!(judged([100.0, 400.0], [500.0, 900.0], 1.0), Verdict::HoldsInPart);
        assert_eq!(judged([100.0, 120.0], [500.0, 900.0], 2.0), Verdict::DoesNotHold);
    }
}
