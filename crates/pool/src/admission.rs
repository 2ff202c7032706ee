//! Who opens a connection, and when: the breaker, and the row of callers that it keeps waiting.
//!
//! A caller that comes here has claimed a vacant slot, so it is ahead of all who wait for one in the
//! bag's queue. It leaves with the first of these:
//!
//! - *Go*: it may make an attempt. Given to the oldest in the row as attempts become possible.
//! - *Instead*: a connection that somebody returned. While anybody sits in the row, returns go to
//!   the oldest there before they go to the bag; so good connections are lent on through an outage.
//! - *Refused*: the database is out, as two attempts have shown, and callers are not to wait for it.
//! - *Late*: its deadline came first. *Closed*: the pool is.
//!
//! **Who watches the clock.** Only the oldest in the row that has no verdict: it wakes when the
//! breaker allows the next attempt. Whatever changes that moment, or who is the oldest, rings for
//! the oldest, which reckons anew. When nobody sits nobody watches; who comes asks the breaker.
//!
//! **No lost connection.** Whoever becomes the oldest in the row looks through the slots under the
//! queue's lock, takes what is idle and marks what is busy. So a return that does not see the seat
//! yet either is found in its slot, or finds the mark, comes to the queue's lock, and sees it there.
//!
//! **No deadlock.** A caller for many connections keeps its place in the row until it has all, and
//! only the oldest may sit there with some in its hands: any other gives them up first (*again*),
//! to those before it, and comes back with its old place. So does everybody when the pool is paused.
//!
//! **Lock order.** The desk, then the queue, for the look through the slots. What a verdict replaces
//! is dropped by its caller.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::bag::{Bag, Landed};
use crate::breaker::{Attempt, Breaker, Outage};
use crate::clock::{NEVER, Tick};
use crate::slot::Resident;
use crate::sync::{Arc, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, wait};

/// What becomes of callers that need a new connection while none can be opened; see
/// [`Builder::during_outage`](crate::Builder::during_outage).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DuringOutage {
    /// They get an error at once that says why. The one that makes the next attempt gets the
    /// manager's own error if it fails.
    #[default]
    Refuse,
    /// They wait for the end of it, up to their deadlines. The errors of failed attempts go to the
    /// error handler.
    Wait,
    /// Each tries for itself, as if there were no breaker.
    Try,
}

/// How a caller leaves.
pub(crate) enum Admitted<T> {
    Go(Attempt),
    Instead(Box<T>),
    Refused(Outage),
    /// Let go of everything and claim again.
    Again,
    Late,
    Closed,
}

/// A caller's place in the row: given when it first comes there, kept for as long as it comes back.
#[derive(Default)]
pub(crate) struct Place(Option<u64>);

/// A caller that asks.
pub(crate) struct Applicant<C, P> {
    pub(crate) clock: C,
    pub(crate) deadline: Option<Instant>,
    /// Whether an outage ends its wait.
    pub(crate) refusable: bool,
    /// Whether it has a connection while it asks for another.
    pub(crate) holds: bool,
    /// Whether nothing may be lent.
    pub(crate) paused: P,
}

pub(crate) struct Admission<T> {
    /// How many sit without a verdict. Written under the desk's lock, read by each return.
    seated: AtomicUsize,
    desk: Mutex<Desk<T>>,
}

struct Desk<T> {
    breaker: Breaker,
    /// By place, the oldest first. Each leaves by itself, with its verdict or without.
    row: VecDeque<Seat<T>>,
    tickets: u64,
    /// Set once.
    closed: bool,
}

struct Seat<T> {
    ticket: u64,
    holds: bool,
    bell: Arc<Condvar>,
    verdict: Option<Admitted<T>>,
}

impl<T> Desk<T> {
    /// Those who have no verdict, the oldest first.
    fn seated(&mut self) -> impl Iterator<Item = &mut Seat<T>> {
        self.row.iter_mut().filter(|seat| seat.verdict.is_none())
    }

    fn place(&mut self, place: &mut Place) -> u64 {
        *place.0.get_or_insert_with(|| {
            self.tickets += 1;
            self.tickets
        })
    }

