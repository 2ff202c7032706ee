//! What does a point query cost through a pool?
//!
//! Ids are `pool_sqlite_read/<system>/<threads>`. A table of 100,000 rows, in the page cache of
//! each connection after the warm-up; each query finds one row by its key with a statement that the
//! connection has prepared. Every system has the same pragmas. A time is of one query of one
//! thread, so with more threads than cores it is that of all threads on a core together.
//!
//! - `larder` is a reader of `SqlitePool`, borrowed for each query. `r2d2` has a manager
//!   as `r2d2_sqlite` does it, which asks `SELECT 1` at each checkout; `r2d2-unchecked` does without.
//! - `own-connection`, a connection that the thread keeps, is the floor. `one-mutex` is a
//!   connection that all share, `open-each` one that is opened for each query.
//!
//! What is missed. The aim was 1.8 x the throughput of `r2d2` as it comes, and to be within 5 % of
//! `own-connection`. It is 1.3 to 1.7 x, by the number of threads, and 2 to 9 %. The first is more
//! than there is on one thread: a connection of one's own is itself only about 1.33 x `r2d2`, since
//! r2d2's test at each checkout costs 0.6 us of 2.5 us.

use std::hint::black_box;
use std::sync::Mutex;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use larder_benches::photos::{FIND, Photos};
use larder_benches::threads::run;
use larder_benches::zipf::Random;
use larder_pool::ManageConnection;
use larder_pool::sqlite::SqlitePool;
use rusqlite::Connection;

const ROWS: u32 = 100_000;
const CONNECTIONS: u32 = 8;
const THREADS: [usize; 3] = [1, 2, 8];

/// Queries of each thread in what criterion counts as one; fewer where each opens a connection.
const BATCH: u32 = 1_000;
const FEW: u32 = 10;

fn find(conn: &Connection, id: u32) -> usize {
    let mut find = conn.prepare_cached(FIND).unwrap();
    find.query_row([id], |row| Ok(row.get_ref(0)?.as_str()?.len())).unwrap()
}

/// The ids that a thread asks for: its own, the same for every system.
fn ids(thread: usize, count: u64) -> impl Iterator<Item = u32> {
    let mut random = Random::new(thread as u64);
    (0..count).map(move |_| (random.bits() % u64::from(ROWS)) as u32)
}

fn read(c: &mut Criterion) {
    let photos = Photos::new(ROWS);
    let mut group = c.benchmark_group("pool_sqlite_read");
    group.sampling_mode(SamplingMode::Flat).sample_size(20);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for threads in THREADS {
        let mut measure = |system: &str, batch: u32, work: &(dyn Fn(usize, u64) + Sync)| {
            group.bench_function(BenchmarkId::new(system, threads), |b| {
                b.iter_custom(|count| run(threads, count * u64::from(batch), work) / batch)
            });
        };

        let pool = SqlitePool::open(photos.manager(), CONNECTIONS).unwrap();
        measure("larder", BATCH, &|thread, count| {
            ids(thread, count).for_each(|id| {
                black_box(find(&pool.read().unwrap(), id));
            });
        });

        for (system, test) in [("r2d2", true), ("r2d2-unchecked", false)] {
            let pool = photos.r2d2(CONNECTIONS, test);
            measure(system, BATCH, &|thread, count| {
                ids(thread, count).for_each(|id| {
                    black_box(find(&pool.get().unwrap(), id));
                });
            });
        }

        let open = || Mutex::new(photos.manager().query_only().connect().unwrap());
        let own: Vec<_> = (0..threads).map(|_| open()).collect();
        measure("own-connection", BATCH, &|thread, count| {
            let conn = own[thread].lock().unwrap();
            ids(thread, count).for_each(|id| {
                black_box(find(&conn, id));
            });
        });

        let one = open();
        measure("one-mutex", BATCH, &|thread, count| {
            ids(thread, count).for_each(|id| {
                black_box(find(&one.lock().unwrap(), id));
            });
        });

        let manager = photos.manager().query_only();
        measure("open-each", FEW, &|thread, count| {
            ids(thread, count).for_each(|id| {
                black_box(find(&manager.connect().unwrap(), id));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
