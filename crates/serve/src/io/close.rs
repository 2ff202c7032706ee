//! The ways out: what is dropped with an answer or a connection, and the end of all of them.

use std::os::fd::AsRawFd;
use std::sync::Arc;

use mio::net::TcpStream;
use mio::unix::SourceFd;

use super::IoThread;
use super::accept::Acceptor;
use super::conn::{Receiving, Sending, State};
use super::feed::cut;
use crate::exchange::Exchange;
use crate::guard::drop_guarded;
use crate::render::{OutBody, Outgoing};
use crate::stats::add;

impl IoThread {
    /// Drops what was sent, or will not be; what may take time is left to the reaper.
    pub(super) fn discard(&mut self, sending: Sending) {
        let is_heavy = sending.is_heavy;
        let Outgoing { body, then, lease, .. } = *sending.outgoing;
        self.discard_body(body, is_heavy);
        for (_, body) in then {
            self.discard_body(body, is_heavy);
        }
        if lease.0.is_some() {
            self.chores.push(Box::new(move || drop(lease)));
        }
    }

    pub(super) fn discard_body(&mut self, body: OutBody, is_heavy: bool) {
        match body {
            OutBody::Bytes(bytes) if is_heavy => self.spent.push(bytes),
            // What the fast path made runs the user's code, too, but in its own place.
            OutBody::Bytes(bytes) => drop_guarded(bytes),
            // The reader is the user's.
            OutBody::Stream(mut flow) => {
                flow.abandon();
                self.chores.push(Box::new(move || drop(flow)));
            }
            // The last to hold a file closes it, which may free all its blocks.
            OutBody::File { file, .. } => {
                if let Some(last) = Arc::into_inner(file) {
                    self.chores.push(Box::new(move || drop(last)));
                }
            }
        }
    }

    /// Nobody waits for this answer any more: who is at it is told, and a place in the queue is free.
    pub(super) fn forget(&mut self, exchange: &Arc<Exchange>) {
        self.chores.extend(exchange.mark_left());
        if let Some(body) = self.shared.queue.forget(exchange) {
            self.chores.push(Box::new(move || drop(body)));
        }
    }

    /// Closes a connection, in whatever state it is.
    pub(super) fn close(&mut self, slot: u32) {
        let Some(mut conn) = self.slots.take(slot) else { return };
        add(&self.counters().closed, 1);
        let had = conn.unread.capacity();
        self.forget_unread(&mut conn, had);
        self.slots.release(slot, conn.seq);
        cut(&conn);
        match conn.state {
            State::Waiting(exchange) => {
                if exchange.claim().is_none() {
                    self.hear_no_more(&conn.socket);
                }
                self.forget(&exchange);
                self.left(conn.peer, &exchange, Some(exchange.times()));
            }
            State::Sending(sending) => {
                add(&self.counters().aborted, 1);
                self.delivered(conn.peer, &sending, true);
                self.discard(*sending);
            }
            State::Body(receiving) => {
                let Receiving { exchange, spilled, .. } = *receiving;
                self.left(conn.peer, &exchange, None);
                self.discard_spilled(spilled);
            }
            State::Head { .. } | State::Linger => {}
        }
        self.acceptors.iter_mut().for_each(Acceptor::resume);
    }

    /// Closes a connection that takes nothing any more. But if a worker writes to it or has written,
    /// that was perhaps all of the answer: the worker's word is on its way, and reading, once it is
    /// here, finds the connection broken. What else its client sent ahead is not looked at.
    pub(super) fn gone(&mut self, slot: u32) {
        let Some(conn) = self.slots.get_mut(slot) else { return };
        if let State::Waiting(exchange) = &conn.state
            && exchange.claim().is_none()
        {
            (conn.readable, conn.deaf) = (true, true);
            return self.hurry(slot);
        }
        self.close(slot);
    }

    /// A worker is writing to this socket, and will be the last to hold it: until then there would
    /// be events for a place that may be another connection's by then.
    fn hear_no_more(&self, socket: &TcpStream) {
        let descriptor = socket.as_raw_fd();
        // Fails only if it is not registered, which is what is wanted.
        let _ = self.poll.registry().deregister(&mut SourceFd(&descriptor));
    }

    /// Begins to drain when the server is told to stop.
    pub(super) fn drain(&mut self) {
        if self.drain_until.is_some() || !self.shared.is_draining() {
            return;
        }
        self.drain_until = Some(self.now + self.shared.config.grace);
        self.accept_last();
        for slot in self.slots.occupied() {
            self.hurry(slot);
            self.close_unless_asked(slot);
        }
    }

    /// Closes a connection that is idle, as far as we have heard. But its client may have sent a
    /// request already, of which the event is still to come: closing would reset it.
    pub(super) fn close_unless_asked(&mut self, slot: u32) {
        let Some(conn) = self.slots.get_mut(slot).filter(|conn| conn.is_idle()) else { return };
        conn.readable = true;
        self.advance(slot);
    }

    /// The order matters: the accepting thread hands the last connection over, and only then says
    /// so; who hears it finds them all in the mailbox.
    pub(super) fn is_finished(&self) -> bool {
        let Some(until) = self.drain_until else { return false };
        let nobody = || {
            let accepted_all = self.shared.has_accepted_all() && self.put_off.is_none();
            accepted_all && self.mailbox().post().is_empty()
        };
        self.now >= until || (self.slots.len() == 0 && nobody())
    }

    pub(super) fn close_all(&mut self) {
        for slot in self.slots.occupied() {
            self.close(slot);
        }
    }
}
