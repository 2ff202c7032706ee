//! The half of `blobs` that is a child: threads that read what is small and send what is large.
//!
//! A small read is a hit when it made no system call to read: the kernel counts them by thread.

use std::fs::File;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use larder_files::{FileCache, Key, Limits};
use larder_pool::Pool;
use larder_pool::sqlite::SqliteManager;
use rusqlite::{Connection, MAIN_DB};
use rustix::fs::sendfile;
use rustix::net::{RecvFlags, recv};

use super::Outcome;
use super::child::memory_of;
use crate::zipf::Random;

/// Films in the database.
pub const FILMS: u64 = 16;
/// Rows of a film.
pub const CHUNKS: u64 = 64;
/// Bytes of such a row: a page of the database has 65,536 bytes, and this fits into one.
pub const CHUNK: usize = 65_000;
/// Small rows.
pub const PAGES: u64 = 2000;
/// Bytes of a small row.
pub const PAGE: usize = 1500;
/// Small reads for each film that is sent.
pub const SMALL: u64 = 9;
/// The page cache of a connection.
pub const CACHE_KIB: u32 = 8192;

/// Prints memory in MB, hits in %, small reads a second and MB of films a second, and ends.
pub fn half(args: &[&str]) -> Outcome<()> {
    let [database, mode, connections, rounds] = args else { return Err("four arguments".into()) };
    let (threads, rounds): (usize, u64) = (connections.parse()?, rounds.parse()?);
    let dir = tempfile::tempdir()?;
    let store = Store::open(Path::new(database), dir.path(), mode, threads as u32)?;
    let before = memory_of("self");
    let (done, memory) = watched(|| store.work_on(threads, rounds));
    let (small_hits, time) = done?;
    let (seconds, all) = (time.as_secs_f64(), (threads as u64 * rounds) as f64);
    let films = if *mode == "none" { 0.0 } else { all * (CHUNK as u64 * CHUNKS) as f64 / 1e6 };
    let (small, memory) = (all * SMALL as f64, memory.saturating_sub(before) as f64 / 1e6);
    let hits = 100.0 * small_hits as f64 / small;
    println!("{memory} {hits} {} {}", small / seconds, films / seconds);
    Ok(())
}

/// Runs something, and returns the most memory that there was meanwhile.
fn watched<R>(work: impl FnOnce() -> R) -> (R, u64) {
    let (most, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                most.fetch_max(memory_of("self"), Relaxed);
                if is_over.load(Relaxed) {
                    return;
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        let result = work();
        is_over.store(true, Relaxed);
        result
    });
    (result, most.into_inner())
}

struct Store {
    pool: Pool<SqliteManager>,
    mode: String,
    cache: FileCache,
}

impl Store {
    fn open(database: &Path, dir: &Path, mode: &str, connections: u32) -> Outcome<Self> {
        let manager = || SqliteManager::file(database).query_only().cache_size_kib(CACHE_KIB);
        let pool = Pool::builder().max_size(connections).build(manager())?;
        let cache = FileCache::open(dir.join("films"), Limits::new())?;
        if mode == "files" {
            // Through a connection of its own, which is closed again.
            let conn = Connection::open(database)?;
            for film in 0..FILMS {
                let open = || conn.blob_open(MAIN_DB, "whole", "body", film as i64, true);
                cache.get_or_copy(&key(film), open)?;
            }
        }
        Ok(Store { pool, mode: mode.to_owned(), cache })
    }

    /// Has each thread do its rounds; returns how many small reads were hits, and the time.
    fn work_on(&self, threads: usize, rounds: u64) -> Result<(u64, Duration), String> {
        let barrier = Barrier::new(threads);
        let one = |nth| {
            let warm = self.warm();
            // All wait for all, or one that failed would keep the others here.
            barrier.wait();
            let (began, (reads, mut socket)) = (Instant::now(), warm?);
            let hits = self.work(nth, rounds, &reads, &mut socket)?;
            Outcome::Ok((hits, began.elapsed()))
        };
        let one = |nth| one(nth).map_err(|error| error.to_string());
        thread::scope(|scope| {
            let one = &one;
            let all: Vec<_> =
                (0..threads as u64).map(|nth| scope.spawn(move || one(nth))).collect();
            let mut sum = (0, Duration::ZERO);
            for thread in all {
                let (hits, time) = thread.join().expect("no thread panics")?;
                sum = (sum.0 + hits, sum.1.max(time));
            }
            Ok(sum)
        })
    }

    /// Reads all small rows once, and opens what a thread needs.
    fn warm(&self) -> Outcome<(Reads, TcpStream)> {
        let reads = Reads::of_this_thread()?;
        (0..PAGES).try_for_each(|id| self.small(id, &reads).map(drop))?;
        Ok((reads, drained()?))
    }

