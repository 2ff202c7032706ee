//! The I/O threads. Each owns a poll, its connections, its timers and its response cache, and
//! shares nothing that a hit would write; its mailbox it looks into once a turn.
//!
//! A turn of the loop: sleep in `epoll_wait`; let each connection with an event advance as far as
//! it can without waiting, within a budget; take the mailbox; go on with those that had used up
//! their budget; give those who have much to send their turns; accept; expire deadlines. Readiness
//! is edge-triggered: a connection is registered once, and `Conn::readable` remembers what an event
//! said.
//!
//! `conn` is the state machine, `read`, `receive`, `hit`, `fast`, `send`, `feed` and `finish` its
//! steps, `inbox` what comes back from workers, `close` the ways out, `ended` what is noted after
//! them, `window` the shared read buffer, `wheel` the timers, `turn` what one turn did, `accept` the
//! way in, `mailbox` what other threads want.

mod accept;
mod close;
pub(crate) mod conn;
pub(crate) mod ended;
mod fast;
mod feed;
mod finish;
mod hit;
mod inbox;
pub(crate) mod mailbox;
mod read;
mod receive;
mod send;
mod turn;
mod wheel;
mod window;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Poll, Token, Waker};

use crate::budget::Reserved;
use crate::date::DateCache;
use crate::guard::guarded;
use crate::handler::Handler;
use crate::hot::HotCache;
use crate::listen::Listener;
use crate::log::Lines;
use crate::reaper::Chore;
use crate::server::Shared;
use crate::stats::{IoCounters, set};
use accept::Acceptor;
use conn::{Conn, Fate, Slots, State, Step};
pub(crate) use mailbox::Mailbox;
use mailbox::{LAG, MAX_LAG, Message};
pub(crate) use read::write;
use send::TURN_BYTES;
use turn::Turn;
use wheel::Wheel;
use window::Window;

const WAKER: Token = Token(usize::MAX);
/// Tokens of listeners count down from here.
const LAST_LISTENER: usize = usize::MAX - 1;
/// The most listeners of a server.
pub(crate) const MAX_LISTENERS: usize = 64;

/// Events taken at a time.
const EVENTS: usize = 512;
/// The least room for reading; more if a head may be longer.
const READ_BUFFER: usize = 64 * 1024;
/// Requests queued in a turn before a worker is woken for them: woken for the first, it would
/// take the core from this thread, if it is the only one, and find nothing after that one.
const ROUSE_AFTER: usize = 8;
/// How soon to look again whether there is a place for who was put off.
const PUT_OFF: Duration = Duration::from_millis(1);
/// Steps of one connection in a turn: a client that pipelines without end lets others in between.
const TURN_STEPS: usize = 256;

pub(crate) struct IoThread {
    shared: Arc<Shared>,
    /// Asked for the limits of bodies. Not in what is shared, since it may hold a meter.
    handler: Arc<dyn Handler>,
    index: usize,
    poll: Poll,
    slots: Slots,
    wheel: Wheel,
    hot: HotCache,
    date: DateCache,
    /// Read once a turn.
    now: Instant,
    /// The read buffer, lent to the connection whose turn it is.
    buffer: Vec<u8>,
    /// The memory of what connections have read and not used.
    unread: Reserved,
    unread_bytes: usize,
    /// Where heads are rendered.
    out: Vec<u8>,
    /// Connections that can go on without an event.
    ready: VecDeque<u32>,
    /// Connections that have much to send, first come, first served; see `send`.
    line: VecDeque<u32>,
    /// Bytes of bodies that may still be sent in this turn to those in the line.
    turn_bytes: u64,
    /// The connection that is being advanced is the first of the line.
    first_in_line: bool,
    inbox: Vec<Message>,
    /// What the reaper is to do; handed over at the end of the turn.
    chores: Vec<Chore>,
    /// Bodies that the reaper is to drop, handed over at the end of the turn, several to a chore.
    spent: Vec<Bytes>,
    turn: Turn,
    /// How long to sleep at most while there may be something to note; longer each time that nothing
    /// happens, so that who waits for a ticket costs less and less.
    lag: Duration,
    /// Requests queued for which no worker was woken yet.
    queued: usize,
    /// The access log.
    lines: Option<Lines>,
    /// When this thread last raised the alarm.
    alarmed: Option<Instant>,
    /// Slots whose timer entries came up, kept for its allocation.
    expired: Vec<(u32, u32)>,
    acceptors: Vec<Acceptor>,
    /// A connection that found no place, and may find one soon; since when it waits.
    put_off: Option<(TcpStream, SocketAddr, Instant)>,
    /// When the grace ends, once the server is stopping.
    drain_until: Option<Instant>,
}

impl IoThread {
    /// Makes the poll of a thread, and the mailbox that wakes it.
    pub(crate) fn poll() -> io::Result<(Poll, Mailbox)> {
        let poll = Poll::new()?;
        let mailbox = Mailbox::new(Waker::new(poll.registry(), WAKER)?);
        Ok((poll, mailbox))
    }

