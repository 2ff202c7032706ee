//! However many ask at once, an entry is made once, and all of them get it.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use larder_files::{Begin, Error, FileCache, Key, Lease, Limits};
use tempfile::TempDir;

fn cache() -> (TempDir, FileCache) {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    (dir, cache)
}

fn key(n: usize) -> Key {
    Key::new(format!("source {n}"), "1", "p")
}

fn lead(cache: &FileCache, key: &Key) -> Lease {
    match cache.begin(key) {
        Begin::Make(lease) => lease,
        other => panic!("expected to lead, found {other:?}"),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[test]
fn sixty_four_threads_make_it_once() {
    let (_dir, cache) = cache();
    let (made, start) = (AtomicUsize::new(0), Barrier::new(64));
    for round in 0..20 {
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    start.wait();
                    let entry = cache.get_or_make(&key(round), |out| {
                        made.fetch_add(1, Ordering::SeqCst);
                        thread::yield_now();
                        out.write_all(format!("body {round}").as_bytes())
                    });
                    assert_eq!(entry.unwrap().read().unwrap(), format!("body {round}"));
                });
            }
        });
        assert_eq!(made.load(Ordering::SeqCst), round + 1);
    }
    assert_eq!(cache.stats().made, 20);
}

#[test]
fn all_forms_of_waiting_get_what_is_published() {
    let (_dir, cache) = cache();
    let lease = lead(&cache, &key(1));
    let (tell, told) = mpsc::channel();
    let Begin::Busy(parked) = cache.begin(&key(1)) else { panic!("not busy") };
    parked.on_ready(move |outcome| tell.send(outcome).unwrap());
    let Begin::Busy(blocked) = cache.begin(&key(1)) else { panic!("not busy") };
    let Begin::Busy(late) = cache.begin(&key(1)) else { panic!("not busy") };
    let waiter = thread::spawn(move || blocked.wait(soon()));

    let entry = lease.publish(b"the body");
    assert_eq!(told.recv().unwrap().unwrap().etag(), entry.etag());
    assert_eq!(waiter.join().unwrap().unwrap().read().unwrap(), "the body");
    let (tell, told) = mpsc::channel();
    late.on_ready(move |outcome| tell.send(outcome.unwrap().len()).unwrap());
    assert_eq!(told.try_recv().unwrap(), 8, "a callback left too late is called at once");
}

#[test]
fn a_failure_reaches_every_waiter_and_is_not_remembered() {
    let (_dir, cache) = cache();
    let lease = lead(&cache, &key(1));
    let Begin::Busy(flight) = cache.begin(&key(1)) else { panic!("not busy") };
    let waiter = thread::spawn(move || flight.wait(soon()));
    lease.fail(Arc::new(std::io::Error::other("no such photo")));
    let error = waiter.join().unwrap().unwrap_err();
    assert!(error.is_failed() && error.to_string().contains("no such photo"), "{error}");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no such photo");
    lead(&cache, &key(1)).publish(b"now");
    assert!(cache.get(&key(1)).is_some());
}

#[test]
fn a_dropped_lease_makes_a_waiter_lead() {
    let (_dir, cache) = cache();
    let lease = lead(&cache, &key(1));
    let Begin::Busy(flight) = cache.begin(&key(1)) else { panic!("not busy") };
    let blocking = {
        let cache = cache.clone();
        thread::spawn(move || cache.get_or_make(&key(1), |out| out.write_all(b"by the waiter")))
    };
    while cache.stats().coalesced < 2 {
        thread::yield_now();
    }
    drop(lease);
    assert!(flight.wait(soon()).unwrap_err().is_abandoned());
    assert_eq!(blocking.join().unwrap().unwrap().read().unwrap(), "by the waiter");
}

