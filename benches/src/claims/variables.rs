//! What does sharing by variables in the process save over a round trip to the database?
//!
//! A value that all threads read, and a count that all threads raise.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use larder_pool::sqlite::{SqliteManager, SqlitePool};
use larder_vars::Vars;

use super::chart::{Chart, Shape};
use super::claim::{Beside, Claim, Part, Table};
use super::postgres::Postgres;
use super::{Outcome, Scale, measure};

const KEYS: usize = 100;
const NSV: &str = "nsv: 8 buckets, a lock each";
const LARDER: &str = "larder-vars";
const SQLITE: &str = "SQLite, near";
const POSTGRES: &str = "PostgreSQL, Unix socket";
const AWAY: &str = "SQLite, 0.5 ms away";

/// Runs the experiment.
pub fn run(scale: Scale) -> Outcome<Claim> {
    let words = "Buckets of shared variables (nsv) are the way for threads to share, not a round \
                 trip to the database";
    let source = "AOLserver mailing lists, between 2000 and 2007 (date not recorded), author not \
                  recorded";
    let mut claim = Claim::new(8, "variables", words, source);
    claim.setup = format!(
        "{KEYS} values by name, each read and each counted up by one thread and by two: in a model \
         of nsv (8 buckets by the array's name, each with one lock for its arrays, their keys and a \
         counter of its own), in larder-vars, and in a table, by prepared statements: in \
         SQLite on pooled connections (WAL, no sync at each commit), the same with a delay of \
         0.5 ms, and in PostgreSQL on a Unix socket (fsync off), a connection a thread. A count in a database is a transaction."
    );
    let columns = [("read ns, 1", 0), ("read ns, 2", 0), ("count ns, 1", 0), ("count ns, 2", 0)];
    let mut table = Table::new("One read, one count, by threads", "where", &columns);
    let keys: Vec<String> = (0..KEYS).map(|nth| format!("/page/{nth:03}")).collect();
    in_process(scale.time(800, 200), &mut table, &keys);
    let time = scale.time(1000, 300);
    in_sqlite(time, &mut table, &keys)?;
    match Postgres::start()? {
        None => claim.missing.push("PostgreSQL is not installed".into()),
        Some(server) => in_postgres(time, &mut table, &keys, &server)?,
    }
    judge(&mut claim, &table);
    let bars = |column: usize, what: &'static str| {
        table.rows.iter().map(move |row| (format!("{}, {what}", row.name), row.numbers[column]))
    };
    claim.chart = Some(Chart {
        title: "A shared value, each of two threads".into(),
        value: "ns".into(),
        shape: Shape::Bars(bars(1, "read").chain(bars(3, "count")).collect()),
    });
    claim.tables.push(table);
    Ok(claim)
}

fn judge(claim: &mut Claim, table: &Table) {
    let at = |name, column| table.at(name, column);
    let over = |name, column| at(name, column) / at(NSV, column);
    claim.parts.extend([
        Part::at_least(
            10.0,
            "a read of SQLite over one of nsv, two threads",
            over(SQLITE, "read ns, 2"),
        ),
        Part::at_least(
            10.0,
            "a count in SQLite over one in nsv, two threads",
            over(SQLITE, "count ns, 2"),
        ),
        Part::at_least(
            100.0,
            "a read of PostgreSQL over one of nsv, two threads",
            over(POSTGRES, "read ns, 2"),
        ),
        Part::at_least(
            100.0,
            "a count in PostgreSQL over one in nsv, two threads",
            over(POSTGRES, "count ns, 2"),
        ),
        Part::at_least(
            1000.0,
            "a read of a database 0.5 ms away over one of nsv",
            over(AWAY, "read ns, 2"),
        ),
    ]);
    for (column, _) in &table.columns {
        for name in [NSV, SQLITE] {
            claim.beside.push(Beside::less(column, at(LARDER, column), name, at(name, column)));
        }
    }
}

/// A bucket of NaviServer: one lock, and under it the arrays and a counter.
type Bucket = Mutex<(u64, HashMap<String, HashMap<String, i64, RandomState>, RandomState>)>;

/// nsv's design.
#[derive(Default)]
struct Nsv {
    hasher: RandomState,
    buckets: [Bucket; 8],
}

impl Nsv {
    fn with<R>(&self, key: &str, work: impl FnOnce(&mut i64) -> R) -> R {
        let bucket = self.hasher.hash_one("hits") as usize % self.buckets.len();
        let mut bucket = self.buckets[bucket].lock().unwrap_or_else(PoisonError::into_inner);
        bucket.0 += 1;
        let arrays = &mut bucket.1;
        if !arrays.contains_key("hits") {
            arrays.insert("hits".to_owned(), HashMap::default());
        }
        let array = arrays.get_mut("hits").expect("it was just put there");
        match array.get_mut(key) {
            Some(value) => work(value),
            None => work(array.entry(key.to_owned()).or_insert(0)),
        }
    }
}

