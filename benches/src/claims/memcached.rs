//! memcached, by its text protocol, in a process of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A memcached on the loopback; ended when dropped.
pub struct Memcached {
    process: Child,
    addr: SocketAddr,
}

impl Memcached {
    /// Starts one with so many megabytes and two threads.
    ///
    /// # Errors
    ///
    /// `NotFound` if it is not installed; what else the system says; that it does not listen.
    pub fn start(megabytes: u32) -> io::Result<Self> {
        // Free a moment ago; nobody else takes ports here by number.
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        // Bounded in time, too, should we be killed before we can stop it.
        let mut command = Command::new("timeout");
        command.args(["300", "memcached", "-l", "127.0.0.1", "-U", "0", "-t", "2"]);
        command.arg("-p").arg(addr.port().to_string()).arg("-m").arg(megabytes.to_string());
        if !is_installed() {
            return Err(io::ErrorKind::NotFound.into());
        }
        if rustix::process::getuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        let process = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let memcached = Memcached { process, addr };
        let deadline = Instant::now() + Duration::from_secs(5);
        while let Err(error) = memcached.connect() {
            if Instant::now() > deadline {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(memcached)
    }

    /// Opens a connection to it.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn connect(&self) -> io::Result<Client> {
        Client::connect(self.addr)
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        // `timeout` hands a TERM on.
        super::child::signal(&self.process, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join("memcached").exists())
}

/// A connection that asks one thing at a time.
pub struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(addr: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(addr)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Client(BufReader::with_capacity(32 * 1024, socket)))
    }

    /// Stores a value for ever.
    ///
    /// # Errors
    ///
    /// The socket's; `InvalidData` if it was not stored.
    pub fn set(&mut self, key: &str, value: &[u8]) -> io::Result<()> {
        let head = format!("set {key} 0 0 {}\r\n", value.len());
        self.0.get_mut().write_all(&[head.as_bytes(), value, b"\r\n"].concat())?;
        match self.line()?.as_str() {
            "STORED" => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Reads a value into a buffer; tells whether there was one.
    ///
    /// # Errors
    ///
    /// The socket's; `InvalidData` for an answer that is none.
    pub fn get(&mut self, key: &str, into: &mut Vec<u8>) -> io::Result<bool> {
        self.0.get_mut().write_all(format!("get {key}\r\n").as_bytes())?;
        let line = self.line()?;
        if line == "END" {
            return Ok(false);
        }
        let length = line.strip_prefix("VALUE ").and_then(|rest| rest.split(' ').nth(2));
        let length: usize =
            length.and_then(|text| text.parse().ok()).ok_or_else(|| unexpected(&line))?;
        into.resize(length + 2, 0);
        self.0.read_exact(into)?;
        into.truncate(length);
        match self.line()?.as_str() {
            "END" => Ok(true),
            other => Err(unexpected(other)),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

fn unexpected(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("memcached says {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers one request with `answer`, after it has read as much as `asked`.
    fn answered(asked: &'static [u8], answer: &'static [u8]) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = vec![0; asked.len()];
            socket.read_exact(&mut request).unwrap();
            assert_eq!(request, asked);
            socket.write_all(answer).unwrap();
        });
        Client::connect(addr).unwrap()
    }

    #[test]
    fn a_value_is_read_whole() {
        let mut value = b"what was there".to_vec();
        let mut client = answered(b"get 7\r\n", b"VALUE 7 0 4\r\na\r\nb\r\nEND\r\n");
        assert!(client.get("7", &mut value).unwrap());
        assert_eq!(value, b"a\r\nb");
    }

    #[test]
    fn a_value_that_is_not_there_is_none() {
        let mut client = answered(b"get 7\r\n", b"END\r\n");
        assert!(!client.get("7", &mut Vec::new()).unwrap());
    }

    #[test]
    fn a_value_that_was_not_stored_is_an_error() {
        let mut client = answered(b"set 7 0 0 2\r\nab\r\n", b"SERVER_ERROR out of memory\r\n");
        assert!(client.set("7", b"ab").unwrap_err().to_string().contains("out of memory"));
        let mut client = answered(b"set 7 0 0 2\r\nab\r\n", b"STORED\r\n");
        client.set("7", b"ab").unwrap();
    }
}