#[test]
fn a_panicking_maker_wakes_the_waiters_and_poisons_nothing() {
    let (_dir, cache) = cache();
    let (entered, wait_entered) = mpsc::channel();
    let (go, wait_go) = mpsc::channel::<()>();
    let maker = {
        let cache = cache.clone();
        thread::spawn(move || {
            cache.get_or_make(&key(1), |_| -> Result<(), Infallible> {
                entered.send(()).unwrap();
                wait_go.recv().unwrap();
                panic!("on purpose")
            })
        })
    };
    wait_entered.recv().unwrap();
    let Begin::Busy(flight) = cache.begin(&key(1)) else { panic!("not busy") };
    go.send(()).unwrap();
    assert!(flight.wait(soon()).unwrap_err().is_panicked());
    assert!(maker.join().is_err());
    assert!(cache.get_or_make(&key(1), |out| out.write_all(b"fine")).is_ok());
}

#[test]
fn a_panicking_callback_hurts_nobody_else() {
    let (_dir, cache) = cache();
    let lease = lead(&cache, &key(1));
    let (tell, told) = mpsc::channel();
    for n in 0..3 {
        let Begin::Busy(flight) = cache.begin(&key(1)) else { panic!("not busy") };
        let tell = tell.clone();
        flight.on_ready(move |outcome| {
            assert_ne!(n, 1, "on purpose");
            tell.send(outcome.is_ok()).unwrap();
        });
    }
    lease.publish(b"body");
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [true, true]);
}

#[test]
fn a_callback_may_use_the_cache() {
    let (_dir, cache) = cache();
    let lease = lead(&cache, &key(1));
    let Begin::Busy(flight) = cache.begin(&key(1)) else { panic!("not busy") };
    let (tell, told) = mpsc::channel();
    let again = cache.clone();
    flight.on_ready(move |_| {
        assert!(again.remove(&key(1)));
        lead(&again, &key(1)).publish(b"second");
        tell.send(again.get(&key(1)).unwrap().read().unwrap()).unwrap();
    });
    lease.publish(b"first");
    assert_eq!(told.try_recv().unwrap(), "second");
}

#[test]
fn a_maker_that_asks_for_its_own_entry_gets_an_error() {
    let (_dir, cache) = cache();
    let inner = cache.clone();
    let outer = cache.get_or_make(&key(1), |_| -> Result<(), Error> {
        inner.get_or_make(&key(1), |out| out.write_all(b"never")).map(|_| ())
    });
    let error = outer.unwrap_err();
    assert!(error.is_failed() && error.to_string().contains("asks for this entry"), "{error}");
}

#[test]
fn waiting_ends_at_the_deadline_and_waiters_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits::new().wait(Duration::from_millis(20)).max_waiters(1);
    let cache = FileCache::open(dir.path(), limits).unwrap();
    let lease = lead(&cache, &key(1));
    let late = cache.get_or_make(&key(1), |_| Ok::<(), Infallible>(()));
    assert!(late.unwrap_err().is_timeout());
    let Begin::Busy(first) = cache.begin(&key(1)) else { panic!("not busy") };
    let Begin::Busy(second) = cache.begin(&key(1)) else { panic!("not busy") };
    first.on_ready(|_| {});
    let (tell, told) = mpsc::channel();
    second.on_ready(move |outcome| tell.send(outcome).unwrap());
    assert!(told.try_recv().unwrap().unwrap_err().is_crowded());
    lease.publish(b"body");
}

#[test]
fn a_refusal_is_remembered_until_its_time_or_a_purge() {
    let (_dir, cache) = cache();
    let minute = Duration::from_secs(60);
    let refuse = |ttl| {
        let reason = Arc::new(std::io::Error::other("not a picture"));
        lead(&cache, &key(1)).refuse(reason, ttl)
    };
    refuse(minute);
    let Begin::Refused(refusal) = cache.begin(&key(1)) else { panic!("not refused") };
    assert_eq!(refusal.reason().to_string(), "not a picture");
    assert!(refusal.retry_after() <= minute && refusal.retry_after() > minute / 2);
    let error = cache.get_or_make(&key(1), |_| Ok::<(), Infallible>(())).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("not a picture"), "{error}");
    assert!(matches!(cache.begin(&Key::new("source 1", "2", "p")), Begin::Make(_)));

    cache.purge_source("source 1");
    refuse(Duration::ZERO);
    refuse(minute);
    cache.remove(&key(1));
    lead(&cache, &key(1)).publish(b"a picture after all");
}
