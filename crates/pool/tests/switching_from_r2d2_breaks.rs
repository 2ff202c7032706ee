//! What users of r2d2 rely on, asked of both pools in the same words: only the import differs.

mod support;

macro_rules! both {
    ($($module:ident: $pool:path, $guard:path;)*) => { $(
        mod $module {
            use std::sync::Arc;
            use std::thread;
            use std::time::{Duration, Instant};

            use $guard as Guard;
            use $pool as Pool;

            use super::support::{Customs, Ear, Fake, Fault, until};

            fn pool(max_size: u32) -> Pool<Fake> {
                Pool::builder().max_size(max_size).build(Fake::default()).unwrap()
            }

            #[test]
            fn all_settings_have_their_names() {
                let customs =
                    Customs { acquire: Box::new(|| Ok(())), release: Box::new(|| {}) };
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
            fn never_more_than_max_size_are_lent() {
                let pool = pool(2);
                let _held = (pool.get().unwrap(), pool.get().unwrap());
                assert!(pool.try_get().is_none());
                assert!(pool.get_timeout(Duration::from_millis(30)).is_err());
            }

            #[test]
            fn a_timeout_is_waited_for() {
                let pool = pool(1);
                let _held = pool.get().unwrap();
                let asked = Instant::now();
                assert!(pool.get_timeout(Duration::from_millis(40)).is_err());
                assert!(asked.elapsed() >= Duration::from_millis(40));
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
            fn a_guard_can_leave_its_thread_and_outlive_its_pool() {
                let pool = pool(1);
                let mut guard: Guard<Fake> = pool.get().unwrap();
                drop(pool);
                thread::spawn(move || guard.broken = true).join().unwrap();
            }

            #[test]
            fn a_broken_connection_is_replaced() {
                let pool = pool(1);
                let id = {
                    let mut conn = pool.get().unwrap();
                    conn.broken = true;
                    conn.id
                };
                assert_ne!(pool.get().unwrap().id, id);
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
            fn a_failed_test_is_reported_and_another_is_lent() {
                let ear = Ear::default();
                let manager =
                    Fake::default().testing(|conn| match conn.id {
                        0 => Err(Fault("stale")),
                        _ => Ok(()),
                    });
                let pool = Pool::builder()
                    .max_size(1)
                    .error_handler(Box::new(ear.clone()))
                    .build(manager)
                    .unwrap();
                // The pools differ in when they test: only the one that does finds it stale.
                let lent = pool.get().unwrap().id;
                assert_eq!(lent == 0, ear.heard().is_empty());
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
            #[should_panic]
            fn a_size_of_nothing_is_refused() {
                let _ = Pool::<Fake>::builder().max_size(0);
            }
        }
    )* };
}

both! {
    larder: larder_pool::Pool, larder_pool::Pooled;
    original: r2d2::Pool, r2d2::PooledConnection;
}
