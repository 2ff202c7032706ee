//! Whoever has a connection is known by the place that asked for it, and nobody else is.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use larder_pool::{Clock, Pool, Returned};
use support::{Conn, Fake};

#[test]
fn each_has_its_own_call_site() {
    let pool = Pool::builder().max_size(3).build(Fake::default()).unwrap();
    let here = line!();
    let first = pool.get().unwrap();
    let second = pool.get_timeout(Duration::from_secs(9)).unwrap();
    drop(pool.get().unwrap());
    let third = pool.try_get().unwrap();
    let sites = [&first, &second, &third].map(|conn| conn.call_site());
    assert_eq!(sites.map(|site| site.line()), [here + 1, here + 2, here + 4]);
    assert!(sites.iter().all(|site| site.file() == file!()));
    let mut lines: Vec<_> = pool.holders().iter().map(|who| who.call_site.line()).collect();
    lines.sort_unstable();
    assert_eq!(lines, [here + 1, here + 2, here + 4]);
}

#[test]
fn the_longest_holder_is_the_first() {
    let clock = Clock::manual();
    let pool = Pool::builder().max_size(3).clock(clock.clone()).build(Fake::default()).unwrap();
    let old = pool.get().unwrap();
    clock.advance(Duration::from_secs(60));
    let young = pool.get().unwrap();
    clock.advance(Duration::from_secs(3));
    let holders = pool.holders();
    let ages: Vec<_> = holders.iter().map(|who| who.held_for.as_secs()).collect();
    assert_eq!(ages, [63, 3]);
    assert_eq!(holders[0].call_site, old.call_site());
    assert_eq!(holders[0].to_string(), format!("lent at {} 63s ago", old.call_site()));
    drop((old, young));
}

#[test]
fn who_has_left_is_not_one() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    let nobody = |way: &str| assert_eq!(pool.holders(), [], "after it was {way}");
    nobody("built");
    drop(pool.get().unwrap());
    nobody("returned");
    pool.get().unwrap().discard();
    nobody("discarded");
    pool.get().unwrap().broken = true;
    nobody("returned broken");
    let panicking = catch_unwind(AssertUnwindSafe(|| {
        let _conn = pool.get().unwrap();
        panic!("the holder's own");
    }));
    assert!(panicking.is_err());
    nobody("dropped by a panic");
    let conn = pool.get().unwrap();
    thread::spawn(move || drop(conn)).join().unwrap();
    nobody("returned by another thread");
    let conn = pool.get().unwrap();
    pool.close();
    assert_eq!(pool.holders().len(), 1, "closing does not hide who stayed out");
    drop(conn);
    nobody("returned to a closed pool");
}

#[test]
fn the_return_gate_is_told_whose_connection_it_was() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&seen);
    let gate = move |_: &mut Conn, site: &'static std::panic::Location<'static>| {
        theirs.lock().unwrap().push(site);
        Returned::Clean
    };
    let pool = Pool::builder().return_gate(gate).build(Fake::default()).unwrap();
    let built = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(built.len(), 1, "build tries a connection and returns it");
    assert_eq!(built[0].file(), file!());
    let conn = pool.get().unwrap();
    let site = conn.call_site();
    drop(conn);
    assert_eq!(*seen.lock().unwrap(), [site]);
}
