//! While a pool is paused it lends nothing, and what it kept back is lent in order afterwards.

mod support;

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use larder_pool::Pool;
use support::{Fake, assert_whole, until};

#[test]
fn to_newcomers() {
    let pool = Pool::builder().max_size(3).min_idle(Some(2)).build(Fake::default()).unwrap();
    pool.pause();
    assert!(pool.try_get().is_none());
    let error = pool.get_timeout(Duration::from_millis(1)).unwrap_err();
    assert!(error.is_timeout());
    assert!(error.to_string().contains("waiting while the pool is paused"), "{error}");
    assert!(pool.get_many_timeout(2, Duration::ZERO).unwrap_err().is_timeout());
    let state = pool.state();
    assert!(state.paused);
    assert_eq!((state.connections, state.idle_connections, state.waiters), (2, 2, 0));
    pool.resume();
    assert!(!pool.state().paused);
    assert_whole(&pool);
}

#[test]
fn what_comes_back() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    let held = pool.get().unwrap();
    pool.pause();
    pool.pause();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.get().map(drop));
        until("the waiter", || pool.state().waiters == 1);
        drop(held);
        let state = pool.state();
        assert_eq!((state.idle_connections, state.waiters), (1, 1), "it is kept");
        pool.resume();
        waiting.join().unwrap().unwrap();
    });
    assert_whole(&pool);
}

#[test]
fn in_another_order_afterwards() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    let served = Mutex::new(Vec::new());
    pool.pause();
    thread::scope(|scope| {
        for nth in 0..12 {
            let (pool, served) = (&pool, &served);
            scope.spawn(move || {
                let _conn = pool.get().unwrap();
                served.lock().unwrap().push(nth);
            });
            until("the waiter in the queue", || pool.state().waiters == nth + 1);
        }
        pool.resume();
    });
    assert_eq!(*served.lock().unwrap(), (0..12).collect::<Vec<_>>());
}

#[test]
fn before_everything_is_back() {
    let pool = Pool::builder().max_size(2).build(Fake::default()).unwrap();
    let held = pool.get().unwrap();
    let error = pool.pause_within(Duration::from_millis(5)).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.still_lent(), Some(1));
    assert!(error.to_string().ends_with("1 still lent"), "{error}");
    assert!(pool.state().paused, "it stays paused");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.pause_within(Duration::from_secs(60)));
        drop(held);
        waiting.join().unwrap().expect("it is back");
    });
    pool.resume();
    assert_whole(&pool);
}

#[test]
fn a_resume_ends_the_wait_for_everything_to_be_back() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    let held = pool.get().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.pause_within(Duration::from_secs(3600)));
        until("the pause", || pool.state().paused);
        pool.resume();
        assert_eq!(waiting.join().unwrap().unwrap_err().still_lent(), Some(1));
    });
    drop(held);
    assert_whole(&pool);
}

#[test]
fn closing_ends_it() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    pool.pause();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.get().map(drop));
        until("the waiter", || pool.state().waiters == 1);
        pool.close();
        assert!(waiting.join().unwrap().unwrap_err().is_closed());
    });
    assert!(!pool.state().paused && pool.state().closed);
    assert_eq!(pool.state().connections, 0);
    pool.pause();
    pool.resume();
    assert!(pool.get().unwrap_err().is_closed());
}
