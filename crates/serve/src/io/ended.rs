//! What is noted when a request has ended: how long it took, and a line of the access log.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::IoThread;
use super::conn::{Conn, Sending, State};
use super::hit::Judged;
use super::mailbox::ExchangeId;
use crate::exchange::Exchange;
use crate::head::Head;
use crate::log::{Asked, Line};

/// The client left before there was an answer; nginx has made this number known.
const LEFT: u16 = 499;

impl IoThread {
    /// The last byte of an answer was handed to the socket, or never will be.
    pub(super) fn delivered(&mut self, peer: SocketAddr, sending: &Sending, aborted: bool) {
        let times = sending.times.as_ref();
        let now = times.and_then(|times| times.written).unwrap_or_else(|| self.turn.clock());
        let since = |from: Instant, to: Instant| to.saturating_duration_since(from);
        let [queue, handler, delivery] = times.map_or([Duration::ZERO; 3], |times| {
            let Times { arrived, begun, handed, .. } = *times;
            // By our own answer to what waits too long, the turn's clock may be before `handed`.
            [since(arrived, begun), since(begun, handed), since(handed, now)]
        });
        if sending.is_counted {
            let counters = self.counters();
            counters.queue.record(queue);
            counters.handler.record(handler);
            if !aborted {
                counters.delivery.record(delivery);
            }
        }
        if self.lines.is_none() {
            return;
        }
        let request = sending.asked.as_deref().map(asked_of);
        let body_bytes = sending.sent.saturating_sub(sending.head_bytes);
        let status = sending.status;
        let peer = peer.ip();
        self.log(Line { peer, request, status, body_bytes, queue, handler, delivery, aborted });
    }

    /// The client left while a worker or a ticket had its request, or while it was sending a body.
    pub(super) fn left(&mut self, peer: SocketAddr, exchange: &Exchange, times: Option<Times>) {
        if self.lines.is_some() {
            let zero = Duration::ZERO;
            let [queue, handler] = times.map_or([zero; 2], |times| {
                [times.begun - times.arrived, times.handed - times.begun]
            });
            self.log(Line {
                peer: peer.ip(),
                request: Some(asked_of(exchange)),
                status: LEFT,
                body_bytes: 0,
                queue,
                handler,
                delivery: zero,
                aborted: true,
            });
        }
    }

    /// An answer from the response cache has left at once.
    pub(super) fn log_hit(&mut self, peer: SocketAddr, head: &Head<'_, '_>, status: u16, n: usize) {
        let zero = Duration::ZERO;
        let field = |name: &str| {
            head.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value)
        };
        let request = Asked {
            method: head.method,
            target: head.target,
            minor: head.minor,
            referer: field("referer"),
            agent: field("user-agent"),
        };
        self.log(Line {
            peer: peer.ip(),
            request: Some(request),
            status,
            body_bytes: n as u64,
            queue: zero,
            handler: zero,
            delivery: zero,
            aborted: false,
        });
    }

    /// What the log will want to know of an answer that was begun without an exchange.
    pub(super) fn remember(
        &self,
        judged: &mut Judged,
        (slot, conn): (u32, &Conn),
        bytes: &[u8],
        head: &Head<'_, '_>,
    ) {
        if let (Judged::Begun { sending, .. }, Some(_)) = (judged, &self.lines) {
            let id = ExchangeId { thread: self.index as u32, slot, seq: conn.seq };
            let shared = Arc::clone(&self.shared);
            let exchange = Exchange::new(shared, id, conn.peer, bytes, head, true);
            sending.times = Some(exchange.times());
            sending.asked = Some(Arc::new(exchange));
        }
    }

    fn log(&mut self, line: Line<'_>) {
        if let Some(lines) = &mut self.lines {
            lines.push(&line, self.date.text());
        }
    }
}

/// When a request came to a worker and left it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) arrived: Instant,
    pub(crate) begun: Instant,
    pub(crate) handed: Instant,
    /// When the worker had written the last byte, if it did so itself.
    pub(crate) written: Option<Instant>,
}

fn asked_of(exchange: &Exchange) -> Asked<'_> {
    Asked {
        method: exchange.method.as_str(),
        target: exchange.target(),
        minor: exchange.minor,
        referer: exchange.field("referer"),
        agent: exchange.field("user-agent"),
    }
}

/// The exchange that a connection holds, if it holds one.
pub(super) fn exchange_of(state: State) -> Option<Arc<Exchange>> {
    match state {
        State::Waiting(exchange) => Some(exchange),
        State::Body(receiving) => Some(Arc::new(receiving.exchange)),
        State::Head { .. } | State::Sending(_) | State::Linger => None,
    }
}

/// The status in a rendered head.
pub(super) fn status_of(head: &[u8]) -> u16 {
    let digits = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
