//! Whatever goes wrong in a manager's callbacks, all `max_size` connections can be had afterwards.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use larder_pool::{Builder, Clock, NopErrorHandler, Pool, Returned};
use support::{Customs, Fake, Fault, assert_whole};

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

/// A small generator, so that a failure repeats: splitmix64.
struct Dice(AtomicU64);

impl Dice {
    fn roll(&self, sides: u64) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

fn faulty(dice: &Arc<Dice>, quiet: &Arc<AtomicBool>) -> Fake {
    let roll = |sides: u64| {
        let (dice, quiet) = (Arc::clone(dice), Arc::clone(quiet));
        move || if quiet.load(Ordering::SeqCst) { 100 } else { dice.roll(sides) }
    };
    let (connect, test, broken) = (roll(20), roll(50), roll(50));
    Fake::default()
        .connecting(move || match connect() {
            0 => panic!("connect"),
            1 | 2 => Err(Fault("connect")),
            3 => {
                thread::sleep(Duration::from_micros(300));
                Ok(())
            }
            _ => Ok(()),
        })
        .testing(move |_| match test() {
            0 => panic!("is_valid"),
            1 | 2 => Err(Fault("is_valid")),
            _ => Ok(()),
        })
        .breaking(move |conn| match broken() {
            0 => panic!("has_broken"),
            1 | 2 => true,
            _ => conn.broken,
        })
}

/// One operation of a careless user.
fn use_carelessly(pool: &Pool<Fake>, dice: &Dice) {
    let conn = match dice.roll(4) {
        0 => pool.try_get(),
        1 => pool.get_timeout(Duration::from_micros(dice.roll(500))).ok(),
        _ => pool.get_timeout(Duration::from_secs(20)).ok(),
    };
    let Some(mut conn) = conn else { return };
    match dice.roll(100) {
        0 => panic!("the holder"),
        1 => conn.broken = true,
        2 => conn.discard(),
        3..8 => thread::yield_now(),
        _ => {}
    }
}

fn random_faults(build: impl Fn(Builder<Fake>) -> Builder<Fake>) {
    const THREADS: usize = 8;
    const OPERATIONS: usize = 100_000;
    let dice = Arc::new(Dice(AtomicU64::new(7)));
    let quiet = Arc::new(AtomicBool::new(false));
    let manager = faulty(&dice, &quiet);
    let counts = Arc::clone(&manager.counts);
    let pool = build(builder().max_size(5).test_after_idle(Duration::ZERO));
    let pool = pool.build_unchecked(manager);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..OPERATIONS / THREADS {
                    let _ = catch_unwind(AssertUnwindSafe(|| use_carelessly(&pool, &dice)));
                }
            });
        }
    });
    quiet.store(true, Ordering::SeqCst);
    assert_whole(&pool);
    assert_eq!(pool.state().waiters, 0);
    assert!(counts.most_open() <= 5, "{} were open at once", counts.most_open());
    drop(pool);
    assert_eq!(counts.opened(), counts.closed());
}

#[test]
fn random_faults_on_callers_threads() {
    quieten();
    random_faults(|builder| builder);
}

#[test]
fn random_faults_on_isolated_threads() {
    quieten();
    random_faults(|builder| builder.isolate_blocking_calls());
}

/// Thousands of panics are expected; their reports would bury a real one.
fn quieten() {
    std::panic::set_hook(Box::new(|info| {
        if thread::current().name().is_some_and(|name| name.contains("panic_in")) {
            eprintln!("{info}");
        }
    }));
}
