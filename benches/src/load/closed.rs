//! Closed-loop clients: each connection asks, reads the whole answer, and asks again.
//!
//! All of them live in one thread, on one epoll, and cost less than the servers they ask: a row
//! whose clients are the slower side would say nothing of a server. Every answer is checked to be
//! a 200 of the length that the first one had; long bodies are counted and thrown away unread.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::waits::Waits;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// What is asked, and by how many.
#[derive(Clone, Copy)]
pub struct Load<'a> {
    /// Of what is asked for, again and again.
    pub path: &'a str,
    /// How many ask, each for one thing at a time.
    pub connections: usize,
    /// How long is measured, after the warm-up.
    pub time: Duration,
}

/// What came of it.
pub struct Ran {
    /// Requests of the measured time.
    pub requests: u64,
    /// Requests of the warm-up as well.
    pub all: u64,
    /// The measured time itself.
    pub time: Duration,
    /// What the server used meanwhile.
    pub cpu: Duration,
    /// From each request to the last byte of its answer.
    pub waits: Waits,
}

/// Asked before the measured time begins, so that caches and windows are warm.
const WARM_UP: Duration = Duration::from_millis(150);
/// A server that answers nobody for this long is given up.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
/// Read at once; what is longer is a body whose rest is thrown away.
const BUFFER: usize = 128 * 1024;

struct Client {
    socket: TcpStream,
    /// Bytes of a whole answer; zero until the first has come.
    whole: usize,
    /// Bytes of the current answer that have come.
    have: usize,
    asked: Instant,
}

/// Runs a load; `cpu` is read at the beginning and at the end of the measured time.
///
/// # Errors
///
/// An answer that is no 200 or of another length than the first, a connection that is closed, ten
/// seconds in which nobody is answered, or an address that is not on the loopback.
pub fn run(addr: SocketAddr, load: &Load<'_>, cpu: &dyn Fn() -> Duration) -> io::Result<Ran> {
    super::only_loopback(addr)?;
    let request = request(load.path);
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut clients = Vec::with_capacity(load.connections);
    for nth in 0..load.connections.min(super::MOST) {
        let client = Client::connect(addr)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &client.socket, epoll::EventData::new_u64(nth as u64), flags)?;
        client.ask(&request)?;
        clients.push(client);
    }
    let mut events: Vec<epoll::Event> = Vec::with_capacity(load.connections.min(512));
    let mut buffer = vec![0; BUFFER];
    let begin = Instant::now() + WARM_UP;
    let mut ran: Option<(Ran, Instant)> = None;
    let mut all = 0;
    loop {
        epoll::wait(&epoll, spare_capacity(&mut events), Some(&PATIENCE))?;
        if events.is_empty() {
            return Err(ErrorKind::TimedOut.into());
        }
        for event in events.drain(..) {
            let client = &mut clients[event.data.u64() as usize];
            if !client.take(&mut buffer)? {
                continue;
            }
            let now = Instant::now();
            all += 1;
            if let Some((ran, _)) = &mut ran {
                ran.requests += 1;
                ran.waits.add(now - client.asked);
            }
            client.asked = now;
            client.ask(&request)?;
        }
        let now = Instant::now();
        match &mut ran {
            None if now >= begin => {
                ran = Some((Ran::begun(cpu()), now));
            }
            Some((_, since)) if now - *since >= load.time => break,
            _ => {}
        }
    }
    let (mut ran, since) = ran.ok_or(ErrorKind::TimedOut)?;
    ran.all = all;
    ran.time = since.elapsed();
    ran.cpu = cpu() - ran.cpu;
    Ok(ran)
}

/// The request that all clients send, as wrk does.
pub fn request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

impl Ran {
    /// Microseconds of the server's CPU a request.
    pub fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests.max(1) as f64
    }

    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.time.as_secs_f64()
    }

    fn begun(cpu: Duration) -> Self {
        Self { requests: 0, all: 0, time: Duration::ZERO, cpu, waits: Waits::default() }
    }
}

impl Client {
    fn connect(addr: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(addr)?;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, whole: 0, have: 0, asked: Instant::now() })
    }

    fn ask(&self, request: &[u8]) -> io::Result<()> {
        // A socket without an answer outstanding has room for a request.
        let sent = send(&self.socket, request, SendFlags::NOSIGNAL)?;
        if sent == request.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
    }

    /// Reads what has come; true if the answer is whole.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        loop {
            // All but the beginning of an answer is only counted.
            let flags = if self.have == 0 { RecvFlags::empty() } else { RecvFlags::TRUNC };
            let n = match recv(&self.socket, &mut *buffer, flags) {
                Ok((_, 0)) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok((_, n)) => n,
                Err(rustix::io::Errno::AGAIN) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            if self.have == 0 {
                self.begin(&buffer[..n])?;
            }
            self.have += n;
            if self.have > self.whole {
                return Err(io::Error::new(ErrorKind::InvalidData, "an answer too long"));
            }
            if self.have == self.whole {
                self.have = 0;
                return Ok(true);
            }
            if n < buffer.len() {
                return Ok(false);
            }
        }
    }

    fn begin(&mut self, answer: &[u8]) -> io::Result<()> {
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            let text = String::from_utf8_lossy(&answer[..answer.len().min(200)]);
            return Err(io::Error::new(ErrorKind::InvalidData, format!("answered {text:?}")));
        }
        if self.whole == 0 {
            let unclear = || io::Error::new(ErrorKind::InvalidData, "an answer without a length");
            self.whole = whole(answer).ok_or_else(unclear)?;
        }
        Ok(())
    }
}

/// Bytes of the answer that begins so, head included.
pub fn whole(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Some(head + length.unwrap_or(0))
}
