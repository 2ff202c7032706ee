//! After 100,000 operations of careless users on a faulty manager, in a pool that is resized and
//! paused meanwhile, all `max_size` connections can be had, and no more.
//!
//! Debug builds count all slots at each visit to the queue, too.

mod support;

use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::Duration;

use larder_pool::{
    Builder, Checkout, Clock, Events, Fate, HandleError, Holder, Nested, NestedCheckout, Pool,
    Pooled, Returned,
};
use support::{Conn, Customs, Fake, Fault, assert_whole, until};

type Site = &'static Location<'static>;

const THREADS: usize = 8;
const OPERATIONS: usize = 100_000;
/// The largest size that the storm asks for.
const LARGEST: u32 = 6;

/// A small generator, splitmix64, until it is told to be quiet: then nothing goes wrong.
#[derive(Clone)]
struct Dice(Arc<(AtomicU64, AtomicBool)>);

impl Dice {
    fn roll(&self, sides: u64) -> u64 {
        let mut z = self.0.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    /// What goes wrong in one call of `calls`: 0 a panic, 1 something milder, else nothing.
    fn fault(&self, calls: u64) -> u64 {
        if self.0.1.load(Ordering::SeqCst) { u64::MAX } else { self.roll(calls) }
    }

    fn micros(&self, below: u64) -> Duration {
        Duration::from_micros(self.roll(below))
    }
}

fn fail_or_panic(fault: u64, what: &'static str) -> Result<(), Fault> {
    match fault {
        0 => panic!("{what}"),
        1 => Err(Fault(what)),
        _ => Ok(()),
    }
}

fn faulty_manager(dice: &Dice) -> Fake {
    let (connect, test, broken) = (dice.clone(), dice.clone(), dice.clone());
    Fake::default()
        .connecting(move || {
            if connect.fault(10) == 2 {
                thread::sleep(Duration::from_micros(300));
            }
            fail_or_panic(connect.fault(20), "connect")
        })
        .testing(move |_| fail_or_panic(test.fault(50), "is_valid"))
        .breaking(move |conn: &mut Conn| {
            fail_or_panic(broken.fault(50), "has_broken").is_err() || conn.broken
        })
}

fn faulty_customs(dice: &Dice) -> Customs {
    let (acquire, release) = (dice.clone(), dice.clone());
    Customs {
        acquire: Box::new(move || fail_or_panic(acquire.fault(40), "on_acquire")),
        release: Box::new(move || drop(fail_or_panic(release.fault(40), "on_release"))),
    }
}

fn faulty_gate(dice: &Dice) -> impl Fn(&mut Conn, Site) -> Returned<Fault> + use<> {
    let dice = dice.clone();
    move |_, _| match dice.fault(80) {
        0 => panic!("the gate"),
        1 => Returned::Mended(Fault("mended")),
        2 => Returned::Refused(Fault("refused")),
        _ => Returned::Clean,
    }
}

impl fmt::Debug for Dice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dice")
    }
}

impl HandleError<Fault> for Dice {
    fn handle_error(&self, _: Fault) {
        let _ = fail_or_panic(self.fault(20), "the error handler");
    }
}

impl Events for Dice {
    fn lent(&self, _: &Checkout) {
        let _ = fail_or_panic(self.fault(200), "lent");
    }
    fn returned(&self, _: &Holder) {
        let _ = fail_or_panic(self.fault(200), "returned");
    }
    fn refused(&self, _: Site, _: &dyn fmt::Display, _: Duration) {
        let _ = fail_or_panic(self.fault(20), "refused");
    }
    fn opened(&self, _: Duration) {
        let _ = fail_or_panic(self.fault(40), "opened");
    }
    fn closed(&self, _: Fate) {
        let _ = fail_or_panic(self.fault(40), "closed");
    }
    fn nested(&self, _: &NestedCheckout) {
        let _ = fail_or_panic(self.fault(40), "nested");
    }
    fn leaked(&self, _: &Holder) {
        let _ = fail_or_panic(self.fault(2), "leaked");
    }
}

/// One of several careless users of one pool.
struct User<'a> {
    pool: &'a Pool<Fake>,
    dice: &'a Dice,
    clock: &'a Clock,
    /// Guards left lying about, for any thread to drop.
    stash: &'a Mutex<Vec<Pooled<Fake>>>,
}

