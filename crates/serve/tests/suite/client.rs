//! A client that says exactly what it is told, and reads answers one by one.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use larder_serve::{Builder, Handler, Running, Server};
use parking_lot::Mutex;

/// Longer than anything here takes, so that a hang is a failure and not a hang.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Settings for tests: one I/O thread, few workers.
pub fn builder() -> Builder {
    Server::builder().io_threads(1).workers(2).grace(Duration::from_secs(5))
}

pub fn start(handler: impl Handler) -> Running {
    start_with(builder(), handler)
}

pub fn start_with(builder: Builder, handler: impl Handler) -> Running {
    builder.bind("127.0.0.1:0").unwrap().start(handler).unwrap()
}

pub struct Client {
    pub socket: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.split("\r\n").skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, unread: Vec::new() }
    }

    /// A client of any stream socket; the type is but a name for what is read and written.
    pub fn over(socket: impl Into<OwnedFd>) -> Self {
        let socket = TcpStream::from(socket.into());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { socket, unread: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).unwrap();
    }

    pub fn get(&mut self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        self.answer()
    }

    pub fn ask(&mut self, method: &str, target: &str, fields: &str) -> Answer {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
        if method == "HEAD" { self.head_answer() } else { self.answer() }
    }

    pub fn answer(&mut self) -> Answer {
        self.try_answer().unwrap()
    }

    /// An answer whose head promises a body that does not come.
    pub fn head_answer(&mut self) -> Answer {
        let (status, head) = self.read_head().unwrap();
        Answer { status, head, body: Vec::new() }
    }

    pub fn try_answer(&mut self) -> io::Result<Answer> {
        let (status, head) = self.read_head()?;
        let mut answer = Answer { status, head, body: Vec::new() };
        let len = match status {
            204 | 304 => 0,
            _ => answer.header("content-length").map_or(0, |len| len.parse().unwrap()),
        };
        while self.unread.len() < len {
            self.more()?;
        }
        answer.body = self.unread.drain(..len).collect();
        Ok(answer)
    }

    /// An answer in chunks, to its last one.
    pub fn chunked_answer(&mut self) -> io::Result<Answer> {
        let (status, head) = self.read_head()?;
        let mut answer = Answer { status, head, body: Vec::new() };
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        assert_eq!(answer.header("content-length"), None);
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(answer);
            }
            answer.body.extend_from_slice(&chunk);
        }
    }

    /// One chunk; the last one is empty.
    pub fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let end = loop {
            if let Some(end) = self.unread.windows(2).position(|w| w == b"\r\n") {
                break end;
            }
            self.more()?;
        };
        let line: Vec<u8> = self.unread.drain(..end + 2).collect();
        let size = std::str::from_utf8(&line[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        while self.unread.len() < size + 2 {
            self.more()?;
        }
        let chunk = self.unread.drain(..size).collect();
        assert_eq!(self.unread.drain(..2).collect::<Vec<u8>>(), b"\r\n");
        Ok(chunk)
    }

    pub fn read_head(&mut self) -> io::Result<(u16, String)> {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|w| w == b"\r\n\r\n") {
                break end;
            }
            self.more()?;
        };
        let head: Vec<u8> = self.unread.drain(..end + 4).collect();
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 "), "not an answer: {head:?}");
        Ok((head[9..12].parse().unwrap(), head.trim_end().to_owned()))
    }

    fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 65536];
        let n = self.socket.read(&mut buffer)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.unread.extend_from_slice(&buffer[..n]);
        Ok(())
    }

    /// Reads to the end: what came before the connection was closed.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more().is_ok() {}
        std::mem::take(&mut self.unread)
    }

    pub fn is_closed(&mut self) -> bool {
        match self.more() {
            Ok(()) => false,
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
            }
        }
    }

    pub fn half_close(&mut self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Closes with a reset.
    pub fn reset(self) {
        let socket = socket2::Socket::from(self.socket);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Holds handlers until the test lets them go, and tells the test when one has begun.
pub struct Gate {
    begun: Mutex<Sender<()>>,
    go: Mutex<Receiver<()>>,
}

pub struct Keeper {
    begun: Receiver<()>,
    go: Sender<()>,
}

impl Gate {
    pub fn new() -> (Self, Keeper) {
        let (begun_tx, begun) = mpsc::channel();
        let (go, go_rx) = mpsc::channel();
        (Self { begun: Mutex::new(begun_tx), go: Mutex::new(go_rx) }, Keeper { begun, go })
    }

    /// Called by a handler.
    pub fn pass(&self) {
        let _ = self.begun.lock().send(());
        let _ = self.go.lock().recv_timeout(PATIENCE);
    }
}

impl Keeper {
    /// Waits until a handler is at the gate.
    pub fn wait(&self) {
        self.begun.recv_timeout(PATIENCE).expect("no handler has begun");
    }

    pub fn let_go(&self) {
        self.go.send(()).unwrap();
    }
}

/// Waits for something that another thread brings about, and fails if it never does.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
