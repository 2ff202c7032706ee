//! Clients that never come to the end of their request's head.
//!
//! Each sends the first line, and then a byte of a header once a second. What is asked of a server:
//! that it cuts them off in its own good time, and that the others don't feel them.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::crowd::forget;
use super::{MOST, only_loopback};

/// Between two bytes of one client; all of them send within a tick of it.
const PACE: Duration = Duration::from_secs(1);

/// Clients whose heads trickle, until they are told to leave.
pub struct SlowHeads {
    stop: Sender<()>,
    clients: JoinHandle<Patience>,
}

/// How long a server put up with them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Patience {
    /// Those that it has not cut off.
    pub waiting: usize,
    /// Those that it cut off.
    pub cut: usize,
    /// From the first byte of the one that was cut off last until then.
    pub longest: Duration,
}

struct Client {
    socket: TcpStream,
    begun: Instant,
    lasted: Option<Duration>,
}

impl SlowHeads {
    /// Opens `n` connections, at most [`MOST`], and lets their heads trickle for `time` at most.
    ///
    /// # Errors
    ///
    /// What connecting says, or an address that is not on the loopback.
    pub fn gather(addr: SocketAddr, n: usize, time: Duration) -> io::Result<Self> {
        only_loopback(addr)?;
        let clients: io::Result<Vec<_>> = (0..n.min(MOST)).map(|_| Client::begin(addr)).collect();
        let mut clients = clients?;
        let (stop, stopped) = mpsc::channel();
        let clients = thread::spawn(move || {
            let end = Instant::now() + time;
            while Instant::now() < end
                && stopped.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout)
            {
                clients.iter_mut().for_each(Client::trickle);
            }
            patience(&clients)
        });
        Ok(Self { stop, clients })
    }

    /// Ends them, and says how the server took it.
    pub fn leave(self) -> Patience {
        drop(self.stop);
        self.clients.join().unwrap_or_default()
    }
}

impl Client {
    fn begin(addr: SocketAddr) -> io::Result<Self> {
        let mut socket = TcpStream::connect(addr)?;
        socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, begun: Instant::now(), lasted: None })
    }

    fn trickle(&mut self) {
        if self.lasted.is_some() {
            return;
        }
        // An answer, a close or a reset: each is the end of the server's patience.
        let mut byte = [0];
        let peeked = recv(&self.socket, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        let is_waiting = matches!(peeked, Err(rustix::io::Errno::AGAIN));
        if !is_waiting || send(&self.socket, b"x", SendFlags::NOSIGNAL).is_err() {
            self.lasted = Some(self.begun.elapsed());
        }
    }
}

fn patience(clients: &[Client]) -> Patience {
    clients.iter().for_each(|client| forget(&client.socket));
    let lasted = || clients.iter().filter_map(|client| client.lasted);
    let cut = lasted().count();
    Patience { waiting: clients.len() - cut, cut, longest: lasted().max().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_server_that_closes_is_seen_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let heads =
            SlowHeads::gather(listener.local_addr().unwrap(), 3, Duration::from_secs(60)).unwrap();
        // One is closed at once, two are kept, until the thread has looked at them all.
        drop(listener.accept().unwrap());
        let kept = [listener.accept().unwrap(), listener.accept().unwrap()];
        let mut heard = [0; 64];
        for (mut socket, _) in kept.iter().map(|(socket, addr)| (socket, addr)) {
            let mut all = Vec::new();
            while !all.ends_with(b"X-Slow: x") {
                let n = io::Read::read(&mut socket, &mut heard).unwrap();
                all.extend_from_slice(&heard[..n]);
            }
        }
        let patience = heads.leave();
        assert_eq!((patience.waiting, patience.cut), (2, 1));
    }

    #[test]
    fn another_machine_is_left_alone() {
        let addr = "192.0.2.1:80".parse().unwrap();
        let error = SlowHeads::gather(addr, 1, PACE).err().expect("it is no loopback");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
