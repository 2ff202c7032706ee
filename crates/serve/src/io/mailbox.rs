//! What other threads want of an I/O thread.
//!
//! The sender appends under the lock, then wakes the receiver if it says that it sleeps. The
//! receiver says so, then looks under the lock once more before it sleeps. Both go through the
//! lock, so one of them sees the other: no message waits for an unrelated event. The lock is held
//! for a push or a swap of two vectors; nothing is allocated under it once they have grown.
//!
//! An answer that its worker has written already wakes nobody, unless the I/O thread has said that
//! it wants to go on with that connection, which it does before it goes through the lock on its way
//! to sleep: so of the two, again, one sees the other. All else of it is bookkeeping, and waits for
//! the next turn; the I/O thread sleeps no longer than `LAG` while there may be any.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use mio::Waker;
use mio::net::TcpStream;
use parking_lot::Mutex;

use super::ended::Times;
use crate::hot::HotInsert;
use crate::render::Outgoing;
use crate::spill::Spilled;
use crate::stream::Then;

/// Names one request on one connection of one I/O thread; never used again for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExchangeId {
    pub(crate) thread: u32,
    pub(crate) slot: u32,
    pub(crate) seq: u32,
}

pub(crate) enum Message {
    /// A connection that the accepting thread hands over.
    Adopt(TcpStream, SocketAddr),
    /// The answer to a request, and perhaps what to keep of it.
    Reply {
        id: ExchangeId,
        outgoing: Box<Outgoing>,
        hot: Option<Box<HotInsert>>,
        times: Times,
        written: Written,
    },
    /// The bytes of a file up to `until` are in memory now.
    Warm { id: ExchangeId, until: u64 },
    /// A part of a stream, and where its reader is now.
    Piece { id: ExchangeId, piece: Bytes, then: Then },
    /// A chunk of a request body is written; `None` if that failed.
    Spilled { id: ExchangeId, spilled: Option<Spilled> },
    /// Descriptors ran out elsewhere: close an idle connection.
    Shed,
}

/// What of an answer its worker has handed to the socket.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Written {
    Nothing,
    /// So many bytes, of the head first; then the socket was full.
    Part(usize),
    /// The whole answer, of so many bytes.
    Whole(usize),
    Broken,
}

impl Written {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Part(n) | Self::Whole(n) => n,
            Self::Nothing | Self::Broken => 0,
        }
    }
}

/// The longest that what is only to be noted may wait for the I/O thread.
pub(crate) const LAG: Duration = Duration::from_millis(20);

pub(crate) struct Mailbox {
    /// Appended to by any thread, emptied by the I/O thread, under this lock.
    queue: Mutex<Vec<Message>>,
    /// Set by the I/O thread before it sleeps, taken by the first sender after that.
    asleep: AtomicBool,
    waker: Waker,
}

impl Mailbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { queue: Mutex::new(Vec::new()), asleep: AtomicBool::new(false), waker }
    }

    pub(crate) fn push(&self, message: Message) {
        self.queue.lock().push(message);
        self.wake_sleeper();
    }

    /// Leaves a message that can wait, unless `hurry` is set by then.
    pub(crate) fn leave(&self, message: Message, hurry: &AtomicBool) {
        self.queue.lock().push(message);
        // Relaxed: the lock above orders this against `fall_asleep`, before which it was set.
        if hurry.load(Relaxed) {
            self.wake_sleeper();
        }
    }

    fn wake_sleeper(&self) {
        // Relaxed: the lock that was held orders this against `fall_asleep`.
        if self.asleep.load(Relaxed) && self.asleep.swap(false, Relaxed) {
            self.wake();
        }
    }

    /// Wakes the I/O thread, which then looks at what has changed.
    pub(crate) fn wake(&self) {
        // Fails only if the counter of the eventfd is full, that is when it is awake already.
        let _: io::Result<()> = self.waker.wake();
    }

    /// Announces sleep; false if there is something to do first.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Relaxed);
        self.is_empty()
    }

    pub(crate) fn wake_up(&self) {
        self.asleep.store(false, Relaxed);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.lock().is_empty()
    }

    /// Swaps the messages into `inbox`, which must be empty.
    pub(crate) fn take(&self, inbox: &mut Vec<Message>) {
        debug_assert!(inbox.is_empty());
        std::mem::swap(&mut *self.queue.lock(), inbox);
    }
}
