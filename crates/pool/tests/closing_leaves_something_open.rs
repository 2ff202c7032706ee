//! Closing a pool, or dropping it, leaves no connection open and no caller waiting.

mod support;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use larder_pool::Pool;
use support::{Fake, until};

#[test]
fn with_borrowers_out() {
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().max_size(4).min_idle(Some(4)).build(manager).unwrap();
    let (first, second) = (pool.get().unwrap(), pool.get().unwrap());
    pool.close();
    assert_eq!(counts.closed(), 2, "the idle ones");
    assert!(pool.get().unwrap_err().is_closed());
    assert!(pool.try_get().is_none());
    assert_ne!(first.id, second.id, "the borrowers keep theirs");
    drop(first);
    assert_eq!(counts.closed(), 3);
    second.discard();
    assert_eq!(counts.closed(), 4);
    assert_eq!(pool.state().connections, 0);
    pool.close();
}

#[test]
fn with_callers_waiting() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    let held = pool.get().unwrap();
    thread::scope(|scope| {
        let waiting: Vec<_> =
            (0..8).map(|_| scope.spawn(|| pool.get().map(drop).unwrap_err())).collect();
        until("the queue", || pool.state().waiters == 8);
        pool.close();
        for waiter in waiting {
            assert!(waiter.join().unwrap().is_closed());
        }
    });
    drop(held);
}

#[test]
fn a_drain_waits_for_the_last_borrower() {
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().max_size(3).min_idle(Some(3)).build(manager).unwrap();
    let mut lent = pool.get_many(2).unwrap();
    let error = pool.close_within(Duration::from_millis(5)).unwrap_err();
    assert_eq!((error.is_timeout(), error.still_lent()), (true, Some(2)));
    assert_eq!(counts.closed(), 1, "the idle one");
    drop(lent.pop());
    thread::scope(|scope| {
        let drain = scope.spawn(|| {
            pool.close_within(Duration::from_secs(60)).expect("drained");
            counts.closed()
        });
        drop(lent.pop());
        assert_eq!(drain.join().unwrap(), 3, "closed before the drain ends");
    });
    pool.close_within(Duration::ZERO).expect("nothing is left");
}

#[test]
fn a_drain_refuses_those_who_wait() {
    let pool = Pool::builder().max_size(2).build(Fake::default()).unwrap();
    let lent = pool.get_many(2).unwrap();
    thread::scope(|scope| {
        let one = scope.spawn(|| pool.get().map(drop).unwrap_err());
        let both = scope.spawn(|| pool.get_many(2).map(drop).unwrap_err());
        until("the queue", || pool.state().waiters == 2);
        assert_eq!(pool.close_within(Duration::ZERO).unwrap_err().still_lent(), Some(2));
        assert!(one.join().unwrap().is_closed());
        assert!(both.join().unwrap().is_closed());
    });
    assert!(pool.state().closed);
    drop(lent);
    assert_eq!(pool.state().connections, 0);
}

#[test]
fn by_dropping_the_last_clone() {
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().max_size(3).min_idle(Some(3)).build(manager).unwrap();
    let clone = pool.clone();
    let borrowed = pool.get().unwrap();
    drop(pool);
    assert_eq!(counts.closed(), 0, "there is a clone");
    drop(clone);
    assert_eq!(counts.closed(), 2);
    assert!(borrowed.id < 3, "the guard outlives the pool");
    drop(borrowed);
    assert_eq!(counts.closed(), 3);
}

#[test]
fn in_the_middle_of_a_rush() {
    for _ in 0..50 {
        let manager = Fake::default();
        let counts = Arc::clone(&manager.counts);
        let pool = Pool::builder().max_size(3).build(manager).unwrap();
        thread::scope(|scope| {
            for _ in 0..6 {
                let pool = pool.clone();
                scope.spawn(move || {
                    while let Ok(conn) = pool.get() {
                        std::hint::black_box(&*conn);
                    }
                });
            }
            let pool = &pool;
            scope.spawn(move || {
                thread::sleep(Duration::from_micros(300)); // some of the rush; any amount is right
                pool.close();
            });
        });
        assert_eq!(counts.opened(), counts.closed());
        assert_eq!(pool.state().connections, 0);
    }
}

#[test]
fn guards_returned_while_the_last_clone_goes() {
    // The guard's own return may free the pool that it returns to.
    for _ in 0..500 {
        let manager = Fake::default();
        let counts = Arc::clone(&manager.counts);
        let pool = Pool::builder().max_size(2).build(manager).unwrap();
        let guards = [pool.get().unwrap(), pool.get().unwrap()];
        thread::scope(|scope| {
            for guard in guards {
                scope.spawn(move || drop(guard));
            }
            scope.spawn(move || drop(pool));
        });
        assert_eq!(counts.opened(), counts.closed());
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn closing_a_writer_and_its_readers_waits_for_both_within_one_deadline() {
    use larder_pool::sqlite::{SqliteManager, SqlitePool};
    use std::time::Duration;

    let dir = tempfile::tempdir().unwrap();
    let pool = SqlitePool::open(SqliteManager::file(dir.path().join("t.db")), 2).unwrap();
    pool.transact(|tx| tx.execute_batch("CREATE TABLE t (x)")).unwrap();
    let (reader, writer) = (pool.read().unwrap(), pool.write().unwrap());
    let error = pool.close_within(Duration::from_millis(20)).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.still_lent(), Some(2));
    assert!(pool.read().unwrap_err().is_closed());
    drop(reader);
    assert_eq!(pool.close_within(Duration::ZERO).unwrap_err().still_lent(), Some(1));
    std::thread::spawn(move || drop(writer));
    pool.close_within(Duration::from_secs(60)).unwrap();
    assert!(!dir.path().join("t.db-wal").exists(), "all are closed");
}
