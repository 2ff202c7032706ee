//! The way out: a short path that touches one slot, and a long one with a deadline.

use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use r2d2::ManageConnection;

use crate::admission::{Admitted, Applicant, DuringOutage};
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

/// A claimed slot, as it was found. Dropping it frees the slot.
enum Held<M: ManageConnection> {
    Connection(Box<Live<M>>),
    Vacancy(Claim<M>),
}

impl<M: ManageConnection> Held<M> {
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
        let held = match doubtful {
            Some(live) => Held::Connection(live),
            None => self.claim(deadline)?,
        };
        self.make_ready(held, deadline)
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
        let granted = self.bag.claim_many(count as usize, deadline.at);
        let phase = Phase::WaitingForMany(count);
        let (first, rest) = granted.map_err(|why| self.refusal(why, phase, count, deadline))?;
        // All are held before any of the manager's code runs: a panic there frees them.
        let held: Vec<_> = iter::once(first).chain(rest).map(|grant| self.hold(grant)).collect();
        let mut ready = Vec::with_capacity(held.len());
        let mut held = held.into_iter();
        while let Some(next) = held.next() {
            match self.make_ready(next, deadline) {
                Ok(live) => ready.push(live),
                Err(error) => {
                    ready.into_iter().chain(held.filter_map(Held::live)).for_each(Self::give_back);
                    return Err(error);
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
        deadline: Deadline,
    ) -> Result<Box<Live<M>>, Error<M::Error>> {
        let claim = match held {
            Held::Vacancy(claim) => claim,
            Held::Connection(live) => match self.vet(live, deadline)? {
                Vetted::Good(live) => return Ok(live),
                Vetted::Gone(claim) => claim,
            },
        };
        self.connect(claim, deadline)
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
        deadline: Deadline,
    ) -> Result<Box<Live<M>>, Error<M::Error>> {
        let mut again = false;
        loop {
            let pass = match self.admit(&claim, again, deadline)? {
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
                None => return Err(self.timeout(Phase::Connecting, deadline)),
                Some(Ok(live)) => return Ok(live),
                Some(Err((own, cause))) if self.config.during_outage == DuringOutage::Wait => {
                    self.config.error_handler.handle_error(cause);
                    (claim, again) = (own, true);
                }
                Some(Err((_claim, cause))) => return Err(Error::manager(OPEN, cause)),
            }
        }
    }

    /// Waits until this caller may try to open a connection, or is given one.
    fn admit(
        &self,
        claim: &Claim<M>,
        again: bool,
        deadline: Deadline,
    ) -> Result<Admission<M>, Error<M::Error>> {
        if deadline.has_passed() {
            return Err(self.timeout(Phase::Connecting, deadline));
        }
        if self.config.during_outage == DuringOutage::Try {
            return Ok(Admission::Pass(Pass::new(claim, None)));
        }
        let applicant = Applicant {
            clock: || self.config.clock.exact(),
            deadline: deadline.at,
            refusable: self.config.during_outage == DuringOutage::Refuse,
            again,
        };
        let spare = || self.bag.take_idle(self.hint()).map(|(_, live)| live);
        match self.admission.admit(&applicant, spare) {
            Admitted::Go(attempt) => Ok(Admission::Pass(Pass::new(claim, Some(attempt)))),
            Admitted::Instead(live) => Ok(Admission::Instead(live)),
            Admitted::Refused(outage) => Err(Error::outage(outage)),
            Admitted::Late => Err(self.timeout(Phase::Connecting, deadline)),
            Admitted::Closed => Err(Error::closed()),
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
