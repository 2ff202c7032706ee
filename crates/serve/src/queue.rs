//! The queue of jobs between I/O threads and workers: first in, first out.
//!
//! Each class of requests has a bounded queue and a number of workers that it may take; among
//! those that may run, the oldest request is next. What goes on with an answer that was begun takes
//! the places of its class too. It is not refused, and is bounded by the connections, since each
//! has at most one such job; where both wait, workers take them in turn, over all and in a class.
//!
//! Who wakes a worker when, `crew` says: whoever pushes requests, rouses one after a few of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::Body;
use crate::class::{Class, ClassStats};
use crate::crew::{Crew, Work};
use crate::exchange::Exchange;
use crate::reply::Reply;
use crate::stream::Pump;

pub(crate) enum Job {
    /// A request for the handler.
    Handle { exchange: Arc<Exchange>, body: Body },
    /// A stream that came by a ticket: its reader may block, and tickets must not.
    Open { exchange: Arc<Exchange>, reply: Box<Reply> },
    /// A stream under way.
    Pump(Pump),
}

/// Written by I/O threads (push) and workers (pop), under the lock of the crew.
pub(crate) struct Queue(Crew<State>);

struct State {
    /// The classes, in their order; the last takes what no other wants.
    classes: Vec<Line>,
    /// Counts jobs, so that the oldest is known.
    arrivals: u64,
    /// The last job taken was one that goes on with an answer.
    last_begun: bool,
    closed: bool,
}

/// The requests of one class.
struct Line {
    name: String,
    waiting: VecDeque<(u64, Arc<Exchange>, Body)>,
    /// Answers that were begun.
    begun: VecDeque<(u64, Job)>,
    /// The last job taken of this class was one of `begun`.
    last_begun: bool,
    bound: usize,
    running: usize,
    workers: usize,
    refused: u64,
    /// Requests whose client left before a worker came.
    forgotten: u64,
}

/// What a worker takes of a class, to be given back with its next pop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(usize);

impl Queue {
    /// Makes a queue for each class, and one of `bound` for the rest.
    pub(crate) fn new(classes: &[Class], bound: usize, workers: usize) -> Self {
        let line = |name: &str, queue: Option<usize>, most: Option<usize>| Line {
            name: name.to_owned(),
            waiting: VecDeque::new(),
            begun: VecDeque::new(),
            last_begun: false,
            bound: queue.unwrap_or(bound),
            running: 0,
            workers: most.unwrap_or(workers),
            refused: 0,
            forgotten: 0,
        };
        let lines = classes.iter().map(|class| line(&class.name, class.queue, class.workers));
        let state = State {
            classes: lines.chain([line("other", None, None)]).collect(),
            arrivals: 0,
            last_begun: false,
            closed: false,
        };
        Self(Crew::new(state))
    }

    /// Appends a request; gives its body back if its class is full or the queue is closed. Never
    /// waits for room. `rouse` must follow, at the latest after a few more.
    pub(crate) fn push(&self, exchange: Arc<Exchange>, body: Body) -> Result<(), Body> {
        self.0.with(|state| state.push(exchange, body))
    }

    /// Takes a request back out whose client has left, so that it holds neither a place nor the
    /// memory of its body. `None` if a worker was faster.
    pub(crate) fn forget(&self, exchange: &Arc<Exchange>) -> Option<Body> {
        if !exchange.is_queued() {
            return None;
        }
        self.0.with(|state| state.classes[exchange.class].forget(exchange))
    }

    /// Requests taken back out.
    pub(crate) fn forgotten(&self) -> u64 {
        self.0.with(|state| state.classes.iter().map(|line| line.forgotten).sum())
    }

    /// Appends a job that goes on with an answer; drops it if the queue is closed.
    pub(crate) fn push_on(&self, job: Job) {
        // What it refuses is dropped outside the lock: it is the user's.
        let refused = self.0.with(|state| state.push_on(job));
        if refused.is_none() {
            self.0.rouse();
        }
    }

    /// Sees to it that a worker comes for what was pushed.
    pub(crate) fn rouse(&self) {
        self.0.rouse();
    }

