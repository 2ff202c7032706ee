//! The differences that the crate's documentation tells, asked of both pools: `HERE` is larder.

mod support;
#[macro_use]
#[path = "support/both.rs"]
mod both;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use larder_pool::NopErrorHandler;
use support::{Customs, Ear, Fake, Fault, until};

const MOMENT: Duration = Duration::from_millis(100);

/// A manager whose second connect stops until it is told to go on.
fn stopping_at_the_second() -> (Fake, Receiver<()>, Sender<()>) {
    let (stopped, has_stopped) = channel();
    let (go_on, is_to_go_on) = channel::<()>();
    let desk = Mutex::new((AtomicUsize::new(0), stopped, is_to_go_on));
    let manager = Fake::default().connecting(move || {
        let desk = desk.lock().unwrap();
        if desk.0.fetch_add(1, SeqCst) == 1 {
            desk.1.send(()).unwrap();
            desk.2.recv().unwrap();
        }
        Ok(())
    });
    (manager, has_stopped, go_on)
}

both! {
    #[test]
    fn it_connects_on_the_callers_thread() {
        let threads = Arc::new(Mutex::new(Vec::<ThreadId>::new()));
        let seen = Arc::clone(&threads);
        let manager = Fake::default().connecting(move || {
            seen.lock().unwrap().push(thread::current().id());
            Ok(())
        });
        let _pool = Pool::builder().max_size(1).build(manager).unwrap();
        assert_eq!(*threads.lock().unwrap() == [thread::current().id()], HERE);
    }

    #[test]
    fn build_opens_one_connection() {
        let pool = Pool::builder().max_size(5).build(Fake::default()).unwrap();
        assert_eq!(pool.state().connections, if HERE { 1 } else { 5 });
    }

    #[test]
    fn build_needs_the_database_however_few_are_to_be_idle() {
        let manager = Fake::default().connecting(|| Err(Fault("connection refused")));
        let pool = Pool::builder().min_idle(Some(0)).build(manager);
        assert_eq!(pool.is_err(), HERE);
    }

    #[test]
    fn nothing_is_opened_that_no_caller_needs() {
        let manager = Fake::default();
        let counts = Arc::clone(&manager.counts);
        let pool = Pool::builder().max_size(2).min_idle(Some(1)).build(manager).unwrap();
        let held = pool.get().unwrap();
        if HERE {
            assert_eq!(counts.opened(), 1);
        } else {
            until("an idle one in its place", || counts.opened() == 2);
        }
        drop(held);
    }

    #[test]
    fn the_threads_last_connection_is_lent_again() {
        let builder = Pool::builder().max_size(2).min_idle(Some(2));
        let pool = builder.build(Fake::default()).unwrap();
        let (first, last) = (pool.get().unwrap(), pool.get().unwrap());
        let (first_id, last_id) = (first.id, last.id);
        drop(last);
        drop(first);
        assert_eq!(pool.get().unwrap().id, if HERE { last_id } else { first_id });
    }

    #[test]
    fn a_connect_that_fails_is_told_to_its_caller_at_once_and_to_nobody_else() {
        let ear = Ear::default();
        let manager = Fake::default().connecting(|| Err(Fault("connection refused")));
        let builder = Pool::builder().max_size(1).error_handler(Box::new(ear.clone()));
        let pool = builder.min_idle(Some(0)).build_unchecked(manager);
        let (asked, timeout) = (Instant::now(), Duration::from_secs(2));
        assert!(pool.get_timeout(timeout).is_err());
        assert_eq!(asked.elapsed() < timeout, HERE);
        assert_eq!(ear.heard().is_empty(), HERE);
    }

    #[test]
    fn a_connection_just_used_is_not_tested() {
        let manager = Fake::default();
        let counts = Arc::clone(&manager.counts);
        // A clock that stands still: nothing is ever idle for long.
        let (builder, _time) = timed(Pool::builder().max_size(1));
        let pool = builder.build(manager).unwrap();
        (0..3).for_each(|_| drop(pool.get().unwrap()));
        assert_eq!(counts.tested(), if HERE { 0 } else { 3 });
    }

    #[test]
    fn a_connection_just_opened_is_not_tested() {
        let manager = Fake::default().testing(|_| Err(Fault("stale")));
        let builder = Pool::builder().max_size(1).error_handler(Box::new(NopErrorHandler));
        let pool = testing_always(builder).build(manager).unwrap();
        assert_eq!(pool.get_timeout(MOMENT).is_ok(), HERE);
    }

    #[test]
    fn a_connection_dropped_while_panicking_is_closed() {
        let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
        let holder = catch_unwind(AssertUnwindSafe(|| {
            let _conn = pool.get().unwrap();
            panic!("of the holder");
        }));
        assert!(holder.is_err());
        assert_eq!(pool.get().unwrap().id, if HERE { 1 } else { 0 });
    }

    #[test]
    fn a_panic_in_a_connect_costs_no_slot() {
        let panics = AtomicBool::new(true);
        let manager = Fake::default().connecting(move || {
            assert!(!panics.swap(false, SeqCst), "of the manager");
            Ok(())
        });
        let pool = Pool::builder().max_size(1).min_idle(Some(0)).build_unchecked(manager);
        let first = catch_unwind(AssertUnwindSafe(|| pool.get_timeout(MOMENT).is_ok()));
        assert_eq!(first.is_err(), HERE, "the panic is the caller's");
        assert_eq!(pool.get_timeout(MOMENT).is_ok(), HERE);
    }

    #[test]
    fn a_panic_in_a_test_costs_no_slot() {
        let panics = AtomicBool::new(true);
        let manager = Fake::default().testing(move |_| {
            assert!(!panics.swap(false, SeqCst), "of the manager");
            Ok(())
        });
        let pool = testing_always(Pool::builder().max_size(1)).build(manager).unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| pool.get_timeout(MOMENT).is_ok())).is_err());
        assert_eq!(pool.get_timeout(MOMENT).is_ok(), HERE);
    }

    #[test]
    fn a_panic_in_a_return_costs_no_slot() {
        let panics = Arc::new(AtomicBool::new(false));
        let it_panics = Arc::clone(&panics);
        let manager = Fake::default().breaking(move |_| {
            assert!(!it_panics.swap(false, SeqCst), "of the manager");
            false
        });
        let pool = Pool::builder().max_size(1).build(manager).unwrap();
        let conn = pool.get().unwrap();
        panics.store(true, SeqCst);
        assert!(catch_unwind(AssertUnwindSafe(|| drop(conn))).is_err());
        assert_eq!(pool.get_timeout(MOMENT).is_ok(), HERE);
    }

    #[test]
    fn a_waiter_gets_the_slot_of_a_broken_connection() {
        let builder = Pool::builder().max_size(1).min_idle(Some(0));
        let pool = builder.build_unchecked(Fake::default());
        let is_served = |pause| {
            let mut held = pool.get().unwrap();
            let clone = pool.clone();
            let waiter = thread::spawn(move || clone.get_timeout(Duration::from_secs(1)).is_ok());
            // r2d2 does not tell who waits: it is given time to.
            thread::sleep(pause);
            held.broken = true;
            drop(held);
            waiter.join().unwrap()
        };
        assert_eq!([MOMENT, 4 * MOMENT].into_iter().all(is_served), HERE);
    }

    #[test]
    fn who_opens_a_connection_waits_for_that_one() {
        let (manager, has_stopped, go_on) = stopping_at_the_second();
        let pool = Pool::builder().max_size(2).min_idle(Some(0)).build_unchecked(manager);
        let held = pool.get().unwrap();
        let clone = pool.clone();
        let other = thread::spawn(move || clone.get().map(|conn| conn.id).ok());
        has_stopped.recv().unwrap();
        // Connections that are being opened count here, and not there.
        assert_eq!(pool.state().connections, if HERE { 2 } else { 1 });
        drop(held);
        if HERE {
            assert_eq!(pool.get().unwrap().id, 0, "it is for anybody else");
            go_on.send(()).unwrap();
            assert_eq!(other.join().unwrap(), Some(1));
        } else {
            assert_eq!(other.join().unwrap(), Some(0));
            go_on.send(()).unwrap();
        }
    }

    #[test]
    fn the_last_clone_closes_the_pool_though_a_connection_is_lent() {
        let manager = Fake::default();
        let counts = Arc::clone(&manager.counts);
        let builder = Pool::builder().max_size(2).min_idle(Some(2));
        let pool = builder.build(manager).unwrap();
        let held = pool.get().unwrap();
        drop(pool);
        assert_eq!(counts.closed(), if HERE { 1 } else { 0 });
        drop(held);
        until("the end of both", || counts.closed() == 2);
    }

    #[test]
    fn a_pool_that_is_dropped_releases_its_connections() {
        let released = Arc::new(AtomicUsize::new(0));
        let releases = Arc::clone(&released);
        let customs = Customs {
            acquire: Box::new(|| Ok(())),
            release: Box::new(move || {
                releases.fetch_add(1, SeqCst);
            }),
        };
        let manager = Fake::default();
        let counts = Arc::clone(&manager.counts);
        let builder = Pool::builder().max_size(2).min_idle(Some(2));
        let pool = builder.connection_customizer(Box::new(customs)).build(manager).unwrap();
        drop(pool);
        until("the end of both", || counts.closed() == 2);
        assert_eq!(released.load(SeqCst), if HERE { 2 } else { 0 });
    }
}
