//! Classes of requests, so that one kind of work cannot take the workers of all others.

use std::fmt;

use crate::Peek;

type Matches = dyn Fn(&Peek<'_>) -> bool + Send + Sync;

/// A kind of request that has a queue of its own, and that may take so many workers at once.
///
/// Given to [`Bound::class`](crate::Bound::class). What no class wants belongs to the class
/// `other`, with the queue of [`Builder::queue`](crate::Builder::queue) and all workers. Where
/// several queues wait, workers take the request that came first, of the classes that may run.
///
/// # Examples
///
/// ```
/// use larder_serve::Class;
///
/// // However many thumbnails are to be made, all but two workers are there for the pages.
/// let thumbs = Class::new("thumbs", |peek| peek.path().starts_with("/thumb/"))
///     .queue(200)
///     .workers(2);
/// # let _ = thumbs;
/// ```
pub struct Class {
    pub(crate) name: String,
    pub(crate) matches: Box<Matches>,
    pub(crate) queue: Option<usize>,
    pub(crate) workers: Option<usize>,
}

/// How a class of requests is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassStats {
    /// The name of the class; `other` for what belongs to none.
    pub name: String,
    /// Requests that wait for a worker now.
    pub queued: u64,
    /// Requests that a worker has now, or whose stream it reads.
    pub running: u64,
    /// Requests answered 503 since the queue was full.
    pub refused: u64,
}

impl Class {
    /// Begins with the queue of [`Builder::queue`](crate::Builder::queue) and all workers.
    ///
    /// `matches` is asked by an I/O thread, for each request that neither the response cache nor
    /// the fast path answers: it must not block. One that panics matches nothing.
    pub fn new(
        name: impl Into<String>,
        matches: impl Fn(&Peek<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), matches: Box::new(matches), queue: None, workers: None }
    }

    /// Requests of this class that may wait for a worker; the next is answered 503 with
    /// `Retry-After: 1`. Bound: 1 to a million.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn queue(mut self, requests: usize) -> Self {
        let within = (1..=1_000_000).contains(&requests);
        assert!(within, "queue is {requests}, but must be 1 to a million");
        self.queue = Some(requests);
        self
    }

    /// Workers that may run requests of this class at once, or read the streams that answer them.
    /// Bound: above zero; more than there are is all of them.
    ///
    /// # Panics
    ///
    /// If zero.
    pub fn workers(mut self, n: usize) -> Self {
        assert!(n > 0, "workers must be above zero");
        self.workers = Some(n);
        self
    }
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Class")
            .field("name", &self.name)
            .field("queue", &self.queue)
            .field("workers", &self.workers)
            .finish()
    }
}
