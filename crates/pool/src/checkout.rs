//! The way out: a short path that touches one slot, and a long one with a deadline.

use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use r2d2::ManageConnection;

use crate::admission::{Admitted, Applicant, DuringOutage, Place};
use crate::affinity;
use crate::clock::Tick;
use crate::error::{Error, OPEN, Phase, Request, Timeout};
use crate::live::{Claim, Fate, Live};
use crate::opening::{Job, Pass};
use crate::shared::Shared;
use crate::waiter::{Grant, Refusal};

/// When to give up, and what was asked, for the message.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    limit: Duration,
    /// When that was asked.
    pub(crate) asked: Instant,
    /// `None`: further away than the clock can tell.
    pub(crate) at: Option<Instant>,
}

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        let asked = Instant::now();
        Deadline { limit, asked, at: asked.checked_add(limit) }
    }

    fn has_passed(&self) -> bool {
        self.at.is_some_and(|at| Instant::now() >= at)
    }
}

/// What the short path found.
pub(crate) enum Ready<M: ManageConnection> {
    /// With the tick that it was looked at.
    Fresh(Box<Live<M>>, Tick),
    /// Idle for long, or old: to be vetted.
    Doubtful(Box<Live<M>>),
    Nothing,
}

/// What became of a doubtful connection.
pub(crate) enum Vetted<M: ManageConnection> {
    Good(Box<Live<M>>),
    /// It is closed; its slot is still ours.
    Gone(Claim<M>),
}

/// How a caller that claimed a vacant slot goes on.
enum Admission<M: ManageConnection> {
    Pass(Pass<M>),
    /// With a connection that somebody returned.
    Instead(Box<Live<M>>),
}

/// Why a claimed slot came to nothing.
enum Setback<E> {
    /// The caller is to let go of all that it has and to claim again: the pool is paused, or it was
    /// about to wait with something that those before it lack.
    Again,
    Failed(Error<E>),
}

impl<E> From<Error<E>> for Setback<E> {
    fn from(error: Error<E>) -> Self {
        Setback::Failed(error)
    }
}

/// One request on its way: what it keeps while it claims again.
struct Errand {
    deadline: Deadline,
    place: Place,
    /// Whether it has a connection while it asks for another.
    holds: bool,
}

impl Errand {
    fn new(deadline: Deadline) -> Self {
        Errand { deadline, place: Place::default(), holds: false }
    }
}

/// A claimed slot, as it was found. Dropping it frees the slot.
enum Held<M: ManageConnection> {
    Connection(Box<Live<M>>),
    Vacancy(Claim<M>),
}

impl<M: ManageConnection> Held<M> {
    fn is_connection(&self) -> bool {
        matches!(self, Held::Connection(_))
    }

    fn live(self) -> Option<Box<Live<M>>> {
        match self {
            Held::Connection(live) => Some(live),
            Held::Vacancy(_) => None,
        }
    }
}

impl<M: ManageConnection> Shared<M> {
    #[inline]
    pub(crate) fn take_ready(&self) -> Ready<M> {
        let hint = self.hint();
        let Some((slot, live)) = self.bag.take_idle(hint) else { return Ready::Nothing };
        if slot != hint {
            affinity::remember(self.id, slot);
        }
        let now = self.config.clock.now();
        if now < live.due_at { Ready::Fresh(live, now) } else { Ready::Doubtful(live) }
    }

    /// All the rest: waits, tests and connects, all before one deadline.
    #[cold]
    pub(crate) fn check_out(
        self: &Arc<Self>,
        doubtful: Option<Box<Live<M>>>,
        deadline: Deadline,
    ) -> Result<Box<Live<M>>, Error<M::Error>> {
        let mut errand = Errand::new(deadline);
        let mut doubtful = doubtful.map(Held::Connection);
        loop {
            let held = match doubtful.take() {
                Some(held) => held,
                None => self.claim(deadline)?,
            };
            match self.make_ready(held, &mut errand) {
                Ok(live) => return Ok(live),
                Err(Setback::Again) => {}
                Err(Setback::Failed(error)) => return Err(error),
            }
        }
    }

