//! Lines on their way from I/O threads to the writer.
//!
//! States of the writer, under the lock: it waits for the first line (`idle`), or gathers and
//! writes. `Open` leads to `closed`, once, by the end of the server; then the writer writes what
//! is left and says `finished`. No other lock is taken inside.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How long lines are gathered before they are written.
const GATHER: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(crate) struct Sink {
    /// Appended to by I/O threads, emptied by the writer, under this lock.
    state: Mutex<State>,
    /// Told when the writer should look, or has finished.
    changed: Condvar,
    /// Lines that found no room, or could not be written. Added to by any of them.
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    limit: usize,
    /// The writer waits for the first line.
    idle: bool,
    reopen: bool,
    closed: bool,
    finished: bool,
}

/// What the writer is to do.
pub(super) struct Work {
    /// To be written before the file is reopened.
    pub(super) lines: Vec<u8>,
    pub(super) reopen: bool,
    pub(super) last: bool,
}

impl Sink {
    pub(super) fn open(&self, limit: usize) {
        self.state.lock().limit = limit;
    }

    /// Appends whole lines, `count` of them, or drops all of them if there is no room.
    pub(crate) fn push(&self, lines: &[u8], count: u64) {
        let mut state = self.state.lock();
        if state.closed || state.lines.len() + lines.len() > state.limit {
            drop(state);
            return self.count_dropped(count);
        }
        state.lines.extend_from_slice(lines);
        // One that gathers comes by itself, unless there is much to do.
        let wake = std::mem::take(&mut state.idle) || state.lines.len() > state.limit / 2;
        drop(state);
        if wake {
            self.changed.notify_all();
        }
    }

    pub(super) fn reopen(&self) {
        self.state.lock().reopen = true;
        self.changed.notify_all();
    }

    /// Ends the writer once it has written what is left; waits for that, but not for ever.
    pub(crate) fn close(&self, patience: Duration) {
        let mut state = self.state.lock();
        state.closed = true;
        self.changed.notify_all();
        let until = Instant::now() + patience;
        while !state.finished && !self.changed.wait_until(&mut state, until).timed_out() {}
    }

    /// Waits for something to do. `empty` is what the lines were in before; its room is used
    /// again.
    pub(super) fn work(&self, mut empty: Vec<u8>) -> Work {
        empty.clear();
        let mut state = self.state.lock();
        while state.lines.is_empty() && !state.reopen && !state.closed {
            state.idle = true;
            self.changed.wait(&mut state);
        }
        state.idle = false;
        let until = Instant::now() + GATHER;
        while !state.reopen && !state.closed && state.lines.len() <= state.limit / 2 {
            if self.changed.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        Work {
            lines: std::mem::replace(&mut state.lines, empty),
            reopen: std::mem::take(&mut state.reopen),
            last: state.closed,
        }
    }

    pub(super) fn finished(&self) {
        self.state.lock().finished = true;
        self.changed.notify_all();
    }

    pub(super) fn count_dropped(&self, lines: u64) {
        self.dropped.fetch_add(lines, Relaxed);
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}
