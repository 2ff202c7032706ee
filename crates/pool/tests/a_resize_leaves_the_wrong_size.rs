//! After a resize the pool lends as many connections as it was told, no more and no fewer.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use larder_pool::{Pool, Pooled};
use support::{Fake, assert_whole, until};

fn all_idle(pool: &Pool<Fake>) -> Vec<Pooled<Fake>> {
    std::iter::from_fn(|| pool.try_get()).collect()
}

#[test]
fn growing_serves_those_who_wait() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    let held = pool.get().unwrap();
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| pool.get().unwrap())).collect();
        until("the queue", || pool.state().waiters == 3);
        pool.resize(4).unwrap();
        // None of them is given back before all are there.
        let lent: Vec<_> = waiting.into_iter().map(|waiter| waiter.join().unwrap()).collect();
        assert_eq!(lent.len(), 3);
        assert_eq!(pool.state().connections, 4);
    });
    drop(held);
    assert_whole(&pool);
}

#[test]
fn shrinking_closes_idle_connections_at_once() {
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().max_size(6).min_idle(Some(6)).build(manager).unwrap();
    let held = pool.get().unwrap();
    pool.resize(2).unwrap();
    assert_eq!(counts.closed(), 4);
    let state = pool.state();
    assert_eq!((state.connections, state.idle_connections, state.max_size), (2, 1, 2));
    drop(held);
    assert_eq!(counts.closed(), 4, "the busy one is not one too many");
    assert_whole(&pool);
}

#[test]
fn shrinking_takes_vacant_slots_before_idle_connections() {
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().max_size(6).min_idle(Some(2)).build(manager).unwrap();
    pool.resize(2).unwrap();
    assert_eq!((counts.closed(), pool.state().idle_connections), (0, 2));
    assert_whole(&pool);
}

#[test]
fn shrinking_closes_busy_connections_as_they_come_back() {
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().max_size(4).build(manager).unwrap();
    let mut lent = pool.get_many(4).unwrap();
    pool.resize(1).unwrap();
    assert_eq!(counts.closed(), 0, "nobody is interrupted");
    assert_eq!((pool.state().connections, pool.state().max_size), (4, 1));
    for closed in 1..=3 {
        drop(lent.pop());
        assert_eq!(counts.closed(), closed);
        assert_eq!(pool.state().connections, 4 - closed as u32);
        assert!(pool.try_get().is_none());
    }
    drop(lent.pop());
    assert_eq!((counts.closed(), pool.state().idle_connections), (3, 1));
    assert_whole(&pool);
}

#[test]
fn a_waiter_is_not_served_with_one_too_many() {
    let pool = Pool::builder().max_size(2).build(Fake::default()).unwrap();
    let mut lent = pool.get_many(2).unwrap();
    pool.resize(1).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.get().map(|conn| conn.id));
        until("the waiter", || pool.state().waiters == 1);
        drop(lent.pop());
        assert_eq!((pool.state().waiters, pool.state().connections), (1, 1));
        let last = lent.pop().unwrap();
        let id = last.id;
        drop(last);
        assert_eq!(waiting.join().unwrap().unwrap(), id);
    });
    assert_whole(&pool);
}

#[test]
fn growing_again_before_the_busy_ones_are_back_keeps_them() {
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().max_size(4).build(manager).unwrap();
    let lent = pool.get_many(4).unwrap();
    pool.resize(1).unwrap();
    pool.resize(4).unwrap();
    drop(lent);
    assert_eq!((counts.closed(), pool.state().idle_connections), (0, 4));
    assert_whole(&pool);
}

#[test]
fn a_broken_connection_counts_as_one_that_came_back() {
    let pool = Pool::builder().max_size(3).build(Fake::default()).unwrap();
    let mut lent = pool.get_many(3).unwrap();
    pool.resize(2).unwrap();
    lent.iter_mut().for_each(|conn| conn.broken = true);
    drop(lent);
    assert_eq!(pool.state().connections, 0);
    assert_whole(&pool);
}

#[test]
fn in_a_pause() {
    let pool = Pool::builder().max_size(2).min_idle(Some(2)).build(Fake::default()).unwrap();
    pool.pause();
    pool.resize(5).unwrap();
    assert!(all_idle(&pool).is_empty(), "growing lends nothing in a pause");
    pool.resize(1).unwrap();
    assert_eq!(pool.state().connections, 1);
    pool.resume();
    assert_whole(&pool);
}

#[test]
fn beyond_the_capacity() {
    let pool = Pool::builder().max_size(2).max_capacity(3).build(Fake::default()).unwrap();
    let error = pool.resize(4).unwrap_err();
    assert!(error.is_out_of_bounds());
    assert_eq!(error.to_string(), "max_size can't become 4: it must be from 1 to 3, the capacity");
    assert!(pool.resize(0).unwrap_err().is_out_of_bounds());
    assert_eq!(pool.max_size(), 2);
    pool.resize(3).unwrap();
    assert_whole(&pool);
    pool.close();
    assert!(pool.resize(1).unwrap_err().is_closed());
}

#[test]
fn in_the_middle_of_a_rush() {
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().max_size(4).build(manager).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::black_box(&*pool.get().unwrap());
                }
            });
        }
        for round in 0..100 {
            pool.resize(1 + round * 7 % 8).unwrap();
            thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(counts.most_open() <= 8, "{} were open at once", counts.most_open());
    for size in [1, 8, 3] {
        pool.resize(size).unwrap();
        assert_whole(&pool);
    }
}
