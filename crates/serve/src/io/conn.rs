//! One connection, as small as it can be, since ten thousand of them may be idle.
//!
//! ```text
//!          +------------------------------------------------------------+
//!          v                                                            |
//! accept -> Head --body--> Body --whole--> Waiting --reply--> Sending --+-- close --> Linger
//!            |                                ^                 ^
//!            +--- no body --------------------+                 |
//!            +--- hot, refused, or queue full ------------------+
//! ```
//!
//! Only the I/O thread that owns the connection touches it. Its socket, too, but for one write of
//! the worker that has the request; see `exchange`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use mio::net::TcpStream;

use super::ended::{Times, status_of};
use super::mailbox::Written;
use super::wheel::Timer;
use crate::body::BodyReader;
use crate::budget::Reserved;
use crate::exchange::Exchange;
use crate::render::{OutBody, Outgoing};
use crate::spill::Spilled;

/// Memory above this is given back by the reaper: the kernel takes it away page by page.
const LARGE_BYTES: usize = 512 * 1024;

pub(crate) struct Conn {
    /// Lent to the exchange while the state is `Waiting`.
    pub(crate) socket: Arc<TcpStream>,
    pub(crate) peer: SocketAddr,
    pub(crate) state: State,
    /// Bytes read but not yet used; without heap while the connection is idle.
    pub(crate) unread: Vec<u8>,
    pub(crate) timer: Timer,
    /// Counts what answers may refer to; an answer to an older number is dropped.
    pub(crate) seq: u32,
    /// The socket may have more to read: set by an event, cleared by a short read.
    pub(crate) readable: bool,
    /// There was an event; before, what the client has sent is not known, so it is not idle.
    pub(crate) heard: bool,
    /// The peer has shut down its side: a short read is not the last one.
    pub(crate) eof: bool,
    /// Already listed among the connections that go on without an event.
    pub(crate) listed: bool,
    /// A request was answered: from now on it is the idle time-out that counts between requests.
    pub(crate) served: bool,
    /// The client may be sending what nobody will read: see `State::Linger`.
    pub(crate) linger: bool,
    /// What it sent ahead was dropped for want of room: this answer is the last.
    pub(crate) deaf: bool,
}

pub(crate) enum State {
    /// Waiting for a head, of which `scanned` bytes are there already; idle if none.
    Head { scanned: u32 },
    /// Reading a body.
    Body(Box<Receiving>),
    /// A worker or a ticket has the request.
    Waiting(Arc<Exchange>),
    /// An answer is being delivered.
    Sending(Box<Sending>),
    /// Everything is said; what the client still sends is dropped, so that it reads our answer
    /// before a reset destroys it.
    Linger,
}

pub(crate) struct Receiving {
    pub(crate) exchange: Exchange,
    pub(crate) reader: BodyReader,
    pub(crate) started: Instant,
    /// The memory of what `reader` holds.
    pub(crate) reserved: Reserved,
    /// What of the body is in a file.
    pub(crate) spilled: Option<Spilled>,
    /// Since when a chunk is being written; nothing is read meanwhile, and `spilled` is away.
    pub(crate) writing: Option<Instant>,
}

pub(crate) struct Sending {
    pub(crate) outgoing: Box<Outgoing>,
    pub(crate) head_sent: usize,
    pub(crate) status: u16,
    /// Bytes of the first head, as far as they are still to be sent.
    pub(crate) head_bytes: u64,
    /// Bytes handed to the socket, be it by the worker.
    pub(crate) sent: u64,
    pub(crate) times: Option<Times>,
    /// A worker or a ticket has answered: these times are counted.
    pub(crate) is_counted: bool,
    /// For the access log, if there is one.
    pub(crate) asked: Option<Arc<Exchange>>,
    /// Giving the body back may take time: it is large, or its drop runs code of the user's that
    /// counts on a thread that may block.
    pub(crate) is_heavy: bool,
    /// Bytes of the file up to here are in memory.
    pub(crate) warm_until: u64,
    /// A prefetch thread is at it, and nothing is sent until it says so; it looks whether this is
    /// still here before it begins.
    pub(crate) warming: Option<Arc<()>>,
    /// A stream has nothing to send, and the deadline is that of its reader.
    pub(crate) is_dry: bool,
    /// The deadline of the connection is that of this delivery, not an earlier one.
    pub(crate) timed: bool,
    /// Since when the socket is full; not while we are the ones to wait for.
    pub(crate) full_since: Option<Instant>,
    /// How long it was full before that.
    pub(crate) was_full: Duration,
}

/// Where a turn of a connection leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Until the next event, message or deadline.
    Keep,
    /// It could go on at once, but others come first.
    Again,
    /// It has much to send, and gets its turn.
    Line,
    Close,
}

/// Where one step within a turn leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Next,
    Park,
    /// Lines up with those who have much to send.
    Yield,
    Close,
}

impl Conn {
    pub(crate) fn new(socket: TcpStream, peer: SocketAddr, seq: u32) -> Self {
        Self {
            socket: Arc::new(socket),
            peer,
            state: State::Head { scanned: 0 },
            unread: Vec::new(),
            timer: Timer::default(),
            seq,
            readable: false,
            heard: false,
            eof: false,
            listed: false,
            served: false,
            linger: false,
            deaf: false,
        }
    }

