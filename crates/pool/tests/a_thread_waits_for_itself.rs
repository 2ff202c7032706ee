//! A thread that has a connection and asks for another is allowed, reported or refused, as set; and
//! what other threads do with its connections never leaves it accused.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;

use larder_pool::{Events, Nested, NestedCheckout, Pool};
use support::{Fake, assert_whole};

/// The lines of both call sites, of each report.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<(u32, u32)>>>);

impl Events for Reports {
    fn nested(&self, nested: &NestedCheckout) {
        let lines = (nested.held.call_site.line(), nested.call_site.line());
        self.0.lock().unwrap().push(lines);
    }
}

fn pool(nested: Nested) -> (Pool<Fake>, Reports) {
    let reports = Reports::default();
    let builder = Pool::builder().max_size(4).nested_checkout(nested);
    let pool = builder.events(Box::new(reports.clone())).build(Fake::default()).unwrap();
    (pool, reports)
}

#[test]
fn it_is_refused_and_told_both_call_sites() {
    let (pool, reports) = pool(Nested::Refuse);
    let here = line!();
    let held = pool.get().unwrap();
    let error = pool.get().unwrap_err();
    assert!(error.is_nested() && !error.is_timeout());
    assert_eq!(error.held_by_caller(), Some(held.call_site()));
    let message = error.to_string();
    let site = |line: u32| format!("{}:{line}:", file!());
    assert!(message.contains(&site(here + 1)) && message.contains(&site(here + 2)), "{message}");
    assert_eq!(*reports.0.lock().unwrap(), [(here + 1, here + 2)]);
    assert_eq!(pool.metrics().refusals, 1);
    drop(held);
    assert!(pool.get().is_ok());
}

#[test]
fn it_is_reported_and_gets_one() {
    let (pool, reports) = pool(Nested::Report);
    let here = line!();
    let held = pool.get().unwrap();
    let second = pool.get().unwrap();
    drop(second);
    let second = pool.get().unwrap();
    drop((held, second));
    drop(pool.get().unwrap());
    assert_eq!(*reports.0.lock().unwrap(), [(here + 1, here + 2), (here + 1, here + 4)]);
}

#[test]
fn it_is_nobodys_business_by_default() {
    let (pool, reports) = pool(Nested::Allow);
    let _both = (pool.get().unwrap(), pool.get().unwrap());
    assert!(reports.0.lock().unwrap().is_empty());
}

#[test]
fn trying_never_waits_and_is_never_refused() {
    let (pool, _) = pool(Nested::Refuse);
    drop((pool.get().unwrap(), pool.try_get()));
    let tried = pool.try_get().unwrap();
    assert!(pool.get().unwrap_err().is_nested(), "but it counts");
    drop(tried);
    assert!(pool.get().is_ok());
}

#[test]
fn another_thread_may_return_it() {
    let (pool, _) = pool(Nested::Refuse);
    for _ in 0..20 {
        let conn = pool.get().unwrap();
        thread::spawn(move || drop(conn)).join().unwrap();
    }
    assert!(pool.get().is_ok());
}

#[test]
fn another_thread_may_return_it_and_lend_it_again() {
    let (pool, _) = pool(Nested::Refuse);
    let conn = pool.get().unwrap();
    let theirs = thread::scope(|scope| {
        let other = scope.spawn(|| {
            drop(conn);
            pool.get().unwrap()
        });
        other.join().unwrap()
    });
    assert!(pool.get().is_ok(), "it is the other thread's now");
    drop(theirs);
    assert!(pool.get().is_ok());
}

#[test]
fn a_moved_one_counts_for_who_asked() {
    let (pool, _) = pool(Nested::Refuse);
    let conn = pool.get().unwrap();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            assert!(pool.get().is_ok());
            conn
        });
        let conn = other.join().unwrap();
        assert!(pool.get().unwrap_err().is_nested());
        drop(conn);
        assert!(pool.get().is_ok());
    });
}

#[test]
fn pools_do_not_count_for_each_other() {
    // More pools than a thread tells apart, so that some share a count.
    let pools: Vec<_> = (0..20).map(|_| pool(Nested::Refuse).0).collect();
    let held: Vec<_> = pools.iter().map(|pool| pool.get().unwrap()).collect();
    for pool in &pools {
        assert!(pool.get().unwrap_err().is_nested());
    }
    drop(held);
    for pool in &pools {
        assert!(pool.get().is_ok());
    }
}

#[test]
fn one_lost_to_a_panic_is_not_held() {
    let (pool, _) = pool(Nested::Refuse);
    let panicking = catch_unwind(AssertUnwindSafe(|| {
        let _conn = pool.get().unwrap();
        panic!("the holder's own");
    }));
    assert!(panicking.is_err());
    pool.get().unwrap().discard();
    pool.get().unwrap().broken = true;
    assert!(pool.get().is_ok());
}

/// Panics whenever it hears of anything.
struct Nervous;

impl Events for Nervous {
    fn nested(&self, _: &NestedCheckout) {
        panic!("nested");
    }
}

#[test]
fn a_panic_of_who_is_told_leaves_no_trace() {
    let builder = Pool::builder().max_size(3).nested_checkout(Nested::Report);
    let pool = builder.events(Box::new(Nervous)).build(Fake::default()).unwrap();
    let held = pool.get().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(pool.get()))).is_err());
    drop(held);
    thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(|| pool.get().unwrap())).collect();
        let all: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
        assert_eq!(pool.holders().len(), 3);
        drop(all);
    });
    let plain = Pool::builder().max_size(3).build(Fake::default()).unwrap();
    assert_whole(&plain);
}
