//! A stream that fails is never taken for a whole one.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::panic;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use larder_serve::{Builder, Listener, Reply, Request, Running};
use parking_lot::Mutex;

use crate::client::{Client, builder, eventually, start_with};

/// Gives `good` bytes and then does what `then` says.
struct Failing {
    good: usize,
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Fail,
    Panic,
    End,
}

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(self.good).min(10_000);
        self.good -= n;
        match self.then {
            _ if n > 0 => Ok(n),
            Then::Fail => Err(io::ErrorKind::Other.into()),
            Then::Panic => panic!("on purpose"),
            Then::End => Ok(0),
        }
    }
}

fn reply(request: Request) -> Reply {
    let mut parts = request.path().split('/').skip(1);
    let then = match parts.next() {
        Some("fail") => Then::Fail,
        Some("panic") => Then::Panic,
        _ => Then::End,
    };
    let good = parts.next().unwrap().parse().unwrap();
    match parts.next() {
        Some(len) => Reply::stream_sized(Failing { good, then }, len.parse().unwrap()),
        None => Reply::stream(Failing { good, then }),
    }
}

#[test]
fn failure_before_the_first_byte_is_500() {
    panic::set_hook(Box::new(|_| {}));
    let server = start_with(builder().workers(1), reply);
    let mut client = Client::connect(server.local_addr());
    for target in ["/fail/0", "/panic/0", "/fail/0/10", "/panic/0/10", "/end/0/10"] {
        assert_eq!(client.get(target).status, 500, "{target}");
    }
    client.send("GET /end/5 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.chunked_answer().unwrap().body.len(), 5);
    assert_eq!(server.stats().accepted, 1);
}

#[test]
fn failure_in_the_middle_cuts_the_connection() {
    panic::set_hook(Box::new(|_| {}));
    let server = start_with(builder().workers(1), reply);
    let mut cut = 0;
    for good in [1, 10_000, 300_000] {
        for kind in ["fail", "panic"] {
            let mut client = Client::connect(server.local_addr());
            client.send(format!("GET /{kind}/{good} HTTP/1.1\r\nHost: x\r\n\r\n"));
            assert!(client.chunked_answer().is_err(), "{kind} after {good}");
            // A body without length or chunks must not end with an orderly close.
            let mut old = Client::connect(server.local_addr());
            old.send(format!("GET /{kind}/{good} HTTP/1.0\r\n\r\n"));
            let error = old.socket.read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{kind} after {good}");
            cut += 2;
        }
        for kind in ["fail", "panic", "end"] {
            let mut client = Client::connect(server.local_addr());
            client.send(format!("GET /{kind}/{good}/{} HTTP/1.1\r\nHost: x\r\n\r\n", good + 1));
            assert!(client.try_answer().is_err(), "{kind} after {good} of {}", good + 1);
            cut += 1;
        }
    }
    // What was promised came before the failure: whole, and the connection goes on.
    let mut client = Client::connect(server.local_addr());
    for _ in 0..2 {
        assert_eq!(client.get("/fail/30000/30000").body.len(), 30_000);
    }
    assert_eq!(server.stats().aborted, cut);
}

/// Gives `good` bytes, and then nothing before the test is over.
struct Stalling {
    good: usize,
    over: Arc<Mutex<Receiver<()>>>,
}

impl Read for Stalling {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(self.good);
        self.good -= n;
        if n == 0 {
            let _ = self.over.lock().recv();
        }
        Ok(n)
    }
}

/// A client of HTTP/1.0 that has read the first byte of a stream, whose reader stalls after `good`.
fn stalled(settings: Builder, good: usize) -> (Running, Client, Sender<()>) {
    let (is_over, over) = mpsc::channel();
    let over = Arc::new(Mutex::new(over));
    let server = start_with(settings, move |_: Request| {
        Reply::stream(Stalling { good, over: Arc::clone(&over) })
    });
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.0\r\n\r\n");
    client.socket.read_exact(&mut [0; 1]).unwrap();
    (server, client, is_over)
}

fn assert_cut(mut client: Client) {
    let error = client.socket.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn reader_that_is_silent_for_too_long_cuts_the_connection() {
    let settings = builder().handler_deadline(Duration::from_millis(200));
    let (server, client, _is_over) = stalled(settings, 1000);
    assert_cut(client);
    assert_eq!(server.stats().aborted, 1);
}

#[test]
fn end_of_the_grace_cuts_the_connection() {
    let (server, client, _is_over) = stalled(builder().grace(Duration::from_millis(100)), 1000);
    server.stopper().stop();
    assert_cut(client);
}

#[test]
fn client_that_is_too_slow_is_cut() {
    let settings = builder().write_timeout(Duration::from_millis(100)).min_rate(1 << 30);
    let (server, client, _is_over) = stalled(settings, 64 << 20);
    eventually("cut", || server.stats().timed_out == 1 && server.stats().connections == 0);
    assert_cut(client);
}

#[test]
fn unix_socket_which_has_no_reset_takes_no_body_that_ends_with_the_connection() {
    panic::set_hook(Box::new(|_| {}));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let bound = builder().listener(Listener::unix(&path).unwrap()).unwrap();
    let server = bound.start(reply).unwrap();
    let ask = |head: &str| {
        let mut client = Client::over(UnixStream::connect(&path).unwrap());
        client.send(head);
        client
    };
    assert_eq!(ask("GET /fail/10000 HTTP/1.0\r\n\r\n").answer().status, 505);
    assert_eq!(ask("GET /end/10000 HTTP/1.0\r\n\r\n").answer().status, 505);
    assert_eq!(ask("HEAD /end/10000 HTTP/1.0\r\n\r\n").head_answer().status, 200);
    assert_eq!(ask("GET /end/10000/10000 HTTP/1.0\r\n\r\n").answer().body.len(), 10_000);
    let mut chunked = ask("GET /end/10000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(chunked.chunked_answer().unwrap().body.len(), 10_000);
    drop(server);
}
