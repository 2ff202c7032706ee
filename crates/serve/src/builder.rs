//! The settings of a server, with their defaults and bounds.

use std::fmt;
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::server::Bound;
use crate::{Error, Listener};

/// All settings; copied into the shared part of a server once and never written again.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) io_threads: usize,
    pub(crate) workers: usize,
    pub(crate) queue: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_head_bytes: usize,
    pub(crate) max_body_bytes: u64,
    pub(crate) spill_body_above: usize,
    pub(crate) body_memory: usize,
    pub(crate) spill_dir: Option<PathBuf>,
    pub(crate) header_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) min_rate: u64,
    pub(crate) handler_deadline: Duration,
    pub(crate) half_close: Duration,
    pub(crate) grace: Duration,
    pub(crate) hot_bytes: usize,
    pub(crate) hot_entry_bytes: usize,
    pub(crate) sendfile_above: usize,
    pub(crate) turn_alarm: Duration,
    pub(crate) stream_bytes: usize,
}

/// The longest time-out that can be set; timers count in 32 bits.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// Chooses the settings of a server; each has a default that suits a machine of its own.
#[derive(Clone)]
pub struct Builder {
    config: Config,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        Self {
            config: Config {
                io_threads: cores.div_ceil(4).min(4),
                workers: (cores * 4).clamp(8, 64),
                queue: 1024,
                max_connections: 10_000,
                max_head_bytes: 16 * 1024,
                max_body_bytes: 1024 * 1024,
                spill_body_above: 1024 * 1024,
                body_memory: 256 * 1024 * 1024,
                spill_dir: None,
                header_timeout: Duration::from_secs(10),
                body_timeout: Duration::from_secs(30),
                idle_timeout: Duration::from_secs(60),
                write_timeout: Duration::from_secs(30),
                min_rate: 1000,
                handler_deadline: Duration::from_secs(30),
                half_close: Duration::from_millis(250),
                grace: Duration::from_secs(10),
                hot_bytes: 64 * 1024 * 1024,
                hot_entry_bytes: 256 * 1024,
                sendfile_above: 128 * 1024,
                turn_alarm: Duration::from_millis(100),
                stream_bytes: 256 * 1024,
            },
        }
    }

    /// Threads that accept, read and deliver. Default: one for four cores, at most 4. Bound: 1 to
    /// 64. One delivers some hundred thousand small answers a second.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn io_threads(mut self, n: usize) -> Self {
        self.config.io_threads = within("io_threads", n, 1, 64);
        self
    }

    /// Threads that run handlers. Default: four a core, 8 to 64. Bound: 1 to 4096. As many
    /// handlers run at once, so this also bounds the database connections they can use.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn workers(mut self, n: usize) -> Self {
        self.config.workers = within("workers", n, 1, 4096);
        self
    }

    /// Jobs that may wait for a worker; the next is answered 503 with `Retry-After: 1`. What has
    /// a [`Class`](crate::Class) does not count here.
    /// Default: 1024. Bound: 1 to a million.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn queue(mut self, jobs: usize) -> Self {
        self.config.queue = within("queue", jobs, 1, 1_000_000);
        self
    }

    /// Connections that may be open, over all I/O threads. Above it, idle connections are closed
    /// to make room; if there is none, the new one is. Default: 10,000. Bound: 1 to a million.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn max_connections(mut self, n: usize) -> Self {
        self.config.max_connections = within("max_connections", n, 1, 1_000_000);
        self
    }

    /// Bytes of a request line and header fields; a longer head is answered 431.
    /// Default: 16 KiB. Bound: 256 bytes to 1 MiB.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn max_head_bytes(mut self, bytes: usize) -> Self {
        self.config.max_head_bytes = within("max_head_bytes", bytes, 256, 1024 * 1024);
        self
    }

    /// Bytes of a request body; a longer one is answered 413. A route may have a limit of its own:
    /// see [`Router::body_limit`](crate::Router::body_limit). Default: 1 MiB. No bound, as what is
    /// long goes to a file.
    pub fn max_body_bytes(mut self, bytes: u64) -> Self {
        self.config.max_body_bytes = bytes;
        self
    }

    /// Bytes of a request body that are kept in memory; a longer one goes to a file without a name
    /// in [`spill_dir`](Builder::spill_dir). Default: 1 MiB, so that with the default limit all are
    /// in memory. Bound: up to 1 GiB.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn spill_body_above(mut self, bytes: usize) -> Self {
        self.config.spill_body_above = within("spill_body_above", bytes, 0, 1024 * 1024 * 1024);
        self
    }

    /// Memory that all request bodies take together, from their first byte until their handler has
    /// dropped them. Above it, a request with a body is answered 503 and its connection closed.
    /// What clients send ahead of their answers counts, too: above it, that is dropped, and the
    /// connection closed after the answer under way; and parts of heads, with their connections.
    /// Default: 256 MiB. Bound: 64 KiB up.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn body_memory(mut self, bytes: usize) -> Self {
        self.config.body_memory = within("body_memory", bytes, 64 * 1024, usize::MAX);
        self
    }

    /// The directory of long request bodies. Default: that of the system, e.g. `/tmp`; where that
    /// is memory itself, choose one on a disk. If a body cannot be written there, it is answered
    /// 503.
    pub fn spill_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.config.spill_dir = Some(dir.into());
        self
    }

    /// Time for a whole head, from its first byte (or from the accept); then 408 and close.
    /// Default: 10 s. Bound: above zero, up to a day.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn header_timeout(mut self, time: Duration) -> Self {
        self.config.header_timeout = timeout("header_timeout", time);
        self
    }

    /// Time for a body beyond what [`min_rate`](Builder::min_rate) allows for its bytes, and the
    /// longest pause within it; then 408 and close. Default: 30 s. Bound: above zero, up to a day.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn body_timeout(mut self, time: Duration) -> Self {
        self.config.body_timeout = timeout("body_timeout", time);
        self
    }

    /// Time that a connection may stay open between requests. Default: 60 s. Bound: above zero,
    /// up to a day.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.config.idle_timeout = timeout("idle_timeout", time);
        self
    }

    /// Time that a client may take nothing of an answer, beyond what
    /// [`min_rate`](Builder::min_rate) allows for the 256 KiB that it may take unseen, as buffers
    /// show in steps what they hold; then the connection is cut. So it is if it has kept us waiting
    /// for longer than this beyond what that rate allows for all bytes that it was given so far,
    /// and those 256 KiB. Default: 30 s, so that one that reads nothing is cut after five to ten
    /// minutes. Bound: above zero, up to a day.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn write_timeout(mut self, time: Duration) -> Self {
        self.config.write_timeout = timeout("write_timeout", time);
        self
    }

    /// Bytes a second that a slow but honest client sends or takes: it stretches the body and
    /// write time-outs by the time its bytes take at this rate. Default: 1000. Bound: above zero.
    ///
    /// # Panics
    ///
    /// If zero.
    pub fn min_rate(mut self, bytes_per_second: u64) -> Self {
        assert!(bytes_per_second > 0, "min_rate must be above zero");
        self.config.min_rate = bytes_per_second;
        self
    }

    /// Time from a whole request to its answer. A job still queued then is dropped and answered
    /// 503; one that runs, or will be completed later, is answered 504 and what it returns is
    /// dropped. Default: 30 s. Bound: above zero, up to a day.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn handler_deadline(mut self, time: Duration) -> Self {
        self.config.handler_deadline = timeout("handler_deadline", time);
        self
    }

    /// How long a request is still worth running after its client has shut down its sending side.
    /// Most such clients have closed and gone; a few only say that they ask for nothing more, so
    /// a job that reaches a worker within this time runs. After it, a [`Ticket`](crate::Ticket) is
    /// told that its client is gone. Default: 250 ms. Bound: up to a day.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn half_close(mut self, time: Duration) -> Self {
        assert!(time <= MAX_TIMEOUT, "half_close is {time:?}, but the most is a day");
        self.config.half_close = time;
        self
    }

    /// Time for requests in flight to end once the server is told to stop. Default: 10 s.
    /// Bound: up to a day.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn grace(mut self, time: Duration) -> Self {
        assert!(time <= MAX_TIMEOUT, "grace is {time:?}, but the most is a day");
        self.config.grace = time;
        self
    }

    /// Bytes of the response cache (see [`Reply::hot`](crate::Reply::hot)), over all I/O threads;
    /// each has its own share. Bodies of 96 KiB to 1 MiB are kept in files that exist in memory
    /// alone, where the system has such, as the kernel sends their pages to everyone without a
    /// copy: at most 1,024, and an eighth of the descriptors that the process may have. Default:
    /// 64 MiB. Zero keeps nothing.
    pub fn hot_bytes(mut self, bytes: usize) -> Self {
        self.config.hot_bytes = bytes;
        self
    }

    /// The longest body that the response cache keeps. Default: 256 KiB. Bound: up to 64 MiB.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn hot_entry_bytes(mut self, bytes: usize) -> Self {
        self.config.hot_entry_bytes = within("hot_entry_bytes", bytes, 0, 64 * 1024 * 1024);
        self
    }

    /// Parts of files above this size go out by `sendfile`; smaller ones are read by the worker
    /// and leave together with their head. Default: 128 KiB. Bound: up to 64 MiB.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn sendfile_above(mut self, bytes: usize) -> Self {
        self.config.sendfile_above = within("sendfile_above", bytes, 0, 64 * 1024 * 1024);
        self
    }

    /// Bytes of a [`Reply::stream`](crate::Reply::stream) that a connection holds for a client that
    /// has not taken them yet. Default: 256 KiB. Bound: 4 KiB to 64 MiB.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn stream_bytes(mut self, bytes: usize) -> Self {
        self.config.stream_bytes = within("stream_bytes", bytes, 4096, 64 * 1024 * 1024);
        self
    }

    /// Time of one turn of an I/O thread above which there is an alarm: see
    /// [`Bound::on_stall`]. Default: 100 ms. Bound: above zero, up to a day; it is kept to a tick of
    /// the kernel's, 1 to 10 ms.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn turn_alarm(mut self, time: Duration) -> Self {
        self.config.turn_alarm = timeout("turn_alarm", time);
        self
    }

    /// Opens a listening socket. Port 0 takes a free one: see [`Bound::local_addr`].
    ///
    /// # Errors
    ///
    /// If the address does not resolve, is in use, or needs rights; the message names it.
    pub fn bind(self, addr: impl ToSocketAddrs + fmt::Debug) -> Result<Bound, Error> {
        self.listener(Listener::bind(addr)?)
    }

    /// Uses a socket that is already open: one of std, an [inherited](Listener::inherited) one, a
    /// [Unix socket](Listener::unix). [`Bound::and`] adds further ones.
    ///
    /// # Errors
    ///
    /// If it is not a listening socket, or the system has no more descriptors.
    pub fn listener(self, listener: impl Into<Listener>) -> Result<Bound, Error> {
        Bound::new(self.config, listener.into())
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}

fn within(name: &str, n: usize, min: usize, max: usize) -> usize {
    assert!((min..=max).contains(&n), "{name} is {n}, but must be {min} to {max}");
    n
}

fn timeout(name: &str, time: Duration) -> Duration {
    assert!(
        !time.is_zero() && time <= MAX_TIMEOUT,
        "{name} is {time:?}, but must be above zero and at most a day",
    );
    time
}
