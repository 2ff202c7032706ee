//! What other threads want of an I/O thread.
//!
//! How it is woken is [`Post`]'s. An answer that its worker has written already wakes nobody, unless
//! the I/O thread has said that it wants to go on with that connection. All else of it is
//! bookkeeping, and waits for the next turn; while there may be any, the I/O thread sleeps no longer
//! than it did before, twice over, from `LAG` to `MAX_LAG`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use mio::Waker;
use mio::net::TcpStream;

use super::ended::Times;
use crate::hot::HotInsert;
use crate::post::Post;
use crate::render::Outgoing;
use crate::spill::Spilled;
use crate::stream::Then;
use crate::sync::AtomicBool;

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

/// How long what is only to be noted may wait for an I/O thread that nothing else wakes; and the
/// most, which it comes to by and by where handlers take that long.
pub(crate) const LAG: Duration = Duration::from_millis(20);
pub(crate) const MAX_LAG: Duration = Duration::from_secs(1);

pub(crate) struct Mailbox {
    post: Post<Message>,
    waker: Waker,
}

impl Mailbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { post: Post::new(), waker }
    }

    pub(crate) fn push(&self, message: Message) {
        if self.post.push(message) {
            self.wake();
        }
    }

    /// Leaves a message that can wait, unless `hurry` is set by then.
    pub(crate) fn leave(&self, message: Message, hurry: &AtomicBool) {
        if self.post.leave(message, hurry) {
            self.wake();
        }
    }

    /// Wakes the I/O thread, which then looks at what has changed.
    pub(crate) fn wake(&self) {
        // Fails only if the counter of the eventfd is full, that is when it is awake already.
        let _: io::Result<()> = self.waker.wake();
    }

    /// The I/O thread's side.
    pub(crate) fn post(&self) -> &Post<Message> {
        &self.post
    }
}
