//! One request on its way through a worker, shared by the I/O thread, the worker and the ticket.
//!
//! States of `phase`, and who moves it:
//!
//! ```text
//! QUEUED --worker pops the job--> RUNNING
//! ```
//!
//! `gone` is written by the I/O thread alone. Both words are advice: whoever loses the race does
//! work in vain, and the I/O thread drops the answer, since the id of the exchange is then stale.
//!
//! The right to answer is the socket that the connection lends: whoever takes it out may write. A
//! worker takes it for the one write of a short answer; the I/O thread does before it says anything
//! itself, or closes. What the worker's write left over is the I/O thread's, as is all else.
//!
//! The locks are held for a move.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use mio::net::TcpStream;
use parking_lot::Mutex;

use crate::conditional::Conditions;
use crate::head::{self, Head};
use crate::hot::Stamp;
use crate::io::ended::Times;
use crate::io::mailbox::ExchangeId;
use crate::reaper::Chore;
use crate::server::Shared;
use crate::sync::AtomicBool;

/// Everything about a request but its body.
pub(crate) struct Exchange {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: ExchangeId,
    pub(crate) peer: SocketAddr,
    pub(crate) keep_alive: bool,
    /// Its place among the classes; set before the exchange is shared.
    pub(crate) class: usize,
    /// HTTP/1.0 wants to be told that the connection stays.
    pub(crate) minor: u8,
    /// When the whole request was here.
    arrived: Instant,
    /// Generations of the response cache before the handler began.
    pub(crate) stamp: Stamp,
    pub(crate) method: Method,
    bytes: Bytes,
    target: Range<u32>,
    fields: Box<[(Range<u32>, Range<u32>)]>,
    headers: OnceLock<HeaderMap>,
    /// Which arrival it is in its queue; touched under the lock of the queue alone.
    pub(crate) queued_as: AtomicU64,
    /// Written by the worker (`QUEUED` to `RUNNING`), read by the I/O thread.
    phase: AtomicU8,
    /// Microseconds in the queue; written by the worker, before it hands anything on.
    begun_us: AtomicU64,
    /// Written by the I/O thread: `HERE`, `LEFT`, or when the client stopped sending.
    gone: AtomicU64,
    /// Lent by the connection; taken out by who answers.
    socket: Mutex<Option<Arc<TcpStream>>>,
    /// Set by the I/O thread: it wants to go on with the connection as soon as the answer is out.
    pub(crate) hurry: AtomicBool,
    /// Called when `gone` becomes `LEFT`, which it does under this lock, or when the client has sent
    /// nothing for too long since it stopped.
    on_left: Mutex<Option<Chore>>,
}

const QUEUED: u8 = 0;
const RUNNING: u8 = 1;

const HERE: u64 = 0;
const LEFT: u64 = 1;
/// Added to milliseconds, so that a time is never one of the two above.
const SINCE: u64 = 2;

impl Exchange {
    /// Copies a head out of the read buffer that begins with it.
    pub(crate) fn new(
        shared: Arc<Shared>,
        id: ExchangeId,
        peer: SocketAddr,
        buffer: &[u8],
        head: &Head<'_, '_>,
        keep_alive: bool,
    ) -> Self {
        let base = buffer.as_ptr() as usize;
        let span = |part: &[u8]| {
            let start = (part.as_ptr() as usize - base) as u32;
            start..start + part.len() as u32
        };
        let fields = head.fields.iter().map(|f| (span(f.name.as_bytes()), span(f.value))).collect();
        let arrived = Instant::now();
        let stamp = shared.hot.stamp(head.target.as_bytes());
        Self {
            shared,
            id,
            peer,
            keep_alive,
            class: 0,
            minor: head.minor,
            arrived,
            stamp,
            // httparse took it for a token, so it is a method.
            method: Method::from_bytes(head.method.as_bytes()).unwrap_or(Method::GET),
            bytes: Bytes::copy_from_slice(&buffer[..head.len]),
            target: span(head.target.as_bytes()),
            fields,
            headers: OnceLock::new(),
            queued_as: AtomicU64::new(0),
            phase: AtomicU8::new(QUEUED),
            begun_us: AtomicU64::new(0),
            gone: AtomicU64::new(HERE),
            socket: Mutex::new(None),
            hurry: AtomicBool::new(false),
            on_left: Mutex::new(None),
        }
    }

    /// The connection waits for an answer from now on.
    pub(crate) fn lend(&mut self, socket: &Arc<TcpStream>) {
        *self.socket.get_mut() = Some(Arc::clone(socket));
    }

    /// Takes the right to answer; `None` if somebody has it already.
    pub(crate) fn claim(&self) -> Option<Arc<TcpStream>> {
        self.socket.lock().take()
    }

