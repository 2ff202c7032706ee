//! Request bodies on their way in: into memory within a budget, or chunk by chunk to a file.

use std::sync::Arc;

use http::{Method, StatusCode};

use super::IoThread;
use super::conn::{Conn, Receiving, State, Step};
use super::mailbox::ExchangeId;
use super::read::{rate, write};
use super::window::{Fill, Window};
use crate::Body;
use crate::body::BodyReader;
use crate::exchange::Exchange;
use crate::guard::guarded;
use crate::head::{Framing, Refusal};
use crate::render::Persist;
use crate::spill::{CHUNK, Chunk, Spilled};
use crate::stats::add;

/// What a body takes at least; so much must be free before a client is told to send it.
const FIRST_RESERVE: usize = 16 * 1024;

impl IoThread {
    pub(super) fn take_request(
        &mut self,
        slot: u32,
        conn: &mut Conn,
        exchange: Exchange,
        framing: Framing,
        hurry: bool,
    ) -> Step {
        let is_head = exchange.method == Method::HEAD;
        if self.shared.reaper.is_behind() {
            return self.refuse_behind(conn, exchange, framing);
        }
        if framing == Framing::None {
            return self.dispatch(slot, conn, exchange, Body::empty());
        }
        let reader = match BodyReader::new(framing, self.body_limit(&exchange)) {
            Ok(reader) => reader,
            Err(refusal) => {
                conn.state = State::Waiting(Arc::new(exchange));
                return self.refuse(conn, refusal, is_head);
            }
        };
        let mut reserved = self.shared.bodies.nothing();
        if !reserved.cover(FIRST_RESERVE) {
            conn.state = State::Waiting(Arc::new(exchange));
            return self.no_room(conn, is_head);
        }
        if hurry {
            const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
            // A socket still full of earlier answers takes nothing: then the client goes without,
            // and sends its body after a wait of its own (RFC 9110, 10.1.1). But half a line, which
            // the next answer would follow, cannot be taken back.
            match write(&conn.socket, CONTINUE, b"") {
                Ok(sent) if sent == 0 || sent == CONTINUE.len() => {}
                _ => return Step::Close,
            }
        }
        let started = self.now;
        conn.state = State::Body(Box::new(Receiving {
            exchange,
            reader,
            started,
            reserved,
            spilled: None,
            writing: None,
        }));
        Step::Next
    }

    /// What handlers left behind waits to be dropped, too much of it.
    fn refuse_behind(&mut self, conn: &mut Conn, exchange: Exchange, framing: Framing) -> Step {
        add(&self.counters().unavailable, 1);
        let keep = exchange.keep_alive && framing == Framing::None;
        let persist = Persist::new(keep, exchange.minor);
        conn.linger |= !keep;
        let is_head = exchange.method == Method::HEAD;
        conn.state = State::Waiting(Arc::new(exchange));
        let status = StatusCode::SERVICE_UNAVAILABLE;
        self.answer_canned(conn, status, "too many leases wait", persist, is_head);
        Step::Next
    }

    /// The limit of this route, or else of all.
    fn body_limit(&self, exchange: &Exchange) -> u64 {
        let ask = || self.handler.body_limit(&exchange.method, exchange.path());
        // The user's code, which sees nothing of ours; where it panics, all limits are as good.
        let limit = guarded(ask).flatten();
        limit.unwrap_or(self.shared.config.max_body_bytes)
    }

    pub(super) fn read_body(&mut self, slot: u32, conn: &mut Conn, window: &mut Window) -> Step {
        window.load(conn);
        let State::Body(receiving) = &mut conn.state else { return Step::Close };
        if receiving.writing.is_some() {
            return Step::Park;
        }
        match receiving.reader.feed(window.bytes()) {
            Ok(used) => window.consume(used),
            Err(refusal) => return self.refuse_body(conn, refusal),
        }
        if !receiving.reserved.cover(receiving.reader.capacity()) {
            return self.no_room_any_more(conn);
        }
        let (held, is_done) = (receiving.reader.len(), receiving.reader.is_done());
        let bound = match &receiving.spilled {
            Some(_) if is_done => 0,
            Some(_) => CHUNK,
            None => self.shared.config.spill_body_above,
        };
        if held > bound {
            return self.spill(slot, conn);
        }
        if is_done {
            return self.body_is_whole(slot, conn);
        }
        self.wait_for_body(slot, conn);
        match window.fill(conn) {
            Fill::More => Step::Next,
            Fill::Eof | Fill::Broken => Step::Close,
            Fill::Blocked => Step::Park,
        }
    }

