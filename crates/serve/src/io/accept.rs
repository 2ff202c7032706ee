//! The way in: accepting, sharing out, and what happens when places or descriptors run out.

use std::io::{self, Write};
use std::net::{self, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream, UnixListener};
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use socket2::SockRef;

use super::conn::Conn;
use super::{IoThread, LAG, LAST_LISTENER, Message};
use crate::listen::{Listener, Listening, NO_ADDR, Name};
use crate::os;
use crate::stats::add;

/// Connections accepted in a turn, so that those already here are not kept waiting.
const ACCEPTS: usize = 64;
/// Such turns at the end, since others may go on connecting.
const LAST_ROUNDS: usize = 256;
/// How long to let the listener be when the next attempt would fail as well.
const PAUSE: Duration = Duration::from_millis(100);

/// Bytes that the kernel holds of a connection beyond those that the client has room for. By itself
/// it takes megabytes, of each of a thousand clients that read slowly; but more than what a turn
/// gives out at memory speed is of use to nobody.
const UNSENT_BYTES: u32 = 256 * 1024;

pub(super) struct Acceptor {
    source: Source,
    /// There may be connections to accept; the edge was seen.
    pending: bool,
    /// No attempt before this: the last one failed for a reason that lasts.
    paused_until: Option<Instant>,
    /// Round robin over the I/O threads.
    next: usize,
}

enum Source {
    Tcp(TcpListener),
    /// Its name goes with it.
    Unix(UnixListener, #[expect(dead_code, reason = "dropped with the socket")] Option<Name>),
}

impl Source {
    fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self {
            Self::Tcp(listener) => listener.accept(),
            Self::Unix(listener, _) => {
                let (socket, _) = listener.accept()?;
                // All that we do with a connection is the same for both families: the type is
                // but a name for a descriptor that one reads, writes and shuts down.
                Ok((OwnedFd::from(socket).into(), NO_ADDR))
            }
        }
    }
}

impl Acceptor {
    /// The `nth` of an I/O thread.
    pub(super) fn new(listener: Listener, nth: usize, registry: &Registry) -> io::Result<Self> {
        let token = Token(LAST_LISTENER - nth);
        let source = match listener.socket {
            Listening::Tcp(listener) => {
                tune(&listener);
                let mut listener = TcpListener::from_std(listener);
                registry.register(&mut listener, token, Interest::READABLE)?;
                Source::Tcp(listener)
            }
            Listening::Unix(listener, name) => {
                let mut listener = UnixListener::from_std(listener);
                registry.register(&mut listener, token, Interest::READABLE)?;
                Source::Unix(listener, name)
            }
        };
        Ok(Self { source, pending: true, paused_until: None, next: 0 })
    }

    /// A connection was closed, so there is a descriptor again.
    pub(super) fn resume(&mut self) {
        self.paused_until = None;
    }

    pub(super) fn sleep(&self, now: Instant) -> Option<Duration> {
        if !self.pending {
            return None;
        }
        Some(self.paused_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now)))
    }

    fn is_due(&self, now: Instant) -> bool {
        self.pending && self.paused_until.is_none_or(|until| until <= now)
    }

    fn pick(&mut self, threads: usize) -> usize {
        self.next = (self.next + 1) % threads;
        self.next
    }
}

impl IoThread {
    pub(super) fn listener_ready(&mut self, nth: usize) {
        if let Some(acceptor) = self.acceptors.get_mut(nth) {
            acceptor.pending = true;
        }
    }

    pub(super) fn accept(&mut self) {
        for nth in 0..self.acceptors.len() {
            self.accept_from(nth);
        }
    }

    /// Takes in who waits in the backlogs: they are connected as far as they know, and may have
    /// asked. Then closes the listeners, so that who waits for our end may listen there; the names
    /// of sockets go, too.
    pub(super) fn accept_last(&mut self) {
        if self.acceptors.is_empty() {
            return;
        }
        for nth in 0..self.acceptors.len() {
            self.acceptors[nth].pending = true;
            for _ in 0..LAST_ROUNDS {
                self.accept_from(nth);
                if self.acceptors[nth].sleep(self.now) != Some(Duration::ZERO) {
                    break;
                }
            }
        }
        self.acceptors.clear();
        self.shared.accepted_all();
    }

    fn accept_from(&mut self, nth: usize) {
        for _ in 0..ACCEPTS {
            let now = self.now;
            let threads = self.shared.config.io_threads;
            let Some(acceptor) =
                self.acceptors.get_mut(nth).filter(|acceptor| acceptor.is_due(now))
            else {
                return;
            };
            match acceptor.source.accept() {
                Ok((socket, peer)) => match acceptor.pick(threads) {
                    own if own == self.index => self.adopt(socket, peer),
                    other => self.shared.mailboxes[other].push(Message::Adopt(socket, peer)),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    acceptor.pending = false;
                    return;
                }
                Err(error) => match failure_of(&error) {
                    Failure::OfOne => {}
                    Failure::OutOfRoom => {
                        acceptor.paused_until = Some(now + PAUSE);
                        return self.out_of_room();
                    }
                    Failure::Other => {
                        acceptor.paused_until = Some(now + PAUSE);
                        return;
                    }
                },
            }
        }
    }

