//! Clients that do nothing, and clients that do it slowly.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::waits::Waits;
use rustix::net::{RecvFlags, recv};
use socket2::{Domain, SockRef, Socket, Type};

use super::{MOST, closed, only_loopback};

/// Connections that have asked once and stay.
pub struct Idle(Vec<TcpStream>);

impl Idle {
    /// Opens `n` connections and asks once on each.
    pub fn gather(addr: SocketAddr, path: &str, n: usize) -> io::Result<Self> {
        only_loopback(addr)?;
        let n = n.min(MOST);
        let request = closed::request(path);
        let mut sockets = Vec::with_capacity(n);
        for _ in 0..n {
            sockets.push(one(addr, &request)?);
        }
        Ok(Self(sockets))
    }

    /// How many are still open: a server that closes them keeps its memory easily.
    pub fn stay(&self) -> usize {
        let open = |socket: &&TcpStream| {
            let mut byte = [0];
            let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
            matches!(recv(socket, &mut byte[..], flags), Err(rustix::io::Errno::AGAIN))
        };
        self.0.iter().filter(open).count()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.0.iter().for_each(forget);
    }
}

/// Waits of `n` requests, one after the other, each on a connection of its own.
pub fn fresh(addr: SocketAddr, path: &str, n: usize) -> io::Result<Waits> {
    let request = closed::request(path);
    let mut waits = Waits::default();
    for _ in 0..n {
        let begun = Instant::now();
        let socket = one(addr, &request)?;
        waits.add(begun.elapsed());
        forget(&socket);
    }
    Ok(waits)
}

fn one(addr: SocketAddr, request: &[u8]) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(addr)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.write_all(request)?;
    read_answer(&mut socket)?;
    Ok(socket)
}

/// Reads one whole answer.
pub fn read_answer(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while closed::whole(&answer).is_none_or(|whole| answer.len() < whole) {
        let n = socket.read(&mut buffer)?;
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&buffer[..n]);
    }
    Ok(answer)
}

/// Closes by a reset, which leaves no port waiting: there are only so many for the next row.
pub(super) fn forget(socket: &TcpStream) {
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

/// Clients that have asked for something long and read a kilobyte of it each second.
pub struct Slow {
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<usize>>,
}

/// Parts of a second in which a part of the clients reads, so that not all do at once.
const PARTS: usize = 20;
const BYTES_A_SECOND: usize = 1000;

impl Slow {
    /// Opens `n` connections, asks for something long, and reads on in a thread of its own.
    pub fn gather(addr: SocketAddr, path: &str, n: usize) -> io::Result<Self> {
        only_loopback(addr)?;
        let n = n.min(MOST);
        let request = closed::request(path);
        let mut sockets = Vec::with_capacity(n);
        for _ in 0..n {
            let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
            socket.set_recv_buffer_size(4096)?;
            socket.connect(&addr.into())?;
            let mut socket = TcpStream::from(socket);
            socket.write_all(&request)?;
            socket.set_nonblocking(true)?;
            sockets.push(socket);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let reader = thread::spawn(move || read_slowly(&sockets, &stopped));
        Ok(Self { stop, reader: Some(reader) })
    }

    /// Ends them; says how many were still being served.
    pub fn leave(mut self) -> usize {
        self.stop.store(true, Relaxed);
        self.reader.take().and_then(|reader| reader.join().ok()).unwrap_or(0)
    }
}

fn read_slowly(sockets: &[TcpStream], stop: &AtomicBool) -> usize {
    let mut alive = vec![true; sockets.len()];
    let mut part = 0;
    while !stop.load(Relaxed) {
        for nth in (part..sockets.len()).step_by(PARTS) {
            let mut buffer = [0; BYTES_A_SECOND];
            match recv(&sockets[nth], &mut buffer[..], RecvFlags::empty()) {
                Ok((_, n)) if n > 0 => {}
                Err(rustix::io::Errno::AGAIN) => {}
                _ => alive[nth] = false,
            }
        }
        part = (part + 1) % PARTS;
        thread::sleep(Duration::from_secs(1) / PARTS as u32);
    }
    sockets.iter().for_each(forget);
    alive.into_iter().filter(|alive| *alive).count()
}