    fn body_is_whole(&mut self, slot: u32, conn: &mut Conn) -> Step {
        let state = std::mem::replace(&mut conn.state, State::Linger);
        let State::Body(receiving) = state else { return Step::Close };
        let Receiving { mut exchange, mut reader, reserved, spilled, .. } = *receiving;
        exchange.restart(self.now);
        let body = match spilled {
            Some(Spilled { file, len }) => Body::in_file(file, len),
            None => Body::in_memory(reader.take(), reserved),
        };
        self.dispatch(slot, conn, exchange, body)
    }

    /// Before each read and not only where one blocks: a turn may end without that.
    fn wait_for_body(&mut self, slot: u32, conn: &mut Conn) {
        let State::Body(receiving) = &mut conn.state else { return };
        let config = &self.shared.config;
        let allowed = config.body_timeout + rate(receiving.reader.taken(), config.min_rate);
        let left = allowed.saturating_sub(self.now - receiving.started);
        self.wheel.set(&mut conn.timer, slot, self.now, left.min(config.body_timeout));
    }

    /// Hands what is here of a body to be written to its file. The client waits meanwhile, and its
    /// time does not run.
    fn spill(&mut self, slot: u32, conn: &mut Conn) -> Step {
        let id = ExchangeId { thread: self.index as u32, slot, seq: conn.seq };
        let State::Body(receiving) = &mut conn.state else { return Step::Close };
        let reserved = std::mem::replace(&mut receiving.reserved, self.shared.bodies.nothing());
        let (spilled, bytes) = (receiving.spilled.take(), receiving.reader.take());
        let chunk = Chunk { id, spilled, bytes, reserved };
        // Full: the disk is behind by more than a body of each of so many clients.
        if let Err(error) = self.shared.spill.try_send(chunk) {
            self.chores.push(Box::new(move || drop(error)));
            return self.no_room_any_more(conn);
        }
        receiving.writing = Some(self.now);
        let patience = self.shared.config.body_timeout;
        self.wheel.set(&mut conn.timer, slot, self.now, patience);
        Step::Park
    }

    /// A chunk is written, or cannot be.
    pub(super) fn spilled(&mut self, id: ExchangeId, spilled: Option<Spilled>) {
        let now = self.now;
        let Some(conn) = self.slots.get_mut(id.slot) else { return self.discard_spilled(spilled) };
        match &mut conn.state {
            State::Body(receiving) if conn.seq == id.seq => {
                if let Some(since) = receiving.writing.take() {
                    receiving.started += now - since;
                }
                if spilled.is_some() {
                    receiving.spilled = spilled;
                } else {
                    self.refuse_unwritten(id.slot);
                }
                self.advance(id.slot);
            }
            _ => self.discard_spilled(spilled),
        }
    }

    fn refuse_unwritten(&mut self, slot: u32) {
        let Some(mut conn) = self.slots.take(slot) else { return };
        self.no_room_any_more(&mut conn);
        self.slots.put(slot, conn);
    }

    fn refuse_body(&mut self, conn: &mut Conn, refusal: Refusal) -> Step {
        let is_head = conn.is_head();
        self.forget_body(conn);
        self.refuse(conn, refusal, is_head)
    }

    fn no_room_any_more(&mut self, conn: &mut Conn) -> Step {
        let is_head = conn.is_head();
        self.forget_body(conn);
        self.no_room(conn, is_head)
    }

    /// The body cannot be kept, so the connection cannot go on either: its rest would follow.
    fn no_room(&mut self, conn: &mut Conn, is_head: bool) -> Step {
        add(&self.counters().unavailable, 1);
        conn.linger = true;
        let status = StatusCode::SERVICE_UNAVAILABLE;
        self.answer_canned(conn, status, "no room for the body", Persist::Close, is_head);
        Step::Next
    }

    /// Drops what is here of a body that will not be whole.
    pub(super) fn forget_body(&mut self, conn: &mut Conn) {
        if let State::Body(receiving) = &mut conn.state {
            let spilled = receiving.spilled.take();
            self.discard_spilled(spilled);
        }
    }

    /// Closing a file frees its blocks, which takes time.
    pub(super) fn discard_spilled(&mut self, spilled: Option<Spilled>) {
        if spilled.is_some() {
            self.chores.push(Box::new(move || drop(spilled)));
        }
    }
}