    /// Out of descriptors or memory: give up idle connections, everywhere, and try again soon.
    fn out_of_room(&mut self) {
        let made_room = self.shed();
        for (index, mailbox) in self.shared.mailboxes.iter().enumerate() {
            if index != self.index && !made_room {
                mailbox.push(Message::Shed);
            }
        }
    }

    /// Takes a connection in, in place of an idle one if all places are taken.
    pub(super) fn adopt(&mut self, socket: TcpStream, peer: SocketAddr) {
        if self.put_off.is_none() && self.is_worth_waiting() {
            self.put_off = Some((socket, peer, self.now));
            return;
        }
        self.adopt_now(socket, peer);
    }

    /// All places are taken, none by somebody idle who was served; but a worker writes to one, whose
    /// client may have the answer before we know of it. Then it is idle, and the better one to close.
    fn is_worth_waiting(&self) -> bool {
        self.is_full() && !self.slots.any_is_served() && self.slots.any_is_written_to()
    }

    /// Takes in who was put off, once it is known what for; one at a time, and not for long, since
    /// by then a worker may write to another.
    pub(super) fn adopt_put_off(&mut self) {
        let Some((_, _, since)) = self.put_off else { return };
        if self.now < since + LAG && self.is_worth_waiting() {
            return;
        }
        if let Some((socket, peer, _)) = self.put_off.take() {
            self.adopt_now(socket, peer);
        }
    }

    fn is_full(&self) -> bool {
        let config = &self.shared.config;
        self.slots.len() >= config.max_connections.div_ceil(config.io_threads)
    }

    fn adopt_now(&mut self, mut socket: TcpStream, peer: SocketAddr) {
        let patience = self.shared.config.header_timeout;
        add(&self.counters().accepted, 1);
        if self.is_full() && !self.shed() {
            add(&self.counters().refused, 1);
            add(&self.counters().closed, 1);
            return refuse(socket);
        }
        let (slot, seq) = self.slots.reserve();
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        if registry.register(&mut socket, Token(slot as usize), interest).is_err() {
            add(&self.counters().closed, 1);
            return self.slots.release(slot, seq);
        }
        let mut conn = Box::new(Conn::new(socket, peer, seq));
        self.wheel.set(&mut conn.timer, slot, self.now, patience);
        self.slots.put(slot, conn);
        if self.drain_until.is_some() {
            self.close_unless_asked(slot);
        }
    }

    /// Closes an idle connection; false if there is none.
    pub(super) fn shed(&mut self) -> bool {
        let Some(slot) = self.slots.find_idle() else { return false };
        add(&self.counters().shed, 1);
        self.close(slot);
        true
    }
}

/// What each connection inherits; not having it costs time or memory, and nothing else.
fn tune(listener: &net::TcpListener) {
    let _ = SockRef::from(listener).set_tcp_nodelay(true);
    let _ = os::hold_back(listener, UNSENT_BYTES);
}

/// Says why before closing, if the socket takes it at once.
fn refuse(mut socket: TcpStream) {
    let _ = socket.write(
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\
          Connection: close\r\n\r\n",
    );
}

/// What a failure to accept says.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// This connection is lost: it was reset, or its network is down. The next may be fine.
    OfOne,
    /// Descriptors or memory ran out, for us or for the system.
    OutOfRoom,
    /// Nothing that giving up connections would mend; perhaps it passes.
    Other,
}

/// Linux hands on errors of the network that were waiting on the new socket; see accept(2).
fn failure_of(error: &io::Error) -> Failure {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Failure::OutOfRoom,
        Some(
            Errno::INTR
            | Errno::CONNABORTED
            | Errno::CONNRESET
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::TIMEDOUT,
        ) => Failure::OfOne,
        _ => Failure::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_want_of_room_costs_idle_connections() {
        let failure = |errno: Errno| failure_of(&errno.into());
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert_eq!(failure(errno), Failure::OutOfRoom, "{errno}");
        }
        let of_one = [Errno::PROTO, Errno::CONNABORTED, Errno::NETDOWN, Errno::HOSTUNREACH];
        for errno in of_one {
            assert_eq!(failure(errno), Failure::OfOne, "{errno}");
        }
        assert_eq!(failure(Errno::PERM), Failure::Other);
    }

    #[cfg(all(target_os = "linux", not(larder_portable)))]
    #[test]
    fn connections_inherit_what_their_listener_was_told() {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        tune(&listener);
        let client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(!client.nodelay().unwrap() && accepted.nodelay().unwrap());
        let held_back = SockRef::from(&accepted).tcp_notsent_lowat().unwrap();
        assert_eq!(held_back, UNSENT_BYTES);
    }
}
