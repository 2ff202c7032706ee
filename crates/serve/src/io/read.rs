//! The reading half of a connection: heads, hits, bodies, and what is refused.

use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;

use super::conn::{Conn, Receiving, Sending, State, Step};
use super::mailbox::ExchangeId;
use super::window::{Fill, Window};
use super::{IoThread, LINGER};
use crate::body::BodyReader;
use crate::exchange::Exchange;
use crate::head::{self, FieldStore, Framing, Head, Parsed, Refusal, refuse};
use crate::hot::Entry;
use crate::queue::Job;
use crate::render::{self, OutBody, Outgoing, Persist};
use crate::stats::add;

const HEAD_TOO_LONG: Refusal =
    refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "request head too long");
const TOO_SLOW: Refusal = refuse(StatusCode::REQUEST_TIMEOUT, "request took too long");

/// What a head amounts to; owns all it needs, so that the read buffer is free again.
enum Judged {
    Partial,
    Refused(Refusal),
    Request {
        len: usize,
        exchange: Box<Exchange>,
        framing: Framing,
        expects_continue: bool,
    },
    /// Answered from the response cache, to the last byte.
    Answered {
        len: usize,
        close: bool,
    },
    /// Answered from the response cache, but the socket took only a part.
    Begun {
        len: usize,
        sending: Box<Sending>,
    },
    Broken,
}

impl IoThread {
    pub(super) fn read_head(&mut self, slot: u32, conn: &mut Conn, window: &mut Window) -> Step {
        window.load(conn);
        let State::Head { scanned } = conn.state else { return Step::Close };
        let have = window.bytes().len();
        if have <= scanned as usize {
            return self.fill_head(slot, conn, window);
        }
        if scanned > 0 {
            match head::is_complete(window.bytes(), scanned as usize) {
                Ok(true) => {}
                Ok(false) => return self.partial_head(slot, conn, window),
                Err(refusal) => return self.refuse(conn, refusal),
            }
        }
        match self.judge(slot, conn, window.bytes()) {
            Judged::Partial => self.partial_head(slot, conn, window),
            Judged::Refused(refusal) => self.refuse(conn, refusal),
            Judged::Answered { len, close } => {
                window.consume(len);
                self.answered(slot, conn, window, close)
            }
            Judged::Begun { len, sending } => {
                window.consume(len);
                conn.state = State::Sending(sending);
                Step::Next
            }
            Judged::Request { len, exchange, framing, expects_continue } => {
                window.consume(len);
                let hurry = expects_continue && window.is_empty();
                self.take_request(slot, conn, *exchange, framing, hurry)
            }
            Judged::Broken => Step::Close,
        }
    }

    /// Notes how far the head has come; its time runs from its first byte.
    fn partial_head(&mut self, slot: u32, conn: &mut Conn, window: &Window) -> Step {
        let have = window.bytes().len();
        if have >= self.shared.config.max_head_bytes {
            return self.refuse(conn, HEAD_TOO_LONG);
        }
        if matches!(conn.state, State::Head { scanned: 0 }) {
            let patience = self.shared.config.header_timeout;
            self.wheel.set(&mut conn.timer, slot, self.now, patience);
        }
        conn.state = State::Head { scanned: have as u32 };
        Step::Next
    }

    fn fill_head(&mut self, slot: u32, conn: &mut Conn, window: &mut Window) -> Step {
        match window.fill(conn) {
            Fill::More => Step::Next,
            Fill::Eof | Fill::Broken => Step::Close,
            Fill::Blocked if !window.is_empty() => Step::Park,
            Fill::Blocked if self.drain_until.is_some() => Step::Close,
            Fill::Blocked => {
                if conn.served {
                    let patience = self.shared.config.idle_timeout;
                    self.wheel.set(&mut conn.timer, slot, self.now, patience);
                }
                Step::Park
            }
        }
    }

