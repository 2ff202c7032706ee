//! What a manager, a customizer and an error handler of r2d2 are called for, by both pools.

mod support;
#[macro_use]
#[path = "support/both.rs"]
mod both;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use larder_pool::{CustomizeConnection, NopErrorHandler};
use support::{Conn, Customs, Ear, Fake, Fault, until};

/// Marks what it is given.
#[derive(Debug)]
struct Marking;

impl CustomizeConnection<Conn, Fault> for Marking {
    fn on_acquire(&self, conn: &mut Conn) -> Result<(), Fault> {
        conn.id += 1000;
        Ok(())
    }
}

both! {
    #[test]
    fn a_connection_is_customized_before_it_is_lent() {
        let builder = Pool::builder().connection_customizer(Box::new(Marking));
        let pool = builder.build(Fake::default()).unwrap();
        assert!(pool.get().unwrap().id >= 1000);
    }

    #[test]
    fn customizers_see_connections_come_and_go() {
        let ear = Ear::default();
        let (came, went) = (Arc::clone(&ear.0), Arc::clone(&ear.0));
        let customs = Customs {
            acquire: Box::new(move || {
                came.lock().unwrap().push("came".into());
                Ok(())
            }),
            release: Box::new(move || went.lock().unwrap().push("went".into())),
        };
        let pool = Pool::builder()
            .max_size(1)
            .connection_customizer(Box::new(customs))
            .build(Fake::default())
            .unwrap();
        pool.get().unwrap().broken = true;
        drop(pool.get().unwrap());
        // r2d2 opens the next one, on another thread, before it lets the first go.
        let mut heard = ear.heard();
        heard.sort();
        assert_eq!(heard, ["came", "came", "went"]);
    }

    #[test]
    fn a_connection_that_its_customizer_refuses_is_closed() {
        let (tries, released) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let releases = Arc::clone(&released);
        let customs = Customs {
            acquire: Box::new(move || match tries.fetch_add(1, SeqCst) {
                0 => Err(Fault("no such schema")),
                _ => Ok(()),
            }),
            release: Box::new(move || {
                releases.fetch_add(1, SeqCst);
            }),
        };
        let manager = Fake::default();
        let counts = Arc::clone(&manager.counts);
        let pool = Pool::builder()
            .max_size(1)
            .error_handler(Box::new(NopErrorHandler))
            .connection_customizer(Box::new(customs))
            .build_unchecked(manager);
        until("a connection that is let pass", || pool.get_timeout(Duration::from_secs(1)).is_ok());
        assert_eq!((counts.opened(), counts.closed()), (2, 1));
        assert_eq!(released.load(SeqCst), 0, "it was never acquired");
    }

    #[test]
    fn a_connection_that_fails_its_test_is_reported_and_replaced() {
        let ear = Ear::default();
        let manager = Fake::default().testing(|conn| match conn.id {
            0 => Err(Fault("stale")),
            _ => Ok(()),
        });
        let counts = Arc::clone(&manager.counts);
        let builder = Pool::builder().max_size(1).error_handler(Box::new(ear.clone()));
        let pool = testing_always(builder).build(manager).unwrap();
        assert_eq!(pool.get().unwrap().id, 1);
        assert_eq!(ear.heard(), ["stale"]);
        until("the end of the stale one", || counts.closed() == 1);
    }

    #[test]
    fn a_connection_that_fails_its_test_is_not_got_by_trying_either() {
        let manager = Fake::default().testing(|_| Err(Fault("stale")));
        let builder = Pool::builder().max_size(1).min_idle(Some(1));
        let builder = builder.error_handler(Box::new(NopErrorHandler));
        let pool = testing_always(builder).build(manager).unwrap();
        assert!(pool.try_get().is_none());
    }

    #[test]
    fn a_connection_is_tested_at_each_checkout_if_so_set() {
        let manager = Fake::default();
        let counts = Arc::clone(&manager.counts);
        let pool = testing_always(Pool::builder().max_size(1)).build(manager).unwrap();
        for nth in 0..3 {
            assert_eq!(counts.tested(), nth);
            drop(pool.get().unwrap());
        }
    }

    #[test]
    fn a_connection_is_never_tested_if_so_set() {
        let manager = Fake::default().testing(|_| Err(Fault("stale")));
        let builder = Pool::builder().test_on_check_out(false);
        let pool = testing_always(builder).build(manager).unwrap();
        assert!(pool.get().is_ok());
        assert!(pool.try_get().is_some());
    }

    #[test]
    fn a_connection_is_asked_at_each_return_whether_it_broke() {
        let asked = Arc::new(AtomicUsize::new(0));
        let asks = Arc::clone(&asked);
        let manager = Fake::default().breaking(move |_| {
            asks.fetch_add(1, SeqCst);
            false
        });
        let pool = Pool::builder().max_size(1).build(manager).unwrap();
        let before = asked.load(SeqCst);
        (0..3).for_each(|_| drop(pool.get().unwrap()));
        assert_eq!(asked.load(SeqCst) - before, 3);
    }

    #[test]
    fn a_broken_connection_is_replaced() {
        let manager = Fake::default();
        let counts = Arc::clone(&manager.counts);
        let pool = Pool::builder().max_size(1).build(manager).unwrap();
        pool.get().unwrap().broken = true;
        assert_eq!(pool.get().unwrap().id, 1);
        until("the end of the broken one", || counts.closed() == 1);
    }

    #[test]
    fn a_waiter_is_not_left_waiting_for_a_broken_connection() {
        let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
        let mut held = pool.get().unwrap();
        let clone = pool.clone();
        let waiter = thread::spawn(move || clone.get().map(|conn| conn.id).ok());
        held.broken = true;
        drop(held);
        assert_eq!(waiter.join().unwrap(), Some(1));
    }

    #[test]
    fn each_connection_that_goes_is_released_once() {
        let released = Arc::new(AtomicUsize::new(0));
        let releases = Arc::clone(&released);
        let customs = Customs {
            acquire: Box::new(|| Ok(())),
            release: Box::new(move || {
                releases.fetch_add(1, SeqCst);
            }),
        };
        let builder = Pool::builder().max_size(2).connection_customizer(Box::new(customs));
        let pool = builder.build(Fake::default()).unwrap();
        for _ in 0..10 {
            pool.get().unwrap().broken = true;
        }
        until("each of them", || released.load(SeqCst) == 10);
    }
}
