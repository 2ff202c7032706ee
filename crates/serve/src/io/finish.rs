//! How requests end: refused, answered by ourselves, answered to the last byte, or out of time.

use std::net::Shutdown;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::IoThread;
use super::conn::{Conn, Sending, State, Step};
use super::ended::exchange_of;
use super::window::{Fill, Window};
use crate::head::{Refusal, refuse};
use crate::render::{self, Held, OutBody, Outgoing, Persist};
use crate::stats::add;

/// How long a connection that was refused may go on sending what nobody reads.
const LINGER: Duration = Duration::from_secs(2);

const TOO_SLOW: Refusal = refuse(StatusCode::REQUEST_TIMEOUT, "request took too long");

impl IoThread {
    /// Answers with an error and closes: after bytes that we do not understand, nothing is safe.
    /// Until a whole head was accepted, the method is not known, and taken for one with a body.
    pub(super) fn refuse(&mut self, conn: &mut Conn, refusal: Refusal, is_head: bool) -> Step {
        add(&self.counters().bad_requests, 1);
        conn.linger = true;
        self.answer_canned(conn, refusal.status, refusal.reason, Persist::Close, is_head);
        Step::Next
    }

    pub(super) fn answer_canned(
        &mut self,
        conn: &mut Conn,
        status: StatusCode,
        reason: &str,
        persist: Persist,
        is_head: bool,
    ) {
        let state = std::mem::replace(&mut conn.state, State::Linger);
        let mut head = Vec::with_capacity(256);
        render::canned(status, reason, persist, is_head, self.date.text(), &mut head);
        let close = persist == Persist::Close;
        let body = OutBody::Bytes(Bytes::new());
        let then = Vec::new();
        let outgoing = Box::new(Outgoing { head, body, then, close, lease: Held::default() });
        let mut sending = Sending::new(outgoing);
        if self.lines.is_some() {
            sending.asked = exchange_of(state);
        }
        if !is_head {
            sending.head_bytes -= reason.len() as u64 + 1;
        }
        conn.state = State::Sending(Box::new(sending));
    }

    /// After the last byte of an answer: the next request, or the end.
    pub(super) fn answered(
        &mut self,
        slot: u32,
        conn: &mut Conn,
        window: &Window,
        close: bool,
    ) -> Step {
        conn.served = true;
        conn.seq = conn.seq.wrapping_add(1);
        let state = std::mem::replace(&mut conn.state, State::Head { scanned: 0 });
        if let State::Sending(sending) = state {
            self.delivered(conn.peer, &sending, false);
            self.discard(*sending);
        }
        if !close && !conn.deaf {
            return Step::Next;
        }
        if !conn.linger
            && !conn.deaf
            && !conn.readable
            && window.is_empty()
            && conn.unread.is_empty()
        {
            return Step::Close;
        }
        // Closing with bytes unread sends a reset, which may overtake the answer.
        let _ = conn.socket.shutdown(Shutdown::Write);
        conn.state = State::Linger;
        self.wheel.set(&mut conn.timer, slot, self.now, LINGER);
        Step::Next
    }

    pub(super) fn linger(&mut self, conn: &mut Conn, window: &mut Window) -> Step {
        window.load(conn);
        window.consume(window.bytes().len());
        match window.fill(conn) {
            Fill::More => Step::Next,
            Fill::Blocked => Step::Park,
            Fill::Eof | Fill::Broken => Step::Close,
        }
    }

    /// The client of a request under way has stopped sending. If it stays so, it counts as gone:
    /// who closes a connection looks just like that.
    pub(super) fn half_closed(&mut self, slot: u32) {
        let Some(conn) = self.slots.get_mut(slot) else { return };
        if let State::Waiting(exchange) = &conn.state
            && exchange.mark_half_closed()
        {
            let patience = self.shared.config.half_close.min(exchange.time_left(self.now));
            self.wheel.set(&mut conn.timer, slot, self.now, patience);
        }
    }

    /// Tells whoever works for a client that it counts as gone, if that is what the deadline was
    /// for; false if it was the handler's.
    fn give_up(&mut self, slot: u32) -> bool {
        let Some(conn) = self.slots.get_mut(slot) else { return false };
        let State::Waiting(exchange) = &conn.state else { return false };
        let left = exchange.time_left(self.now);
        if !exchange.is_half_closed() || left.is_zero() {
            return false;
        }
        // The clock of the exchange may be behind ours by a turn: then it is asked once more.
        let is_gone = exchange.is_gone();
        if is_gone {
            self.chores.extend(exchange.given_up());
        }
        let patience = if is_gone { left } else { Duration::ZERO };
        self.wheel.set(&mut conn.timer, slot, self.now, patience);
        true
    }

    /// Takes the right to answer a request that a worker has; true if the worker was faster. What it
    /// wrote is in the mailbox in a moment, and the next tick looks again.
    fn is_being_written(&mut self, slot: u32) -> bool {
        let Some(conn) = self.slots.get_mut(slot) else { return false };
        let State::Waiting(exchange) = &conn.state else { return false };
        if exchange.claim().is_some() {
            return false;
        }
        self.wheel.set(&mut conn.timer, slot, self.now, Duration::ZERO);
        true
    }

    /// The deadline of a connection has passed: what that means depends on its state.
    pub(super) fn time_out(&mut self, slot: u32) {
        if self.give_up(slot) {
            return;
        }
        let sending = |conn: &mut Conn| matches!(conn.state, State::Sending(_));
        let is_sending = self.slots.get_mut(slot).is_some_and(sending);
        if is_sending && self.still_takes(slot) && !self.is_too_slow(slot) {
            return;
        }
        if self.is_being_written(slot) {
            return;
        }
        let Some(mut conn) = self.slots.take(slot) else { return };
        let is_head = conn.is_head();
        let status = match &conn.state {
            State::Head { scanned: 0 } | State::Linger => None,
            State::Sending(_) => {
                add(&self.counters().timed_out, 1);
                None
            }
            // It is us who are too slow.
            State::Body(receiving) if receiving.writing.is_some() => {
                Some(StatusCode::SERVICE_UNAVAILABLE)
            }
            State::Head { .. } | State::Body(_) => Some(TOO_SLOW.status),
            State::Waiting(exchange) => {
                let queued = exchange.is_queued();
                self.forget(exchange);
                Some(if queued {
                    StatusCode::SERVICE_UNAVAILABLE
                } else {
                    StatusCode::GATEWAY_TIMEOUT
                })
            }
        };
        if let Some(status) = status {
            add(&self.counters().timed_out, 1);
            self.forget_body(&mut conn);
            conn.linger = true;
            let had = conn.unread.capacity();
            self.forget_unread(&mut conn, had);
            let reason =
                if status == TOO_SLOW.status { TOO_SLOW.reason } else { "answer took too long" };
            let times = conn.times();
            self.answer_canned(&mut conn, status, reason, Persist::Close, is_head);
            if let State::Sending(sending) = &mut conn.state {
                sending.times = times;
            }
        }
        self.slots.put(slot, conn);
        match status {
            Some(_) => self.advance(slot),
            None => self.close(slot),
        }
    }
}
