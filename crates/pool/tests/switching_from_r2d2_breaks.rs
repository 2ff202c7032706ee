//! What users of r2d2 rely on, asked of both pools in the same words: only the import differs.

mod support;
#[macro_use]
#[path = "support/both.rs"]
mod both;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use larder_pool::{LoggingErrorHandler, NopConnectionCustomizer, NopErrorHandler};
use support::{Conn, Customs, Ear, Fake, Fault, until};

const MOMENT: Duration = Duration::from_millis(30);

both! {
    fn pool(max_size: u32) -> Pool<Fake> {
        Pool::builder().max_size(max_size).build(Fake::default()).unwrap()
    }

    #[test]
    fn all_settings_have_their_names() {
        let customs = Customs { acquire: Box::new(|| Ok(())), release: Box::new(|| {}) };
        let pool = Pool::builder()
            .max_size(7)
            .min_idle(Some(3))
            .test_on_check_out(false)
            .max_lifetime(Some(Duration::from_secs(60)))
            .idle_timeout(None)
            .connection_timeout(Duration::from_secs(5))
            .error_handler(Box::new(Ear::default()))
            .connection_customizer(Box::new(customs))
            .build(Fake::default())
            .unwrap();
        assert_eq!(pool.max_size(), 7);
        assert_eq!(pool.min_idle(), Some(3));
        assert!(!pool.test_on_check_out());
        assert_eq!(pool.max_lifetime(), Some(Duration::from_secs(60)));
        assert_eq!(pool.idle_timeout(), None);
        assert_eq!(pool.connection_timeout(), Duration::from_secs(5));
        assert_eq!(pool.state().idle_connections, 3);
    }

    #[test]
    fn all_settings_have_their_defaults() {
        let pool = Pool::new(Fake::default()).unwrap();
        assert_eq!(pool.max_size(), 10);
        assert_eq!(pool.min_idle(), None);
        assert!(pool.test_on_check_out());
        assert_eq!(pool.max_lifetime(), Some(Duration::from_secs(30 * 60)));
        assert_eq!(pool.idle_timeout(), Some(Duration::from_secs(10 * 60)));
        assert_eq!(pool.connection_timeout(), Duration::from_secs(30));
    }

    #[test]
    fn ready_made_handlers_are_taken() {
        for handler in [true, false] {
            let builder = Pool::builder().connection_customizer(Box::new(NopConnectionCustomizer));
            let builder = match handler {
                true => builder.error_handler(Box::new(NopErrorHandler)),
                false => builder.error_handler(Box::new(LoggingErrorHandler)),
            };
            assert!(builder.build(Fake::default()).is_ok());
        }
    }

    #[test]
    #[should_panic(expected = "max_size")]
    fn a_size_of_nothing_is_refused() {
        let _ = Pool::<Fake>::builder().max_size(0);
    }

    #[test]
    #[should_panic(expected = "min_idle")]
    fn more_idle_than_there_may_be_is_refused() {
        let _ = Pool::builder().max_size(2).min_idle(Some(3)).build_unchecked(Fake::default());
    }

    #[test]
    #[should_panic(expected = "max_lifetime")]
    fn a_lifetime_of_nothing_is_refused() {
        let _ = Pool::<Fake>::builder().max_lifetime(Some(Duration::ZERO));
    }

    #[test]
    #[should_panic(expected = "idle_timeout")]
    fn an_idle_time_of_nothing_is_refused() {
        let _ = Pool::<Fake>::builder().idle_timeout(Some(Duration::ZERO));
    }

    #[test]
    #[should_panic(expected = "connection_timeout")]
    fn a_timeout_of_nothing_is_refused() {
        let _ = Pool::<Fake>::builder().connection_timeout(Duration::ZERO);
    }

    #[test]
    fn never_more_than_max_size_are_lent() {
        let pool = pool(2);
        let _held = (pool.get().unwrap(), pool.get().unwrap());
        assert!(pool.try_get().is_none());
        assert!(pool.get_timeout(MOMENT).is_err());
    }

    #[test]
    fn connections_are_opened_as_they_are_needed() {
        let manager = Fake::default();
        let counts = Arc::clone(&manager.counts);
        let pool = Pool::builder().max_size(3).min_idle(Some(0)).build_unchecked(manager);
        assert!(pool.try_get().is_none(), "it never opens one");
        for nth in 0..3 {
            assert_eq!(counts.opened(), nth);
            std::mem::forget(pool.get().unwrap());
        }
        assert!(pool.get_timeout(MOMENT).is_err());
        assert_eq!(counts.opened(), 3);
    }

    #[test]
    fn a_timeout_is_waited_for() {
        let pool = pool(1);
        let _held = pool.get().unwrap();
        let asked = Instant::now();
        assert!(pool.get_timeout(MOMENT).is_err());
        assert!(asked.elapsed() >= MOMENT);
    }

    #[test]
    fn the_timeout_of_get_is_the_setting() {
        let builder = Pool::builder().max_size(1).connection_timeout(MOMENT);
        let pool = builder.build(Fake::default()).unwrap();
        let held = pool.get().unwrap();
        let asked = Instant::now();
        assert!(pool.get().is_err());
        assert!(asked.elapsed() >= MOMENT);
        drop(held);
        assert!(pool.get().is_ok());
    }

    #[test]
    fn try_get_does_not_wait() {
        let pool = pool(1);
        let held = pool.get().unwrap();
        assert!(pool.try_get().is_none());
        drop(held);
        assert!(pool.try_get().is_some());
    }

    #[test]
    fn a_returned_connection_is_lent_again() {
        let pool = pool(1);
        let id = pool.get().unwrap().id;
        assert_eq!(pool.get().unwrap().id, id);
        assert_eq!(pool.try_get().unwrap().id, id);
    }

    #[test]
    fn a_waiter_gets_what_is_returned() {
        let pool = pool(1);
        let held = pool.get().unwrap();
        let clone = pool.clone();
        let waiter = thread::spawn(move || clone.get().is_ok());
        drop(held);
        assert!(waiter.join().unwrap());
    }

    #[test]
    fn everybody_is_served_and_never_two_by_one_connection() {
        let pool = pool(2);
        let lent = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _conn = pool.get().unwrap();
                        assert!(lent.fetch_add(1, SeqCst) < 2);
                        thread::yield_now();
                        lent.fetch_sub(1, SeqCst);
                    }
                });
            }
        });
    }

    #[test]
    fn state_counts_what_is_lent_and_what_is_idle() {
        let builder = Pool::builder().max_size(3).min_idle(Some(3));
        let pool = builder.build(Fake::default()).unwrap();
        let counts = || (pool.state().connections, pool.state().idle_connections);
        assert_eq!(counts(), (3, 3));
        let held = (pool.get().unwrap(), pool.get().unwrap());
        assert_eq!(counts(), (3, 1));
        drop(held);
        assert_eq!(counts(), (3, 3));
        assert!(format!("{:?}", pool.state()).starts_with("State { connections: 3"));
    }

    #[test]
    fn clones_are_one_pool() {
        let pool = pool(1);
        let clone = pool.clone();
        let held = clone.get().unwrap();
        assert!(pool.try_get().is_none());
        drop(clone);
        drop(held);
        assert!(pool.try_get().is_some());
    }

    #[test]
    fn a_guard_is_its_connection() {
        let pool = pool(1);
        let mut guard = pool.get().unwrap();
        let conn: &mut Conn = &mut guard;
        conn.id = 77;
        assert_eq!(format!("{guard:?}"), format!("{:?}", *guard));
        drop(guard);
        assert_eq!(pool.get().unwrap().id, 77);
    }

    #[test]
    fn pools_and_guards_go_between_threads() {
        fn sent<T: Send>() {}
        fn shared<T: Send + Sync + Clone>() {}
        sent::<Guard<Fake>>();
        shared::<Pool<Fake>>();
    }

    #[test]
    fn a_guard_can_leave_its_thread_and_outlive_its_pool() {
        let manager = Fake::default();
        let counts = Arc::clone(&manager.counts);
        let pool = Pool::builder().max_size(1).build(manager).unwrap();
        let mut guard: Guard<Fake> = pool.get().unwrap();
        drop(pool);
        assert_eq!(counts.closed(), 0);
        thread::spawn(move || guard.id = 1).join().unwrap();
        until("the end of the last connection", || counts.closed() == counts.opened());
    }

    #[test]
    fn a_panicking_holder_costs_nobody_else_a_connection() {
        let pool = pool(1);
        let clone = pool.clone();
        let holder = thread::spawn(move || {
            let _conn = clone.get().unwrap();
            panic!("of a holder");
        });
        assert!(holder.join().is_err());
        assert!(pool.get().is_ok());
    }

    #[test]
    fn dropping_the_pool_closes_what_is_idle() {
        let manager = Fake::default();
        let counts = Arc::clone(&manager.counts);
        let pool = Pool::builder().max_size(3).min_idle(Some(3)).build(manager).unwrap();
        drop(pool.clone());
        assert_eq!(counts.closed(), 0);
        drop(pool);
        until("the last connection's end", || counts.closed() == 3);
    }

    #[test]
    fn extensions_stay_with_their_connection() {
        let pool = pool(1);
        assert_eq!(Guard::extensions(&pool.get().unwrap()).get::<u32>(), None);
        Guard::extensions_mut(&mut pool.get().unwrap()).insert(7_u32);
        let mut conn = pool.get().unwrap();
        assert_eq!(Guard::extensions(&conn).get(), Some(&7_u32));
        conn.broken = true;
        drop(conn);
        assert_eq!(Guard::extensions(&pool.get().unwrap()).get::<u32>(), None);
    }

    #[test]
    fn building_fails_without_a_database() {
        let manager = Fake::default().connecting(|| Err(Fault("connection refused")));
        let builder = Pool::builder().error_handler(Box::new(NopErrorHandler));
        let error = builder.connection_timeout(Duration::from_secs(1)).build(manager);
        let message = error.err().unwrap().to_string();
        assert!(message.contains("connection refused"), "{message}");
    }

    #[test]
    fn an_error_says_what_the_database_said() {
        let manager = Fake::default().connecting(|| Err(Fault("connection refused")));
        let builder = Pool::builder().error_handler(Box::new(NopErrorHandler));
        let pool = builder.build_unchecked(manager);
        let error: Box<dyn std::error::Error> =
            pool.get_timeout(Duration::from_secs(1)).unwrap_err().into();
        assert!(error.to_string().contains("connection refused"), "{error}");
    }

    #[test]
    fn a_database_may_come_later_than_its_pool() {
        let tries = AtomicUsize::new(0);
        let manager = Fake::default().connecting(move || match tries.fetch_add(1, SeqCst) {
            0 | 1 => Err(Fault("connection refused")),
            _ => Ok(()),
        });
        let builder = Pool::builder().max_size(1).error_handler(Box::new(NopErrorHandler));
        let pool = builder.build_unchecked(manager);
        until("the database", || pool.get_timeout(Duration::from_secs(1)).is_ok());
    }
}
