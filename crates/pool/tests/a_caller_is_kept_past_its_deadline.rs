//! No caller is answered long after its deadline, whatever holds the connection back.

mod support;

use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use larder_pool::{NopErrorHandler, Pool};
use support::{Fake, until};

/// On an idle machine 10 ms is what we promise; a test may run beside others.
const LATE: Duration = Duration::from_millis(250);

/// Asks with a deadline, and returns how much later the answer came.
fn lateness(pool: &Pool<Fake>, timeout: Duration) -> Duration {
    let asked = Instant::now();
    let error = pool.get_timeout(timeout).expect_err("nothing can be had");
    let took = asked.elapsed();
    assert!(error.is_timeout(), "{error}");
    assert!(took >= timeout, "gave up after {took:?} of {timeout:?}");
    took - timeout
}

#[test]
fn while_all_are_lent() {
    let pool = Pool::builder().max_size(2).build(Fake::default()).unwrap();
    let _held = (pool.get().unwrap(), pool.get().unwrap());
    thread::scope(|scope| {
        for nth in 0..20 {
            let pool = &pool;
            scope.spawn(move || {
                let late = lateness(pool, Duration::from_millis(nth * 7));
                assert!(late < LATE, "{late:?} late");
            });
        }
    });
    assert_eq!(pool.state().waiters, 0, "those who gave up have left the queue");
}

/// Hangs until it is let go.
fn hanging(gate: &Arc<Mutex<()>>) -> Fake {
    let gate = Arc::clone(gate);
    Fake::default().connecting(move || {
        drop(gate.lock().unwrap());
        Ok(())
    })
}

#[test]
fn while_connect_hangs_in_isolation() {
    let gate = Arc::new(Mutex::new(()));
    let manager = hanging(&gate);
    let counts = Arc::clone(&manager.counts);
    let hang = gate.lock().unwrap();
    let pool = Pool::builder().max_size(1).isolate_blocking_calls().build_unchecked(manager);

    let late = lateness(&pool, Duration::from_millis(50));
    assert!(late < LATE, "{late:?} late");
    // The hanging call has the only slot: the next caller waits, and exactly as long as it said.
    let late = lateness(&pool, Duration::from_millis(50));
    assert!(late < LATE, "{late:?} late");

    drop(hang);
    until("the late connection", || pool.state().idle_connections == 1);
    assert!(pool.get().is_ok());
    assert_eq!(counts.opened(), 1, "the late connection was put to use");
}

#[test]
fn while_is_valid_hangs_in_isolation() {
    let gate = Arc::new(Mutex::new(()));
    let theirs = Arc::clone(&gate);
    let manager = Fake::default().testing(move |_| {
        drop(theirs.lock().unwrap());
        Ok(())
    });
    let pool = Pool::builder()
        .max_size(1)
        .test_after_idle(Duration::ZERO)
        .isolate_blocking_calls()
        .build(manager)
        .unwrap();
    let hang = gate.lock().unwrap();
    let late = lateness(&pool, Duration::from_millis(50));
    assert!(late < LATE, "{late:?} late");
    drop(hang);
    assert!(pool.get().is_ok());
}

#[test]
fn while_somebody_elses_connect_hangs() {
    let gate = Arc::new(Mutex::new(()));
    let pool = Pool::builder().max_size(1).build_unchecked(hanging(&gate));
    let hang = gate.lock().unwrap();
    thread::scope(|scope| {
        // On the caller's thread the call can't be left: this one comes back when it is let go.
        let hung = scope.spawn(|| pool.get_timeout(Duration::from_millis(1)).map(drop));
        until("the connect", || pool.state().connections == 1);
        let late = lateness(&pool, Duration::from_millis(50));
        assert!(late < LATE, "{late:?} late");
        drop(hang);
        assert!(hung.join().unwrap().is_ok(), "what came late is lent rather than wasted");
    });
}

#[test]
fn however_often_the_test_fails() {
    let manager = Fake::default()
        .testing(|_| {
            thread::sleep(Duration::from_millis(30));
            Err(support::Fault("stale"))
        })
        .breaking(|_| false);
    let pool = Pool::builder()
        .max_size(4)
        .min_idle(Some(4))
        .test_after_idle(Duration::ZERO)
        .error_handler(Box::new(NopErrorHandler))
        .build(manager)
        .unwrap();
    let asked = Instant::now();
    // One test, 30 ms, then the deadline is over and no connect is begun.
    let error = pool.get_timeout(Duration::from_millis(20)).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(asked.elapsed() < Duration::from_millis(30) + LATE);
    support::assert_whole(&pool);
}