fn in_process(time: Duration, table: &mut Table, keys: &[String]) {
    let key = |thread: usize, nth: u64| keys[(thread * 41 + nth as usize * 7) % KEYS].as_str();
    let measured = |work: &(dyn Fn(&str) -> i64 + Sync)| {
        [1, 2].map(|threads| {
            measure::each_ns(threads, time, |thread, nth| {
                black_box(work(key(thread, nth)));
            })
        })
    };
    let nsv = Nsv::default();
    let counts = measured(&|key| {
        nsv.with(key, |value| {
            *value += 1;
            *value
        })
    });
    let reads = measured(&|key| nsv.with(key, |value| *value));
    table.push(NSV, &[reads, counts].concat());
    let vars: Vars<String, i64> = Vars::new();
    let array = vars.array("hits");
    let counts = measured(&|key| array.incr(key, 1).unwrap_or(i64::MAX));
    let reads = measured(&|key| array.get(key).unwrap_or(-1));
    table.push(LARDER, &[reads, counts].concat());
}

const TABLE: &str = "CREATE TABLE hit (page TEXT PRIMARY KEY, count BIGINT NOT NULL)";

/// Nanoseconds of one turn of one thread, on one and on two.
fn turns(
    time: Duration,
    keys: &[String],
    work: impl Fn(usize, &str) -> Outcome<()> + Sync,
) -> Outcome<[f64; 2]> {
    let mut numbers = [0.0; 2];
    for threads in [1, 2] {
        let ran = measure::again(threads, time, |thread, nth| {
            let key = &keys[(thread * 41 + nth as usize * 7) % KEYS];
            work(thread, key).map_err(|error| error.to_string())
        })?;
        numbers[threads - 1] = threads as f64 * 1e9 / ran.rate();
    }
    Ok(numbers)
}

fn in_sqlite(time: Duration, table: &mut Table, keys: &[String]) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let pool = SqlitePool::open(SqliteManager::file(dir.path().join("hits.db")), 2)?;
    pool.transact(|tx| {
        tx.execute_batch(TABLE)?;
        keys.iter()
            .try_for_each(|key| tx.execute("INSERT INTO hit VALUES (?1, 0)", [key]).map(drop))
    })?;
    for (name, distance) in [(SQLITE, Duration::ZERO), (AWAY, Duration::from_micros(500))] {
        let travel = || {
            if !distance.is_zero() {
                std::thread::sleep(distance);
            }
        };
        let reads = turns(time, keys, |_, key| {
            let conn = pool.read()?;
            travel();
            let mut find = conn.prepare_cached("SELECT count FROM hit WHERE page = ?1")?;
            black_box(find.query_row([key], |row| row.get::<_, i64>(0))?);
            Ok(())
        })?;
        let counts = turns(time, keys, |_, key| {
            travel();
            let count = "UPDATE hit SET count = count + 1 WHERE page = ?1";
            pool.transact(|tx| tx.prepare_cached(count)?.execute([key]))?;
            Ok(())
        })?;
        table.push(name, &[reads, counts].concat());
    }
    Ok(())
}

fn in_postgres(
    time: Duration,
    table: &mut Table,
    keys: &[String],
    server: &Postgres,
) -> Outcome<()> {
    let mut conn = server.connect()?;
    conn.batch_execute(TABLE)?;
    for key in keys {
        conn.execute("INSERT INTO hit VALUES ($1, 0)", &[key])?;
    }
    // Prepared once on each connection; a pool's checkout would be the smallest part of it.
    let connect = || -> Outcome<_> {
        let mut conn = server.connect()?;
        let find = conn.prepare("SELECT count FROM hit WHERE page = $1")?;
        let count = conn.prepare("UPDATE hit SET count = count + 1 WHERE page = $1")?;
        Ok(Mutex::new((conn, find, count)))
    };
    let kept = [connect()?, connect()?];
    let reads = turns(time, keys, |thread, key| {
        let (conn, find, _) = &mut *kept[thread].lock().unwrap_or_else(PoisonError::into_inner);
        black_box(conn.query_one(find, &[&key])?.get::<_, i64>(0));
        Ok(())
    })?;
    let counts = turns(time, keys, |thread, key| {
        let (conn, _, count) = &mut *kept[thread].lock().unwrap_or_else(PoisonError::into_inner);
        conn.execute(count, &[&key])?;
        Ok(())
    })?;
    table.push(POSTGRES, &[reads, counts].concat());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::claim::Verdict;
    use super::*;

    fn judged(database: f64, away: f64) -> Verdict {
        let columns =
            [("read ns, 1", 0), ("read ns, 2", 0), ("count ns, 1", 0), ("count ns, 2", 0)];
        let mut table = Table::new("t", "where", &columns);
        table.push(NSV, &[20.0, 80.0, 20.0, 80.0]);
        table.push(SQLITE, &[database; 4]);
        table.push(AWAY, &[away; 4]);
        let mut claim = Claim::new(8, "variables", "", "");
        judge(&mut claim, &table);
        claim.verdict()
    }

    #[test]
    fn a_database_that_is_as_quick_contradicts_it() {
        assert_eq!(judged(2000.0, 500_000.0), Verdict::Holds);
        assert_eq!(judged(500.0, 500_000.0), Verdict::HoldsInPart);
        assert_eq!(judged(80.0, 500.0), Verdict::DoesNotHold);
    }

    #[test]
    fn all_counts_of_all_threads_are_in_the_bucket() {
        let nsv = Nsv::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| nsv.with("/", |value| *value += 1)));
            }
        });
        assert_eq!(nsv.with("/", |value| *value), 4000);
        assert_eq!(nsv.buckets.iter().map(|bucket| bucket.lock().unwrap().0).sum::<u64>(), 4001);
    }
}
