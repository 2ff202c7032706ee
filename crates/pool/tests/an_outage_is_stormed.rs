//! A database that is out is met by one attempt at a time, ever more seldom; callers learn why at
//! once or wait, as set; and when it is back everybody is served soon.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use larder_pool::{Builder, Clock, DuringOutage, Events, NopErrorHandler, Outage, Pool};
use support::{Ear, Fake, Fault, assert_whole, until};

const LONG: Duration = Duration::from_secs(60);

/// A database that can go away.
#[derive(Clone, Default)]
struct Database {
    is_out: Arc<AtomicBool>,
    attempts: Arc<AtomicUsize>,
}

impl Database {
    fn out() -> Self {
        let database = Database::default();
        database.go(true);
        database
    }

    fn go(&self, out: bool) {
        self.is_out.store(out, SeqCst);
    }

    fn attempts(&self) -> usize {
        self.attempts.load(SeqCst)
    }

    fn manager(&self) -> Fake {
        let theirs = self.clone();
        Fake::default().connecting(move || {
            theirs.attempts.fetch_add(1, SeqCst);
            if theirs.is_out.load(SeqCst) { Err(Fault("connection refused")) } else { Ok(()) }
        })
    }
}

fn builder() -> Builder<Fake> {
    Pool::builder().max_size(3).max_lifetime(None).error_handler(Box::new(NopErrorHandler))
}

#[test]
fn one_failure_is_its_callers_and_delays_nobody() {
    let database = Database::out();
    let pool = builder().build_unchecked(database.manager());
    assert_eq!(pool.get().unwrap_err().cause(), Some(&Fault("connection refused")));
    assert_eq!(pool.outage().unwrap().attempts, 1);
    database.go(false);
    assert!(pool.get().is_ok(), "the next may try at once");
    assert_eq!(pool.outage(), None);
    assert_whole(&pool);
}

#[test]
fn errors_come_at_once_and_carry_the_cause() {
    let (database, clock) = (Database::out(), Clock::manual());
    let pool = builder().clock(clock.clone()).build_unchecked(database.manager());
    let failures = [pool.get().unwrap_err(), pool.get().unwrap_err()];
    assert!(failures.iter().all(|error| error.is_manager() && !error.is_outage()));
    clock.advance(Duration::from_millis(60));
    for _ in 0..1000 {
        let error = pool.get_timeout(LONG).unwrap_err();
        assert!(error.is_outage() && !error.is_timeout() && !error.is_manager());
        assert_eq!(
            error.to_string(),
            "no connection: none can be opened since 60.0ms (2 attempts): connection refused"
        );
    }
    assert_eq!(database.attempts(), 2, "nobody bothered the database");
    clock.advance(Duration::from_millis(40));
    assert!(pool.get().unwrap_err().is_manager(), "one tries, and the error is its own");
    assert!(pool.get().unwrap_err().is_outage());
    assert_eq!(database.attempts(), 3);
    database.go(false);
    clock.advance(Duration::from_millis(200));
    assert_whole(&pool);
}

#[test]
fn working_connections_are_lent_on() {
    let database = Database::default();
    let pool = builder().build(database.manager()).unwrap();
    drop(pool.get_many(2).unwrap());
    database.go(true);
    let (first, second) = (pool.get().unwrap(), pool.get().unwrap());
    while !pool.get().unwrap_err().is_outage() {}
    drop(first);
    for _ in 0..100 {
        drop(pool.get().unwrap());
    }
    drop(second);
}

#[test]
fn who_waits_for_the_end_gets_what_is_returned() {
    let database = Database::default();
    let pool = builder().during_outage(DuringOutage::Wait).build(database.manager()).unwrap();
    let held = pool.get().unwrap();
    let id = held.id;
    database.go(true);
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..6)
            .map(|nth| {
                let waiter = scope.spawn(|| pool.get_timeout(LONG).map(|conn| conn.id));
                // Two have the vacant slots, the others are in the queue.
                until("a waiter", || {
                    let state = pool.state();
                    (state.connections + state.waiters) as usize == nth + 2
                });
                waiter
            })
            .collect();
        until("two attempts", || database.attempts() >= 3);
        drop(held);
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap().unwrap(), id);
        }
    });
    assert_eq!(pool.state().connections, 1);
    database.go(false);
    let one_after_another = pool.get_many_timeout(3, LONG);
    assert_eq!(one_after_another.unwrap().len(), 3);
}

