//! What comes back: answers and pieces of streams from workers and tickets, files that are in
//! memory now, connections that another thread accepted.

use super::IoThread;
use super::conn::{Conn, Sending, State};
use super::mailbox::{ExchangeId, Message, Written};
use crate::hot::HotInsert;
use crate::stats::add;

impl IoThread {
    pub(super) fn read_mailbox(&mut self) {
        let mut inbox = std::mem::take(&mut self.inbox);
        self.mailbox().post().take(&mut inbox);
        for message in inbox.drain(..) {
            self.turn.messages += 1;
            match message {
                Message::Adopt(socket, peer) => self.adopt(socket, peer),
                Message::Reply { id, outgoing, hot, times, written } => {
                    if let Some(insert) = hot {
                        self.keep(*insert);
                    }
                    let mut sending = Sending::new(outgoing);
                    sending.is_heavy |= sending.has_bytes();
                    (sending.times, sending.is_counted) = (Some(times), true);
                    self.reply(id, sending, written);
                }
                Message::Warm { id, until } => self.warmed(id, until),
                Message::Piece { id, piece, then } => self.piece(id, piece, then),
                Message::Spilled { id, spilled } => self.spilled(id, spilled),
                Message::Shed => {
                    self.shed();
                }
            }
        }
        self.inbox = inbox;
    }

    /// Puts an answer into the response cache.
    pub(super) fn keep(&mut self, insert: HotInsert) {
        self.hot.insert(insert, &self.date);
        self.count_hot();
    }

    /// Begins to deliver an answer, unless the request it answers is over; or goes on with what its
    /// worker began.
    fn reply(&mut self, id: ExchangeId, mut sending: Sending, written: Written) {
        let waits = |conn: &mut Conn| conn.seq == id.seq && conn.is_waiting();
        if !self.slots.get_mut(id.slot).is_some_and(waits) {
            return self.discard(sending);
        }
        let Some(mut conn) = self.slots.take(id.slot) else { return };
        sending.written(written);
        add(&self.counters().bytes_sent, sending.sent);
        self.turn.body_bytes += sending.sent.saturating_sub(sending.head_bytes);
        let state = std::mem::replace(&mut conn.state, State::Sending(Box::new(sending)));
        if let (State::Waiting(exchange), State::Sending(sending)) = (state, &mut conn.state) {
            // Who keeps the request for longer keeps no socket with it.
            drop(exchange.claim());
            sending.asked = self.lines.is_some().then_some(exchange);
        }
        self.slots.put(id.slot, conn);
        match written {
            Written::Broken => self.close(id.slot),
            _ => self.advance(id.slot),
        }
    }

    fn warmed(&mut self, id: ExchangeId, until: u64) {
        let Some(conn) = self.slots.get_mut(id.slot) else { return };
        match &mut conn.state {
            State::Sending(sending) if conn.seq == id.seq => {
                sending.warming = None;
                sending.warm_until = until;
                self.advance(id.slot);
            }
            _ => {}
        }
    }
}