    fn sit(&mut self, ticket: u64, holds: bool) -> Arc<Condvar> {
        let bell = Arc::new(Condvar::new());
        let seat = Seat { ticket, holds, bell: Arc::clone(&bell), verdict: None };
        let behind = self.row.partition_point(|other| other.ticket < ticket);
        self.row.insert(behind, seat);
        // They may not sit there any more with what they have.
        let holders = self.row.iter().skip(behind + 1).filter(|other| other.holds);
        holders.for_each(|other| _ = other.bell.notify_one());
        bell
    }

    fn leave(&mut self, ticket: u64) -> Option<Admitted<T>> {
        let place = self.row.iter().position(|seat| seat.ticket == ticket)?;
        self.row.remove(place)?.verdict
    }

    fn is_settled(&self, ticket: u64) -> bool {
        self.row.iter().any(|seat| seat.ticket == ticket && seat.verdict.is_some())
    }

    fn is_oldest(&mut self, ticket: u64) -> bool {
        self.seated().next().is_some_and(|seat| seat.ticket == ticket)
    }

    /// Gives each attempt that may begin to the oldest, and rings for who is the oldest then.
    fn call(&mut self, now: Tick) {
        let Desk { breaker, row, .. } = self;
        for seat in row.iter_mut().filter(|seat| seat.verdict.is_none()) {
            seat.verdict = breaker.begin(now).map(Admitted::Go);
            seat.bell.notify_one();
            if seat.verdict.is_none() {
                break;
            }
        }
    }

    fn settle_all(&mut self, verdict: impl Fn() -> Admitted<T>) {
        self.seated().for_each(|seat| {
            seat.verdict = Some(verdict());
            seat.bell.notify_one();
        });
    }
}

impl<T> Admission<T> {
    pub(crate) fn new(most: usize) -> Self {
        let desk =
            Desk { breaker: Breaker::new(most), row: VecDeque::new(), tickets: 0, closed: false };
        Admission { seated: AtomicUsize::new(0), desk: Mutex::new(desk) }
    }

    /// Whether returns should be `offer`ed. A stale answer is repaired by the sitter's marks.
    #[inline]
    pub(crate) fn has_seated(&self) -> bool {
        self.seated.load(Ordering::Relaxed) > 0
    }

    fn change<R>(&self, change: impl FnOnce(&mut Desk<T>) -> R) -> R {
        let mut desk = self.desk.lock();
        let result = change(&mut desk);
        self.post(&mut desk);
        result
    }

    fn post(&self, desk: &mut Desk<T>) {
        let seated = desk.seated().count();
        self.seated.store(seated, Ordering::Relaxed);
    }

    /// Waits to be admitted. `spare` looks for a connection that lies in its slot.
    pub(crate) fn admit(
        &self,
        applicant: &Applicant<impl Fn() -> Tick, impl Fn() -> bool>,
        place: &mut Place,
        spare: impl Fn() -> Option<Box<T>>,
    ) -> Admitted<T> {
        let mut desk = self.desk.lock();
        if desk.closed {
            return Admitted::Closed;
        }
        let ticket = desk.place(place);
        let now = (applicant.clock)();
        if desk.seated().next().is_none()
            && let Some(attempt) = desk.breaker.begin(now)
        {
            return Admitted::Go(attempt);
        }
        if applicant.refusable
            && let Some(outage) = desk.breaker.proven(now)
        {
            return Admitted::Refused(outage);
        }
        let bell = desk.sit(ticket, applicant.holds);
        self.post(&mut desk);
        let verdict = self.wait(&mut desk, ticket, &bell, applicant, spare);
        desk.call((applicant.clock)());
        self.post(&mut desk);
        verdict
    }