#[test]
fn who_waits_for_the_end_is_served_then() {
    let database = Database::out();
    let ear = Ear::default();
    let pool = builder()
        .during_outage(DuringOutage::Wait)
        .error_handler(Box::new(ear.clone()))
        .build_unchecked(database.manager());
    thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| pool.get_timeout(LONG).is_ok())).collect();
        until("three attempts", || database.attempts() >= 3);
        assert_eq!(pool.metrics().checkouts, 0);
        database.go(false);
        assert!(all.into_iter().all(|one| one.join().unwrap()));
    });
    assert!(ear.heard().len() >= 2 && ear.heard().iter().all(|line| line == "connection refused"));
    assert_whole(&pool);
}

#[test]
fn who_waits_in_vain_learns_why_at_the_deadline() {
    let database = Database::out();
    let pool = builder().during_outage(DuringOutage::Wait).build_unchecked(database.manager());
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let error = pool.get_timeout(Duration::from_millis(300)).unwrap_err();
                assert!(error.is_timeout() && error.is_outage(), "{error}");
                assert_eq!(&*error.last_outage().unwrap().cause, "connection refused");
                assert!(error.to_string().ends_with("attempts): connection refused"), "{error}");
            });
        }
    });
    database.go(false);
    assert_whole(&pool);
}

#[test]
fn without_a_breaker_each_tries_for_itself() {
    let database = Database::out();
    let pool = builder().during_outage(DuringOutage::Try).build_unchecked(database.manager());
    for attempt in 1..20 {
        assert!(pool.get().unwrap_err().is_manager());
        assert_eq!(database.attempts(), attempt);
    }
    assert_eq!(pool.outage(), None);
}

/// A database whose every attempt is answered by the test.
fn by_hand() -> (Fake, mpsc::Sender<Result<(), Fault>>, Arc<AtomicUsize>) {
    let (answer, answers) = mpsc::channel();
    let (answers, begun) = (Mutex::new(answers), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&begun);
    let manager = Fake::default().connecting(move || {
        count.fetch_add(1, SeqCst);
        answers.lock().unwrap().recv().expect("an answer")
    });
    (manager, answer, begun)
}

#[test]
fn connections_are_opened_by_one_two_four() {
    let (manager, answer, begun) = by_hand();
    let pool = builder().max_size(7).build_unchecked(manager);
    thread::scope(|scope| {
        let all: Vec<_> = (0..7).map(|_| scope.spawn(|| pool.get_timeout(LONG).unwrap())).collect();
        until("all have a slot", || pool.state().connections == 7);
        for (answered, running) in [(0, 1), (1, 3), (3, 7)] {
            until("the next attempts", || begun.load(SeqCst) >= running);
            assert_eq!(begun.load(SeqCst), running);
            (answered..running).for_each(|_| answer.send(Ok(())).unwrap());
        }
        let all: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
        assert_eq!(pool.state().connections, 7);
        drop(all);
    });
}

#[test]
fn a_second_failure_sends_the_row_away() {
    let (manager, answer, begun) = by_hand();
    let pool = builder().build_unchecked(manager);
    thread::scope(|scope| {
        let all: Vec<_> = (0..6).map(|_| scope.spawn(|| pool.get_timeout(LONG).err())).collect();
        until("all are there", || pool.state().connections == 3 && pool.state().waiters == 3);
        answer.send(Err(Fault("refused"))).unwrap();
        until("the second attempt", || begun.load(SeqCst) == 2);
        answer.send(Err(Fault("refused again"))).unwrap();
        let errors: Vec<_> = all.into_iter().map(|one| one.join().unwrap().unwrap()).collect();
        let their_own = errors.iter().filter(|error| error.is_manager()).count();
        let shared = errors.iter().filter(|error| error.is_outage());
        assert_eq!((their_own, begun.load(SeqCst)), (2, 2));
        assert_eq!(shared.count(), 4);
    });
    assert_eq!(pool.state().connections, 0);
}

#[test]
fn closing_sends_the_row_away() {
    for during_outage in [DuringOutage::Refuse, DuringOutage::Wait] {
        let (manager, answer, begun) = by_hand();
        let pool = builder().during_outage(during_outage).build_unchecked(manager);
        thread::scope(|scope| {
            let opening = scope.spawn(|| pool.get_timeout(LONG).is_ok());
            until("the attempt", || begun.load(SeqCst) == 1);
            let waiting: Vec<_> =
                (0..2).map(|_| scope.spawn(|| pool.get_timeout(LONG).unwrap_err())).collect();
            until("the row", || pool.state().connections == 3);
            pool.close();
            for one in waiting {
                assert!(one.join().unwrap().is_closed());
            }
            answer.send(Ok(())).unwrap();
            assert!(opening.join().unwrap());
        });
        assert_eq!(pool.state().connections, 0);
    }
}

