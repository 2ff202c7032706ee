//! Callers who ask for several connections at once get all of them or none, and in their turn.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use larder_pool::{Clock, DuringOutage, NopErrorHandler, Pool};
use support::{Fake, Fault, assert_whole, until};

#[test]
fn all_or_none() {
    let pool = Pool::builder().max_size(4).build(Fake::default()).unwrap();
    assert!(pool.get_many(0).unwrap().is_empty());
    let three = pool.get_many(3).unwrap();
    let mut ids: Vec<_> = three.iter().map(|conn| conn.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    let error = pool.get_many_timeout(2, Duration::from_millis(1)).unwrap_err();
    assert!(error.is_timeout());
    assert!(error.to_string().contains("waiting for 2 at once: 3 of 4 in use"), "{error}");
    assert!(
        pool.get_many_timeout(1, Duration::from_secs(10)).is_ok(),
        "the last one was passed on"
    );
    drop(three);
    assert_whole(&pool);
}

#[test]
fn idle_connections_are_lent_before_new_ones_are_opened() {
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().max_size(8).min_idle(Some(3)).build(manager).unwrap();
    drop(pool.get_many(3).unwrap());
    assert_eq!(counts.opened(), 3);
    drop(pool.get_many(5).unwrap());
    assert_eq!(counts.opened(), 5);
}

#[test]
fn more_than_there_can_be_is_refused_at_once() {
    let pool = Pool::builder().max_size(2).build(Fake::default()).unwrap();
    let error = pool.get_many_timeout(3, Duration::from_secs(3600)).unwrap_err();
    assert!(error.is_out_of_bounds());
    assert_eq!(error.to_string(), "3 connections at once can't be had: max_size is 2");
}

#[test]
fn a_resize_refuses_those_who_wait_for_more() {
    let pool = Pool::builder().max_size(3).build(Fake::default()).unwrap();
    let held = pool.get().unwrap();
    thread::scope(|scope| {
        let all = scope.spawn(|| pool.get_many(3).map(drop));
        until("the first", || pool.state().waiters == 1);
        let one = scope.spawn(|| pool.get().map(drop));
        until("the second", || pool.state().waiters == 2);
        pool.resize(2).unwrap();
        assert!(all.join().unwrap().unwrap_err().is_out_of_bounds());
        one.join().unwrap().expect("what was kept for the other is free now");
    });
    drop(held);
    assert_whole(&pool);
}

#[test]
fn what_comes_back_is_kept_for_the_oldest() {
    let pool = Pool::builder().max_size(2).build(Fake::default()).unwrap();
    let mut lent = pool.get_many(2).unwrap();
    thread::scope(|scope| {
        let both = scope.spawn(|| pool.get_many(2).unwrap());
        until("the caller for both", || pool.state().waiters == 1);
        let one = scope.spawn(|| pool.get().map(drop));
        until("the caller for one", || pool.state().waiters == 2);
        drop(lent.pop());
        // It could serve the younger, but then the older might wait for ever.
        assert_eq!((pool.state().waiters, pool.state().idle_connections), (2, 1));
        assert!(pool.try_get().is_none());
        drop(lent.pop());
        let both = both.join().unwrap();
        assert_eq!(pool.state().waiters, 1);
        drop(both);
        one.join().unwrap().unwrap();
    });
    assert_whole(&pool);
}

#[test]
fn what_was_kept_is_passed_on_at_the_deadline() {
    let pool = Pool::builder().max_size(2).build(Fake::default()).unwrap();
    let held = pool.get().unwrap();
    thread::scope(|scope| {
        let both = scope.spawn(|| pool.get_many_timeout(2, Duration::from_millis(30)).map(drop));
        until("the caller for both", || pool.state().waiters == 1);
        let one = scope.spawn(|| pool.get_timeout(Duration::from_secs(60)).map(drop));
        assert!(both.join().unwrap().unwrap_err().is_timeout());
        one.join().unwrap().expect("the slot that was kept");
    });
    drop(held);
    assert_whole(&pool);
}

#[test]
fn one_that_cannot_be_opened_gives_the_others_back() {
    let left = Arc::new(AtomicUsize::new(3));
    let theirs = Arc::clone(&left);
    let manager = Fake::default().connecting(move || {
        let ok =
            theirs.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        ok.map(drop).map_err(|_| Fault("no more"))
    });
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().max_size(4).min_idle(Some(2)).build(manager).unwrap();
    let error = pool.get_many(4).unwrap_err();
    assert_eq!(error.cause(), Some(&Fault("no more")));
    assert_eq!((counts.closed(), pool.state().idle_connections), (0, 3), "they are kept");
    left.store(1, Ordering::SeqCst);
    assert_whole(&pool);
}

#[test]
fn any_mix_of_one_and_many_gets_through() {
    const SIZE: u32 = 5;
    let pool = Pool::builder().max_size(SIZE).build(Fake::default()).unwrap();
    let lent = AtomicUsize::new(0);
    thread::scope(|scope| {
        for nth in 0..8 {
            let (pool, lent) = (&pool, &lent);
            scope.spawn(move || {
                for round in 0..300 {
                    let count = 1 + (nth * 3 + round) % SIZE;
                    let conns = pool.get_many(count).unwrap();
                    let now = lent.fetch_add(conns.len(), Ordering::SeqCst) + conns.len();
                    assert!(now <= SIZE as usize, "{now} are lent");
                    lent.fetch_sub(conns.len(), Ordering::SeqCst);
                    drop(conns);
                    drop(pool.get().unwrap());
                }
            });
        }
    });
    assert_whole(&pool);
}

#[test]
fn what_a_failed_caller_gives_back_is_as_untested_as_before() {
    let is_out = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&is_out);
    let manager = Fake::default().connecting(move || match theirs.load(Ordering::SeqCst) {
        false => Ok(()),
        true => Err(Fault("refused")),
    });
    let counts = Arc::clone(&manager.counts);
    let clock = Clock::manual();
    let pool = Pool::builder().max_size(2).clock(clock.clone()).build(manager).unwrap();
    clock.advance(Duration::from_secs(60));
    is_out.store(true, Ordering::SeqCst);
    assert!(pool.get_many(2).is_err());
    let tested = counts.tested();
    clock.advance(Duration::from_millis(400));
    let again = counts.tested();
    drop(pool.get().unwrap());
    // Either the failed call has tested it, less than half a second ago, or this one.
    assert_eq!(tested.max(counts.tested()), 1, "{tested} {again}: it is lent without a test");
    clock.advance(Duration::from_millis(499));
    assert!(pool.get_many(2).is_err());
    clock.advance(Duration::from_millis(499));
    drop(pool.get().unwrap());
    assert_eq!(counts.tested(), 2, "nobody has used or tested it for 998 ms");
}

