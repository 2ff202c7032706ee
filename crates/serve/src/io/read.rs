//! The reading half of a connection: heads, and whole requests on their way to a worker.

use std::io::{self, IoSlice, Write};
use std::sync::Arc;

use http::StatusCode;
use mio::net::TcpStream;

use super::IoThread;
use super::conn::{Conn, State, Step};
use super::hit::Judged;
use super::window::{Fill, Window};
use crate::Body;
use crate::exchange::Exchange;
use crate::head;
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

    /// Queues a whole request for a worker.
    pub(super) fn dispatch(
        &mut self,
        slot: u32,
        conn: &mut Conn,
        mut exchange: Exchange,
        body: Body,
    ) -> Step {
        let persist = Persist::new(exchange.keep_alive, exchange.minor);
        let is_head = exchange.method == http::Method::HEAD;
        exchange.lend(&conn.socket);
        let exchange = Arc::new(exchange);
        conn.state = State::Waiting(Arc::clone(&exchange));
        let deadline = self.shared.config.handler_deadline;
        self.wheel.set(&mut conn.timer, slot, self.now, deadline);
        if conn.eof && exchange.mark_half_closed() {
            let patience = self.shared.config.half_close.min(deadline);
            self.wheel.set(&mut conn.timer, slot, self.now, patience);
        }
        if let Err(body) = self.shared.queue.push(exchange, body) {
            if body.file().is_some() {
                // Closing it may take time.
                self.chores.push(Box::new(move || drop(body)));
            }
            add(&self.counters().unavailable, 1);
            let status = StatusCode::SERVICE_UNAVAILABLE;
            self.answer_canned(conn, status, "too many requests wait", persist, is_head);
        }
        self.rouse_some();
        Step::Next
    }
}

/// Writes both at once; zero if the socket is full.
pub(crate) fn write(mut socket: &TcpStream, first: &[u8], second: &[u8]) -> io::Result<usize> {
    loop {
        match socket.write_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
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