    /// Claims a slot, waiting for one.
    fn claim(self: &Arc<Self>, deadline: Deadline) -> Result<Held<M>, Error<M::Error>> {
        let hint = self.hint();
        let grant = self.bag.claim(hint, deadline.at);
        let grant = grant.map_err(|why| self.refusal(why, Phase::Waiting, 1, deadline))?;
        affinity::remember(self.id, grant.slot);
        Ok(self.hold(grant))
    }

    /// As `check_out`, for several connections at once: all or none.
    pub(crate) fn check_out_many(
        self: &Arc<Self>,
        count: u32,
        deadline: Deadline,
    ) -> Result<Vec<Box<Live<M>>>, Error<M::Error>> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut errand = Errand::new(deadline);
        loop {
            let granted = self.bag.claim_many(count as usize, deadline.at);
            let phase = Phase::WaitingForMany(count);
            let (first, rest) = granted.map_err(|why| self.refusal(why, phase, count, deadline))?;
            // All are held before any of the manager's code runs: a panic there frees them.
            let held = iter::once(first).chain(rest).map(|grant| self.hold(grant)).collect();
            match self.make_all_ready(held, &mut errand) {
                Ok(ready) => return Ok(ready),
                Err(Setback::Again) => {}
                Err(Setback::Failed(error)) => return Err(error),
            }
        }
    }

    /// All or none: what was not to be lent after all goes back as it is, as due as before.
    fn make_all_ready(
        &self,
        held: Vec<Held<M>>,
        errand: &mut Errand,
    ) -> Result<Vec<Box<Live<M>>>, Setback<M::Error>> {
        let mut ready = Vec::with_capacity(held.len());
        let mut held = held.into_iter();
        while let Some(next) = held.next() {
            errand.holds = !ready.is_empty() || held.as_slice().iter().any(Held::is_connection);
            match self.make_ready(next, errand) {
                Ok(live) => ready.push(live),
                Err(setback) => {
                    ready.into_iter().chain(held.filter_map(Held::live)).for_each(Self::put);
                    return Err(setback);
                }
            }
        }
        Ok(ready)
    }

    fn hold(self: &Arc<Self>, grant: Grant<Live<M>>) -> Held<M> {
        match grant.content {
            Some(live) => Held::Connection(live),
            None => Held::Vacancy(Claim { shared: Arc::clone(self), slot: grant.slot }),
        }
    }

    /// Vets a connection, or opens one.
    fn make_ready(
        &self,
        held: Held<M>,
        errand: &mut Errand,
    ) -> Result<Box<Live<M>>, Setback<M::Error>> {
        let vetted = match held {
            Held::Vacancy(claim) => Vetted::Gone(claim),
            Held::Connection(live) => self.vet(live, errand.deadline)?,
        };
        let live = match vetted {
            Vetted::Good(live) => live,
            Vetted::Gone(claim) => self.connect(claim, errand)?,
        };
        if self.bag.is_paused() {
            Self::put(live);
            return Err(Setback::Again);
        }
        Ok(live)
    }

    /// Retires a connection that is too old, and tests one that was idle for long.
    pub(crate) fn vet(
        &self,
        live: Box<Live<M>>,
        deadline: Deadline,
    ) -> Result<Vetted<M>, Error<M::Error>> {
        let now = self.config.clock.now();
        if now < live.due_at {
            return Ok(Vetted::Good(live));
        }
        if now >= live.expires_at {
            return Ok(Vetted::Gone(live.retire(Fate::Old)));
        }
        match (self.config.runner)(Job::Test(live), deadline.at) {
            None => Err(self.timeout(Phase::Testing, deadline)),
            Some(Ok(live)) => Ok(Vetted::Good(live)),
            Some(Err((claim, cause))) => {
                self.config.error_handler.handle_error(cause);
                Ok(Vetted::Gone(claim))
            }
        }
    }

    /// Opens a connection in a claimed slot, when the breaker allows it. On failure the slot goes to
    /// the next waiter, and the caller gets the error, its own; unless it is to wait for better days.
    fn connect(
        &self,
        mut claim: Claim<M>,
        errand: &mut Errand,
    ) -> Result<Box<Live<M>>, Setback<M::Error>> {
        let deadline = errand.deadline;
        loop {
            let pass = match self.admit(&claim, errand)? {
                Admission::Pass(pass) => pass,
                Admission::Instead(live) => {
                    // Whoever is next may have the slot: what came instead has its own.
                    drop(claim);
                    match self.vet(live, deadline)? {
                        Vetted::Good(live) => return Ok(live),
                        Vetted::Gone(own) => claim = own,
                    }
                    continue;
                }
            };
            match (self.config.runner)(Job::Connect(claim, pass), deadline.at) {
                None => return Err(self.timeout(Phase::Connecting, deadline).into()),
                Some(Ok(live)) => return Ok(live),
                Some(Err((own, cause))) if self.config.during_outage == DuringOutage::Wait => {
                    self.config.error_handler.handle_error(cause);
                    claim = own;
                }
                Some(Err((_claim, cause))) => return Err(Error::manager(OPEN, cause).into()),
            }
        }
    }

    /// Waits until this caller may try to open a connection, or is given one.
    fn admit(
        &self,
        claim: &Claim<M>,
        errand: &mut Errand,
    ) -> Result<Admission<M>, Setback<M::Error>> {
        let deadline = errand.deadline;
        if deadline.has_passed() {
            return Err(self.timeout(Phase::Connecting, deadline).into());
        }
        if self.bag.is_paused() {
            return Err(Setback::Again);
        }
        if self.config.during_outage == DuringOutage::Try {
            return Ok(Admission::Pass(Pass::new(claim, None)));
        }
        let applicant = Applicant {
            clock: || self.config.clock.exact(),
            deadline: deadline.at,
            refusable: self.config.during_outage == DuringOutage::Refuse,
            holds: errand.holds,
            paused: || self.bag.is_paused(),
        };
        let spare = || self.bag.take_idle_or_mark(self.hint());
        match self.admission.admit(&applicant, &mut errand.place, spare) {
            Admitted::Go(attempt) => {
                let pass = Pass::new(claim, Some(attempt));
                if self.bag.is_paused() { Err(Setback::Again) } else { Ok(Admission::Pass(pass)) }
            }
            Admitted::Instead(live) => {
                // Had it been paused before, it would lie in its slot.
                if self.bag.is_paused() {
                    Self::put(live);
                    return Err(Setback::Again);
                }
                Ok(Admission::Instead(live))
            }
            Admitted::Again => Err(Setback::Again),
            Admitted::Refused(outage) => Err(Error::outage(outage).into()),
            Admitted::Late => Err(self.timeout(Phase::Connecting, deadline).into()),
            Admitted::Closed => Err(Error::closed().into()),
        }
    }

    fn refusal(
        &self,
        why: Refusal,
        phase: Phase,
        count: u32,
        deadline: Deadline,
    ) -> Error<M::Error> {
        match why {
            Refusal::Timeout if self.bag.is_paused() => self.timeout(Phase::Paused, deadline),
            Refusal::Timeout => self.timeout(phase, deadline),
            Refusal::TooMany => Error::out_of_bounds(Request::Lend, count, self.max_size()),
            Refusal::Overloaded(waiting) => Error::overloaded(waiting),
            Refusal::Closed => Error::closed(),
        }
    }

    fn timeout(&self, phase: Phase, deadline: Deadline) -> Error<M::Error> {
        let census = self.bag.census();
        Error::timeout(Timeout {
            limit: deadline.limit,
            phase,
            busy: census.busy,
            max_size: self.bag.size(),
            waiting: census.waiting,
            holder: self.who_is_in_the_way(),
            outage: self.admission.outage(self.config.clock.exact()),
        })
    }
}
