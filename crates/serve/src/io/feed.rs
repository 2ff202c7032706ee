//! Streams: pieces come in from workers, and readers go out to them.

use bytes::Bytes;
use socket2::SockRef;

use super::IoThread;
use super::conn::{Conn, State};
use super::mailbox::ExchangeId;
use crate::queue::Job;
use crate::render::OutBody;
use crate::stream::{Flow, Then};

impl IoThread {
    /// Takes in a part of a stream, unless its delivery is over.
    pub(super) fn piece(&mut self, id: ExchangeId, piece: Bytes, then: Then) {
        let conn = self.slots.get_mut(id.slot).filter(|conn| conn.seq == id.seq);
        match conn.and_then(|conn| flow_of(&mut conn.state)) {
            Some((flow, is_dry)) => {
                flow.push(piece, then);
                *is_dry = false;
                self.advance(id.slot);
            }
            // With it may come the reader, whose drop is code of the user's.
            None => self.chores.push(Box::new(move || drop(then))),
        }
    }

    /// Sends the reader to a worker, if it rests and there is room.
    pub(super) fn refill(&mut self, slot: u32, conn: &mut Conn) {
        let id = ExchangeId { thread: self.index as u32, slot, seq: conn.seq };
        let Some((flow, _)) = flow_of(&mut conn.state) else { return };
        if let Some(pump) = flow.refill(id, self.shared.config.stream_bytes) {
            self.shared.queue.push_on(Job::Pump(pump));
        }
    }

    /// Nothing to send until the reader gives something: its time is that of a handler.
    pub(super) fn wait_for_reader(&mut self, slot: u32, conn: &mut Conn) {
        let State::Sending(sending) = &mut conn.state else { return };
        if !sending.is_dry {
            sending.is_dry = true;
            sending.timed = false;
            sending.stop_clock(self.now);
            let patience = self.shared.config.handler_deadline;
            self.wheel.set(&mut conn.timer, slot, self.now, patience);
        }
    }
}

/// Whatever ends a delivery before its time, to a client that knows the end of the body by the
/// close alone: that close must not look like the end.
pub(super) fn cut(conn: &Conn) {
    if let State::Sending(sending) = &conn.state
        && let OutBody::Stream(flow) = &sending.outgoing.body
        && flow.ends_with_close()
    {
        // Not having it set leaves a plain close, which is all that can be done then.
        let _ = SockRef::from(&*conn.socket).set_linger(Some(std::time::Duration::ZERO));
    }
}

fn flow_of(state: &mut State) -> Option<(&mut Flow, &mut bool)> {
    match state {
        State::Sending(sending) => match &mut sending.outgoing.body {
            OutBody::Stream(flow) => Some((flow, &mut sending.is_dry)),
            _ => None,
        },
        _ => None,
    }
}
