//! A stream that fails is never taken for a whole one.

use std::io::{self, Read};
use std::panic;

use larder_serve::{Reply, Request};

use crate::client::{Client, builder, start_with};

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