    fn judge(&mut self, slot: u32, conn: &mut Conn, bytes: &[u8]) -> Judged {
        let mut store: FieldStore<'_> = [const { MaybeUninit::uninit() }; head::MAX_FIELDS];
        let head = match head::parse(bytes, &mut store) {
            Ok(Parsed::Complete(head)) if head.len <= self.shared.config.max_head_bytes => head,
            Ok(Parsed::Complete(_)) => return Judged::Refused(HEAD_TOO_LONG),
            Ok(Parsed::Partial) => return Judged::Partial,
            Err(refusal) => return Judged::Refused(refusal),
        };
        add(&self.counters().requests, 1);
        let keep_alive = head.keep_alive && self.drain_until.is_none();
        if let Some(judged) = self.try_hot(conn, &head, keep_alive) {
            return judged;
        }
        let id = ExchangeId { thread: self.index as u32, slot, seq: conn.seq };
        let shared = Arc::clone(&self.shared);
        let exchange = Exchange::new(shared, id, conn.peer, bytes, &head, keep_alive);
        Judged::Request {
            len: head.len,
            exchange: Box::new(exchange),
            framing: head.framing,
            expects_continue: head.expects_continue,
        }
    }

    /// Answers from the response cache: no worker, no lock, and nothing allocated unless the
    /// socket is full.
    fn try_hot(
        &mut self,
        conn: &mut Conn,
        head: &Head<'_, '_>,
        keep_alive: bool,
    ) -> Option<Judged> {
        let is_head = head.method == "HEAD";
        let is_plain = head.framing == Framing::None && head.target.starts_with('/');
        if !is_plain || !(is_head || head.method == "GET") {
            return None;
        }
        let entry = self.hot.get(head.target.as_bytes())?;
        let counters = &self.shared.io[self.index];
        add(&counters.hot_hits, 1);
        let persist = Persist::new(keep_alive, head.minor);
        let (first, part) = if head.conditions.is_empty() && persist == Persist::Silent {
            entry.refresh(&self.date);
            let end = if is_head { 0 } else { entry.body.len() };
            (&entry.head[..], 0..end)
        } else {
            self.out.clear();
            let (out, date) = (&mut self.out, self.date.text());
            let part = entry.representation.answer(&head.conditions, is_head, persist, date, out);
            (&self.out[..], part.start as usize..part.end as usize)
        };
        let body = &entry.body[part.clone()];
        let sent = match write(conn, first, body) {
            Ok(sent) => sent,
            Err(_) => return Some(Judged::Broken),
        };
        add(&counters.bytes_sent, sent as u64);
        if sent == first.len() + body.len() {
            return Some(Judged::Answered { len: head.len, close: !keep_alive });
        }
        let sending = rest_of(first, entry, part, sent, !keep_alive);
        Some(Judged::Begun { len: head.len, sending })
    }

    fn take_request(
        &mut self,
        slot: u32,
        conn: &mut Conn,
        exchange: Exchange,
        framing: Framing,
        hurry: bool,
    ) -> Step {
        if framing == Framing::None {
            return self.dispatch(slot, conn, exchange, Bytes::new());
        }
        let reader = match BodyReader::new(framing, self.shared.config.max_body_bytes as u64) {
            Ok(reader) => reader,
            Err(refusal) => return self.refuse(conn, refusal),
        };
        if hurry {
            const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
            // The socket is empty, so anything but the whole line means that it is broken.
            if write(conn, CONTINUE, b"").ok() != Some(CONTINUE.len()) {
                return Step::Close;
            }
        }
        conn.state = State::Body(Box::new(Receiving { exchange, reader, started: self.now }));
        Step::Next
    }

    pub(super) fn read_body(&mut self, slot: u32, conn: &mut Conn, window: &mut Window) -> Step {
        window.load(conn);
        let State::Body(receiving) = &mut conn.state else { return Step::Close };
        match receiving.reader.feed(window.bytes()) {
            Ok(used) => window.consume(used),
            Err(refusal) => return self.refuse(conn, refusal),
        }
        if receiving.reader.is_done() {
            let state = std::mem::replace(&mut conn.state, State::Linger);
            let State::Body(receiving) = state else { return Step::Close };
            let Receiving { mut exchange, reader, .. } = *receiving;
            exchange.restart(self.now);
            return self.dispatch(slot, conn, exchange, reader.into_bytes());
        }
        let config = &self.shared.config;
        let allowed = config.body_timeout + rate(receiving.reader.taken(), config.min_rate);
        let left = allowed.saturating_sub(self.now - receiving.started);
        let patience = left.min(config.body_timeout);
        match window.fill(conn) {
            Fill::More => Step::Next,
            Fill::Eof | Fill::Broken => Step::Close,
            Fill::Blocked => {
                self.wheel.set(&mut conn.timer, slot, self.now, patience);
                Step::Park
            }
        }
    }

