//! The life of a server: bound, running, stopped.

use std::mem;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

use crate::alive::{Alive, Kind, Leave};
use crate::budget::Budget;
use crate::builder::{Builder, Config};
use crate::handler::Handler;
use crate::hooks::Hooks;
use crate::hot::Hot;
use crate::io::{IoThread, MAX_LISTENERS, Mailbox};
use crate::listen::{Listener, NO_ADDR};
use crate::prefetch::{self, Prefetch};
use crate::queue::Queue;
use crate::reaper::Reaper;
use crate::spill::{self, Chunk};
use crate::stats::{IoCounters, Latency, Stats, WorkerCounters};
use crate::stop::{self, Stopper};
use crate::{AccessLog, Class, ClassStats, Error, Peek, Reply, Stall, worker};

/// How long a stopped server waits for the last lines of its log to be written.
const LOG_PATIENCE: Duration = Duration::from_secs(2);
/// How long it waits for the last leases to be dropped.
const LEASE_PATIENCE: Duration = Duration::from_secs(2);

/// Where a server begins: [`Server::builder`].
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Chooses settings.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

/// What all threads of a server share. Nothing here is written by a hit.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) started: Instant,
    pub(crate) hot: Hot,
    pub(crate) hooks: Hooks,
    pub(crate) queue: Queue,
    /// One for each I/O thread.
    pub(crate) mailboxes: Vec<Mailbox>,
    /// Each written by its I/O thread alone.
    pub(crate) io: Vec<IoCounters>,
    /// Each written by its worker alone.
    pub(crate) workers: Vec<WorkerCounters>,
    pub(crate) prefetch: mpsc::SyncSender<Prefetch>,
    pub(crate) spill: mpsc::SyncSender<Chunk>,
    /// The memory of all request bodies.
    pub(crate) bodies: Arc<Budget>,
    pub(crate) reaper: Reaper,
    /// Written by stoppers; see `stop`.
    pub(crate) phase: AtomicU8,
    /// Written by the accepting thread, once it has drained the backlogs; see `stop`.
    pub(crate) accepted_all: AtomicBool,
    /// Threads that have not ended; counted down by each as its last act.
    pub(crate) alive: Alive,
}

/// A server that has its address, but answers nobody yet.
pub struct Bound {
    config: Config,
    /// One to `MAX_LISTENERS`.
    listeners: Vec<Listener>,
    hot: Hot,
    hooks: Hooks,
    log: Option<AccessLog>,
}

impl Bound {
    pub(crate) fn new(config: Config, listener: Listener) -> Result<Self, Error> {
        let listeners = vec![listener.prepare()?];
        let (hot, hooks) = (Hot::new(), Hooks::default());
        Ok(Self { config, listeners, hot, hooks, log: None })
    }

    /// Listens on a further socket.
    ///
    /// # Errors
    ///
    /// If it is not a listening socket, or the system has no more descriptors.
    ///
    /// # Panics
    ///
    /// If the server listens on 64 sockets already.
    pub fn and(mut self, listener: impl Into<Listener>) -> Result<Self, Error> {
        assert!(self.listeners.len() < MAX_LISTENERS, "a server listens on at most 64 sockets");
        self.listeners.push(listener.into().prepare()?);
        Ok(self)
    }

    /// The first address that the server listens on, with the real port; `0.0.0.0:0` if it listens
    /// on Unix sockets alone.
    pub fn local_addr(&self) -> SocketAddr {
        self.listeners.iter().find_map(Listener::local_addr).unwrap_or(NO_ADDR)
    }

    /// The handle that drops kept answers; here already, since handlers may need it.
    pub fn hot(&self) -> Hot {
        self.hot.clone()
    }