    /// Tells whether closing the connection now would disturb nobody.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::Head { scanned: 0 }) && self.unread.is_empty() && !self.readable
    }

    /// Tells whether there is something to do on it as soon as the answer under way is out.
    pub(crate) fn has_more(&self) -> bool {
        self.readable || self.eof || self.deaf || !self.unread.is_empty()
    }

    /// Tells whether a worker or a ticket has the request.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// When the request under way came to a worker, if it did.
    pub(crate) fn times(&self) -> Option<Times> {
        match &self.state {
            State::Waiting(exchange) => Some(exchange.times()),
            _ => None,
        }
    }

    /// Tells whether the request under way is known to be a `HEAD`, whose answer has no body.
    pub(crate) fn is_head(&self) -> bool {
        match &self.state {
            State::Body(receiving) => receiving.exchange.method == Method::HEAD,
            State::Waiting(exchange) => exchange.method == Method::HEAD,
            State::Head { .. } | State::Sending(_) | State::Linger => false,
        }
    }
}

impl Sending {
    /// Tells whether there are bytes in memory to send.
    pub(crate) fn has_bytes(&self) -> bool {
        let bytes = |body: &OutBody| matches!(body, OutBody::Bytes(bytes) if !bytes.is_empty());
        bytes(&self.outgoing.body) || self.outgoing.then.iter().any(|(_, body)| bytes(body))
    }

    /// Moves past what the worker has handed to the socket.
    pub(crate) fn written(&mut self, written: Written) {
        match written {
            Written::Part(n) => self.took(n),
            // The worker has dropped the body.
            Written::Whole(_) => self.head_sent = self.outgoing.head.len(),
            Written::Nothing | Written::Broken => {}
        }
        self.sent = written.bytes() as u64;
    }

    pub(crate) fn new(outgoing: Box<Outgoing>) -> Self {
        let status = status_of(&outgoing.head);
        let head_bytes = outgoing.head.len() as u64;
        let large = |body: &OutBody| matches!(body, OutBody::Bytes(b) if b.len() > LARGE_BYTES);
        let is_heavy = large(&outgoing.body) || outgoing.then.iter().any(|(_, body)| large(body));
        Self {
            outgoing,
            head_sent: 0,
            status,
            head_bytes,
            sent: 0,
            times: None,
            is_counted: false,
            asked: None,
            is_heavy,
            warm_until: 0,
            warming: None,
            is_dry: false,
            timed: false,
            full_since: None,
            was_full: Duration::ZERO,
        }
    }
}

/// The connections of one I/O thread. Who changes the state of one takes it out for that.
#[derive(Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    /// Connections whose request a worker or a ticket has.
    waiting: usize,
    free: Vec<u32>,
    /// Freed in this turn: events of the same batch may still name them, so they are not reused
    /// before the turn is over.
    freed: Vec<u32>,
    hand: usize,
}

#[derive(Default)]
struct Slot {
    conn: Option<Box<Conn>>,
    /// The first sequence number of the next connection here.
    next_seq: u32,
}

impl Slots {
    /// Connections open now.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len() - self.freed.len()
    }

    /// Tells whether a worker or a ticket has the request of any.
    pub(crate) fn any_waits(&self) -> bool {
        self.waiting > 0
    }

    /// A free place, and the sequence number its connection starts with.
    pub(crate) fn reserve(&mut self) -> (u32, u32) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        (slot, self.slots[slot as usize].next_seq)
    }

    /// Takes a connection out for a turn; `put` or `release` must follow.
    pub(crate) fn take(&mut self, slot: u32) -> Option<Box<Conn>> {
        let conn = self.slots.get_mut(slot as usize)?.conn.take()?;
        self.waiting -= usize::from(conn.is_waiting());
        Some(conn)
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Conn> {
        self.slots.get_mut(slot as usize)?.conn.as_deref_mut()
    }

    pub(crate) fn put(&mut self, slot: u32, conn: Box<Conn>) {
        self.waiting += usize::from(conn.is_waiting());
        self.slots[slot as usize].conn = Some(conn);
    }

    /// Gives the place of a connection back, whose last sequence number was `seq`.
    pub(crate) fn release(&mut self, slot: u32, seq: u32) {
        self.slots[slot as usize].next_seq = seq.wrapping_add(1);
        self.freed.push(slot);
    }

    pub(crate) fn end_turn(&mut self) {
        self.free.append(&mut self.freed);
    }

    /// Of the next few idle connections, the one that has been idle for longest; one that was
    /// only just accepted is taken last, and not before its first event: it may have asked.
    pub(crate) fn find_idle(&mut self) -> Option<u32> {
        let (_, at) = self.next_idle()?;
        self.hand = at;
        Some(at as u32)
    }

    /// Tells whether `find_idle` would find one that was answered before.
    pub(crate) fn any_is_served(&self) -> bool {
        self.next_idle().is_some_and(|(is_served, _)| is_served)
    }

    /// Whether it was served, and its place.
    fn next_idle(&self) -> Option<(bool, usize)> {
        const SAMPLE: usize = 8;
        let n = self.slots.len();
        let places = (1..=n).map(|step| (self.hand + step) % n);
        let idle = places.filter_map(|at| {
            let conn = self.slots[at].conn.as_deref()?;
            if !(conn.heard && conn.is_idle()) {
                return None;
            }
            Some((!conn.served, conn.timer.due, at))
        });
        let (is_fresh, _, at) = idle.take(SAMPLE).min()?;
        Some((!is_fresh, at))
    }

    /// Tells whether a worker is writing its answer to any, and is about to say so.
    pub(crate) fn any_is_written_to(&self) -> bool {
        let is_written_to = |slot: &Slot| match slot.conn.as_deref().map(|conn| &conn.state) {
            Some(State::Waiting(exchange)) => exchange.is_claimed(),
            _ => false,
        };
        self.any_waits() && self.slots.iter().any(is_written_to)
    }

    /// All places that hold a connection.
    pub(crate) fn occupied(&self) -> Vec<u32> {
        let held = |(at, slot): (usize, &Slot)| slot.conn.is_some().then_some(at as u32);
        self.slots.iter().enumerate().filter_map(held).collect()
    }
}
