//! Errors carry the manager's own, typed, and their messages diagnose by themselves.

mod support;

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use larder_pool::{Clock, Pool};
use support::{Customs, Ear, Fake, Fault};

#[test]
fn a_failed_connect_is_the_callers_typed_error_at_once() {
    let ear = Ear::default();
    let manager = Fake::default().connecting(|| Err(Fault("connection refused")));
    let pool = Pool::builder().error_handler(Box::new(ear.clone())).build_unchecked(manager);
    let error = pool.get().unwrap_err();
    assert!(error.is_manager() && !error.is_timeout() && !error.is_closed());
    assert_eq!(error.to_string(), "cannot open a connection: connection refused");
    let source = error.source().unwrap().downcast_ref::<Fault>();
    assert_eq!(source, Some(&Fault("connection refused")));
    assert_eq!(error.cause(), Some(&Fault("connection refused")));
    assert_eq!(error.into_cause(), Some(Fault("connection refused")));
    assert!(ear.heard().is_empty(), "what a caller gets is not told twice");
    assert_eq!(pool.state().connections, 0);
}

/// Says little by itself, as the errors of some drivers do; or says it all, as others do.
#[derive(Debug)]
struct Terse(&'static str, Fault);

impl fmt::Display for Terse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Terse {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.1)
    }
}

/// Refuses with this.
struct Curt(&'static str);

impl larder_pool::ManageConnection for Curt {
    type Connection = ();
    type Error = Terse;

    fn connect(&self) -> Result<(), Terse> {
        Err(Terse(self.0, Fault("connection refused")))
    }

    fn is_valid(&self, _: &mut ()) -> Result<(), Terse> {
        Ok(())
    }

    fn has_broken(&self, _: &mut ()) -> bool {
        false
    }
}

#[test]
fn a_message_goes_down_to_the_last_cause_and_says_each_once() {
    for (says, message) in [
        ("db error", "cannot open a connection: db error: connection refused"),
        (
            "port 5432: connection refused",
            "cannot open a connection: port 5432: connection refused",
        ),
    ] {
        let error = Pool::builder().build_unchecked(Curt(says)).get().unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(format!("{error:?}"), format!("Error({message})"));
        let cause = error.source().and_then(|cause| cause.source()).unwrap();
        assert_eq!(cause.downcast_ref::<Fault>(), Some(&Fault("connection refused")));
    }
}

#[test]
fn build_tries_a_connection() {
    let manager = Fake::default().connecting(|| Err(Fault("no such host")));
    let error = Pool::builder().build(manager).unwrap_err();
    assert_eq!(error.cause(), Some(&Fault("no such host")));
}

#[test]
fn build_opens_min_idle() {
    let pool = Pool::builder().max_size(9).min_idle(Some(5)).build(Fake::default()).unwrap();
    assert_eq!(pool.state().idle_connections, 5);
    let unchecked = Pool::builder().min_idle(Some(5)).build_unchecked(Fake::default());
    assert_eq!(unchecked.state().connections, 0);
}

#[test]
fn a_customizers_error_is_the_callers_too() {
    let refusals = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refusals);
    let customs = Customs {
        acquire: Box::new(move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Fault("no schema")),
            _ => Ok(()),
        }),
        release: Box::new(|| {}),
    };
    let manager = Fake::default();
    let counts = Arc::clone(&manager.counts);
    let pool = Pool::builder().connection_customizer(Box::new(customs)).build_unchecked(manager);
    assert_eq!(pool.get().unwrap_err().cause(), Some(&Fault("no schema")));
    assert_eq!(counts.closed(), 1);
    assert!(pool.get().is_ok());
}

#[test]
fn a_timeout_says_how_long_and_why() {
    let clock = Clock::manual();
    let pool = Pool::builder().max_size(1).clock(clock.clone()).build(Fake::default()).unwrap();
    let held = pool.get().unwrap();
    let site = held.call_site();
    clock.advance(Duration::from_secs(7));
    let error = thread::scope(|scope| {
        let other = scope.spawn(|| pool.get_timeout(Duration::from_millis(5)).unwrap_err());
        other.join().unwrap()
    });
    assert_eq!(
        error.to_string(),
        format!(
            "no connection within 5ms, waiting for one: 1 of 1 in use, 0 others waiting; \
             the longest held was lent at {site} 7s ago"
        )
    );
    assert!(error.source().is_none() && error.held_by_caller().is_none());
    drop(held);
}

#[test]
fn a_timeout_of_who_waits_for_itself_says_so() {
    let clock = Clock::manual();
    let pool = Pool::builder().max_size(1).clock(clock.clone()).build(Fake::default()).unwrap();
    let held = pool.get().unwrap();
    clock.advance(Duration::from_secs(2));
    let error = pool.get_timeout(Duration::from_millis(5)).unwrap_err();
    assert_eq!(error.held_by_caller(), Some(held.call_site()));
    let own = format!("; this thread itself has one, lent at {} 2s ago", held.call_site());
    assert!(error.to_string().ends_with(&own), "{error}");

    // Where the connection was asked for is what counts, not who has it now; and once it is back,
    // whoever brought it back, it counts for nobody.
    let elsewhere = thread::scope(|scope| {
        let other = scope.spawn(|| pool.get_timeout(Duration::from_millis(5)).unwrap_err());
        other.join().unwrap()
    });
    assert_eq!(elsewhere.held_by_caller(), None);
    thread::scope(|scope| drop(scope.spawn(move || drop(held))));
    let theirs = thread::scope(|scope| scope.spawn(|| pool.get().unwrap()).join().unwrap());
    let error = pool.get_timeout(Duration::from_millis(5)).unwrap_err();
    assert_eq!(error.held_by_caller(), None, "{error}");
    drop(theirs);
}

#[test]
fn a_timeout_too_far_away_is_none() {
    let pool = Pool::builder().max_size(1).build(Fake::default()).unwrap();
    assert!(pool.get_timeout(Duration::MAX).is_ok());
}

#[test]
#[should_panic(expected = "min_idle must not exceed max_size")]
fn min_idle_above_max_size() {
    let _ = Pool::builder().max_size(2).min_idle(Some(3)).build(Fake::default());
}

#[test]
#[should_panic(expected = "max_size must be from 1")]
fn no_size() {
    let _ = Pool::<Fake>::builder().max_size(0);
}

#[test]
fn pools_and_guards_and_errors_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    fn moves<T: Send>() {}
    crosses::<Pool<Fake>>();
    moves::<larder_pool::Pooled<Fake>>();
    crosses::<larder_pool::Error<Fault>>();
}