    /// Prepares a thread; the one that gets the listeners accepts for all.
    pub(crate) fn new(
        shared: Arc<Shared>,
        handler: Arc<dyn Handler>,
        index: usize,
        poll: Poll,
        listeners: Vec<Listener>,
    ) -> io::Result<Self> {
        let config = &shared.config;
        let acceptor = |(nth, listener)| Acceptor::new(listener, nth, poll.registry());
        let acceptors =
            listeners.into_iter().enumerate().map(acceptor).collect::<Result<_, _>>()?;
        let now = Instant::now();
        let lines = shared.hooks.log.as_ref();
        let lines = lines.map(|(format, sink)| Lines::new(*format, Arc::clone(sink)));
        Ok(Self {
            handler,
            index,
            poll,
            slots: Slots::default(),
            wheel: Wheel::new(now),
            hot: HotCache::new(shared.hot.clone(), config.hot_bytes / config.io_threads),
            date: DateCache::new(),
            now,
            buffer: vec![0; READ_BUFFER.max(2 * config.max_head_bytes)],
            unread: shared.bodies.nothing(),
            unread_bytes: 0,
            out: Vec::with_capacity(1024),
            ready: VecDeque::new(),
            line: VecDeque::new(),
            turn_bytes: 0,
            first_in_line: false,
            inbox: Vec::new(),
            chores: Vec::new(),
            spent: Vec::new(),
            turn: Turn::default(),
            queued: 0,
            lag: LAG,
            lines,
            alarmed: None,
            expired: Vec::new(),
            acceptors,
            put_off: None,
            drain_until: None,
            shared,
        })
    }

