//! Who has had a connection for too long is reported, once, by whichever caller is due.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_pool::{Builder, Clock, Events, Holder, Pool};
use support::{Fake, assert_whole};

const THRESHOLD: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
struct Leaks(Arc<Mutex<Vec<Holder>>>);

impl Leaks {
    fn lines(&self) -> Vec<u32> {
        self.0.lock().unwrap().iter().map(|holder| holder.call_site.line()).collect()
    }
}

impl Events for Leaks {
    fn leaked(&self, holder: &Holder) {
        assert!(holder.held_for >= THRESHOLD);
        self.0.lock().unwrap().push(*holder);
    }
}

fn pool(settings: impl FnOnce(Builder<Fake>) -> Builder<Fake>) -> (Pool<Fake>, Clock, Leaks) {
    let (clock, leaks) = (Clock::manual(), Leaks::default());
    let builder = settings(Pool::builder().max_size(3).max_lifetime(None))
        .clock(clock.clone())
        .leak_threshold(Some(THRESHOLD))
        .events(Box::new(leaks.clone()));
    (builder.build(Fake::default()).unwrap(), clock, leaks)
}

#[test]
fn a_return_that_is_due_reports_it_once() {
    let (pool, clock, leaks) = pool(|builder| builder);
    let here = line!();
    let leaked = pool.get().unwrap();
    clock.advance(THRESHOLD / 2);
    let other = pool.get().unwrap();
    clock.advance(THRESHOLD / 2 - Duration::from_millis(1));
    drop(pool.get().unwrap());
    assert_eq!(leaks.lines(), [], "nobody has been out for so long");
    for _ in 0..5 {
        clock.advance(THRESHOLD / 4);
        drop(pool.get().unwrap());
        drop(pool.get().unwrap());
    }
    assert_eq!(leaks.lines(), [here + 1, here + 3]);
    drop((leaked, other));
    assert_eq!(leaks.lines().len(), 2, "nor by its own return");
}

#[test]
fn its_own_return_reports_it() {
    let (pool, clock, leaks) = pool(|builder| builder);
    let conn = pool.get().unwrap();
    clock.advance(THRESHOLD);
    drop(conn);
    assert_eq!(leaks.0.lock().unwrap()[0].held_for, THRESHOLD);
}

#[test]
fn a_caller_that_finds_nothing_reports_it() {
    let (pool, clock, leaks) = pool(|builder| builder.max_size(1));
    let here = line!();
    let _leaked = pool.get().unwrap();
    clock.advance(THRESHOLD);
    assert!(pool.get_timeout(Duration::ZERO).unwrap_err().is_timeout());
    assert!(pool.get_timeout(Duration::ZERO).unwrap_err().is_timeout());
    assert_eq!(leaks.lines(), [here + 1]);
}

#[test]
fn the_next_leak_of_the_same_connection_is_news() {
    let (pool, clock, leaks) = pool(|builder| builder.max_size(1));
    for round in 1..4 {
        let conn = pool.get().unwrap();
        clock.advance(THRESHOLD * 2);
        drop(conn);
        assert_eq!(leaks.lines().len(), round);
    }
}

#[test]
fn one_forgotten_for_ever_is_reported_too() {
    let (pool, clock, leaks) = pool(|builder| builder);
    std::mem::forget(pool.get().unwrap());
    clock.advance(THRESHOLD);
    drop(pool.get().unwrap());
    assert_eq!(leaks.lines().len(), 1);
    assert_eq!(pool.holders().len(), 1);
}

/// Panics whenever it hears of a leak.
struct Nervous;

impl Events for Nervous {
    fn leaked(&self, _: &Holder) {
        panic!("leaked");
    }
}

#[test]
fn a_panic_of_who_is_told_costs_no_slot() {
    let clock = Clock::manual();
    let builder = Pool::builder().max_size(3).max_lifetime(None).clock(clock.clone());
    let builder = builder.leak_threshold(Some(THRESHOLD)).events(Box::new(Nervous));
    let pool = builder.build(Fake::default()).unwrap();
    let conn = pool.get().unwrap();
    clock.advance(THRESHOLD);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(conn))).is_err());
    assert_eq!(pool.holders(), []);
    assert_whole(&pool);
}
