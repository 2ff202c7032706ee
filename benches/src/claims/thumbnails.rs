//! Thumbnails that are asked for again and again, each by a query that always answers the same:
//! what does each cache buy?
//!
//! A turn ends when the thumbnail's bytes are in a buffer of the thread. All caches are warm.

use std::fs;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use larder_files::{FileCache, Key, Limits};
use larder_memo::Memo;
use larder_pool::Pool;
use larder_pool::sqlite::SqliteManager;
use larder_serve::Bytes;
use rusqlite::Connection;

use super::chart::{Chart, Shape};
use super::claim::{Beside, Claim, Part, Table};
use super::memcached::{Client, Memcached};
use super::{Outcome, Scale, measure};
use crate::zipf::Popularity;

const THREADS: usize = 4;
const COUNT: u32 = 1000;
const TRACE: usize = 1 << 14;
/// How far away the database is, in microseconds.
const DISTANCES: [u64; 3] = [0, 500, 5000];

const QUERY: &str = "query, file by the OS's cache";
const MEMO: &str = "memo of the query, file by the OS's cache";
const FILES: &str = "memo, and larder-files";
const MEMORY: &str = "memo of the bytes";
const MEMCACHED: &str = "memcached on the loopback";
const STEPS: [&str; 5] = [QUERY, MEMO, FILES, MEMORY, MEMCACHED];

/// Runs the experiment.
pub fn run(scale: Scale) -> Outcome<Claim> {
    let words = "Thumbnails are asked for again and again, each with a query that never changes: \
                 remembering the query helps, above all when the database is on another machine";
    let source = "mod_python mailing list, 2007, author not recorded";
    let mut claim = Claim::new(3, "thumbnails", words, source);
    claim.setup = format!(
        "{COUNT} thumbnails of 4 to 12 KB in files; a SQLite table that says which file is whose, \
         asked over pooled connections, near or with a delay of 0.5 or 5 ms on each query. \
         {THREADS} threads ask by Zipf(0.9); a turn ends when the bytes are in the thread's buffer. \
         memcached, the other answer of the list, has the bytes themselves, and is asked by a \
         connection a thread."
    );
    let dir = tempfile::tempdir()?;
    let memcached = match Memcached::start(64) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        started => Some(started?),
    };
    if memcached.is_none() {
        claim.missing.push("memcached is not installed".into());
    }
    let shop = Shop::open(dir.path(), memcached.as_ref())?;
    let columns = [("thumbnails/s", 0), ("p50 ms", 4), ("p99 ms", 4), ("x the query's", 1)];
    let mut table = Table::new(format!("{THREADS} threads"), "step, distance", &columns);
    let mut lines: Vec<_> = STEPS.iter().map(|step| ((*step).to_owned(), Vec::new())).collect();
    for distance_us in DISTANCES {
        shop.distance_us.store(distance_us, Relaxed);
        let mut first = f64::NAN;
        for (step, (_, points)) in STEPS.iter().zip(&mut lines) {
            if *step == MEMCACHED && memcached.is_none() {
                continue;
            }
            let ran = shop.measure(step, scale.time(2000, 500))?;
            first = if first.is_nan() { ran.rate() } else { first };
            let name = row(step, distance_us);
            table.push(name, &[ran.rate(), ran.ms(0.5), ran.ms(0.99), ran.rate() / first]);
            // Near is not at zero: a query takes some microseconds by itself.
            points.push((distance_us.max(5) as f64 / 1e3, ran.rate()));
        }
    }
    judge(&mut claim, &table);
    claim.chart = Some(Chart {
        title: "Thumbnails a second, by the distance of the database".into(),
        value: "thumbnails/s".into(),
        shape: Shape::Lines("ms of delay on each query".into(), lines),
    });
    claim.tables.push(table);
    Ok(claim)
}

fn row(step: &str, distance_us: u64) -> String {
    format!("{step}, {} ms", distance_us as f64 / 1e3)
}

fn judge(claim: &mut Claim, table: &Table) {
    let rate = |step, distance| table.at(&row(step, distance), "thumbnails/s");
    let gain = |step, over, distance| rate(step, distance) / rate(over, distance);
    claim.parts.extend([
        Part::at_least(1.2, "what the memo of the query buys, database near", gain(MEMO, QUERY, 0)),
        Part::at_least(10.0, "the same, database 0.5 ms away", gain(MEMO, QUERY, 500)),
        Part::at_least(100.0, "the same, database 5 ms away", gain(MEMO, QUERY, 5000)),
        Part::at_least(
            1.2,
            "what larder-files buys over opening each file",
            gain(FILES, MEMO, 500),
        ),
        Part::at_least(1.2, "what bytes in memory buy over that", gain(MEMORY, FILES, 500)),
    ]);
    for (step, what) in [
        (MEMO, "the memo of the query"),
        (FILES, "memo and files"),
        (MEMORY, "the memo of the bytes"),
    ] {
        let what = format!("thumbnails/s of {what}, database 0.5 ms away");
        claim.beside.push(Beside::more(what, rate(step, 500), MEMCACHED, rate(MEMCACHED, 500)));
    }
    claim.beside.push(Beside::more(
        "thumbnails/s of memo and files, database near",
        rate(FILES, 0),
        MEMO,
        rate(MEMO, 0),
    ));
}