    fn work(&self, nth: u64, rounds: u64, reads: &Reads, socket: &mut TcpStream) -> Outcome<u64> {
        let mut random = Random::new(nth);
        let mut hits = 0;
        for _ in 0..rounds {
            for _ in 0..SMALL {
                hits += u64::from(self.small(random.bits() % PAGES, reads)?);
            }
            self.send(random.bits() % FILMS, socket)?;
        }
        Ok(hits)
    }

    /// Reads a small row; tells whether that was a hit.
    fn small(&self, id: u64, reads: &Reads) -> Outcome<bool> {
        let conn = self.pool.get()?;
        let mut statement = conn.prepare_cached("SELECT body FROM page WHERE id = ?1")?;
        let before = reads.count()?;
        let length = statement.query_row([id], |row| Ok(row.get_ref(0)?.as_blob()?.len()))?;
        assert_eq!(length, PAGE, "a whole row");
        // The look at the counter counts as one.
        Ok(reads.count()? == before + 1)
    }

    fn send(&self, film: u64, socket: &mut TcpStream) -> Outcome<()> {
        match self.mode.as_str() {
            "none" => Ok(()),
            "files" => self.send_file(film, socket),
            "chunks" => {
                self.send_rows("chunk", [film * CHUNKS, film * CHUNKS + CHUNKS - 1], socket)
            }
            "whole" => self.send_rows("whole", [film, film], socket),
            other => Err(format!("films are not kept as {other}").into()),
        }
    }

    fn send_rows(&self, table: &str, ids: [u64; 2], socket: &mut TcpStream) -> Outcome<()> {
        let conn = self.pool.get()?;
        let sql = format!("SELECT body FROM {table} WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
        let mut statement = conn.prepare_cached(&sql)?;
        let mut rows = statement.query(ids)?;
        let mut sent = 0;
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(0)?.as_blob()?;
            socket.write_all(bytes)?;
            sent += bytes.len();
        }
        assert_eq!(sent, CHUNK * CHUNKS as usize, "a whole film");
        Ok(())
    }

    fn send_file(&self, film: u64, socket: &mut TcpStream) -> Outcome<()> {
        let entry = self.cache.get(&key(film)).ok_or("it was spilled")?;
        let file = entry.file().ok_or("it is on disk")?;
        let (mut at, end) = (entry.offset(), entry.offset() + entry.len());
        while at < end {
            let left = usize::try_from(end - at)?;
            if sendfile(&*socket, file, Some(&mut at), left)? == 0 {
                return Err("a film that is cut short".into());
            }
        }
        Ok(())
    }
}

fn key(film: u64) -> Key {
    Key::new(format!("film/{film}"), "1", "")
}

/// Opens a connection whose other end throws away what comes, on a thread of its own.
fn drained() -> io::Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let socket = TcpStream::connect(listener.local_addr()?)?;
    let (other, _) = listener.accept()?;
    thread::spawn(move || {
        let mut unread = vec![0; 1 << 18];
        // Thrown away by the kernel, not copied: the clients are not what is measured.
        while recv(&other, &mut unread[..], RecvFlags::TRUNC).is_ok_and(|(_, length)| length > 0) {}
    });
    Ok(socket)
}

/// Counts the calls of a thread that read.
struct Reads(File);

impl Reads {
    fn of_this_thread() -> io::Result<Self> {
        File::open("/proc/thread-self/io").map(Reads)
    }

    fn count(&self) -> io::Result<u64> {
        let mut text = [0; 256];
        let length = self.0.read_at(&mut text, 0)?;
        let text = String::from_utf8_lossy(&text[..length]);
        let calls = text.lines().find_map(|line| line.strip_prefix("syscr: "));
        let calls = calls.and_then(|calls| calls.parse().ok());
        calls.ok_or_else(|| io::Error::other("the kernel does not count reads"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_look_at_the_counter_counts_as_one() {
        let reads = Reads::of_this_thread().unwrap();
        let (first, second) = (reads.count().unwrap(), reads.count().unwrap());
        assert_eq!(second, first + 1);
        File::open("/dev/zero").unwrap().read_at(&mut [0], 0).unwrap();
        assert_eq!(reads.count().unwrap(), second + 2);
    }

    #[test]
    fn the_most_memory_is_what_there_was_meanwhile() {
        let memory = vec![1_u8; 64 << 20];
        let (_, most) = watched(|| std::hint::black_box(&memory).len());
        assert!(most > 64 << 20, "{most}");
    }
}
