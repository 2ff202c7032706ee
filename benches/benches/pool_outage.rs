//! What does a pool do to a database that is down, and how soon does everybody work again?
//!
//! 32 threads take turns on 8 connections, 1 ms each. Then the database goes away for 5 s: all
//! connections are broken, and connecting is refused (after 1 ms, as over a network). Then it
//! comes back, and connecting takes 5 ms. A thread that gets an error pauses for 10 ms and asks
//! again, as one does that serves the next request. All settings are the pools' own defaults.
//!
//! `attempts` are connects during the outage: together, on average over a second, and in the worst
//! second. `errors/s` are what callers got meanwhile; r2d2's wait for their time-out of 30 s, and
//! know nothing until then. `all served` is how long after the outage the last thread got its first
//! connection.
//!
//! In a full run larder may have 3 attempts a second on average, and 1 s until all are served: this
//! fails if it has more.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use larder_benches::lender::{self, Lender};
use larder_benches::plan::Plan;
use larder_benches::table;
use larder_benches::waits::ms;
use larder_pool::ManageConnection;

const THREADS: usize = 32;
const CONNECTIONS: u32 = 8;
const HOLD: Duration = Duration::from_millis(1);
const REFUSAL: Duration = Duration::from_millis(1);
const CONNECT: Duration = Duration::from_millis(5);
const PAUSE: Duration = Duration::from_millis(10);
const WARM_UP: Duration = Duration::from_millis(200);

/// The database, as its managers share it.
#[derive(Default)]
struct Database {
    is_down: AtomicBool,
    /// Counts its starts: a connection to an earlier one is broken.
    start: AtomicU32,
    attempts: Mutex<Vec<Instant>>,
}

#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection refused")
    }
}

impl std::error::Error for Refused {}

struct Manager(Arc<Database>);

impl Manager {
    fn is_good(&self, conn: u32) -> bool {
        !self.0.is_down.load(SeqCst) && self.0.start.load(SeqCst) == conn
    }
}

impl ManageConnection for Manager {
    type Connection = u32;
    type Error = Refused;

    fn connect(&self) -> Result<u32, Refused> {
        self.0.attempts.lock().unwrap().push(Instant::now());
        if self.0.is_down.load(SeqCst) {
            thread::sleep(REFUSAL);
            return Err(Refused);
        }
        let start = self.0.start.load(SeqCst);
        thread::sleep(CONNECT);
        Ok(start)
    }

    fn is_valid(&self, conn: &mut u32) -> Result<(), Refused> {
        if self.is_good(*conn) { Ok(()) } else { Err(Refused) }
    }

    fn has_broken(&self, conn: &mut u32) -> bool {
        !self.is_good(*conn)
    }
}

/// What larder may have in a full run.
const MAX_ATTEMPTS_PER_SECOND: f64 = 3.0;
const MAX_UNTIL_SERVED: Duration = Duration::from_secs(1);

/// What the threads tell: when each was last served, and how many errors they got in all.
struct Callers {
    served: Vec<Mutex<Option<Instant>>>,
    errors: AtomicU32,
    stop: AtomicBool,
}

impl Callers {
    fn work(&self, nth: usize, pool: &dyn Lender) {
        while !self.stop.load(SeqCst) {
            if pool.lend(&|| thread::sleep(HOLD)) {
                *self.served[nth].lock().unwrap() = Some(Instant::now());
            } else {
                self.errors.fetch_add(1, SeqCst);
                thread::sleep(PAUSE);
            }
        }
    }

    /// Returns when the last one was first served after `back`.
    fn wait_for_all(&self, back: Instant) -> Instant {
        let is_served =
            |slot: &Mutex<Option<Instant>>| slot.lock().unwrap().is_some_and(|at| at > back + HOLD);
        while !self.served.iter().all(is_served) {
            assert!(back.elapsed() < Duration::from_secs(60), "some are never served again");
            thread::sleep(Duration::from_millis(1));
        }
        Instant::now()
    }
}

/// What came of an outage.
struct Outcome {
    length: Duration,
    attempts: usize,
    /// In the worst second.
    most_attempts: usize,
    errors: u32,
    all_served: Duration,
}

impl Outcome {
    fn per_second(&self, count: f64) -> f64 {
        count / self.length.as_secs_f64()
    }

    fn row(&self, name: &str) -> Vec<String> {
        vec![
            name.to_string(),
            self.attempts.to_string(),
            format!("{:.1}", self.per_second(self.attempts as f64)),
            self.most_attempts.to_string(),
            format!("{:.0}", self.per_second(f64::from(self.errors))),
            ms(self.all_served),
        ]
    }

    fn check(&self) {
        let attempts = self.per_second(self.attempts as f64);
        assert!(attempts <= MAX_ATTEMPTS_PER_SECOND, "{attempts} attempts a second");
        let until = self.all_served;
        assert!(until <= MAX_UNTIL_SERVED, "{until:?} until all were served");
    }
}

fn suffer(length: Duration, pool: &dyn Lender, database: &Database) -> Outcome {
    let callers = Callers {
        served: (0..THREADS).map(|_| Mutex::default()).collect(),
        errors: AtomicU32::new(0),
        stop: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        for nth in 0..THREADS {
            let callers = &callers;
            scope.spawn(move || callers.work(nth, pool));
        }
        thread::sleep(WARM_UP);
        let (gone, errors) = (Instant::now(), callers.errors.load(SeqCst));
        database.is_down.store(true, SeqCst);
        thread::sleep(length);
        let errors = callers.errors.load(SeqCst) - errors;
        database.start.fetch_add(1, SeqCst);
        database.is_down.store(false, SeqCst);
        let back = Instant::now();
        let all_served = callers.wait_for_all(back);
        callers.stop.store(true, SeqCst);

        let attempts = database.attempts.lock().unwrap();
        let during: Vec<Duration> =
            attempts.iter().filter(|&&at| at >= gone && at < back).map(|&at| at - gone).collect();
        let worst = (0..=length.as_secs())
            .map(|second| during.iter().filter(|at| at.as_secs() == second).count())
            .max()
            .unwrap_or(0);
        let (attempts, all_served) = (during.len(), all_served - back);
        Outcome { length, attempts, most_attempts: worst, errors, all_served }
    })
}

fn main() {
    let (full, short) = (Duration::from_secs(5), Duration::from_millis(600));
    let plan = Plan::from_args();
    let outage = plan.length(full, short);
    let head = ["system", "attempts", "a second", "at worst", "errors/s", "all served"];
    let mut rows = vec![head.map(String::from).to_vec()];
    let mut checked = None;
    for system in plan.wanted("pool_outage", &lender::SYSTEMS) {
        let database = Arc::new(Database::default());
        let pool = lender::build(system, CONNECTIONS, Manager(Arc::clone(&database)));
        let outcome = suffer(outage, &*pool, &database);
        rows.push(outcome.row(system));
        if plan.is_full() && system == "larder" {
            checked = Some(outcome);
        }
    }
    table::print(&format!("pool_outage: {outage:?} without a database, 32 threads"), &rows);
    // The numbers come first: they tell what failed.
    if let Some(larder) = checked {
        larder.check();
    }
}