    /// Queues a whole request for a worker.
    fn dispatch(&mut self, slot: u32, conn: &mut Conn, exchange: Exchange, body: Bytes) -> Step {
        let persist = Persist::new(exchange.keep_alive, exchange.minor);
        let is_head = exchange.method == http::Method::HEAD;
        let exchange = Arc::new(exchange);
        conn.state = State::Waiting(Arc::clone(&exchange));
        let deadline = self.shared.config.handler_deadline;
        self.wheel.set(&mut conn.timer, slot, self.now, deadline);
        if conn.eof {
            exchange.mark_half_closed();
        }
        if !self.shared.queue.push(Job { exchange, body }) {
            add(&self.counters().unavailable, 1);
            let status = StatusCode::SERVICE_UNAVAILABLE;
            self.answer_canned(conn, status, "too many requests wait", persist, is_head);
        }
        Step::Next
    }

    /// Answers with an error and closes: after bytes that we do not understand, nothing is safe.
    fn refuse(&mut self, conn: &mut Conn, refusal: Refusal) -> Step {
        add(&self.counters().bad_requests, 1);
        conn.linger = true;
        self.answer_canned(conn, refusal.status, refusal.reason, Persist::Close, false);
        Step::Next
    }

    fn answer_canned(
        &mut self,
        conn: &mut Conn,
        status: StatusCode,
        reason: &str,
        persist: Persist,
        is_head: bool,
    ) {
        let mut head = Vec::with_capacity(256);
        render::canned(status, reason, persist, is_head, self.date.text(), &mut head);
        let close = persist == Persist::Close;
        let body = OutBody::Bytes(Bytes::new());
        let outgoing = Box::new(Outgoing { head, body, close, _lease: None });
        conn.state = State::Sending(Box::new(Sending::new(outgoing)));
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
        conn.state = State::Head { scanned: 0 };
        if !close {
            return Step::Next;
        }
        if !conn.linger && !conn.readable && window.is_empty() && conn.unread.is_empty() {
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

    /// The deadline of a connection has passed: what that means depends on its state.
    pub(super) fn time_out(&mut self, slot: u32) {
        let Some(mut conn) = self.slots.take(slot) else { return };
        let status = match &conn.state {
            State::Head { scanned: 0 } | State::Linger => None,
            State::Sending(_) => {
                add(&self.counters().timed_out, 1);
                None
            }
            State::Head { .. } | State::Body(_) => Some(TOO_SLOW.status),
            State::Waiting(exchange) => {
                let queued = exchange.is_queued();
                exchange.mark_left();
                Some(if queued {
                    StatusCode::SERVICE_UNAVAILABLE
                } else {
                    StatusCode::GATEWAY_TIMEOUT
                })
            }
        };
        if let Some(status) = status {
            add(&self.counters().timed_out, 1);
            conn.linger = true;
            conn.unread = Vec::new();
            let reason =
                if status == TOO_SLOW.status { TOO_SLOW.reason } else { "answer took too long" };
            self.answer_canned(&mut conn, status, reason, Persist::Close, false);
        }
        self.slots.put(slot, conn);
        match status {
            Some(_) => self.advance(slot),
            None => self.close(slot),
        }
    }
}

/// What is left of an answer of which the socket took `sent` bytes.
fn rest_of(
    head: &[u8],
    entry: &Entry,
    part: std::ops::Range<usize>,
    sent: usize,
    close: bool,
) -> Box<Sending> {
    let of_head = sent.min(head.len());
    let start = part.start + (sent - of_head);
    let body = OutBody::Bytes(entry.body.slice(start..part.end));
    let outgoing = Outgoing { head: head[of_head..].to_vec(), body, close, _lease: None };
    Box::new(Sending::new(Box::new(outgoing)))
}

/// Writes both at once; zero if the socket is full.
pub(super) fn write(conn: &mut Conn, first: &[u8], second: &[u8]) -> io::Result<usize> {
    loop {
        match conn.socket.write_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The time that `bytes` take at `per_s` bytes a second.
pub(super) fn rate(bytes: u64, per_s: u64) -> std::time::Duration {
    std::time::Duration::from_millis(bytes.saturating_mul(1000) / per_s)
}
