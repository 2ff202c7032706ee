//! The delivering half of a connection: bytes by `writev`, files by `sendfile`, in turns.
//!
//! What is short goes out at once. Who has more to send than `MIN_BYTES` waits in one line, first
//! come, first served, and gets up to `MAX_BYTES` when it is his turn. So all large answers move at
//! one speed, few are in the kernel's hands at a time, and small ones wait for none of them.

use std::io::{self, IoSlice, Write};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf;
use mio::net::TcpStream;

use super::IoThread;
use super::conn::{Conn, Sending, State, Step};
use super::mailbox::ExchangeId;
use super::read::rate;
use super::window::Window;
use crate::builder::Config;
use crate::os;
use crate::prefetch::Prefetch;
use crate::render::OutBody;
use crate::stats::add;
use crate::stream::SLICES;

/// Bytes given to a connection that is first in the line. Under a congestion control that paces, as
/// BBR does, megabytes at once leave every connection with a queue in the kernel and a timer for
/// each packet; much less, with an estimate of its bandwidth that is too low.
const MAX_BYTES: u64 = 512 * 1024;
/// Bytes given to one connection in a turn of the loop however many wait in the line.
const MIN_BYTES: u64 = 64 * 1024;
/// Bytes given to the line in a turn of the loop: at memory speed, a fraction of a millisecond.
pub(super) const TURN_BYTES: u64 = 1024 * 1024;
/// Bytes of a file that are made sure of at a time to be in memory.
const WARM_BYTES: u64 = 2 * 1024 * 1024;

/// Bytes that a client may have to take before the socket takes another: the client's kernel opens
/// its window in steps, of a packet (64 KiB on loopback) or a sixteenth of its buffer.
const UNSEEN_BYTES: u64 = 256 * 1024;

/// What one attempt to send came to.
enum Sent {
    Some(u64),
    Blocked,
    /// The next part of the file would have to come from the disk.
    Cold(Range<u64>),
    /// The reader of a stream has not given more yet.
    Dry,
    /// The body ends before its time: the promised length cannot be kept.
    Short,
    Broken,
}

impl IoThread {
    pub(super) fn send(&mut self, slot: u32, conn: &mut Conn, window: &mut Window) -> Step {
        let first = self.first_in_line;
        let mut budget =
            if first { self.turn_bytes.clamp(MIN_BYTES, MAX_BYTES) } else { MIN_BYTES };
        let mut taken = false;
        loop {
            let State::Sending(state) = &mut conn.state else { return Step::Close };
            if state.warming.is_some() {
                return Step::Park;
            }
            if state.is_done() {
                if let Some(sent) = state.next_part() {
                    let is_heavy = state.is_heavy;
                    self.discard_body(sent, is_heavy);
                    continue;
                }
                let close = state.outgoing.close;
                return self.answered(slot, conn, window, close);
            }
            if budget == 0 {
                // The client took all of it, so that its time begins anew, as it does on an event;
                // and what passes until the next turn is ours.
                state.stop_clock(self.now);
                self.wait_for_client(slot, conn);
                return Step::Yield;
            }
            if !first && state.has_more_than(budget) {
                // No clock is touched: who let the socket fill up gains no time by lining up.
                return Step::Yield;
            }
            let head_sent = state.head_sent;
            match state.send(&conn.socket, budget) {
                Sent::Some(n) => {
                    // Heads count nothing, so that round parts of files stay round.
                    let of_body = n - (state.head_sent - head_sent) as u64;
                    budget = budget.saturating_sub(of_body);
                    self.turn_bytes = self.turn_bytes.saturating_sub(of_body);
                    state.sent += n;
                    self.turn.body_bytes += of_body;
                    taken |= n > 0;
                    self.refill(slot, conn);
                    add(&self.shared.io[self.index].bytes_sent, n);
                }
                Sent::Blocked => {
                    state.full_since.get_or_insert(self.now);
                    // What woke us may be bytes from the client, which buy it no time.
                    if taken || !state.timed {
                        self.wait_for_client(slot, conn);
                    }
                    return Step::Park;
                }
                Sent::Cold(part) => return self.prefetch(slot, conn, part),
                Sent::Dry => {
                    self.refill(slot, conn);
                    self.wait_for_reader(slot, conn);
                    return Step::Park;
                }
                Sent::Short => {
                    add(&self.counters().short, 1);
                    return Step::Close;
                }
                Sent::Broken => return Step::Close,
            }
        }
    }

    /// The client has until the deadline to take something, which we may see late: what it was
    /// given last does not matter, as most of that is out of our hands and in a buffer of its own.
    fn wait_for_client(&mut self, slot: u32, conn: &mut Conn) {
        let State::Sending(state) = &mut conn.state else { return };
        state.timed = true;
        let config = &self.shared.config;
        let patience = config.write_timeout + rate(UNSEEN_BYTES, config.min_rate);
        let patience = patience.min(state.time_left(self.now, config));
        self.wheel.set(&mut conn.timer, slot, self.now, patience);
    }

    /// The client takes something now and then, but less than the least rate over all.
    pub(super) fn is_too_slow(&mut self, slot: u32) -> bool {
        let Some(conn) = self.slots.get_mut(slot) else { return false };
        let State::Sending(state) = &conn.state else { return false };
        state.full_since.is_some() && state.time_left(self.now, &self.shared.config).is_zero()
    }

