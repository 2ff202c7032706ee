//! Whatever goes wrong in a manager's callbacks, all `max_size` connections can be had afterwards.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use larder_pool::{Builder, Clock, Events, NopErrorHandler, Pool, Returned};
use support::{Customs, Fake, assert_whole};

/// Panics once it is armed.
#[derive(Clone, Default)]
struct Mine(Arc<AtomicBool>);

impl Mine {
    fn step(&self) {
        assert!(!self.0.load(Ordering::SeqCst), "the mine went off");
    }

    fn arm(&self, armed: bool) {
        self.0.store(armed, Ordering::SeqCst);
    }
}

fn builder() -> Builder<Fake> {
    Pool::builder().max_size(3).error_handler(Box::new(NopErrorHandler))
}

/// Sets the mine off by `act`, and sees that all three connections can still be had.
fn blow_up(pool: &Pool<Fake>, mine: &Mine, act: impl Fn()) {
    for _ in 0..5 {
        mine.arm(true);
        assert!(catch_unwind(AssertUnwindSafe(&act)).is_err(), "the panic reaches its caller");
        mine.arm(false);
        assert_whole(pool);
    }
}

#[test]
fn panic_in_connect() {
    let mine = Mine::default();
    let theirs = mine.clone();
    let manager = Fake::default().connecting(move || {
        theirs.step();
        Ok(())
    });
    let pool = builder().build_unchecked(manager);
    blow_up(&pool, &mine, || {
        let all: Vec<_> = std::iter::from_fn(|| pool.try_get()).collect();
        all.into_iter().for_each(|conn| conn.discard());
        let _ = pool.get();
    });
}

#[test]
fn panic_in_isolated_connect() {
    let mine = Mine::default();
    let theirs = mine.clone();
    let manager = Fake::default().connecting(move || {
        theirs.step();
        Ok(())
    });
    let pool = builder().isolate_blocking_calls().build_unchecked(manager);
    blow_up(&pool, &mine, || {
        let all: Vec<_> = std::iter::from_fn(|| pool.try_get()).collect();
        all.into_iter().for_each(|conn| conn.discard());
        let _ = pool.get();
    });
}

#[test]
fn panic_in_is_valid() {
    let mine = Mine::default();
    let theirs = mine.clone();
    let manager = Fake::default().testing(move |_| {
        theirs.step();
        Ok(())
    });
    let pool = builder().test_after_idle(Duration::ZERO).build(manager).unwrap();
    blow_up(&pool, &mine, || drop(pool.get()));
}

#[test]
fn panic_in_has_broken() {
    let mine = Mine::default();
    let theirs = mine.clone();
    let manager = Fake::default().breaking(move |_| {
        theirs.step();
        false
    });
    let pool = builder().build(manager).unwrap();
    blow_up(&pool, &mine, || drop(pool.get()));
}

#[test]
fn panic_in_return_gate() {
    let mine = Mine::default();
    let theirs = mine.clone();
    let gate = move |_: &mut support::Conn, _| {
        theirs.step();
        Returned::Clean
    };
    let pool = builder().return_gate(gate).build(Fake::default()).unwrap();
    blow_up(&pool, &mine, || drop(pool.get()));
}

#[test]
fn panic_in_on_acquire() {
    let mine = Mine::default();
    let theirs = mine.clone();
    let customs = Customs {
        acquire: Box::new(move || {
            theirs.step();
            Ok(())
        }),
        release: Box::new(|| {}),
    };
    let pool = builder().connection_customizer(Box::new(customs)).build(Fake::default()).unwrap();
    blow_up(&pool, &mine, || {
        pool.get().unwrap().discard();
        let _held: Vec<_> = (0..3).map(|_| pool.get()).collect();
    });
}

#[test]
fn panic_in_on_release() {
    let mine = Mine::default();
    let theirs = mine.clone();
    let customs =
        Customs { acquire: Box::new(|| Ok(())), release: Box::new(move || theirs.step()) };
    let pool = builder().connection_customizer(Box::new(customs)).build(Fake::default()).unwrap();
    blow_up(&pool, &mine, || pool.get().unwrap().discard());
}

#[test]
fn panic_in_on_release_of_a_panicking_holder_does_not_abort() {
    let mine = Mine::default();
    let theirs = mine.clone();
    let customs =
        Customs { acquire: Box::new(|| Ok(())), release: Box::new(move || theirs.step()) };
    let pool = builder().connection_customizer(Box::new(customs)).build(Fake::default()).unwrap();
    blow_up(&pool, &mine, || {
        let _conn = pool.get().unwrap();
        panic!("the holder's own");
    });
}

#[test]
fn panic_while_reaping() {
    let mine = Mine::default();
    let theirs = mine.clone();
    let customs =
        Customs { acquire: Box::new(|| Ok(())), release: Box::new(move || theirs.step()) };
    let clock = Clock::manual();
    let pool = builder()
        .clock(clock.clone())
        .idle_timeout(Some(Duration::from_secs(1)))
        .connection_customizer(Box::new(customs))
        .build(Fake::default())
        .unwrap();
    blow_up(&pool, &mine, || {
        let two = (pool.get().unwrap(), pool.get().unwrap());
        let last = pool.get().unwrap();
        drop(two);
        clock.advance(Duration::from_secs(2));
        drop(last);
    });
}

struct Explosive(Mine);

impl Events for Explosive {
    fn opened(&self, _: Duration) {
        self.0.step();
    }
}

#[test]
fn panic_in_opened_and_the_connection_is_in_no_book() {
    let mine = Mine::default();
    let released = Arc::new(AtomicUsize::new(0));
    let theirs = Arc::clone(&released);
    let customs = Customs {
        acquire: Box::new(|| Ok(())),
        release: Box::new(move || {
            theirs.fetch_add(1, Ordering::SeqCst);
        }),
    };
    let pool = builder()
        .events(Box::new(Explosive(mine.clone())))
        .connection_customizer(Box::new(customs))
        .build_unchecked(Fake::default());
    mine.arm(true);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(pool.get()))).is_err());
    let metrics = pool.metrics();
    assert_eq!((metrics.opened, metrics.closed.total()), (1, 1));
    assert_eq!(released.load(Ordering::SeqCst), 1, "on_release is called for each");
    mine.arm(false);
    assert_whole(&pool);
}
