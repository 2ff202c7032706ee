//! What does it cost to borrow a connection and give it back, when nothing else happens?
//!
//! Ids are `pool_checkout/<system>/<threads>x<connections>`. The manager makes connections of
//! nothing, so what is measured is the pool alone. Threads are real, started together, and each
//! does the same number of checkouts; a time is from the first start to the last end, per checkout
//! of one thread. (With more threads than cores it is that of all threads on a core together.)
//!
//! `array_queue` is the floor: a bounded queue that only pops and pushes, and does not wait, age,
//! test or know who is next. With 16 threads on 8 connections the queue and the vector spin
//! (yielding) where the pools park.
//!
//! r2d2 as it comes tests each connection at each checkout; `r2d2-unchecked` does not, and is
//! the one to compare with.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use crossbeam_queue::ArrayQueue;
use larder_benches::threads::run;
use larder_pool::ManageConnection;

const SHAPES: [(usize, u32); 3] = [(1, 8), (2, 8), (16, 8)];

/// Checkouts of each thread in what criterion counts as one: much longer than the threads need to
/// get going, which is many time slices when they are sixteen.
const BATCH: u32 = 10_000;

struct Null;

impl ManageConnection for Null {
    type Connection = u64;
    type Error = Infallible;

    fn connect(&self) -> Result<u64, Infallible> {
        Ok(1)
    }

    fn is_valid(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}

fn r2d2_pool(connections: u32, test: bool) -> r2d2::Pool<Null> {
    r2d2::Pool::builder().max_size(connections).test_on_check_out(test).build(Null).unwrap()
}

fn checkout(c: &mut Criterion) {
    let mut group = c.benchmark_group("pool_checkout");
    group.sampling_mode(SamplingMode::Flat).sample_size(20);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for (threads, connections) in SHAPES {
        let mut measure = |system: &str, work: &(dyn Fn(u64) + Sync)| {
            let id = BenchmarkId::new(system, format!("{threads}x{connections}"));
            group.bench_function(id, |b| {
                b.iter_custom(|count| {
                    run(threads, count * u64::from(BATCH), &|_, count| work(count)) / BATCH
                })
            });
        };

        let pool = larder_pool::Pool::builder()
            .max_size(connections)
            .min_idle(Some(connections))
            .build(Null)
            .unwrap();
        measure("larder", &|count| {
            for _ in 0..count {
                black_box(&*pool.get().unwrap());
            }
        });

        for (system, test) in [("r2d2", true), ("r2d2-unchecked", false)] {
            let pool = r2d2_pool(connections, test);
            measure(system, &|count| {
                for _ in 0..count {
                    black_box(&*pool.get().unwrap());
                }
            });
        }

        let queue = ArrayQueue::new(connections as usize);
        (0..connections).for_each(|_| queue.push(Box::new(1_u64)).unwrap());
        measure("array_queue", &|count| {
            for _ in 0..count {
                let conn = loop {
                    match queue.pop() {
                        Some(conn) => break conn,
                        None => thread::yield_now(),
                    }
                };
                queue.push(black_box(conn)).unwrap();
            }
        });

        let vector = Mutex::new((0..connections).map(|_| Box::new(1_u64)).collect::<Vec<_>>());
        measure("mutex-vec", &|count| {
            for _ in 0..count {
                let conn = loop {
                    // Its own statement: the lock is not to be held over the yield.
                    let top = vector.lock().unwrap().pop();
                    match top {
                        Some(conn) => break conn,
                        None => thread::yield_now(),
                    }
                };
                vector.lock().unwrap().push(black_box(conn));
            }
        });
    }
    group.finish();
}

criterion_group!(benches, checkout);
criterion_main!(benches);
