//! From a head to what is to be done about it; hits in the response cache are done at once.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::Arc;

use super::IoThread;
use super::conn::{Conn, Sending};
use super::ended::status_of;
use super::mailbox::ExchangeId;
use super::read::write;
use crate::exchange::Exchange;
use crate::head::{self, FieldStore, Framing, Head, Parsed, Refusal};
use crate::hot::Entry;
use crate::pages::Kept;
use crate::render::{Earned, Held, Outgoing, Persist};
use crate::stats::add;

/// What a head amounts to; owns all it needs, so that the read buffer is free again.
pub(super) enum Judged {
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
}

impl IoThread {
    pub(super) fn judge(&mut self, slot: u32, conn: &mut Conn, bytes: &[u8]) -> Judged {
        let mut store: FieldStore<'_> = [const { MaybeUninit::uninit() }; head::MAX_FIELDS];
        let head = match head::parse(bytes, self.shared.config.max_head_bytes, &mut store) {
            Ok(Parsed::Complete(head)) => head,
            Ok(Parsed::Partial) => return Judged::Partial,
            Err(refusal) => return Judged::Refused(refusal),
        };
        add(&self.counters().requests, 1);
        let keep_alive = head.keep_alive && self.drain_until.is_none();
        if let Some(mut judged) = self.try_hot(conn, &head, keep_alive) {
            self.remember(&mut judged, (slot, conn), bytes, &head);
            return judged;
        }
        if let Some(mut judged) = self.try_fast(conn, &head, keep_alive) {
            self.remember(&mut judged, (slot, conn), bytes, &head);
            return judged;
        }
        let id = ExchangeId { thread: self.index as u32, slot, seq: conn.seq };
        let shared = Arc::clone(&self.shared);
        let mut exchange = Exchange::new(shared, id, conn.peer, bytes, &head, keep_alive);
        exchange.class = self.class_of(conn, &head);
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
        let persist = Persist::new(keep_alive, head.minor);
        let (first, part) = if head.conditions.is_empty() && persist == Persist::Silent {
            entry.refresh(&self.date);
            let end = if is_head { 0 } else { entry.body.len() };
            (&entry.head[..], 0..end)
        } else {
            self.out.clear();
            let (out, date) = (&mut self.out, self.date.text());
            match entry.representation.answer(&head.conditions, is_head, persist, date, out) {
                Earned::Part(part) => (&self.out[..], part.start as usize..part.end as usize),
                // Rare, and more to do than to look up: a worker's.
                Earned::Parts(_) => return None,
            }
        };
        let counters = &self.shared.io[self.index];
        add(&counters.hot_hits, 1);
        let n = part.len();
        let wrote = match &entry.body {
            Kept::Bytes(bytes) => write(&conn.socket, first, &bytes[part.clone()]),
            Kept::Pages(_) if part.is_empty() => write(&conn.socket, first, b""),
            Kept::Pages(pages) => pages.send(&conn.socket, first, part.clone()),
        };
        // A broken socket takes nothing either. The next attempt will find it so, and then it is an
        // answer that was cut, as any other.
        let sent = wrote.unwrap_or(0);
        add(&counters.bytes_sent, sent as u64);
        if sent == first.len() + n {
            if self.lines.is_some() {
                let status = status_of(first);
                self.log_hit(conn.peer, head, status, n);
            }
            return Some(Judged::Answered { len: head.len, close: !keep_alive });
        }
        let sending = rest_of(first, entry, part, sent, !keep_alive);
        Some(Judged::Begun { len: head.len, sending })
    }
}

/// What is left of an answer of which the socket took `sent` bytes.
fn rest_of(
    head: &[u8],
    entry: &Entry,
    part: Range<usize>,
    sent: usize,
    close: bool,
) -> Box<Sending> {
    let of_head = sent.min(head.len());
    let start = part.start + (sent - of_head);
    let body = entry.body.part(start..part.end);
    let status = status_of(head);
    let head_bytes = head.len() as u64;
    let (head, then) = (head[of_head..].to_vec(), Vec::new());
    let outgoing = Outgoing { head, body, then, close, lease: Held::default() };
    let mut sending = Sending::new(Box::new(outgoing));
    (sending.status, sending.head_bytes, sending.sent) = (status, head_bytes, sent as u64);
    // What is kept is in memory.
    sending.warm_until = u64::MAX;
    Box::new(sending)
}
