//! The queue of jobs between I/O threads and workers: first in, first out.
//!
//! Each class of requests has a bounded queue and a number of workers that it may take; among
//! those that may run, the oldest request is next. What goes on with an answer that was begun takes
//! the places of its class too. It is not refused, and is bounded by the connections, since each
//! has at most one such job; where both wait, workers take them in turn, over all and in a class.
//!
//! One lock, held for a push or a pop. Who pushes requests wakes a worker for them, once for a
//! number of them; a worker that takes a job while another may run, and finds some asleep and none
//! on its way, wakes one in turn. So a job that may run while a worker sleeps has a worker on its
//! way to it, or a pusher that is about to wake one; and of a batch of quick requests most are
//! taken by workers that are awake.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::Body;
use crate::class::{Class, ClassStats};
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

pub(crate) struct Queue {
    /// Written by I/O threads (push) and workers (pop), under this lock.
    state: Mutex<State>,
    ready: Condvar,
}

struct State {
    /// The classes, in their order; the last takes what no other wants.
    classes: Vec<Line>,
    /// Counts jobs, so that the oldest is known.
    arrivals: u64,
    /// The last job taken was one that goes on with an answer.
    last_begun: bool,
    sleeping: usize,
    /// Of those that sleep, the ones that were woken and have not looked yet.
    roused: usize,
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
            sleeping: 0,
            roused: 0,
            closed: false,
        };
        Self { state: Mutex::new(state), ready: Condvar::new() }
    }

    /// Appends a request; gives its body back if its class is full or the queue is closed. Never
    /// waits for room. `rouse` must follow, at the latest after a few more.
    pub(crate) fn push(&self, exchange: Arc<Exchange>, body: Body) -> Result<(), Body> {
        let mut state = self.state.lock();
        state.arrivals += 1;
        let (arrival, closed) = (state.arrivals, state.closed);
        let line = &mut state.classes[exchange.class];
        if closed || line.waiting.len() >= line.bound {
            line.refused += 1;
            return Err(body);
        }
        exchange.queued_as.store(arrival, Relaxed);
        line.waiting.push_back((arrival, exchange, body));
        Ok(())
    }

    /// Takes a request back out whose client has left, so that it holds neither a place nor the
    /// memory of its body. `None` if a worker was faster.
    pub(crate) fn forget(&self, exchange: &Arc<Exchange>) -> Option<Body> {
        if !exchange.is_queued() {
            return None;
        }
        let mut state = self.state.lock();
        let line = &mut state.classes[exchange.class];
        let arrival = exchange.queued_as.load(Relaxed);
        let at = line.waiting.binary_search_by_key(&arrival, |(arrival, ..)| *arrival).ok()?;
        let (_, _, body) = line.waiting.remove(at)?;
        line.forgotten += 1;
        Some(body)
    }

    /// Requests taken back out.
    pub(crate) fn forgotten(&self) -> u64 {
        self.state.lock().classes.iter().map(|line| line.forgotten).sum()
    }

    /// Appends a job that goes on with an answer; drops it if the queue is closed.
    pub(crate) fn push_on(&self, job: Job) {
        let class = job.class();
        let mut state = self.state.lock();
        if !state.closed {
            state.arrivals += 1;
            let arrival = state.arrivals;
            state.classes[class].begun.push_back((arrival, job));
            self.wake_one(state);
        }
    }

    /// Sees to it that a worker comes for what was pushed.
    pub(crate) fn rouse(&self) {
        self.wake_one(self.state.lock());
    }

    /// Wakes a worker, if one sleeps, none is on its way, and there is something for it.
    fn wake_one(&self, mut state: MutexGuard<'_, State>) {
        if state.sleeping > 0 && state.roused == 0 && state.can_run() {
            state.roused = 1;
            drop(state);
            self.ready.notify_one();
        }
    }

    /// Gives back the place of the last job, and waits for the next; `None` once the queue is
    /// closed and empty.
    pub(crate) fn pop(&self, last: &mut Option<Place>) -> Option<Job> {
        let mut state = self.state.lock();
        if let Some(Place(class)) = last.take() {
            state.classes[class].running -= 1;
        }
        loop {
            if let Some(job) = state.next(last) {
                self.wake_one(state);
                return Some(job);
            }
            if state.closed && state.is_empty() {
                // Those that sleep until a place is given back see the end now.
                self.ready.notify_all();
                return None;
            }
            state.sleeping += 1;
            self.ready.wait(&mut state);
            state.sleeping -= 1;
            // Whoever it is that wakes first looks for the one that was meant.
            state.roused = 0;
        }
    }

    /// Requests that wait.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().classes.iter().map(|line| line.waiting.len()).sum()
    }

    pub(crate) fn classes(&self) -> Vec<ClassStats> {
        let stats = |line: &Line| ClassStats {
            name: line.name.clone(),
            queued: line.waiting.len() as u64,
            running: line.running as u64,
            refused: line.refused,
        };
        self.state.lock().classes.iter().map(stats).collect()
    }

    /// Takes no more jobs; workers leave once the rest is done.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.ready.notify_all();
    }
}

impl State {
    fn next(&mut self, place: &mut Option<Place>) -> Option<Job> {
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
        *place = Some(Place(class));
        Some(job)
    }

    /// The class whose `next` came first, of those that may run.
    fn oldest(&self, next: fn(&Line) -> Option<u64>) -> Option<usize> {
        let may_run = |(at, line): (usize, &Line)| {
            let arrival = next(line).filter(|_| line.running < line.workers)?;
            Some((arrival, at))
        };
        self.classes.iter().enumerate().filter_map(may_run).min().map(|(_, at)| at)
    }

    fn can_run(&self) -> bool {
        self.oldest(Line::next_begun).is_some() || self.oldest(Line::next_waiting).is_some()
    }

    fn is_empty(&self) -> bool {
        self.classes.iter().all(|line| line.waiting.is_empty() && line.begun.is_empty())
    }
}

impl Line {
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
