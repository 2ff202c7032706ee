//! What comes back unfit is never lent again.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use larder_pool::{Pool, Returned};
use support::{Ear, Fake, Fault, until};

#[test]
fn when_the_manager_says_so() {
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().max_size(1).build(manager).unwrap();
    pool.get().unwrap().broken = true;
    assert_eq!(counts.closed(), 1);
    assert_eq!(pool.get().unwrap().id, 1);
}

#[test]
fn when_its_holder_panicked() {
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().max_size(1).build(manager).unwrap();
    let died = catch_unwind(AssertUnwindSafe(|| {
        let _conn = pool.get().unwrap();
        panic!("half way through");
    }));
    assert!(died.is_err());
    assert_eq!(counts.closed(), 1);
    assert_eq!(pool.get().unwrap().id, 1);
}

#[test]
fn when_its_holder_panicked_while_others_waited() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    let held = pool.get().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.get().unwrap().id);
        until("the waiter", || pool.state().waiters == 1);
        let dying = scope.spawn(move || {
            let _conn = held;
            panic!("half way through");
        });
        assert!(dying.join().is_err());
        assert_eq!(waiting.join().unwrap(), 1, "a new one, in the slot of the old");
    });
}

#[test]
fn when_its_holder_says_so() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    pool.get().unwrap().discard();
    assert_eq!(pool.state().connections, 0);
    assert_eq!(pool.get().unwrap().id, 1);
}

#[test]
fn when_the_return_gate_says_so_and_is_heard() {
    let ear = Ear::default();
    let pool = Pool::builder()
        .max_size(1)
        .error_handler(Box::new(ear.clone()))
        .return_gate(|conn: &mut support::Conn, _| match conn.id {
            0 => Returned::Refused(Fault("refused")),
            1 => Returned::Mended(Fault("mended")),
            _ => Returned::Clean,
        })
        .build(Fake::default())
        .unwrap();
    // The one that `build` opened has been refused already.
    assert_eq!(ear.heard(), ["refused"]);
    assert_eq!(pool.get().unwrap().id, 1);
    assert_eq!(pool.get().unwrap().id, 1, "mended ones stay");
    assert_eq!(ear.heard(), ["refused", "mended", "mended"]);
}

#[test]
fn extensions_live_as_long_as_their_connection() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    assert_eq!(pool.get().unwrap().extensions().get::<u32>(), None);
    pool.get().unwrap().extensions_mut().insert(7_u32);
    assert_eq!(pool.get().unwrap().extensions().get(), Some(&7_u32));
    pool.get().unwrap().discard();
    assert_eq!(pool.get().unwrap().extensions().get::<u32>(), None);
}