    /// Gives back the place of the last job, and waits for the next; `None` once the queue is
    /// closed and empty.
    pub(crate) fn pop(&self, last: &mut Option<Place>) -> Option<Job> {
        let place = last.take();
        let give_back = |state: &mut State| {
            if let Some(Place(class)) = place {
                state.classes[class].running -= 1;
            }
        };
        let (job, place) = self.0.next(give_back)?;
        *last = Some(place);
        Some(job)
    }

    /// Requests that wait.
    pub(crate) fn len(&self) -> usize {
        self.0.with(|state| state.classes.iter().map(|line| line.waiting.len()).sum())
    }

    pub(crate) fn classes(&self) -> Vec<ClassStats> {
        let stats = |line: &Line| ClassStats {
            name: line.name.clone(),
            queued: line.waiting.len() as u64,
            running: line.running as u64,
            refused: line.refused,
        };
        self.0.with(|state| state.classes.iter().map(stats).collect())
    }

    /// Takes no more jobs; workers leave once the rest is done.
    pub(crate) fn close(&self) {
        self.0.call(|state| state.closed = true);
    }
}

impl Work for State {
    type Job = (Job, Place);

    fn take(&mut self) -> Option<(Job, Place)> {
        let (begun, waiting) = (self.oldest(Line::next_begun), self.oldest(Line::next_waiting));
        self.last_begun = begun.is_some() && (waiting.is_none() || !self.last_begun);
        let class = if self.last_begun { begun? } else { waiting? };
        let line = &mut self.classes[class];
        let job = if self.last_begun {
            line.begun.pop_front()?.1
        } else {
            let (_, exchange, body) = line.waiting.pop_front()?;
            Job::Handle { exchange, body }
        };
        line.last_begun = self.last_begun;
        line.running += 1;
        Some((job, Place(class)))
    }

    fn can_run(&self) -> bool {
        self.oldest(Line::next_begun).is_some() || self.oldest(Line::next_waiting).is_some()
    }

    fn is_over(&self) -> bool {
        let is_empty = |line: &Line| line.waiting.is_empty() && line.begun.is_empty();
        self.closed && self.classes.iter().all(is_empty)
    }
}

impl State {
    fn push(&mut self, exchange: Arc<Exchange>, body: Body) -> Result<(), Body> {
        self.arrivals += 1;
        let line = &mut self.classes[exchange.class];
        if self.closed || line.waiting.len() >= line.bound {
            line.refused += 1;
            return Err(body);
        }
        exchange.queued_as.store(self.arrivals, Relaxed);
        line.waiting.push_back((self.arrivals, exchange, body));
        Ok(())
    }

    /// Gives the job back if the queue is closed.
    fn push_on(&mut self, job: Job) -> Option<Job> {
        if self.closed {
            return Some(job);
        }
        self.arrivals += 1;
        self.classes[job.class()].begun.push_back((self.arrivals, job));
        None
    }

    /// The class whose `next` came first, of those that may run.
    fn oldest(&self, next: fn(&Line) -> Option<u64>) -> Option<usize> {
        let may_run = |(at, line): (usize, &Line)| {
            let arrival = next(line).filter(|_| line.running < line.workers)?;
            Some((arrival, at))
        };
        self.classes.iter().enumerate().filter_map(may_run).min().map(|(_, at)| at)
    }
}

impl Line {
    fn forget(&mut self, exchange: &Exchange) -> Option<Body> {
        let arrival = exchange.queued_as.load(Relaxed);
        let at = self.waiting.binary_search_by_key(&arrival, |(arrival, ..)| *arrival).ok()?;
        let (_, _, body) = self.waiting.remove(at)?;
        self.forgotten += 1;
        Some(body)
    }

    /// When the next job came that goes on with an answer.
    fn next_begun(&self) -> Option<u64> {
        self.begun.front().map(|(arrival, _)| *arrival)
    }

    /// When the next request came, unless an answer of this class that was begun is before it.
    fn next_waiting(&self) -> Option<u64> {
        let (arrival, ..) = self.waiting.front()?;
        (self.begun.is_empty() || self.last_begun).then_some(*arrival)
    }
}

impl Job {
    fn class(&self) -> usize {
        match self {
            Self::Handle { exchange, .. } | Self::Open { exchange, .. } => exchange.class,
            Self::Pump(pump) => pump.class(),
        }
    }
}