    /// Answers from memory, on the I/O thread that has read the request: no worker, no hand-over.
    ///
    /// `fast` is called for each `GET` and `HEAD` without a body that the response cache does not
    /// answer. What it returns is delivered; `None` leaves the request to a worker. A file of
    /// which something is not in memory is still delivered without waiting for the disk.
    ///
    /// All connections of the I/O thread wait while it runs, so it must not block: no database,
    /// no disk, no lock that anybody holds for longer than a look-up. One that takes long raises
    /// the alarm of [`on_stall`](Bound::on_stall), with its target. A panic in it is answered 500.
    /// It cannot answer with [`Reply::later`](crate::Reply::later); that is answered 500, too.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use larder_serve::{Reply, Request, Server};
    ///
    /// let server = Server::builder()
    ///     .bind("127.0.0.1:8080")?
    ///     .fast(|peek| (peek.path() == "/health").then(|| Reply::text("fine\n")))
    ///     .start(|_: Request| Reply::text("from a worker\n"))?;
    /// # drop(server);
    /// # Ok::<(), larder_serve::Error>(())
    /// ```
    pub fn fast(
        mut self,
        fast: impl Fn(&Peek<'_>) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.fast = Some(Box::new(fast));
        self
    }

    /// Calls `tell` when a turn of an I/O thread took longer than
    /// [`turn_alarm`](crate::Builder::turn_alarm), at most once a second for each; without this,
    /// it is a warning in the log of the process. It is called by a thread of its own and may
    /// block. [`Stats::stalls`](crate::Stats::stalls) counts all of them.
    pub fn on_stall(mut self, tell: impl Fn(&Stall) + Send + Sync + 'static) -> Self {
        self.hooks.on_stall = Some(Box::new(tell));
        self
    }

    /// Gives a kind of request a queue of its own, and a share of the workers; classes are asked
    /// in the order in which they were given.
    ///
    /// # Panics
    ///
    /// If there are 32 already.
    pub fn class(mut self, class: Class) -> Self {
        assert!(self.hooks.classes.len() < 32, "there are 32 classes already");
        self.hooks.classes.push(class);
        self
    }

    /// Writes a line for each request when its last byte has left, or it was given up.
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.log = Some(log);
        self
    }

    /// Starts the threads and answers.
    ///
    /// # Errors
    ///
    /// If a thread or its event queue cannot be made.
    pub fn start(self, handler: impl Handler) -> Result<Running, Error> {
        let failed = |error| Error::new("cannot start the server's threads", error);
        let addr = self.local_addr();
        let Self { config, listeners, hot, mut hooks, log } = self;
        let (prefetch, wanted) = mpsc::sync_channel(config.max_connections.min(prefetch::PLACES));
        let (spill, chunks) = mpsc::sync_channel(config.max_connections.min(spill::PLACES));
        let mut polls = Vec::new();
        let mut mailboxes = Vec::new();
        for _ in 0..config.io_threads {
            let (poll, mailbox) = IoThread::poll().map_err(failed)?;
            polls.push(poll);
            mailboxes.push(mailbox);
        }
        hooks.log = log.map(AccessLog::start).transpose().map_err(failed)?;
        let shared = Arc::new(Shared {
            started: Instant::now(),
            hot,
            queue: Queue::new(&hooks.classes, config.queue, config.workers),
            hooks,
            mailboxes,
            io: (0..config.io_threads).map(|_| IoCounters::default()).collect(),
            workers: (0..config.workers).map(|_| WorkerCounters::default()).collect(),
            prefetch,
            spill,
            bodies: Budget::new(config.body_memory),
            reaper: Reaper::start().map_err(failed)?,
            phase: AtomicU8::new(stop::SERVING),
            accepted_all: AtomicBool::new(false),
            alive: Alive::default(),
            config,
        });
        let mut running = Running { shared: Arc::clone(&shared), addr, threads: Vec::new() };
        let dir = shared.config.spill_dir.clone().unwrap_or_else(std::env::temp_dir);
        spill::start(&shared, dir, chunks).map_err(failed)?;
        running.start_threads(polls, listeners, Arc::new(handler), wanted).map_err(failed)?;
        Ok(running)
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("listeners", &self.listeners)
            .field("config", &self.config)
            .finish()
    }
}

