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
    // While a marked caller waits, each of the others can be served at most once before it: they
    // are in front of it in the queue or behind it.
    const THREADS: usize = 8;
    let pool = Pool::builder().max_size(2).build(Fake::default()).unwrap();
    let served = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let conn = pool.get().unwrap();
                    served.fetch_add(1, Ordering::Relaxed);
                    // Long enough that all the others are in the queue by then.
                    let end = Instant::now() + Duration::from_micros(50);
                    while Instant::now() < end {
                        thread::yield_now();
                    }
                    drop(conn);
                }
            });
        }
        let mut worst = 0;
        for _ in 0..200 {
            until("a queue", || pool.state().waiters > 0);
            let before = served.load(Ordering::Relaxed);
            drop(pool.get().unwrap());
            worst = worst.max(served.load(Ordering::Relaxed) - before);
        }
        stop.store(true, Ordering::Relaxed);
        // Twice over for what is counted between our look at the counter and our place in the
        // queue, and between our turn and our second look; barging would show hundreds.
        assert!(worst <= THREADS * 8, "{worst} were served before us");
    });
}
