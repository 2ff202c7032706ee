//! How long do callers wait when there are many more of them than connections?
//!
//! 64 threads on 4 connections, each holding its connection for a sleep of 100 us and asking again
//! at once. A fair pool makes everybody wait for about the same time, 15 holds of the others, so
//! the p99.9 is near the median; an unfair one serves some at once and lets others starve, so its
//! median is short and its tail long. `served` is how often the thread that was served least got a
//! connection, for each time that the one served most did.

use std::cell::Cell;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use larder_benches::lender::{self, Lender};
use larder_benches::plan::Plan;
use larder_benches::table;
use larder_benches::waits::Waits;
use larder_pool::ManageConnection;

const THREADS: usize = 64;
const CONNECTIONS: u32 = 4;
const HOLD: Duration = Duration::from_micros(100);

struct Null;

impl ManageConnection for Null {
    type Connection = ();
    type Error = std::convert::Infallible;

    fn connect(&self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn is_valid(&self, _: &mut ()) -> Result<(), Self::Error> {
        Ok(())
    }

    fn has_broken(&self, _: &mut ()) -> bool {
        false
    }
}

/// Borrows again and again until `end`, and returns the wait of each time.
fn borrow_until(end: Instant, pool: &dyn Lender) -> Vec<Duration> {
    let mut waits = Vec::new();
    loop {
        let asked = Instant::now();
        if asked >= end {
            return waits;
        }
        let wait = Cell::new(Duration::ZERO);
        let lent = pool.lend(&|| {
            wait.set(asked.elapsed());
            thread::sleep(HOLD);
        });
        assert!(lent, "nobody waits for as long as the time-out");
        waits.push(wait.get());
    }
}

fn contend(length: Duration, pool: &dyn Lender) -> Vec<Vec<Duration>> {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    borrow_until(Instant::now() + length, pool)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn row(name: &str, length: Duration, pool: &dyn Lender) -> Vec<String> {
    let threads = contend(length, pool);
    let mut waits = Waits::default();
    threads.iter().flatten().for_each(|&wait| waits.add(wait));
    let counts = || threads.iter().map(Vec::len);
    let (least, most) = (counts().min().unwrap(), counts().max().unwrap());
    let per_second = counts().sum::<usize>() as f64 / length.as_secs_f64();
    let spread = waits.quantile(0.999).as_secs_f64() / waits.quantile(0.5).as_secs_f64();
    let mut cells = vec![name.to_string(), format!("{per_second:.0}")];
    cells.extend(waits.cells());
    cells.push(format!("{spread:.1}"));
    cells.push(format!("{:.2}", least as f64 / most as f64));
    cells
}

fn main() {
    let (full, short) = (Duration::from_secs(5), Duration::from_millis(300));
    let plan = Plan::from_args();
    let length = plan.length(full, short);
    let head = ["system", "checkouts/s", "p50", "p99", "p99.9", "max", "p99.9/p50", "served"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for system in plan.wanted("pool_fairness", &lender::SYSTEMS) {
        let pool = lender::build(system, CONNECTIONS, Null);
        rows.push(row(system, length, &*pool));
    }
    let title = "pool_fairness: waits of 64 threads for 4 connections, held for 100 us";
    table::print(title, &rows);
}
