//! The manager's two blocking calls, connect and test, and where they run.
//!
//! On the caller's thread (the default) there is no hand-over and nothing to be late, but a call
//! that hangs holds the caller beyond its deadline: only the manager's own time-out ends it. With
//! [`Builder::isolate_blocking_calls`](crate::Builder::isolate_blocking_calls) each such call gets
//! a thread of its own and the caller leaves at its deadline; what comes of the call is then put
//! into the pool.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use r2d2::ManageConnection;

use crate::admission::DuringOutage;
use crate::breaker::Attempt;
use crate::error::in_full;
use crate::live::{Claim, Fate, Live};
use crate::metrics::count;
use crate::shared::Shared;

/// A blocking call to make.
pub(crate) enum Job<M: ManageConnection> {
    Connect(Claim<M>, Pass<M>),
    Test(Box<Live<M>>),
}

/// A usable connection, or the slot with what went wrong in it.
pub(crate) type Outcome<M> = Result<Box<Live<M>>, (Claim<M>, <M as ManageConnection>::Error)>;

/// Runs a job by a deadline; `None` when the deadline came first.
pub(crate) type Runner<M> = fn(Job<M>, Option<Instant>) -> Option<Outcome<M>>;

impl<M: ManageConnection> Job<M> {
    fn perform(self) -> Outcome<M> {
        match self {
            Job::Connect(claim, pass) => connect(claim, pass),
            Job::Test(live) => test(live),
        }
    }

    /// There is no time left to begin it. A connection that was to be tested goes back as it is,
    /// as due as before: its next caller tests it. A slot that was to be filled is free.
    fn forgo(self) {
        if let Job::Test(live) = self {
            Shared::put(live);
        }
    }
}

fn connect<M: ManageConnection>(claim: Claim<M>, mut pass: Pass<M>) -> Outcome<M> {
    let shared = &claim.shared;
    let began = Instant::now();
    let opened = shared.manager.connect().and_then(|mut conn| {
        shared.config.customizer.on_acquire(&mut conn)?;
        Ok(conn)
    });
    match opened {
        Ok(conn) => {
            let now = shared.config.clock.now();
            let expires_at = shared.expiry(now);
            let due_at = shared.due(now, expires_at);
            // Before anybody hears of it: a panic there closes it as any other.
            let live = Box::new(Live {
                conn: Some(conn),
                extensions: None,
                due_at,
                expires_at,
                returned_at: now,
                fate: Fate::Unwanted,
                claim,
            });
            pass.succeeded(began.elapsed());
            Ok(live)
        }
        Err(cause) => {
            pass.failed(&cause);
            Err((claim, cause))
        }
    }
}

/// The right to make one attempt to open a connection. It says how the attempt went: nothing else
/// has happened when it is dropped before, or a panic.
pub(crate) struct Pass<M: ManageConnection> {
    shared: Arc<Shared<M>>,
    /// Until it is said. None at all when there is no breaker.
    attempt: Option<Attempt>,
}

impl<M: ManageConnection> Pass<M> {
    pub(crate) fn new(claim: &Claim<M>, attempt: Option<Attempt>) -> Self {
        Pass { shared: Arc::clone(&claim.shared), attempt }
    }

    fn succeeded(&mut self, took: Duration) {
        let shared = &*self.shared;
        let now = shared.config.clock.exact();
        let ended = self.attempt.take().and_then(|done| shared.admission.succeed(done, now));
        shared.tally.connect.count(took);
        shared.config.events.opened(took);
        if let Some(outage) = ended {
            shared.config.events.outage_ended(&outage);
        }
    }

    fn failed(&mut self, cause: &M::Error) {
        self.failed_because(in_full(cause));
    }

    fn failed_because(&mut self, cause: String) {
        let shared = &*self.shared;
        let now = shared.config.clock.exact();
        let refusable = shared.config.during_outage == DuringOutage::Refuse;
        count(&shared.tally.connect_failures);
        let begun = self
            .attempt
            .take()
            .and_then(|done| shared.admission.fail(done, now, cause.into(), refusable));
        if let Some(outage) = begun
            && !thread::panicking()
        {
            shared.config.events.outage_began(&outage);
        }
    }
}