    /// The whole request is here: the time for its answer begins.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.arrived = now;
    }

    pub(crate) fn target(&self) -> &str {
        std::str::from_utf8(self.at(&self.target)).unwrap_or("/")
    }

    pub(crate) fn path(&self) -> &str {
        head::split_target(self.target()).0
    }

    pub(crate) fn query(&self) -> Option<&str> {
        head::split_target(self.target()).1
    }

    /// The header fields, built when a handler first asks for them.
    pub(crate) fn headers(&self) -> &HeaderMap {
        self.headers.get_or_init(|| {
            let mut map = HeaderMap::with_capacity(self.fields.len());
            for (name, value) in &self.fields {
                let value = self.bytes.slice(value.start as usize..value.end as usize);
                // Both were checked by the parser, against the same grammar.
                if let (Ok(name), Ok(value)) =
                    (HeaderName::from_bytes(self.at(name)), HeaderValue::from_maybe_shared(value))
                {
                    map.append(name, value);
                }
            }
            map
        })
    }

    pub(crate) fn conditions(&self) -> Conditions<'_> {
        let mut conditions = Conditions::default();
        for (name, value) in &self.fields {
            let name = std::str::from_utf8(self.at(name)).unwrap_or_default();
            conditions.observe(name, self.at(value));
        }
        conditions
    }

    fn at(&self, span: &Range<u32>) -> &[u8] {
        &self.bytes[span.start as usize..span.end as usize]
    }

    /// A worker has taken the job; false if it is not worth running any more.
    pub(crate) fn begin(&self) -> bool {
        self.phase.store(RUNNING, Relaxed);
        let queued = self.arrived.elapsed();
        self.begun_us.store(queued.as_micros() as u64, Relaxed);
        !self.is_gone() && queued < self.shared.config.handler_deadline
    }

    /// Tells whether somebody has the right to answer already.
    pub(crate) fn is_claimed(&self) -> bool {
        self.socket.lock().is_none()
    }

    /// Tells whether no answer can reach anybody: who only stopped sending may still listen.
    pub(crate) fn has_left(&self) -> bool {
        self.gone.load(Relaxed) == LEFT
    }

    /// Tells whether no worker has taken the job yet.
    pub(crate) fn is_queued(&self) -> bool {
        self.phase.load(Relaxed) == QUEUED
    }

    /// When it came and was begun, up to now, when it is handed on.
    pub(crate) fn times(&self) -> Times {
        let handed = Instant::now();
        let queued = Duration::from_micros(self.begun_us.load(Relaxed));
        let begun = if self.is_queued() { handed } else { self.arrived + queued };
        Times { arrived: self.arrived, begun, handed, written: None }
    }

    /// The first field of this name, as it was sent.
    pub(crate) fn field(&self, name: &str) -> Option<&[u8]> {
        let is_it = |field: &&(Range<u32>, Range<u32>)| {
            self.at(&field.0).eq_ignore_ascii_case(name.as_bytes())
        };
        self.fields.iter().find(is_it).map(|(_, value)| self.at(value))
    }

    /// The connection is closed, or was given another answer. Returns what is to be called then.
    #[must_use]
    pub(crate) fn mark_left(&self) -> Option<Chore> {
        let mut on_left = self.on_left.lock();
        self.gone.store(LEFT, Relaxed);
        on_left.take()
    }

    /// The client has stopped sending for so long that it counts as gone. Returns what is to be
    /// called then; an answer would still be delivered.
    #[must_use]
    pub(crate) fn given_up(&self) -> Option<Chore> {
        self.on_left.lock().take()
    }

    /// Has `tell` called once the client is gone, by the reaper.
    pub(crate) fn on_left(&self, tell: Chore) {
        let mut on_left = self.on_left.lock();
        if self.is_gone() {
            drop(on_left);
            return self.shared.reaper.take(&mut vec![tell]);
        }
        // What was there is dropped after the lock: it is the user's.
        let before = on_left.replace(tell);
        drop(on_left);
        drop(before);
    }

    /// There is an answer: nobody needs to know any more.
    pub(crate) fn forget_left(&self) {
        let before = self.on_left.lock().take();
        drop(before);
    }

    /// The client has shut down its sending side; most have then gone, a few still listen. True
    /// if this is news.
    pub(crate) fn mark_half_closed(&self) -> bool {
        let is_news = self.gone.load(Relaxed) == HERE;
        if is_news {
            let since = self.shared.started.elapsed().as_millis() as u64;
            self.gone.store(since + SINCE, Relaxed);
        }
        is_news
    }

    /// Tells whether the client has stopped sending, but has not left for all we know.
    pub(crate) fn is_half_closed(&self) -> bool {
        self.gone.load(Relaxed) >= SINCE
    }

    /// What is left of the handler's time.
    pub(crate) fn time_left(&self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.arrived);
        self.shared.config.handler_deadline.saturating_sub(passed)
    }

    pub(crate) fn is_gone(&self) -> bool {
        match self.gone.load(Relaxed) {
            HERE => false,
            LEFT => true,
            since => {
                let now = self.shared.started.elapsed().as_millis() as u64;
                let patience = self.shared.config.half_close.as_millis() as u64;
                now.saturating_sub(since - SINCE) >= patience
            }
        }
    }
}
