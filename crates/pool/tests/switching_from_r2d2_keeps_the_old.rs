//! Which connections both pools close for their age, and which they keep ready.
//!
//! r2d2's ages are real time, and looked at every 30 s: its tests of them are run on demand, by
//! `cargo test -p larder-pool --test switching_from_r2d2_keeps_the_old -- --ignored`.

mod support;
#[macro_use]
#[path = "support/both.rs"]
mod both;

use std::sync::Arc;
use std::time::Duration;

use support::{Fake, until};

/// More than r2d2's reaper takes to look.
const LONG: Duration = Duration::from_secs(32);
const SHORT: Duration = Duration::from_millis(100);

both! {
    aged! {
        fn the_old_are_replaced() {
            let manager = Fake::default();
            let counts = Arc::clone(&manager.counts);
            let builder = Pool::builder().max_size(2).min_idle(Some(2)).idle_timeout(None);
            let (builder, time) = timed(builder.max_lifetime(Some(SHORT)));
            let pool = builder.build(manager).unwrap();
            time.pass(LONG);
            assert!(pool.get().unwrap().id >= 2, "the first two are too old");
            until("the end of an old one", || counts.closed() >= 1);
        }
    }

    aged! {
        fn the_young_are_kept() {
            let builder = Pool::builder().max_size(1).max_lifetime(Some(10 * LONG));
            let (builder, time) = timed(builder);
            let pool = builder.build(Fake::default()).unwrap();
            time.pass(LONG);
            assert_eq!(pool.get().unwrap().id, 0);
        }
    }

    aged! {
        fn those_that_nobody_uses_are_closed() {
            let manager = Fake::default();
            let counts = Arc::clone(&manager.counts);
            let builder = Pool::builder().max_size(3).min_idle(Some(0)).max_lifetime(None);
            let (builder, time) = timed(builder.idle_timeout(Some(SHORT)));
            let pool = builder.build_unchecked(manager);
            drop([pool.get().unwrap(), pool.get().unwrap(), pool.get().unwrap()]);
            time.pass(LONG);
            drop(pool.get().unwrap());
            until("the end of the idle", || counts.closed() >= 2);
            assert!(pool.state().connections <= 1);
        }
    }

    aged! {
        fn as_many_as_were_asked_for_stay_ready() {
            let builder = Pool::builder().max_size(4).min_idle(Some(2)).max_lifetime(None);
            let (builder, time) = timed(builder.idle_timeout(Some(SHORT)));
            let pool = builder.build(Fake::default()).unwrap();
            drop([pool.get().unwrap(), pool.get().unwrap(), pool.get().unwrap()]);
            time.pass(LONG);
            drop(pool.get().unwrap());
            until("two idle ones", || pool.state().idle_connections == 2);
        }
    }
}