    /// The client took nothing that we have heard of; true if it did take something.
    ///
    /// The kernel holds much for a connection and has an event for us when a good part of it has
    /// gone: after minutes, for a reader of 1 kB/s. But it takes more as soon as there is room for
    /// any, so that an attempt tells what an event does not.
    pub(super) fn still_takes(&mut self, slot: u32) -> bool {
        let place = |io: &mut Self| io.slots.get_mut(slot).map(|conn| (conn.seq, conn.timer.due));
        let before = place(self);
        // Out of turn, as this is no matter of bytes: it has to be known now.
        let first = std::mem::replace(&mut self.first_in_line, true);
        self.advance(slot);
        self.first_in_line = first;
        place(self) != before
    }

    fn prefetch(&mut self, slot: u32, conn: &mut Conn, part: Range<u64>) -> Step {
        let id = ExchangeId { thread: self.index as u32, slot, seq: conn.seq };
        let State::Sending(state) = &mut conn.state else { return Step::Close };
        let OutBody::File { file, .. } = &state.outgoing.body else { return Step::Close };
        add(&self.shared.io[self.index].cold, 1);
        let waiting = Arc::new(());
        let file = Arc::clone(file);
        let wanted = Prefetch { id, file, part, waiting: Arc::downgrade(&waiting) };
        // Full: the disks are behind by more than anybody's patience.
        if self.shared.prefetch.try_send(wanted).is_err() {
            return Step::Close;
        }
        state.warming = Some(waiting);
        state.timed = false;
        state.stop_clock(self.now);
        let patience = self.shared.config.write_timeout;
        self.wheel.set(&mut conn.timer, slot, self.now, patience);
        Step::Park
    }
}

impl Sending {
    fn is_done(&self) -> bool {
        self.head_sent == self.outgoing.head.len()
            && match &self.outgoing.body {
                OutBody::Bytes(bytes) => bytes.is_empty(),
                OutBody::File { part, .. } => part.is_empty(),
                OutBody::Stream(flow) => flow.is_done(),
            }
    }

    /// Tells whether more than `bytes` of a body could be sent now. Streams are left out: they come
    /// in pieces, within a bound of their own.
    fn has_more_than(&self, bytes: u64) -> bool {
        match &self.outgoing.body {
            OutBody::Bytes(body) => body.len() as u64 > bytes,
            OutBody::File { part, .. } => part.end - part.start > bytes,
            OutBody::Stream(_) => false,
        }
    }

    /// Whatever comes next is not the client's to do.
    pub(super) fn stop_clock(&mut self, now: Instant) {
        if let Some(since) = self.full_since.take() {
            self.was_full += now.saturating_duration_since(since);
        }
    }

    /// What is left of the time in which a client may keep the socket full, as the bytes that it
    /// was given by now allow.
    fn time_left(&self, now: Instant, config: &Config) -> Duration {
        let since = self.full_since.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let allowed =
            config.write_timeout + rate(self.sent.saturating_add(UNSEEN_BYTES), config.min_rate);
        allowed.saturating_sub(self.was_full + since)
    }

    /// Goes on to the next part of an answer that has several, and gives back the body before.
    fn next_part(&mut self) -> Option<OutBody> {
        let (head, body) = self.outgoing.then.pop()?;
        self.outgoing.head = head;
        (self.head_sent, self.warm_until) = (0, 0);
        Some(std::mem::replace(&mut self.outgoing.body, body))
    }

    /// Sends once, at most about `budget` bytes.
    fn send(&mut self, mut socket: &TcpStream, budget: u64) -> Sent {
        let head = &self.outgoing.head[self.head_sent..];
        let result = match &mut self.outgoing.body {
            OutBody::Bytes(body) => {
                let end = body.len().min(budget as usize);
                socket.write_vectored(&[IoSlice::new(head), IoSlice::new(&body[..end])])
            }
            OutBody::File { file, part } => {
                if part.start >= self.warm_until {
                    let next = part.start..part.end.min(part.start + WARM_BYTES);
                    if !os::is_warm(file, next.clone()) {
                        return Sent::Cold(next);
                    }
                    self.warm_until = next.end;
                }
                if head.is_empty() {
                    let end = part.end.min(self.warm_until).min(part.start.saturating_add(budget));
                    os::send_file(socket, file, part.start..end)
                } else {
                    os::send_more(socket, head)
                }
            }
            OutBody::Stream(flow) if flow.is_cut() => return Sent::Short,
            OutBody::Stream(flow) if flow.is_dry() && head.is_empty() => return Sent::Dry,
            OutBody::Stream(flow) => {
                let mut slices = Vec::with_capacity(1 + SLICES);
                slices.push(IoSlice::new(head));
                flow.slices(budget, &mut slices);
                socket.write_vectored(&slices)
            }
        };
        match result {
            Ok(0) => Sent::Short,
            Ok(n) => {
                self.took(n);
                Sent::Some(n as u64)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Blocked,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Sent::Some(0),
            Err(_) => Sent::Broken,
        }
    }

    /// Moves past what the socket took, head first.
    pub(super) fn took(&mut self, n: usize) {
        let of_head = n.min(self.outgoing.head.len() - self.head_sent);
        self.head_sent += of_head;
        match &mut self.outgoing.body {
            // Not split off: the last handle is the reaper's to drop.
            OutBody::Bytes(bytes) => bytes.advance(n - of_head),
            OutBody::File { part, .. } => part.start += (n - of_head) as u64,
            OutBody::Stream(flow) => flow.took(n - of_head),
        }
    }
}