/// A server that answers. Dropped, it stops as [`Running::join`] after [`Stopper::stop`] does.
pub struct Running {
    shared: Arc<Shared>,
    addr: SocketAddr,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    fn start_threads(
        &mut self,
        polls: Vec<mio::Poll>,
        mut listeners: Vec<Listener>,
        handler: Arc<dyn Handler>,
        wanted: mpsc::Receiver<Prefetch>,
    ) -> io::Result<()> {
        for (index, poll) in polls.into_iter().enumerate() {
            let (shared, handler) = (Arc::clone(&self.shared), Arc::clone(&handler));
            let io = IoThread::new(shared, handler, index, poll, mem::take(&mut listeners))?;
            self.spawn(format!("larder-io-{index}"), Kind::Io, move || io.run())?;
        }
        for index in 0..self.shared.config.workers {
            let (shared, handler) = (Arc::clone(&self.shared), Arc::clone(&handler));
            self.spawn(format!("larder-worker-{index}"), Kind::Worker, move || {
                worker::run(&shared, &*handler, index);
            })?;
        }
        prefetch::start(&self.shared, wanted)
    }

    fn spawn(
        &mut self,
        name: String,
        kind: Kind,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        shared.alive.change(kind, 1);
        let spawned = thread::Builder::new().name(name).spawn(move || {
            let _leave = Leave { shared: &shared, kind };
            run();
        });
        match spawned {
            Ok(thread) => self.threads.push(thread),
            Err(error) => {
                self.shared.alive.change(kind, -1);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The address that the server listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// The handle that drops kept answers.
    pub fn hot(&self) -> Hot {
        self.shared.hot.clone()
    }

    /// A handle that stops the server, from any thread.
    pub fn stopper(&self) -> Stopper {
        Stopper::new(Arc::clone(&self.shared))
    }

    /// A handle that reads the counters, from any thread; for status pages.
    pub fn meter(&self) -> Meter {
        Meter { shared: Arc::clone(&self.shared) }
    }

    /// Reads the counters.
    pub fn stats(&self) -> Stats {
        self.meter().stats()
    }

    /// Reads how long requests took.
    pub fn latency(&self) -> Latency {
        self.meter().latency()
    }

    /// Stops the server when the process gets SIGINT or SIGTERM; a second one ends it at once.
    ///
    /// # Errors
    ///
    /// If the signals cannot be caught.
    pub fn stop_on_signals(&self) -> Result<(), Error> {
        stop::on_signals(self.stopper())
    }

    /// Waits until the server was stopped and its requests were answered.
    ///
    /// A handler that has not returned when the grace is over is left behind: its thread goes on,
    /// its answer goes nowhere. Leases are dropped by then, unless that takes some of them longer
    /// than two seconds.
    pub fn join(mut self) {
        self.wait();
    }

    fn wait(&mut self) {
        self.shared.alive.wait(Kind::Io, None);
        // A connection handed to a thread that had ended would stay open as long as a meter or a
        // stopper keeps what is shared: its client would wait for an answer.
        self.shared.mailboxes.iter().for_each(|mailbox| mailbox.post().take(&mut Vec::new()));
        if let Some((_, sink)) = &self.shared.hooks.log {
            sink.close(LOG_PATIENCE);
        }
        // All connections are closed: what is still queued is dropped as its client has gone.
        self.shared.queue.close();
        let patience = Duration::from_millis(200);
        if self.shared.alive.wait(Kind::Worker, Some(patience)) {
            self.threads.drain(..).for_each(|thread| {
                let _ = thread.join();
            });
        }
        self.shared.reaper.finish(LEASE_PATIENCE);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper().stop();
        self.wait();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("addr", &self.addr).field("stats", &self.stats()).finish()
    }
}

/// Reads the counters of a running server, from any thread.
#[derive(Clone)]
pub struct Meter {
    shared: Arc<Shared>,
}

impl Meter {
    /// Reads the counters.
    pub fn stats(&self) -> Stats {
        Stats::collect(&self.shared)
    }

    /// Reads how each class of requests is doing, in their order; the last is `other`.
    pub fn classes(&self) -> Vec<ClassStats> {
        self.shared.queue.classes()
    }

    /// Reads how long requests took: in the queue, in the handler, in delivery.
    pub fn latency(&self) -> Latency {
        Latency::collect(&self.shared.io)
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stats().fmt(f)
    }
}