    /// Waits in the row; has left it when this returns.
    fn wait(
        &self,
        desk: &mut MutexGuard<'_, Desk<T>>,
        ticket: u64,
        bell: &Condvar,
        applicant: &Applicant<impl Fn() -> Tick, impl Fn() -> bool>,
        spare: impl Fn() -> Option<Box<T>>,
    ) -> Admitted<T> {
        loop {
            desk.call((applicant.clock)());
            if desk.is_settled(ticket) {
                break;
            }
            let oldest = desk.is_oldest(ticket);
            if (applicant.paused)() || applicant.holds && !oldest {
                desk.leave(ticket);
                return Admitted::Again;
            }
            if oldest && let Some(content) = spare() {
                desk.leave(ticket);
                return Admitted::Instead(content);
            }
            if applicant.deadline.is_some_and(|at| Instant::now() >= at) {
                break;
            }
            let alarm = desk.alarm(ticket, (applicant.clock)());
            let until = [applicant.deadline, alarm].into_iter().flatten().min();
            wait(bell, desk, until);
        }
        desk.leave(ticket).unwrap_or(Admitted::Late)
    }

    /// Gives a returned connection to the oldest in the row; comes back with it when there is none.
    pub(crate) fn offer(&self, content: Box<T>) -> Option<Box<T>> {
        self.change(|desk| {
            let Some(seat) = desk.seated().next() else { return Some(content) };
            seat.verdict = Some(Admitted::Instead(content));
            seat.bell.notify_one();
            // The next is the oldest now.
            if let Some(next) = desk.seated().next() {
                next.bell.notify_one();
            }
            None
        })
    }

    /// An attempt was not made.
    pub(crate) fn cancel(&self, attempt: Attempt, now: Tick) {
        self.change(|desk| {
            desk.breaker.cancel(attempt);
            desk.call(now);
        });
    }

    /// An attempt has succeeded: comes back with the outage that this ends.
    pub(crate) fn succeed(&self, attempt: Attempt, now: Tick) -> Option<Outage> {
        self.change(|desk| {
            let ended = desk.breaker.succeed(attempt, now);
            desk.call(now);
            ended
        })
    }

    /// An attempt has failed: comes back with the outage when this is what begins it.
    pub(crate) fn fail(
        &self,
        attempt: Attempt,
        now: Tick,
        cause: std::sync::Arc<str>,
        refusable: bool,
    ) -> Option<Outage> {
        self.change(|desk| {
            let begun = desk.breaker.fail(attempt, now, cause, dice());
            if refusable && let Some(outage) = desk.breaker.proven(now) {
                desk.settle_all(|| Admitted::Refused(outage.clone()));
            }
            desk.call(now);
            begun
        })
    }

    /// A connection turned out to be dead.
    pub(crate) fn suspect(&self) {
        self.desk.lock().breaker.suspect();
    }

    pub(crate) fn outage(&self, now: Tick) -> Option<Outage> {
        self.desk.lock().breaker.outage(now)
    }

    /// Makes everybody in the row look whether the pool is paused.
    pub(crate) fn rouse(&self) {
        self.change(|desk| desk.seated().for_each(|seat| _ = seat.bell.notify_one()));
    }

    /// Sends everybody away, now and later.
    pub(crate) fn close(&self) {
        self.change(|desk| {
            desk.closed = true;
            desk.settle_all(|| Admitted::Closed);
        });
    }
}

impl<T> Desk<T> {
    /// When the oldest must look again though nothing has happened.
    fn alarm(&mut self, ticket: u64, now: Tick) -> Option<Instant> {
        if !self.is_oldest(ticket) {
            return None;
        }
        match self.breaker.next(now) {
            NEVER => None,
            next => Instant::now().checked_add(Duration::from_nanos(next.saturating_sub(now))),
        }
    }
}

/// Returns the content of a marked slot: to the row, or else to its slot. Comes back with it when
/// the slot is to be retired.
pub(crate) fn bring_back<T: Resident>(
    bag: &Bag<T>,
    row: &Admission<T>,
    slot: usize,
    mut content: Box<T>,
) -> Option<Box<T>> {
    loop {
        match bag.put_marked(slot, content, || row.has_seated()) {
            Landed::Kept => return None,
            Landed::Surplus(content) => return Some(content),
            Landed::Wanted(wanted) => content = row.offer(wanted)?,
        }
    }
}

fn dice() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