impl User<'_> {
    fn act(&self) {
        match self.dice.roll(1000) {
            0..10 => drop(self.pool.resize(2 + self.dice.roll(5) as u32)),
            10..16 => {
                self.pool.pause();
                thread::yield_now();
                self.pool.resume();
            }
            16..20 => {
                let _ = self.pool.pause_within(self.dice.micros(200));
                self.pool.resume();
            }
            20..25 => self.die_with_one(),
            25..40 => self.clock.advance(Duration::from_millis(self.dice.roll(200))),
            40..70 => self.stash_or_drop(),
            70..200 => self.borrow_many(),
            _ => self.borrow(),
        }
    }

    fn borrow(&self) {
        let conn = match self.dice.roll(4) {
            0 => self.pool.try_get(),
            1 => self.pool.get_timeout(self.dice.micros(500)).ok(),
            _ => self.pool.get_timeout(Duration::from_millis(2)).ok(),
        };
        conn.into_iter().for_each(|conn| self.mistreat(conn));
    }

    fn borrow_many(&self) {
        let count = self.dice.roll(1 + u64::from(LARGEST)) as u32;
        let conns = self.pool.get_many_timeout(count, self.dice.micros(1_000));
        conns.into_iter().flatten().for_each(|conn| self.mistreat(conn));
    }

    fn mistreat(&self, mut conn: Pooled<Fake>) {
        match self.dice.roll(100) {
            0 => panic!("the holder"),
            1 => conn.broken = true,
            2 => conn.discard(),
            3..8 => thread::yield_now(),
            _ => {}
        }
    }

    /// A thread ends with the connection in its hands.
    fn die_with_one(&self) {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let _conn = self.pool.get_timeout(self.dice.micros(500));
                panic!("killed");
            });
            assert!(thread.join().is_err());
        });
    }

    fn stash_or_drop(&self) {
        let old = self.stash.lock().unwrap().pop();
        drop(old);
        if let Ok(conn) = self.pool.get_timeout(self.dice.micros(100)) {
            self.stash.lock().unwrap().push(conn);
        }
    }
}

fn storm(build: impl Fn(Builder<Fake>) -> Builder<Fake>) {
    quieten();
    let dice = Dice(Arc::new((AtomicU64::new(7), AtomicBool::new(false))));
    let clock = Clock::manual();
    let manager = faulty_manager(&dice);
    let counts = Arc::clone(&manager.counts);
    let builder = Pool::builder()
        .max_size(5)
        .max_capacity(LARGEST)
        .test_after_idle(Duration::ZERO)
        .max_lifetime(Some(Duration::from_secs(2)))
        .idle_timeout(Some(Duration::from_secs(1)))
        .leak_threshold(Some(Duration::from_millis(5)))
        .error_handler(Box::new(dice.clone()))
        .connection_customizer(Box::new(faulty_customs(&dice)))
        .return_gate(faulty_gate(&dice))
        .events(Box::new(dice.clone()))
        .clock(clock.clone());
    let pool = build(builder).build_unchecked(manager);
    let stash = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let user = User { pool: &pool, dice: &dice, clock: &clock, stash: &stash };
                for _ in 0..OPERATIONS / THREADS {
                    let _ = catch_unwind(AssertUnwindSafe(|| user.act()));
                }
            });
        }
    });
    dice.0.1.store(true, Ordering::SeqCst);
    drop(stash);
    // The next attempt to connect is due, if the storm looked like an outage: the breaker goes by
    // the same clock.
    clock.advance(Duration::from_secs(60));

    // The storm may have left it at any size.
    assert_whole(&pool);
    for size in [1, LARGEST, 5] {
        pool.resize(size).unwrap();
        assert_whole(&pool);
    }
    let state = pool.state();
    assert_eq!((state.waiters, state.paused), (0, false));
    assert_eq!((state.connections, state.idle_connections), (5, 5));
    assert_eq!(pool.get_many(5).unwrap().len(), 5);
    assert!(pool.holders().is_empty());
    assert!(counts.most_open() <= LARGEST as usize, "{} were open at once", counts.most_open());
    pool.close_within(Duration::from_secs(20)).expect("nobody has one");
    until("every connection closed", || counts.opened() == counts.closed());
}

#[test]
fn on_callers_threads() {
    storm(|builder| builder);
}

#[test]
fn on_isolated_threads() {
    storm(|builder| builder.isolate_blocking_calls());
}

#[test]
fn where_nested_checkouts_are_reported() {
    storm(|builder| builder.nested_checkout(Nested::Report));
}

/// Thousands of panics are expected; their reports would bury a real one. Those of the tests
/// themselves are on their own threads, which have their names.
fn quieten() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let thread = thread::current();
            let own = thread
                .name()
                .is_some_and(|name| name.starts_with("on_") || name.starts_with("where_"));
            if own || info.to_string().contains("lost count") {
                eprintln!("{info}");
            }
        }));
    });
}
