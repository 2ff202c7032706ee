//! What is counted, and what is told, is what happened.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use larder_pool::{Checkout, Clock, Events, Fate, Holder, NopErrorHandler, Pool, Returned};
use support::{Fake, Fault, assert_whole, until};

#[test]
fn every_checkout_is_counted() {
    let pool = Pool::builder().max_size(4).build(Fake::default()).unwrap();
    let before = pool.metrics().checkouts;
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..5000).for_each(|_| drop(pool.get().unwrap())));
        }
    });
    let metrics = pool.metrics();
    assert_eq!(metrics.checkouts - before, 40_000);
    assert_eq!(metrics.wait.count(), metrics.checkouts, "all waited, some for no time");
    let sampled = metrics.hold.count();
    assert!((40_000 / 64..=40_000 / 64 + 8).contains(&sampled), "{sampled} were timed");
    assert_eq!((metrics.timeouts, metrics.refusals), (0, 0));
}

#[test]
fn waits_and_timeouts_are_those_of_callers() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    let before = pool.metrics();
    let held = pool.get().unwrap();
    assert!(pool.get_timeout(Duration::from_millis(20)).unwrap_err().is_timeout());
    thread::scope(|scope| {
        scope.spawn(|| pool.get().unwrap());
        until("the waiter", || pool.state().waiters == 1);
        drop(held);
    });
    let after = pool.metrics();
    assert_eq!(after.waits - before.waits, 2);
    assert_eq!(after.timeouts, 1);
    assert!(after.wait.max() >= Duration::from_millis(20));
    assert_eq!(after.wait.count(), after.checkouts + 1, "who was refused has waited too");
    pool.close();
    assert!(pool.get().is_err());
    assert_eq!(pool.metrics().refusals, 1);
}

#[test]
fn a_holding_is_timed_by_its_clock() {
    let clock = Clock::manual();
    let builder = Pool::builder().max_size(1).max_lifetime(None).clock(clock.clone());
    let pool = builder.build_unchecked(Fake::default());
    let first = pool.get().unwrap();
    clock.advance(Duration::from_secs(3));
    drop(first);
    let hold = pool.metrics().hold;
    assert_eq!(hold.count(), 1);
    let read = hold.percentile(50.0);
    assert!(read >= Duration::from_secs(3) && read <= Duration::from_millis(3375), "{read:?}");
}

#[test]
fn connects_and_their_failures_are_counted() {
    let nth = AtomicU32::new(0);
    let manager = Fake::default().connecting(move || match nth.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Fault("refused")),
        1 => panic!("connect"),
        _ => Ok(()),
    });
    let pool = Pool::builder().build_unchecked(manager);
    assert!(pool.get().is_err());
    let _ = catch_unwind(AssertUnwindSafe(|| drop(pool.get())));
    until("a connection", || pool.get().is_ok());
    let metrics = pool.metrics();
    assert_eq!((metrics.opened, metrics.connect_failures), (1, 2));
    assert_eq!(metrics.connect.count(), 1);
}

#[test]
fn closings_are_counted_by_cause() {
    let clock = Clock::manual();
    let manager = Fake::default().testing(|conn| match conn.id {
        1 => Err(Fault("stale")),
        _ => Ok(()),
    });
    let refusing = |conn: &mut support::Conn, _| match conn.id {
        4 => Returned::Refused(Fault("refused")),
        _ => Returned::Clean,
    };
    let pool = Pool::builder()
        .max_size(2)
        .clock(clock.clone())
        .error_handler(Box::new(NopErrorHandler))
        .return_gate(refusing)
        .build(manager)
        .unwrap();
    pool.get().unwrap().discard(); // 0
    drop(pool.get().unwrap());
    clock.advance(Duration::from_secs(1));
    pool.get().unwrap().broken = true; // 1 is stale, 2 is broken
    let panicking = catch_unwind(AssertUnwindSafe(|| {
        let _conn = pool.get().unwrap(); // 3
        panic!("the holder's own");
    }));
    assert!(panicking.is_err());
    drop(pool.get().unwrap()); // 4
    drop(pool.get().unwrap()); // 5
    clock.advance(Duration::from_secs(3600));
    drop((pool.get().unwrap(), pool.get().unwrap())); // 6 and 7, for 5 is old
    clock.advance(Duration::from_secs(15 * 60));
    drop(pool.get().unwrap()); // and the other is idle
    pool.close();
    let closed = pool.metrics().closed;
    let all = [
        Fate::Discarded,
        Fate::Invalid,
        Fate::Broken,
        Fate::Panic,
        Fate::Refused,
        Fate::Old,
        Fate::Idle,
        Fate::Unwanted,
    ];
    assert_eq!(all.map(|why| closed.by(why)), [1; 8]);
    assert_eq!((closed.total(), pool.metrics().opened), (8, 8));
}