#[test]
fn a_connection_freed_at_the_last_moment_is_not_lost() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    for round in 0..300 {
        let held = pool.get().unwrap();
        let meet = Barrier::new(2);
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                meet.wait();
                pool.get_timeout(Duration::from_micros(200)).is_ok()
            });
            meet.wait();
            let release = Instant::now() + Duration::from_micros(100 + round % 200);
            while Instant::now() < release {
                std::hint::spin_loop();
            }
            drop(held);
            let _either_way = asking.join().unwrap();
        });
        assert_eq!(pool.state().idle_connections, 1, "round {round}");
    }
}

/// Holds whoever comes, until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn pass(&self) {
        let (open, bell) = &*self.0;
        drop(bell.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// Asks from several threads with all kinds of deadlines, for one and for many, where nothing can
/// be had, and prints the true figure: on an idle machine a millisecond or less.
fn nobody_is_late(why: &str, pool: &Pool<Fake>) {
    const THREADS: u64 = 8;
    let worst = Mutex::new(Duration::ZERO);
    thread::scope(|scope| {
        for nth in 0..THREADS {
            let worst = &worst;
            scope.spawn(move || {
                for round in 0..8 {
                    let timeout = Duration::from_micros((nth * 8 + round) * 7_919 % 40_000);
                    let asked = Instant::now();
                    let error = match (nth + round) % 3 {
                        0 => pool.get_many_timeout(2, timeout).map(drop).unwrap_err(),
                        _ => pool.get_timeout(timeout).map(drop).unwrap_err(),
                    };
                    let took = asked.elapsed();
                    assert!(error.is_timeout(), "{why}: {error}");
                    assert!(took >= timeout, "{why}: gave up after {took:?} of {timeout:?}");
                    let mut worst = worst.lock().unwrap();
                    *worst = worst.max(took - timeout);
                }
            });
        }
    });
    let worst = worst.into_inner().unwrap();
    println!("{why}: at most {worst:?} late");
    assert!(worst < LATE, "{why}: {worst:?} late");
    assert_eq!(pool.state().waiters, 0, "{why}: those who gave up have left the queue");
}

#[test]
fn whatever_the_deadline_and_whatever_it_waits_for() {
    let two = || Pool::builder().max_size(2);

    let pool = two().build(Fake::default()).unwrap();
    let lent = pool.get_many(2).unwrap();
    nobody_is_late("all lent", &pool);
    pool.resize(1).unwrap();
    pool.resize(2).unwrap();
    nobody_is_late("all lent, resized", &pool);
    drop(lent);
    pool.pause();
    nobody_is_late("paused", &pool);
    pool.resume();
    support::assert_whole(&pool);

    let gate = Gate::default();
    let theirs = gate.clone();
    let manager = Fake::default().connecting(move || {
        theirs.pass();
        Ok(())
    });
    let pool = two().isolate_blocking_calls().build_unchecked(manager);
    nobody_is_late("connect hangs", &pool);
    gate.open();
    support::assert_whole(&pool);

    let gate = Gate::default();
    let theirs = gate.clone();
    let manager = Fake::default().testing(move |_| {
        theirs.pass();
        Ok(())
    });
    let counts = Arc::clone(&manager.counts);
    let pool = two().test_after_idle(Duration::ZERO).isolate_blocking_calls();
    let pool = pool.min_idle(Some(2)).build(manager).unwrap();
    nobody_is_late("is_valid hangs", &pool);
    gate.open();
    support::assert_whole(&pool);
    assert_eq!((counts.opened(), counts.closed()), (2, 0), "nothing is wrong with them");
}

#[test]
fn a_drain_and_a_pause_that_wait() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    let _held = pool.get().unwrap();
    for (what, wait) in [
        ("pause", Pool::pause_within as fn(&Pool<Fake>, Duration) -> Result<_, _>),
        ("drain", Pool::close_within),
    ] {
        for timeout in [0, 1, 17].map(Duration::from_millis) {
            let asked = Instant::now();
            assert!(wait(&pool, timeout).unwrap_err().is_timeout());
            let late = asked.elapsed().checked_sub(timeout).expect("not before it is due");
            println!("{what}: {late:?} late");
            assert!(late < LATE, "{what}: {late:?} late");
        }
    }
}

#[test]
fn a_test_that_there_is_no_time_for_costs_no_connection() {
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let builder = Pool::builder().max_size(1).test_after_idle(Duration::ZERO);
    let pool = builder.isolate_blocking_calls().build(manager).unwrap();
    for _ in 0..50 {
        // Its thread has rarely begun by then; when it has, the tested connection comes back too.
        if let Err(error) = pool.get_timeout(Duration::ZERO) {
            assert!(error.is_timeout(), "{error}");
        }
        until("the connection is back", || pool.state().idle_connections == 1);
    }
    assert_eq!((counts.opened(), counts.closed()), (1, 0));
    let tested = counts.tested();
    drop(pool.get().unwrap());
    assert_eq!(counts.tested(), tested + 1, "what was not tested is still to be");
}
