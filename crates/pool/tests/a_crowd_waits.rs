//! As many may wait as was set; whoever comes then learns so at once.

mod support;

use std::thread;
use std::time::Duration;

use larder_pool::{Pool, PooledConnection};
use support::{Fake, assert_whole, until};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn beyond_its_bound() {
    let pool = Pool::builder().max_size(2).max_waiters(2).build(Fake::default()).unwrap();
    let held: Vec<PooledConnection<Fake>> = pool.get_many(2).unwrap();
    thread::scope(|scope| {
        let one = scope.spawn(|| pool.get_timeout(LONG).map(drop));
        until("the first waiter", || pool.state().waiters == 1);
        let both = scope.spawn(|| pool.get_many_timeout(2, LONG).map(drop));
        until("the second waiter", || pool.state().waiters == 2);
        for error in [pool.get().unwrap_err(), pool.get_many(2).unwrap_err()] {
            assert!(error.is_overloaded() && !error.is_timeout());
            let text = "no connection: 2 callers wait already, as many as may";
            assert_eq!(error.to_string(), text);
        }
        drop(held);
        one.join().unwrap().unwrap();
        both.join().unwrap().unwrap();
    });
    assert_whole(&pool);
}

#[test]
#[should_panic(expected = "max_waiters must be from 1 to 65536")]
fn a_pool_for_nobody_is_not_built() {
    let _ = Pool::<Fake>::builder().max_waiters(0);
}