    /// The life of the thread: until the server is stopped and the last connection closed.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.is_finished() {
            let sleep = self.sleep();
            // Fails only when interrupted, and then there are no events.
            if self.poll.poll(&mut events, sleep).is_err() {
                events.clear();
            }
            self.mailbox().post().wake_up();
            self.now = Instant::now();
            self.date.refresh();
            self.turn = Turn::begin();
            self.wait_longer(events.is_empty(), sleep);
            for event in &events {
                self.turn.events += 1;
                match event.token() {
                    WAKER => {}
                    Token(listener) if listener > LAST_LISTENER - MAX_LISTENERS => {
                        self.listener_ready(LAST_LISTENER - listener);
                    }
                    Token(slot) => self.event(slot as u32, event),
                }
            }
            self.sweep_hot();
            self.rouse();
            self.read_mailbox();
            self.adopt_put_off();
            self.go_on();
            self.serve_line();
            self.accept();
            self.expire();
            self.drain();
            self.rouse();
            self.end_turn();
        }
        self.turn = Turn::begin();
        // What workers have written by now was delivered, and is noted as such.
        self.read_mailbox();
        self.close_all();
        self.end_turn();
    }

    fn counters(&self) -> &IoCounters {
        &self.shared.io[self.index]
    }

    fn mailbox(&self) -> &Mailbox {
        &self.shared.mailboxes[self.index]
    }

    /// How long nothing is due; zero if something is.
    fn sleep(&self) -> Option<Duration> {
        let nobody = self.ready.is_empty() && self.line.is_empty();
        if !nobody || !self.mailbox().post().fall_asleep() {
            return Some(Duration::ZERO);
        }
        let due = [
            self.slots.any_waits().then_some(self.lag),
            self.put_off.is_some().then_some(PUT_OFF),
            self.wheel.sleep(self.now),
            self.acceptors.iter().filter_map(|acceptor| acceptor.sleep(self.now)).min(),
            self.drain_until.map(|until| until.saturating_duration_since(self.now)),
        ];
        due.into_iter().flatten().min()
    }

    /// Looks for notes less often while nothing happens, and soon again after something has.
    fn wait_longer(&mut self, nothing: bool, slept: Option<Duration>) {
        self.lag = match nothing {
            false => LAG,
            true if slept == Some(Duration::ZERO) => self.lag,
            true => MAX_LAG.min(2 * self.lag),
        };
    }

    fn event(&mut self, slot: u32, event: &Event) {
        let Some(conn) = self.slots.get_mut(slot) else { return };
        conn.heard = true;
        conn.readable |= event.is_readable();
        conn.eof |= event.is_read_closed();
        if event.is_error() || event.is_write_closed() {
            // Reset, or both sides shut: nothing can be delivered any more.
            return self.gone(slot);
        }
        if conn.eof {
            self.half_closed(slot);
        }
        self.advance(slot);
    }

    /// Lets one connection go as far as it can.
    fn advance(&mut self, slot: u32) {
        let Some(mut conn) = self.slots.take(slot) else { return };
        let mut window = Window::new(std::mem::take(&mut self.buffer));
        // The last resort: what panics here costs one connection, and not all of a thread.
        let mut fate = guarded(|| self.turn(slot, &mut conn, &mut window)).unwrap_or(Fate::Close);
        if fate != Fate::Close && !self.store(&mut conn, &window) {
            fate = Fate::Close;
        }
        self.buffer = window.into_buffer();
        if let (Fate::Again | Fate::Line, false) = (fate, conn.listed) {
            conn.listed = true;
            let list = if fate == Fate::Line { &mut self.line } else { &mut self.ready };
            list.push_back(slot);
        }
        let is_asked_on = conn.has_more();
        self.slots.put(slot, conn);
        match fate {
            Fate::Close => self.close(slot),
            _ if is_asked_on => self.hurry(slot),
            _ => {}
        }
    }

    /// The connection is to go on as soon as the answer under way is out.
    fn hurry(&mut self, slot: u32) {
        let Some(conn) = self.slots.get_mut(slot) else { return };
        if let State::Waiting(exchange) = &conn.state {
            // Relaxed: the lock of the mailbox, taken before this thread sleeps, orders it.
            exchange.hurry.store(true, Relaxed);
        }
    }

    /// Wakes a worker for what was queued in this turn.
    fn rouse(&mut self) {
        if std::mem::take(&mut self.queued) > 0 {
            self.shared.queue.rouse();
        }
    }

    /// The same in between, if that has become much.
    fn rouse_some(&mut self) {
        self.queued += 1;
        if self.queued >= ROUSE_AFTER {
            self.rouse();
        }
    }

    /// Leaves what was not used with the connection; false if there is no room for what it cannot
    /// do without. What follows a request under way, it can: it ends after that answer, and its
    /// client asks again.
    fn store(&mut self, conn: &mut Conn, window: &Window) -> bool {
        let before = conn.unread.capacity();
        window.store(conn);
        let after = self.unread_bytes - before + conn.unread.capacity();
        if self.unread.resize(after) {
            self.unread_bytes = after;
            return true;
        }
        self.forget_unread(conn, before);
        conn.deaf = matches!(conn.state, State::Waiting(_) | State::Sending(_));
        conn.deaf
    }

    /// Drops what a connection has read and not used, of which `counted` bytes are counted.
    fn forget_unread(&mut self, conn: &mut Conn, counted: usize) {
        conn.unread = Vec::new();
        if counted > 0 {
            self.unread_bytes -= counted;
            self.unread.resize(self.unread_bytes);
        }
    }

    fn turn(&mut self, slot: u32, conn: &mut Conn, window: &mut Window) -> Fate {
        for _ in 0..TURN_STEPS {
            let step = match conn.state {
                State::Head { .. } => self.read_head(slot, conn, window),
                State::Body(_) => self.read_body(slot, conn, window),
                State::Waiting(_) => Step::Park,
                State::Sending(_) => self.send(slot, conn, window),
                State::Linger => self.linger(conn, window),
            };
            match step {
                Step::Next => {}
                Step::Park => return Fate::Keep,
                Step::Yield => return Fate::Line,
                Step::Close => return Fate::Close,
            }
        }
        Fate::Again
    }

    /// Gives back the memory of answers that a clear has made stale.
    fn sweep_hot(&mut self) {
        if let Some(stale) = self.hot.sweep() {
            self.chores.push(Box::new(move || drop(stale)));
            self.count_hot();
        }
    }

    fn count_hot(&self) {
        set(&self.counters().hot_bytes, self.hot.bytes() as u64);
        set(&self.counters().hot_entries, self.hot.len() as u64);
    }

    /// Goes on with the connections that used up their steps, once each at most.
    fn go_on(&mut self) {
        for _ in 0..self.ready.len() {
            let Some(slot) = self.ready.pop_front() else { return };
            self.go_on_with(slot);
        }
    }

    /// Sends to those in the line, once each at most, until the bytes of this turn are given out.
    fn serve_line(&mut self) {
        self.turn_bytes = TURN_BYTES;
        self.first_in_line = true;
        for _ in 0..self.line.len() {
            if self.turn_bytes == 0 {
                break;
            }
            let Some(slot) = self.line.pop_front() else { break };
            self.go_on_with(slot);
        }
        self.first_in_line = false;
    }

    fn go_on_with(&mut self, slot: u32) {
        if let Some(conn) = self.slots.get_mut(slot) {
            conn.listed = false;
            self.advance(slot);
        }
    }

    fn expire(&mut self) {
        let mut expired = std::mem::take(&mut self.expired);
        self.wheel.advance(self.now, &mut expired);
        for (slot, tick) in expired.drain(..) {
            if let Some(conn) = self.slots.get_mut(slot)
                && self.wheel.is_due(&mut conn.timer, slot, tick)
            {
                self.time_out(slot);
            }
        }
        self.expired = expired;
    }
}
