//! The way out: a short path that touches one slot, and a long one with a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use r2d2::ManageConnection;

use crate::affinity;
use crate::bag::Refusal;
use crate::clock::Tick;
use crate::error::{Error, OPEN, Phase, Timeout};
use crate::live::{Claim, Live};
use crate::opening::Job;
use crate::shared::Shared;

/// When to give up, and what was asked, for the message.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    limit: Duration,
    /// `None`: further away than the clock can tell.
    at: Option<Instant>,
}

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Deadline { limit, at: Instant::now().checked_add(limit) }
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

impl<M: ManageConnection> Shared<M> {
    #[inline]
    pub(crate) fn take_ready(&self) -> Ready<M> {
        let hint = affinity::recall(self.id, self.bag.len());
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
        let vetted = match doubtful {
            Some(live) => self.vet(live, deadline)?,
            None => self.claim(deadline)?,
        };
        match vetted {
            Vetted::Good(live) => Ok(live),
            Vetted::Gone(claim) => self.connect(claim, deadline),
        }
    }

    /// Claims a slot, waiting for one, with the connection in it vetted or with none.
    fn claim(self: &Arc<Self>, deadline: Deadline) -> Result<Vetted<M>, Error<M::Error>> {
        let hint = affinity::recall(self.id, self.bag.len());
        let grant = self.bag.claim(hint, deadline.at).map_err(|why| match why {
            Refusal::Timeout => self.timeout(Phase::Waiting, deadline),
            Refusal::Closed => Error::closed(),
        })?;
        affinity::remember(self.id, grant.slot);
        match grant.content {
            Some(live) => self.vet(live, deadline),
            None => Ok(Vetted::Gone(Claim { shared: Arc::clone(self), slot: grant.slot })),
        }
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
            return Ok(Vetted::Gone(live.retire()));
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

    /// Opens a connection in a claimed slot. On failure the slot goes to the next waiter, who tries
    /// for itself: each caller gets an error of its own.
    fn connect(
        &self,
        claim: Claim<M>,
        deadline: Deadline,
    ) -> Result<Box<Live<M>>, Error<M::Error>> {
        if deadline.has_passed() {
            return Err(self.timeout(Phase::Connecting, deadline));
        }
        match (self.config.runner)(Job::Connect(claim), deadline.at) {
            None => Err(self.timeout(Phase::Connecting, deadline)),
            Some(Ok(live)) => Ok(live),
            Some(Err((_claim, cause))) => Err(Error::manager(OPEN, cause)),
        }
    }

    fn timeout(&self, phase: Phase, deadline: Deadline) -> Error<M::Error> {
        let census = self.bag.census();
        Error::timeout(Timeout {
            limit: deadline.limit,
            phase,
            busy: census.busy,
            max_size: self.bag.len(),
            waiting: census.waiting,
            holder: self.who_is_in_the_way(),
        })
    }
}