/// Writes down what it hears.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, event: String) {
        self.0.lock().unwrap().push(event);
    }

    fn read(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Events for Diary {
    fn lent(&self, checkout: &Checkout) {
        let how = if checkout.waited.is_zero() { "at once" } else { "after a wait" };
        self.note(format!("lent {how} to line {}", checkout.call_site.line()));
    }

    fn returned(&self, holder: &Holder) {
        let line = holder.call_site.line();
        self.note(format!("returned from line {line} after {:?}", holder.held_for));
    }

    fn refused(
        &self,
        site: &'static std::panic::Location<'static>,
        error: &dyn std::fmt::Display,
        _: Duration,
    ) {
        self.note(format!("refused line {}: {error}", site.line()));
    }

    fn opened(&self, _: Duration) {
        self.note("opened".into());
    }

    fn closed(&self, why: Fate) {
        self.note(format!("closed: {why:?}"));
    }
}

#[test]
fn events_tell_a_connections_whole_life() {
    let (clock, diary) = (Clock::manual(), Diary::default());
    let builder = Pool::builder().max_size(1).clock(clock.clone()).events(Box::new(diary.clone()));
    let pool = builder.build_unchecked(Fake::default());
    let here = line!();
    let conn = pool.get().unwrap();
    clock.advance(Duration::from_secs(2));
    drop(conn);
    clock.advance(Duration::from_secs(2)); // long enough to be tested
    pool.get().unwrap().discard();
    pool.close();
    let _ = pool.get();
    let told = diary.read();
    let expected = [
        "opened".to_string(),
        format!("lent after a wait to line {}", here + 1),
        format!("returned from line {} after 2s", here + 1),
        format!("lent after a wait to line {}", here + 5),
        format!("returned from line {} after 0ns", here + 5),
        "closed: Discarded".to_string(),
        format!("refused line {}: the pool is closed", here + 7),
    ];
    assert_eq!(told, expected);
}

/// Panics whenever it hears of anything.
struct Nervous(Arc<Mutex<&'static str>>);

impl Nervous {
    fn hear(&self, what: &str) {
        assert!(*self.0.lock().unwrap() != what, "{what}");
    }
}

impl Events for Nervous {
    fn lent(&self, _: &Checkout) {
        self.hear("lent");
    }

    fn returned(&self, _: &Holder) {
        self.hear("returned");
    }

    fn refused(
        &self,
        _: &'static std::panic::Location<'static>,
        _: &dyn std::fmt::Display,
        _: Duration,
    ) {
        self.hear("refused");
    }

    fn opened(&self, _: Duration) {
        self.hear("opened");
    }

    fn closed(&self, _: Fate) {
        self.hear("closed");
    }
}

#[test]
fn who_panics_at_an_event_costs_no_slot() {
    let fear = Arc::new(Mutex::new(""));
    let nervous = Nervous(Arc::clone(&fear));
    let builder = Pool::builder().max_size(3).events(Box::new(nervous));
    let pool = builder.build(Fake::default()).unwrap();
    for what in ["lent", "returned", "refused", "opened", "closed"] {
        for _ in 0..3 {
            let all: Vec<_> = (0..3).map(|_| pool.get().unwrap()).collect();
            all.into_iter().for_each(|conn| conn.discard());
            *fear.lock().unwrap() = what;
            let heard = catch_unwind(AssertUnwindSafe(|| {
                let all: Vec<_> = (0..3).map(|_| pool.get()).collect();
                assert!(pool.get_timeout(Duration::ZERO).is_err());
                all.into_iter().for_each(|conn| conn.unwrap().discard());
            }));
            assert!(heard.is_err(), "{what} was not told");
            *fear.lock().unwrap() = "";
            assert_whole(&pool);
            assert_eq!(pool.holders(), []);
        }
    }
}
