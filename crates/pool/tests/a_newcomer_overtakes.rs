//! A freed connection goes to the caller who waited longest, and to nobody else.

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder_pool::Pool;
use support::{Fake, until};

#[test]
fn waiters_are_served_in_the_order_they_came() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    let served = Mutex::new(Vec::new());
    let held = pool.get().unwrap();
    thread::scope(|scope| {
        for nth in 0..24 {
            let (pool, served) = (&pool, &served);
            scope.spawn(move || {
                let _conn = pool.get().unwrap();
                served.lock().unwrap().push(nth);
            });
            until("the waiter in the queue", || pool.state().waiters == nth + 1);
        }
        drop(held);
    });
    assert_eq!(*served.lock().unwrap(), (0..24).collect::<Vec<_>>());
}

#[test]
fn the_one_who_returns_does_not_get_it_again() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    let held = pool.get().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.get().unwrap().id);
        until("the waiter", || pool.state().waiters == 1);
        drop(held);
        // Handed over before the drop returned: there is nothing here to take.
        assert!(pool.try_get().is_none() || waiting.is_finished());
        waiting.join().unwrap();
    });
}

#[test]
fn a_slot_freed_by_a_broken_connection_goes_to_the_oldest_too() {
    let manager = Fake::default();
    let pool = Pool::builder().max_size(1).build(manager).unwrap();
    let served = Mutex::new(Vec::new());
    let mut held = pool.get().unwrap();
    held.broken = true;
    thread::scope(|scope| {
        for nth in 0..4 {
            let (pool, served) = (&pool, &served);
            scope.spawn(move || {
                let mut conn = pool.get().unwrap();
                conn.broken = true;
                served.lock().unwrap().push(nth);
            });
            until("the waiter in the queue", || pool.state().waiters == nth + 1);
        }
        drop(held);
    });
    assert_eq!(*served.lock().unwrap(), [0, 1, 2, 3]);
}

#[test]
fn a_waiter_sees_few_others_served_first() {
    const THREADS: usize = 8;
    let pool = Pool::builder().max_size(2).build(Fake::default()).unwrap();
    let served = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let mut before_us = Vec::new();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _conn = pool.get().unwrap();
                    served.fetch_add(1, Ordering::Relaxed);
                    // Long enough that the others are in the queue again.
                    let end = Instant::now() + Duration::from_micros(50);
                    while Instant::now() < end {
                        thread::yield_now();
                    }
                }
            });
        }
        for _ in 0..200 {
            until("a queue", || pool.state().waiters > 0);
            let before = served.load(Ordering::Relaxed);
            drop(pool.get().unwrap());
            before_us.push(served.load(Ordering::Relaxed) - before);
        }
        stop.store(true, Ordering::Relaxed);
    });
    // Each of the others at most once, in the queue before us. The median, since we may be
    // preempted between looking at the counter and joining the queue.
    before_us.sort_unstable();
    let median = before_us[before_us.len() / 2];
    assert!(median <= THREADS + 2, "{median} were served before us");
}
