//! The worker's end of a stream: reads while there is room and anybody waits.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::StatusCode;

use super::source::{Got, PIECE_BYTES};
use super::{Flow, Source, Then};
use crate::answer::{self, Asked};
use crate::exchange::Exchange;
use crate::guard::guarded;
use crate::io::mailbox::{ExchangeId, Mailbox, Message};
use crate::listen::NO_ADDR;
use crate::render::OutBody;
use crate::reply::Reply;
use crate::worker;

/// A reader on its way through a worker.
pub(crate) struct Pump {
    id: ExchangeId,
    /// Of the request, among the classes: its places are taken for reading as well.
    class: usize,
    source: Source,
    /// Bytes that the connection has room for.
    room: usize,
    /// Held by the connection as long as it waits for this.
    waiting: Weak<()>,
}

/// Answers with a stream: makes the first read, hands over the head with what came, and reads on.
pub(crate) fn open(exchange: &Arc<Exchange>, reply: Reply) {
    // The reader is the user's, in its reads as in its drop.
    let opened = guarded(|| try_open(exchange, reply));
    match opened {
        Some(Some(pump)) => pump.run(mailbox(exchange)),
        Some(None) => {}
        None => worker::deliver(exchange, Reply::status(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}

fn try_open(exchange: &Arc<Exchange>, reply: Reply) -> Option<Pump> {
    if exchange.has_left() {
        // Gone, or told 504 meanwhile: the reader is dropped unread.
        return None;
    }
    let asked = Asked::of(exchange);
    let (mut outgoing, source) = answer::stream(&asked, exchange.minor, reply);
    let Some((mut source, delimited)) = source else {
        worker::hand_over(exchange, outgoing, None);
        return None;
    };
    if delimited.is_close() && exchange.peer == NO_ADDR {
        // A socket with a name has no reset: a body cut short would look like a whole one.
        let reply = Reply::status(StatusCode::HTTP_VERSION_NOT_SUPPORTED);
        worker::deliver(exchange, reply);
        return None;
    }
    let bound = exchange.shared.config.stream_bytes;
    let (piece, then) = match source.read(PIECE_BYTES.min(bound)) {
        Got::Some(piece) => (piece, Then::More),
        Got::End(piece) => (piece, Then::End),
        Got::Failed => {
            worker::deliver(exchange, Reply::status(StatusCode::INTERNAL_SERVER_ERROR));
            return None;
        }
    };
    let waiting = Arc::new(());
    let pump = matches!(then, Then::More).then(|| {
        let room = bound.saturating_sub(Flow::cost(&piece));
        Pump::new(exchange.id, exchange.class, source, room, Arc::downgrade(&waiting))
    });
    let mut flow = Flow::new(waiting, exchange.class, delimited.is_close());
    flow.push(piece, then);
    outgoing.body = OutBody::Stream(Box::new(flow));
    worker::hand_over(exchange, outgoing, None);
    pump
}

fn mailbox(exchange: &Exchange) -> &Mailbox {
    &exchange.shared.mailboxes[exchange.id.thread as usize]
}

impl Pump {
    pub(crate) fn new(
        id: ExchangeId,
        class: usize,
        source: Source,
        room: usize,
        waiting: Weak<()>,
    ) -> Self {
        Self { id, class, source, room, waiting }
    }

    pub(crate) fn class(&self) -> usize {
        self.class
    }

    pub(crate) fn thread(&self) -> usize {
        self.id.thread as usize
    }

    /// Reads until the room is used up, the end, or nobody waits any more.
    pub(crate) fn run(self, mailbox: &Mailbox) {
        let id = self.id;
        if guarded(|| self.read_on(mailbox)).is_none() {
            mailbox.push(Message::Piece { id, piece: Bytes::new(), then: Then::Failed });
        }
    }

    fn read_on(mut self, mailbox: &Mailbox) {
        let id = self.id;
        loop {
            if self.waiting.strong_count() == 0 {
                return;
            }
            if self.room == 0 {
                let then = Then::Rest(Box::new(self.source));
                return mailbox.push(Message::Piece { id, piece: Bytes::new(), then });
            }
            let (piece, then) = match self.source.read(PIECE_BYTES.min(self.room)) {
                Got::Some(piece) => (piece, Then::More),
                Got::End(piece) => (piece, Then::End),
                Got::Failed => (Bytes::new(), Then::Failed),
            };
            self.room = self.room.saturating_sub(Flow::cost(&piece));
            let goes_on = matches!(then, Then::More);
            mailbox.push(Message::Piece { id, piece, then });
            if !goes_on {
                return;
            }
        }
    }
}
