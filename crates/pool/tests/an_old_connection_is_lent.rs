//! Connections are tested after a pause, and closed when they are too old or not needed.

mod support;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use larder_pool::{Builder, Clock, Pool};
use support::{Counts, Ear, Fake, Fault};

const MINUTE: Duration = Duration::from_secs(60);

fn pool(settings: impl FnOnce(Builder<Fake>) -> Builder<Fake>) -> (Pool<Fake>, Clock, Arc<Counts>) {
    pool_of(Fake::default(), settings)
}

fn pool_of(
    manager: Fake,
    settings: impl FnOnce(Builder<Fake>) -> Builder<Fake>,
) -> (Pool<Fake>, Clock, Arc<Counts>) {
    let clock = Clock::manual();
    let counts = Arc::clone(&manager.counts);
    let builder = Pool::builder().max_size(8).clock(clock.clone());
    (settings(builder).build(manager).unwrap(), clock, counts)
}

#[test]
fn it_is_tested_only_after_a_pause() {
    let (pool, clock, counts) = pool(|builder| builder);
    for _ in 0..10 {
        drop(pool.get().unwrap());
        clock.advance(Duration::from_millis(499));
    }
    assert_eq!(counts.tested(), 0);
    clock.advance(Duration::from_millis(1));
    drop(pool.get().unwrap());
    assert_eq!(counts.tested(), 1);
    clock.advance(MINUTE);
    drop(pool.try_get().unwrap());
    assert_eq!(counts.tested(), 2);
}

#[test]
fn it_is_tested_never_or_always_on_demand() {
    let (never, clock, counts) = pool(|builder| builder.test_on_check_out(false));
    clock.advance(MINUTE);
    drop(never.get().unwrap());
    assert_eq!(counts.tested(), 0);
    let (always, _, counts) = pool(|builder| builder.test_after_idle(Duration::ZERO));
    (0..5).for_each(|_| drop(always.get().unwrap()));
    assert_eq!(counts.tested(), 5);
}

#[test]
fn one_that_fails_its_test_is_replaced_in_the_same_checkout() {
    let ear = Ear::default();
    let manager = Fake::default().testing(|_| Err(Fault("the server has gone")));
    let (pool, clock, counts) =
        pool_of(manager, |builder| builder.error_handler(Box::new(ear.clone())));
    clock.advance(MINUTE);
    assert_eq!(pool.get().unwrap().id, 1);
    assert_eq!((counts.opened(), counts.closed()), (2, 1));
    assert_eq!(ear.heard(), ["the server has gone"]);
    clock.advance(MINUTE);
    assert!(pool.try_get().is_none(), "try_get opens nothing");
    assert_eq!(pool.state().connections, 0);
}

#[test]
fn its_lifetime_ends_at_checkout() {
    let (pool, clock, counts) = pool(|builder| builder.idle_timeout(None));
    clock.advance(26 * MINUTE);
    assert_eq!(pool.get().unwrap().id, 0, "before nine tenths of 30 minutes");
    clock.advance(4 * MINUTE);
    assert_eq!(pool.get().unwrap().id, 1);
    assert_eq!((counts.opened(), counts.closed()), (2, 1));
}

#[test]
fn its_lifetime_ends_at_return() {
    let (pool, clock, counts) = pool(|builder| builder);
    let held = pool.get().unwrap();
    clock.advance(30 * MINUTE);
    drop(held);
    assert_eq!(counts.closed(), 1);
    assert_eq!(pool.state().connections, 0);
}

#[test]
fn lifetimes_of_connections_opened_together_differ() {
    let (pool, clock, counts) =
        pool(|builder| builder.max_size(64).min_idle(Some(64)).idle_timeout(None));
    clock.advance(27 * MINUTE);
    let mut closed_at = HashSet::new();
    let mut closed = 0;
    for second in 0..=180 {
        drop((0..64).map(|_| pool.get().unwrap()).collect::<Vec<_>>());
        if counts.closed() > closed {
            closed = counts.closed();
            closed_at.insert(second);
        }
        clock.advance(Duration::from_secs(1));
    }
    assert!(closed >= 64, "all have ended by 30 minutes: {closed}");
    assert!(closed_at.len() > 20, "and at many moments: {}", closed_at.len());
}

#[test]
fn idle_ones_go_by_a_caller_that_is_due_down_to_min_idle() {
    let (pool, clock, counts) = pool(|builder| builder.min_idle(Some(2)));
    drop((0..8).map(|_| pool.get().unwrap()).collect::<Vec<_>>());
    assert_eq!(pool.state().idle_connections, 8);
    clock.advance(11 * MINUTE);
    drop(pool.get().unwrap());
    assert_eq!(counts.closed(), 6, "two are left: one of them has just been used");
    assert_eq!(pool.state().idle_connections, 2);
}

#[test]
fn idle_ones_stay_when_told_to() {
    let (pool, clock, counts) = pool(|builder| builder.idle_timeout(None).max_lifetime(None));
    drop((0..8).map(|_| pool.get().unwrap()).collect::<Vec<_>>());
    clock.advance(100_000 * MINUTE);
    drop(pool.get().unwrap());
    assert_eq!(counts.closed(), 0);
}