/// Two callers for two in a database that is out, and two connections.
fn two_for_two(lent: usize) {
    let is_out = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&is_out);
    let attempts = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&attempts);
    let manager = Fake::default().connecting(move || {
        count.fetch_add(1, Ordering::SeqCst);
        if theirs.load(Ordering::SeqCst) { Err(Fault("refused")) } else { Ok(()) }
    });
    let pool = Pool::builder()
        .max_size(6)
        .min_idle(Some(2))
        .during_outage(DuringOutage::Wait)
        .error_handler(Box::new(NopErrorHandler))
        .build(manager)
        .unwrap();
    is_out.store(true, Ordering::SeqCst);
    let mut held: Vec<_> = (0..lent).map(|_| pool.get().unwrap()).collect();
    thread::scope(|scope| {
        let ask = || pool.get_many_timeout(2, Duration::from_secs(60)).map(|both| both.len());
        let first = scope.spawn(ask);
        let busy = |many| {
            move |state: larder_pool::State| state.connections - state.idle_connections >= many
        };
        if lent > 0 {
            until("the first in the row", || busy(lent as u32 + 2)(pool.state()));
            until("its attempt", || attempts.load(Ordering::SeqCst) > 2);
        }
        let second = scope.spawn(ask);
        if lent > 0 {
            until("the second", || busy(lent as u32 + 4)(pool.state()));
        }
        while let Some(conn) = held.pop() {
            drop(conn);
            thread::yield_now();
        }
        for caller in [first, second] {
            assert_eq!(caller.join().unwrap().expect("one after the other"), 2);
        }
    });
    is_out.store(false, Ordering::SeqCst);
    assert_whole(&pool);
}

#[test]
fn while_no_connection_can_be_opened_and_two_come_back() {
    (0..20).for_each(|_| two_for_two(2));
}

#[test]
fn while_no_connection_can_be_opened_and_one_comes_back() {
    (0..20).for_each(|_| two_for_two(1));
}
