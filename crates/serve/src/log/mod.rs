//! The access log: a line for each request, when its last byte has left or it was given up.
//!
//! I/O threads append lines to a buffer of their own, and once a turn to one that all share, under
//! a lock that is held for a copy (`sink`). A thread of its own writes that to the file (`writer`),
//! several times a second. When the file does not keep up, lines are dropped and counted: delivery
//! never waits for a log. `line` is the form of a line.

mod line;
mod sink;
mod writer;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, thread};

use crate::Error;
pub(crate) use line::{Asked, Line, Lines};
pub(crate) use sink::Sink;

/// How a line of the access log looks. What a client sends is escaped, so that no request can
/// make a line or end one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// The common log format: address, time, request line, status, bytes of the body.
    Common,
    /// As common, with referer and user agent.
    Combined,
    /// One JSON object a line: as combined, and microseconds in the queue, in the handler and in
    /// delivery (`queue_us`, `handler_us`, `delivery_us`), and whether delivery was cut short
    /// (`aborted`).
    Json,
}

/// An access log, to be given to [`Bound::access_log`](crate::Bound::access_log).
///
/// The time of a line is that of the end of its request. A request whose client left before there
/// was an answer has the status 499; one that was refused before its head was whole has `-` for
/// its request line.
pub struct AccessLog {
    format: LogFormat,
    target: Target,
    buffer_bytes: usize,
    sink: Arc<Sink>,
}

/// Where lines go.
pub(crate) enum Target {
    File { file: File, path: PathBuf },
    Writer(Box<dyn Write + Send>),
}

/// Reopens an access log, from any thread.
#[derive(Clone)]
pub struct LogHandle {
    sink: Arc<Sink>,
}

impl AccessLog {
    /// Appends to a file, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened; the message names it.
    pub fn file(path: impl AsRef<Path>, format: LogFormat) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let failed = |error| Error::new(format!("cannot open the log {}", path.display()), error);
        let file = append(&path).map_err(failed)?;
        Ok(Self::new(Target::File { file, path }, format))
    }

    /// Writes to anything: standard output, a pipe. Several lines come in one write.
    pub fn writer(writer: impl Write + Send + 'static, format: LogFormat) -> Self {
        Self::new(Target::Writer(Box::new(writer)), format)
    }

    fn new(target: Target, format: LogFormat) -> Self {
        Self { format, target, buffer_bytes: 1024 * 1024, sink: Arc::default() }
    }

    /// Bytes of lines that may wait to be written; above it, lines are dropped and counted in
    /// [`Stats::log_dropped`](crate::Stats::log_dropped). Default: 1 MiB. Bound: 4 KiB to 1 GiB.
    ///
    /// # Panics
    ///
    /// If out of bounds.
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        let within = (4096..=1 << 30).contains(&bytes);
        assert!(within, "buffer_bytes is {bytes}, but must be 4096 to {}", 1 << 30);
        self.buffer_bytes = bytes;
        self
    }

    /// A handle that reopens the file, e.g. after `logrotate` has moved it.
    pub fn handle(&self) -> LogHandle {
        LogHandle { sink: Arc::clone(&self.sink) }
    }

    /// Starts the writer; the sink is for the I/O threads.
    pub(crate) fn start(self) -> io::Result<(LogFormat, Arc<Sink>)> {
        let Self { format, target, buffer_bytes, sink } = self;
        sink.open(buffer_bytes);
        let its = Arc::clone(&sink);
        thread::Builder::new()
            .name("larder-log".into())
            .spawn(move || writer::run(target, &its))?;
        Ok((format, sink))
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl LogHandle {
    /// Opens the file anew by its path, after what has been logged so far was written to the old
    /// one. Returns at once. If it cannot be opened, the old one is kept, with a warning in the
    /// log of the process. Does nothing for a log that goes to a writer.
    pub fn reopen(&self) {
        self.sink.reopen();
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match &self.target {
            Target::File { path, .. } => Some(path),
            Target::Writer(_) => None,
        };
        f.debug_struct("AccessLog").field("format", &self.format).field("path", &path).finish()
    }
}

impl fmt::Debug for LogHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogHandle").finish_non_exhaustive()
    }
}