impl<M: ManageConnection> Drop for Pass<M> {
    fn drop(&mut self) {
        if thread::panicking() {
            if self.attempt.is_some() {
                self.failed_because("connecting panicked".into());
            }
        } else if let Some(attempt) = self.attempt.take() {
            self.shared.admission.cancel(attempt, self.shared.config.clock.exact());
        }
    }
}

fn test<M: ManageConnection>(mut live: Box<Live<M>>) -> Outcome<M> {
    let conn = live.conn.as_mut().expect("a live connection until it is retired");
    match live.claim.shared.manager.is_valid(conn) {
        Ok(()) => {
            let shared = &live.claim.shared;
            live.due_at = shared.due(shared.config.clock.now(), live.expires_at);
            Ok(live)
        }
        Err(cause) => {
            live.claim.shared.admission.suspect();
            Err((live.retire(Fate::Invalid), cause))
        }
    }
}

/// Runs the job here and now, however long it takes.
pub(crate) fn on_caller<M: ManageConnection>(
    job: Job<M>,
    _deadline: Option<Instant>,
) -> Option<Outcome<M>> {
    Some(job.perform())
}

/// What a caller and the thread that works for it share. Either side acts on what it finds under
/// the mutex.
struct Desk<M: ManageConnection> {
    turn: Mutex<Turn<M>>,
    bell: Condvar,
}

enum Turn<M: ManageConnection> {
    /// Left by the caller, taken by the worker; by the caller again when there is no worker.
    Ordered(Job<M>),
    /// Left by whoever took something.
    Pending,
    /// Left by the worker.
    Done(thread::Result<Outcome<M>>),
    /// Left by the caller at its deadline: the worker disposes of the outcome.
    Abandoned,
}

impl<M: ManageConnection> Desk<M> {
    fn take(&self) -> Turn<M> {
        std::mem::replace(&mut *self.turn.lock(), Turn::Pending)
    }

    fn work(&self) {
        // A caller whose deadline came before this thread ran has taken the order back.
        let Turn::Ordered(job) = self.take() else { return };
        let done = catch_unwind(AssertUnwindSafe(|| job.perform()));
        let mut turn = self.turn.lock();
        if matches!(*turn, Turn::Pending) {
            *turn = Turn::Done(done);
            self.bell.notify_one();
        } else {
            drop(turn);
            dispose(done);
        }
    }

    fn wait(&self, deadline: Option<Instant>) -> Option<Outcome<M>> {
        let mut turn = self.turn.lock();
        while matches!(*turn, Turn::Ordered(_) | Turn::Pending) {
            let late = match deadline {
                Some(at) => self.bell.wait_until(&mut turn, at).timed_out(),
                None => {
                    self.bell.wait(&mut turn);
                    false
                }
            };
            if late {
                break;
            }
        }
        let found = std::mem::replace(&mut *turn, Turn::Abandoned);
        drop(turn);
        match found {
            Turn::Done(Ok(outcome)) => Some(outcome),
            Turn::Done(Err(panic)) => resume_unwind(panic),
            Turn::Ordered(job) => {
                job.forgo();
                None
            }
            Turn::Pending | Turn::Abandoned => None,
        }
    }
}

/// Runs the job on a thread of its own and waits for it until the deadline; here, when the system
/// has no thread to give.
pub(crate) fn isolated<M>(job: Job<M>, deadline: Option<Instant>) -> Option<Outcome<M>>
where
    M: ManageConnection,
    M::Error: Send,
{
    let desk = Arc::new(Desk { turn: Mutex::new(Turn::Ordered(job)), bell: Condvar::new() });
    let theirs = Arc::clone(&desk);
    let worker = thread::Builder::new().name("pool-connect".into());
    if worker.spawn(move || theirs.work()).is_err()
        && let Turn::Ordered(job) = desk.take()
    {
        return on_caller(job, deadline);
    }
    desk.wait(deadline)
}

/// A connection that came too late for its caller serves the next; a late error is reported.
fn dispose<M: ManageConnection>(done: thread::Result<Outcome<M>>) {
    match done {
        Ok(Ok(live)) => Shared::give_back(live),
        Ok(Err((claim, cause))) => claim.shared.config.error_handler.handle_error(cause),
        // The panic hook has reported it, and unwinding has freed the slot.
        Err(_) => {}
    }
}
