//! Workers that sleep until there is work, and how few of them are woken for it.
//!
//! Who adds work wakes a worker for it, once for a number of jobs; a worker that takes a job while
//! another may run, and finds some asleep and none on its way, wakes one in turn. So work that may
//! run while a worker sleeps has a worker on its way to it, or somebody who is about to rouse one;
//! and of a batch of quick jobs most are taken by workers that are awake.
//!
//! One lock, held for adding a job or taking one. [Models](self::models) look at every order.

use crate::sync::{Condvar, Mutex, MutexGuard};

/// What is to be done, under the lock of a crew.
pub(crate) trait Work {
    type Job;

    /// The next job that may run.
    fn take(&mut self) -> Option<Self::Job>;

    /// Tells whether `take` would give a job.
    fn can_run(&self) -> bool;

    /// Tells whether there will never be a job again.
    fn is_over(&self) -> bool;
}

pub(crate) struct Crew<W> {
    /// Written by who adds work and by workers, under this lock.
    state: Mutex<State<W>>,
    ready: Condvar,
}

struct State<W> {
    work: W,
    /// Workers that sleep.
    sleeping: usize,
    /// One of them was woken, and has not looked yet.
    is_roused: bool,
}

impl<W: Work> Crew<W> {
    pub(crate) fn new(work: W) -> Self {
        let state = State { work, sleeping: 0, is_roused: false };
        Self { state: Mutex::new(state), ready: Condvar::new() }
    }

    /// Looks at the work, or changes it. Who has added some calls `rouse` after that, at the latest
    /// when it has nothing else to do.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut W) -> T) -> T {
        change(&mut self.state.lock().work)
    }

    /// Sees to it that a worker comes for what was added.
    pub(crate) fn rouse(&self) {
        self.rouse_one(self.state.lock());
    }

    fn rouse_one(&self, mut state: MutexGuard<'_, State<W>>) {
        if state.sleeping > 0 && !state.is_roused && state.work.can_run() {
            state.is_roused = true;
            drop(state);
            self.ready.notify_one();
        }
    }

    /// A worker ends its last job by `finish`, and waits for the next; `None` once all is over.
    pub(crate) fn next(&self, finish: impl FnOnce(&mut W)) -> Option<W::Job> {
        let mut state = self.state.lock();
        finish(&mut state.work);
        loop {
            if let Some(job) = state.work.take() {
                self.rouse_one(state);
                return Some(job);
            }
            if state.work.is_over() {
                // Those that sleep until others have finished see the end now.
                self.ready.notify_all();
                return None;
            }
            state.sleeping += 1;
            self.ready.wait(&mut state);
            state.sleeping -= 1;
            // Whoever of those woken looks first, looks for the one that was meant.
            state.is_roused = false;
        }
    }

    /// Wakes all, to see what `change` has changed.
    pub(crate) fn call(&self, change: impl FnOnce(&mut W)) {
        self.with(change);
        self.ready.notify_all();
    }
}

#[cfg(all(test, loom))]
mod models {
    //! Every order of a pusher and two workers: no job is left while a worker sleeps.

    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// Numbered jobs, of which so many may run at a time.
    struct Jobs {
        waiting: Vec<u32>,
        running: usize,
        most: usize,
        closed: bool,
    }

    impl Work for Jobs {
        type Job = u32;

        fn take(&mut self) -> Option<u32> {
            let may_run = self.can_run();
            may_run.then(|| {
                self.running += 1;
                self.waiting.remove(0)
            })
        }

        fn can_run(&self) -> bool {
            !self.waiting.is_empty() && self.running < self.most
        }

        fn is_over(&self) -> bool {
            self.closed && self.waiting.is_empty()
        }
    }

    fn crew(most: usize) -> Arc<Crew<Jobs>> {
        Arc::new(Crew::new(Jobs { waiting: Vec::new(), running: 0, most, closed: false }))
    }

    /// Opens when so many have come.
    struct Gate(loom::sync::Mutex<usize>, loom::sync::Condvar);

    impl Gate {
        fn new() -> Arc<Self> {
            Arc::new(Self(loom::sync::Mutex::new(0), loom::sync::Condvar::new()))
        }

        fn come(&self) {
            *self.0.lock().unwrap() += 1;
            self.1.notify_all();
        }

        fn wait_for(&self, n: usize) {
            let mut come = self.0.lock().unwrap();
            while *come < n {
                come = self.1.wait(come).unwrap();
            }
        }
    }

    fn model(check: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(check);
    }

    /// Pushes jobs in batches to two workers. A job that nobody takes would never end the model:
    /// the crew is closed when all are done, and not before.
    fn all_are_done(most: usize, batches: &'static [usize]) {
        model(move || {
            let (crew, done) = (crew(most), Gate::new());
            let workers = [0, 1].map(|_| {
                let (crew, done) = (Arc::clone(&crew), Arc::clone(&done));
                thread::spawn(move || work(&crew, &done))
            });
            for batch in batches {
                (0..*batch).for_each(|_| crew.with(|jobs| jobs.waiting.push(0)));
                crew.rouse();
            }
            done.wait_for(batches.iter().sum());
            crew.call(|jobs| jobs.closed = true);
            workers.into_iter().for_each(|worker| worker.join().unwrap());
        });
    }

    fn work(crew: &Crew<Jobs>, done: &Gate) {
        let mut had = false;
        while crew.next(|jobs| jobs.running -= usize::from(had)).is_some() {
            had = true;
            done.come();
        }
    }

    #[test]
    fn a_batch_is_done() {
        all_are_done(2, &[2]);
    }

    #[test]
    fn where_one_may_run_the_next_runs_after_it() {
        all_are_done(1, &[2]);
    }

    #[test]
    fn jobs_one_after_the_other_are_done() {
        all_are_done(2, &[1, 1]);
    }

    /// Each job ends when both have begun: two workers must come, woken once.
    #[test]
    fn a_job_that_blocks_keeps_no_other_waiting() {
        model(|| {
            let (crew, begun) = (crew(2), Gate::new());
            let workers = [0, 1].map(|_| {
                let (crew, begun) = (Arc::clone(&crew), Arc::clone(&begun));
                thread::spawn(move || {
                    crew.next(|_| {}).unwrap();
                    begun.come();
                    begun.wait_for(2);
                })
            });
            crew.with(|jobs| jobs.waiting.extend([0, 1]));
            crew.rouse();
            workers.into_iter().for_each(|worker| worker.join().unwrap());
        });
    }
}
