//! A server with one worker, and a count of everything that a client may leave behind in it.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

use larder_serve::{AccessLog, Builder, LogFormat, Reply, Request, Running, Stats};
use parking_lot::{Mutex, MutexGuard};
use tempfile::TempDir;

use crate::client::{Client, builder, eventually};
use crate::held::Held;

/// Bodies above this go to a file.
pub const SPILLED_ABOVE: usize = 64 * 1024;
/// How often each thing is done: what is left behind once may be hidden in a count, not thrice.
pub const ROUNDS: usize = 3;

static ALONE: Mutex<()> = Mutex::new(());

/// Held by a test, from its first line on: whatever another one opens would be counted.
pub fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock()
}

/// What the server counts that never goes back, since the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub requests: u64,
    pub handled: u64,
    pub dropped: u64,
    pub aborted: u64,
    pub short: u64,
    pub bad: u64,
    pub timed_out: u64,
    pub unavailable: u64,
    pub panics: u64,
}

impl Counts {
    fn between(then: &Stats, now: &Stats) -> Self {
        Self {
            requests: now.requests - then.requests,
            handled: now.handled - then.handled,
            dropped: now.dropped_jobs - then.dropped_jobs,
            aborted: now.aborted - then.aborted,
            short: now.short - then.short,
            bad: now.bad_requests - then.bad_requests,
            timed_out: now.timed_out - then.timed_out,
            unavailable: now.unavailable - then.unavailable,
            panics: now.panics - then.panics,
        }
    }
}

/// An access log that can be read.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub struct Scene {
    /// Dropped first, so that what it gives back can be counted.
    server: Option<Running>,
    pub held: Held,
    /// Where long bodies go.
    dir: TempDir,
    /// At the last look.
    stats: RefCell<Stats>,
    lines: Lines,
    expected_lines: Cell<u64>,
    /// Of the process, before there was a server, and with one that nobody is connected to.
    descriptors: (usize, usize),
}

impl Scene {
    pub fn start(held: &Held, handler: impl Fn(Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(builder(), held, handler)
    }

    /// A handler need not answer `/fresh`.
    pub fn with(
        settings: Builder,
        held: &Held,
        handler: impl Fn(Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let before = descriptors();
        let settings = settings.workers(1).spill_body_above(SPILLED_ABOVE).spill_dir(dir.path());
        let bound = settings.bind("127.0.0.1:0").unwrap();
        let lines = Lines::default();
        let bound = bound.access_log(AccessLog::writer(lines.clone(), LogFormat::Common));
        let bound = bound.fast(|peek| (peek.path() == "/fast").then(|| Reply::text("fast")));
        let server = bound.start(move |request: Request| match request.path() {
            "/fresh" => Reply::text("fresh"),
            _ => handler(request),
        });
        let server = server.unwrap();
        let (stats, expected_lines) = (RefCell::new(server.stats()), Cell::new(0));
        let held = held.clone();
        let descriptors = (before, descriptors());
        Self { server: Some(server), held, dir, stats, lines, expected_lines, descriptors }
    }

    pub fn server(&self) -> &Running {
        self.server.as_ref().unwrap()
    }

    pub fn stats(&self) -> Stats {
        self.server().stats()
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.server().local_addr())
    }

    /// A connection that has sent these bytes.
    pub fn sent(&self, bytes: impl AsRef<[u8]>) -> Client {
        let mut client = self.connect();
        client.send(bytes);
        client
    }

    pub fn asked(&self, target: &str) -> Client {
        self.sent(get(target))
    }

    /// Since the last look.
    pub fn counts(&self) -> Counts {
        Counts::between(&self.stats.borrow(), &self.stats())
    }

    /// The lines that the access log has by now.
    pub fn log(&self) -> String {
        String::from_utf8(self.lines.0.lock().clone()).unwrap()
    }

    /// Files of long bodies that are open.
    pub fn spilled(&self) -> usize {
        open_files(self.dir.path())
    }

    /// Waits until the server has seen that all clients are gone.
    pub fn all_are_gone(&self) {
        eventually("all connections are closed", || self.stats().connections == 0);
    }

    /// What clients held is given back, exactly this was counted, and whoever comes is answered.
    pub fn nothing_is_left(&self, expected: &Counts) {
        self.all_are_gone();
        eventually("the worker is free, the queue empty", || {
            let stats = self.stats();
            (stats.busy_workers, stats.queued) == (0, 0)
        });
        eventually("the memory of bodies is given back", || self.stats().body_bytes == 0);
        eventually("leases and readers are dropped", || self.held.count() == 0);
        eventually("there is nothing to drop any more", || self.stats().chores == 0);
        let is_back = || descriptors() == self.descriptors.1;
        eventually("descriptors are where they were", is_back);
        assert_eq!(self.counts(), *expected);
        self.expect_lines(expected);
        assert_eq!(self.connect().get("/fresh").text(), "fresh");
        self.all_are_gone();
        *self.stats.borrow_mut() = self.stats();
    }

    /// Each request has its line in the log, and so has what was refused and is none; and then comes
    /// `/fresh`.
    fn expect_lines(&self, counted: &Counts) {
        self.expected_lines.set(self.expected_lines.get() + counted.requests.max(counted.bad) + 1);
    }

    /// Stops the server, which must not wait for its grace, and counts what was left.
    pub fn stopped(mut self, expected: &Counts) {
        let meter = self.server().meter();
        let server = self.server.take().unwrap();
        server.stopper().stop();
        let joined = thread::spawn(move || server.join());
        eventually("the server has ended", || joined.is_finished());
        let counts = Counts::between(&self.stats.borrow(), &meter.stats());
        assert_eq!((meter.stats().connections, counts), (0, expected.clone()));
        drop(meter);
        eventually("leases and readers are dropped", || self.held.count() == 0);
        self.expected_lines.set(self.expected_lines.get() + expected.requests);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(self.server.take());
        let is_back = || descriptors() == self.descriptors.0;
        if !thread::panicking() {
            eventually("the server has given back its descriptors", is_back);
            // It has waited for the last line of its log.
            let lines = self.log();
            assert_eq!(lines.lines().count() as u64, self.expected_lines.get(), "{lines}");
        } else if !is_back() {
            // The next test counts, too.
            thread::sleep(Duration::from_secs(1));
        }
    }
}

pub fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")
}

/// A head that promises a body of this length.
pub fn post(target: &str, len: usize) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\n\r\n")
}

/// A head that promises a body in chunks.
pub fn chunked(target: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
}

pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Descriptors of what is, or was, below this path.
pub fn open_files(path: &Path) -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap();
    let targets = links.filter_map(|link| fs::read_link(link.ok()?.path()).ok());
    targets.filter(|target| target.starts_with(path)).count()
}