/// Where thumbnails are to be had, in all ways.
struct Shop {
    pool: Pool<SqliteManager>,
    /// On each query.
    distance_us: AtomicU64,
    paths: Memo<u32, PathBuf>,
    files: FileCache,
    bytes: Memo<u32, Bytes>,
    clients: Vec<Mutex<Client>>,
    trace: Vec<u32>,
}

impl Shop {
    fn open(dir: &Path, memcached: Option<&Memcached>) -> Outcome<Self> {
        let database = dir.join("photos.db");
        fill(dir, &database)?;
        let pool = Pool::builder().max_size(THREADS as u32).build(SqliteManager::file(database))?;
        let clients = memcached.into_iter().flat_map(|it| (0..THREADS).map(|_| it.connect()));
        let clients = clients.map(|client| client.map(Mutex::new)).collect::<Result<_, _>>()?;
        let shop = Shop {
            pool,
            distance_us: AtomicU64::new(0),
            paths: Memo::builder(COUNT as usize * 2).build(),
            files: FileCache::open(dir.join("files"), Limits::new())?,
            bytes: Memo::builder(COUNT as usize * 2).build(),
            clients,
            trace: Popularity::new(COUNT, 0.9, 7).draw(TRACE, 8),
        };
        shop.warm()?;
        Ok(shop)
    }

    fn warm(&self) -> Outcome<()> {
        for id in 0..COUNT {
            let path = self.query(id)?;
            let thumbnail = fs::read(&path)?;
            self.files.get_or_make(&key(id), |out| out.write_all(&thumbnail))?;
            if let Some(client) = self.clients.first() {
                client.lock().expect("nobody panics").set(&id.to_string(), &thumbnail)?;
            }
            self.paths.insert(id, path);
            self.bytes.insert(id, thumbnail.into());
        }
        Ok(())
    }

    fn measure(&self, step: &str, time: Duration) -> Outcome<measure::Ran> {
        let buffers: Vec<_> =
            (0..THREADS).map(|_| Mutex::new(Vec::with_capacity(16 << 10))).collect();
        let ran = measure::again(THREADS, time, |thread, nth| {
            let id = self.trace[(thread * 4099 + nth as usize) % TRACE];
            let into = &mut *buffers[thread].lock().expect("nobody panics");
            into.clear();
            self.fetch(step, thread, id, into).map_err(|error| error.to_string())?;
            if into.len() == length(id) { Ok(()) } else { Err(format!("{step} cut {id} short")) }
        });
        Ok(ran?)
    }

    fn fetch(&self, step: &str, thread: usize, id: u32, into: &mut Vec<u8>) -> Outcome<()> {
        match step {
            QUERY => read(&self.query(id)?, into),
            MEMO => read(&self.remembered(id)?, into),
            FILES => {
                // The row says which version it is, so the memo is asked here, too.
                self.remembered(id)?;
                let entry = self.files.get(&key(id)).ok_or("it is there")?;
                let file = entry.file().ok_or("it is on disk")?;
                into.resize(entry.len() as usize, 0);
                Ok(file.read_exact_at(into, entry.offset())?)
            }
            MEMORY => {
                self.bytes.read(&id, |bytes| into.extend_from_slice(bytes)).ok_or("it is there")?;
                Ok(())
            }
            _ => {
                let client = &mut *self.clients[thread].lock().expect("nobody panics");
                client.get(&id.to_string(), into)?;
                Ok(())
            }
        }
    }

    fn query(&self, id: u32) -> Outcome<PathBuf> {
        let conn = self.pool.get()?;
        let distance = self.distance_us.load(Relaxed);
        if distance > 0 {
            thread::sleep(Duration::from_micros(distance));
        }
        let mut find = conn.prepare_cached("SELECT path FROM photo WHERE id = ?1")?;
        Ok(find.query_row([id], |row| row.get::<_, String>(0))?.into())
    }

    fn remembered(&self, id: u32) -> Outcome<PathBuf> {
        match self.paths.get(&id) {
            Some(path) => Ok(path),
            None => self.query(id),
        }
    }
}

/// Reads a file as one does that knows only its name.
fn read(path: &Path, into: &mut Vec<u8>) -> Outcome<()> {
    fs::File::open(path)?.read_to_end(into)?;
    Ok(())
}

fn key(id: u32) -> Key {
    Key::new(id.to_string(), "1", "w=160")
}

fn length(id: u32) -> usize {
    4096 + (id as usize * 613) % 8192
}

fn fill(dir: &Path, database: &Path) -> Outcome<()> {
    let mut conn = Connection::open(database)?;
    conn.execute_batch("CREATE TABLE photo (id INTEGER PRIMARY KEY, path TEXT NOT NULL)")?;
    let tx = conn.transaction()?;
    for id in 0..COUNT {
        let path = dir.join(format!("{id}.jpg"));
        fs::write(&path, vec![id as u8; length(id)])?;
        tx.execute("INSERT INTO photo VALUES (?1, ?2)", (id, path.to_str()))?;
    }
    Ok(tx.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_steps_without_memcached_fetch_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let shop = Shop::open(dir.path(), None).unwrap();
        for step in &STEPS[..4] {
            for id in [0, 7, COUNT - 1] {
                let mut bytes = Vec::new();
                shop.fetch(step, 0, id, &mut bytes).unwrap();
                assert_eq!(bytes, vec![id as u8; length(id)], "{step}");
            }
        }
    }
}