#[test]
fn an_attempt_that_hangs_is_not_waited_for_for_ever() {
    let clock = Clock::manual();
    let (manager, answer, begun) = by_hand();
    let pool = builder().clock(clock.clone()).build_unchecked(manager);
    thread::scope(|scope| {
        let hanging = scope.spawn(|| pool.get_timeout(LONG).is_ok());
        until("the attempt that hangs", || begun.load(SeqCst) == 1);
        let late = pool.get_timeout(Duration::from_millis(20)).unwrap_err();
        assert!(late.is_timeout(), "while it hangs others wait, no longer than they will: {late}");
        clock.advance(Duration::from_secs(5));
        let other = scope.spawn(|| pool.get_timeout(LONG).is_ok());
        until("another attempt", || begun.load(SeqCst) == 2);
        answer.send(Ok(())).unwrap();
        answer.send(Ok(())).unwrap();
        assert!(hanging.join().unwrap() && other.join().unwrap());
    });
    assert_eq!(pool.state().connections, 2);
}

#[test]
fn an_attempt_that_is_left_alone_is_heard_in_the_end() {
    let (manager, answer, begun) = by_hand();
    let pool = builder().max_size(2).isolate_blocking_calls().build_unchecked(manager);
    assert!(pool.get_timeout(Duration::from_millis(5)).unwrap_err().is_timeout());
    // Whether its thread ever took the order is chance; if not, the next caller may try at once.
    thread::scope(|scope| {
        let next = scope.spawn(|| pool.get_timeout(LONG).is_ok());
        until("an attempt", || begun.load(SeqCst) >= 1);
        answer.send(Ok(())).unwrap();
        answer.send(Ok(())).unwrap();
        assert!(next.join().unwrap());
    });
}

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Events for Told {
    fn outage_began(&self, outage: &Outage) {
        self.0.lock().unwrap().push(format!("began: {}", outage.cause));
    }

    fn outage_ended(&self, outage: &Outage) {
        let seconds = outage.lasted.as_secs();
        self.0.lock().unwrap().push(format!("ended: {} in {seconds} s", outage.attempts));
    }
}

#[test]
fn its_beginning_and_its_end_are_told_once() {
    let (database, clock, told) = (Database::out(), Clock::manual(), Told::default());
    let pool = builder().clock(clock.clone()).events(Box::new(told.clone()));
    let pool = pool.build_unchecked(database.manager());
    for _ in 0..5 {
        assert!(pool.get().is_err());
        clock.advance(Duration::from_secs(1));
    }
    database.go(false);
    drop(pool.get().unwrap());
    drop(pool.get_many(2).unwrap());
    assert_eq!(*told.0.lock().unwrap(), ["began: connection refused", "ended: 5 in 5 s"]);
}

/// In real time: few attempts while 32 threads ask, and all are served when it is over.
fn real_outage(during_outage: DuringOutage) {
    const OUTAGE: Duration = Duration::from_millis(1500);
    let database = Database::default();
    let pool = builder().max_size(8).during_outage(during_outage).build(database.manager());
    let pool = pool.unwrap();
    let (over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                while !over.load(SeqCst) {
                    if let Ok(mut conn) = pool.get_timeout(LONG) {
                        conn.broken = database.is_out.load(SeqCst);
                    } else {
                        thread::sleep(Duration::from_millis(10));
                    }
                }
                until("a connection for each", || pool.get_timeout(LONG).is_ok());
                served.fetch_add(1, SeqCst);
            });
        }
        until("a busy pool", || pool.metrics().checkouts > 1000);
        let before = database.attempts();
        database.go(true);
        let began = Instant::now();
        thread::sleep(OUTAGE);
        let (during, lasted) = (database.attempts() - before, began.elapsed());
        database.go(false);
        over.store(true, SeqCst);
        // The first half second has the quick retries; then it is fewer than three a second.
        let most = 8 + (lasted.as_secs_f64() * 3.0) as usize;
        assert!(during <= most, "{during} attempts in {lasted:?}");
    });
    assert_eq!(served.load(SeqCst), 32);
    assert_whole(&pool);
}

#[test]
fn in_real_time_when_callers_are_refused() {
    real_outage(DuringOutage::Refuse);
}

#[test]
fn in_real_time_when_callers_wait() {
    real_outage(DuringOutage::Wait);
}
