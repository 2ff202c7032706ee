//! The reading half of a connection: heads and bodies.

use std::io::{self, IoSlice, Write};
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;

use super::IoThread;
use super::conn::{Conn, Receiving, State, Step};
use super::hit::Judged;
use super::window::{Fill, Window};
use crate::body::BodyReader;
use crate::exchange::Exchange;
use crate::head::{self, Framing};
use crate::render::Persist;
use crate::stats::add;

impl IoThread {
    pub(super) fn read_head(&mut self, slot: u32, conn: &mut Conn, window: &mut Window) -> Step {
        window.load(conn);
        let State::Head { scanned } = conn.state else { return Step::Close };
        let have = window.bytes().len();
        if have <= scanned as usize {
            return self.fill_head(slot, conn, window);
        }
        if scanned > 0 {
            let limit = self.shared.config.max_head_bytes;
            match head::is_complete(window.bytes(), scanned as usize, limit) {
                Ok(true) => {}
                Ok(false) => return self.partial_head(slot, conn, window),
                Err(refusal) => return self.refuse(conn, refusal, false),
            }
        }
        match self.judge(slot, conn, window.bytes()) {
            Judged::Partial => self.partial_head(slot, conn, window),
            Judged::Refused(refusal) => self.refuse(conn, refusal, false),
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
            Err(refusal) => {
                let is_head = exchange.method == http::Method::HEAD;
                conn.state = State::Waiting(Arc::new(exchange));
                return self.refuse(conn, refusal, is_head);
            }
        };
        if hurry {
            const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
            // A socket still full of earlier answers takes nothing: then the client goes without,
            // and sends its body after a wait of its own (RFC 9110, 10.1.1). But half a line, which
            // the next answer would follow, cannot be taken back.
            match write(conn, CONTINUE, b"") {
                Ok(sent) if sent == 0 || sent == CONTINUE.len() => {}
                _ => return Step::Close,
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
            Err(refusal) => {
                let is_head = conn.is_head();
                return self.refuse(conn, refusal, is_head);
            }
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
        // Before each read and not only where one blocks: a turn may end without that.
        self.wheel.set(&mut conn.timer, slot, self.now, patience);
        match window.fill(conn) {
            Fill::More => Step::Next,
            Fill::Eof | Fill::Broken => Step::Close,
            Fill::Blocked => Step::Park,
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
        if self.shared.queue.push(exchange, body).is_err() {
            add(&self.counters().unavailable, 1);
            let status = StatusCode::SERVICE_UNAVAILABLE;
            self.answer_canned(conn, status, "too many requests wait", persist, is_head);
        }
        Step::Next
    }
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
