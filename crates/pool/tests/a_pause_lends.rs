//! While a pool is paused it lends nothing, and what it kept back is lent in order afterwards.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use larder_pool::{DuringOutage, NopErrorHandler, Pool};
use support::{Fake, Fault, assert_whole, until};

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

#[test]
fn to_those_who_would_open_one() {
    let is_out = Arc::new(AtomicBool::new(false));
    let attempts = Arc::new(AtomicUsize::new(0));
    let (theirs, count) = (Arc::clone(&is_out), Arc::clone(&attempts));
    let manager = Fake::default().connecting(move || {
        count.fetch_add(1, Ordering::SeqCst);
        if theirs.load(Ordering::SeqCst) { Err(Fault("refused")) } else { Ok(()) }
    });
    let pool = Pool::builder()
        .max_size(2)
        .during_outage(DuringOutage::Wait)
        .error_handler(Box::new(NopErrorHandler))
        .build(manager)
        .unwrap();
    let held = pool.get().unwrap();
    is_out.store(true, Ordering::SeqCst);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.get_timeout(Duration::from_secs(60)).map(drop));
        until("two attempts", || attempts.load(Ordering::SeqCst) >= 3);
        pool.pause();
        drop(held);
        pool.pause_within(Duration::from_secs(60)).expect("nobody sits in the row");
        until("it in the queue", || pool.state().waiters == 1);
        assert_eq!(pool.state().idle_connections, 1);
        assert!(!waiting.is_finished());
        pool.resume();
        waiting.join().unwrap().expect("the one that came back");
    });
    is_out.store(false, Ordering::SeqCst);
    assert_whole(&pool);
}

#[test]
fn what_was_being_opened() {
    let (go, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let begun = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&begun);
    let manager = Fake::default().connecting(move || {
        theirs.store(true, Ordering::SeqCst);
        gate.lock().unwrap().recv().unwrap();
        Ok(())
    });
    let pool = Pool::builder().max_size(1).build_unchecked(manager);
    thread::scope(|scope| {
        let opening = scope.spawn(|| pool.get_timeout(Duration::from_secs(60)).map(drop));
        until("the connect", || begun.load(Ordering::SeqCst));
        pool.pause();
        go.send(()).unwrap();
        pool.pause_within(Duration::from_secs(60)).expect("it lies in its slot");
        until("its caller in the queue", || pool.state().waiters == 1);
        assert_eq!(pool.state().idle_connections, 1);
        pool.resume();
        opening.join().unwrap().unwrap();
    });
    assert_whole(&pool);
}
