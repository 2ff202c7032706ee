//! hyper as the oracle: it had four advisories to learn from. Whatever bytes come, the requests
//! that our handler sees must be the first of those that hyper's handler sees: we may refuse what
//! it accepts, but never accept what it refuses, nor read it as something else.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use larder_serve::{Reply, Request, Running};
use parking_lot::Mutex;
use proptest::prelude::*;

use crate::client::{Client, builder, start_with};
use crate::vectors::{BODY_LIMIT, accepted, refused};

/// What handlers saw, one line a request.
type Seen = Arc<Mutex<Vec<String>>>;

fn line(method: &str, target: &str, body: &[u8]) -> String {
    format!("{method} {target} {}", body.escape_ascii())
}

/// A connection whose client has sent everything and then shut down its side.
struct Sent {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Sent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let n = buffer.remaining().min(self.bytes.len() - self.at);
        buffer.put_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        Poll::Ready(Ok(()))
    }
}

impl Write for Sent {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, b: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(b.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// An answer without a body.
struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(None)
    }

    /// Known, so that HTTP/1.0 may stay open.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}

/// Reads a whole body; `None` if it is cut or malformed.
async fn collect(mut body: Incoming) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        match std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            None => return Some(bytes),
            Some(Ok(frame)) => bytes.extend(frame.into_data().unwrap_or_default()),
            Some(Err(_)) => return None,
        }
    }
}

/// The requests that hyper finds. Everything is in memory, so that polling it again is all the
/// runtime that it needs.
fn by_hyper(input: &[u8]) -> Vec<String> {
    let seen = Seen::default();
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let (head, body) = request.into_parts();
            let body = collect(body).await.ok_or(io::ErrorKind::InvalidData)?;
            seen.lock().push(line(head.method.as_str(), &head.uri.to_string(), &body));
            Ok::<_, io::Error>(hyper::Response::new(Nothing))
        }
    });
    let sent = Sent { bytes: input.to_vec(), at: 0 };
    let connection = http1::Builder::new()
        .half_close(true)
        .max_buf_size(64 * 1024)
        .serve_connection(sent, service);
    let mut connection = std::pin::pin!(connection);
    let mut context = Context::from_waker(Waker::noop());
    let ended = (0..10_000).any(|_| connection.as_mut().poll(&mut context).is_ready());
    assert!(ended, "hyper waits for ever on {}", input.escape_ascii());
    std::mem::take(&mut *seen.lock())
}

/// Stands for a target with bytes that the type of hyper's targets does not take, as `/"`.
const NO_URI: &str = "not a URI";

fn server() -> (Running, Seen) {
    let seen = Seen::default();
    let see = Arc::clone(&seen);
    // The client shuts down its side at once and still wants its answers.
    let builder =
        builder().workers(1).max_body_bytes(BODY_LIMIT as u64).half_close(Duration::from_secs(60));
    let server = start_with(builder, move |request: Request| {
        // hyper's way to say them: the authority of a target as its own, and a path always.
        let target = request.target().parse().map(|uri: hyper::Uri| uri.to_string());
        let target = target.unwrap_or_else(|_| NO_URI.to_owned());
        see.lock().push(line(request.method().as_str(), &target, request.body().bytes().unwrap()));
        Reply::text("")
    });
    (server, seen)
}

/// The requests that we find.
fn by_us(server: &Running, seen: &Seen, input: &[u8]) -> Vec<String> {
    let mut client = Client::connect(server.local_addr());
    client.send(input);
    client.half_close();
    client.rest();
    std::mem::take(&mut *seen.lock())
}

fn check(server: &Running, seen: &Seen, input: &[u8]) -> Result<usize, TestCaseError> {
    let (hypers, mut ours) = (by_hyper(input), by_us(server, seen, input));
    // hyper ends there: not since such a target could be read in two ways, but by its type.
    if let Some(at) = ours.iter().position(|line| line.contains(NO_URI)) {
        ours.truncate(at);
    }
    prop_assert!(hypers.starts_with(&ours), "{}: {ours:?} {hypers:?}", input.escape_ascii());
    Ok(ours.len())
}

const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn of_the_vectors() {
    let (server, seen) = server();
    for (_, vector) in refused() {
        let n = check(&server, &seen, &[&vector, NEXT].concat()).unwrap();
        assert_eq!(n, 0, "{}", vector.escape_ascii());
    }
    for (vector, _) in accepted() {
        let n = check(&server, &seen, &[&vector, &vector, NEXT].concat()).unwrap();
        assert_eq!(n, 3, "{}", vector.escape_ascii());
    }
}

/// Streams of requests that are right, nearly right, and wrong.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        6 => Just("POST / HTTP/1.1"),
        1 => Just("GET /a HTTP/1.0"),
        1 => Just("GET http://x/ HTTP/1.1"),
        1 => Just("OPTIONS * HTTP/1.1"),
        1 => Just("GET  / HTTP/1.1"),
        1 => Just("GET / HTTP/1.1 "),
    ];
    let name = prop_oneof![
        4 => Just("Content-Length"),
        4 => Just("Transfer-Encoding"),
        1 => Just("Content-Length "),
        1 => Just("\tTransfer-Encoding"),
        1 => Just("Connection"),
        1 => Just("Expect"),
        1 => Just("Host"),
        1 => Just("A"),
    ];
    let value = prop_oneof![
        4 => Just("chunked"),
        3 => Just("5"),
        2 => Just("0"),
        1 => Just("+5"),
        1 => Just("5, 5"),
        1 => Just("0x5"),
        1 => Just("chunked, chunked"),
        1 => Just("gzip, chunked"),
        1 => Just("identity"),
        1 => Just("xchunked"),
        1 => Just("100-continue"),
        1 => Just("close"),
        1 => Just("keep-alive"),
        1 => Just(""),
        1 => Just("x"),
    ];
    let end =
        || prop_oneof![30 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r"), 1 => Just("\r\r\n")];
    let field = (name, value, end()).prop_map(|(name, value, end)| format!("{name}: {value}{end}"));
    let body = prop_oneof![
        3 => Just(""),
        3 => Just("hello"),
        3 => Just("5\r\nhello\r\n0\r\n\r\n"),
        1 => Just("5;a=b\r\nhello\r\n00\r\nA: b\r\n\r\n"),
        1 => Just("5\nhello\r\n0\r\n\r\n"),
        1 => Just("05\r\nhello\r\n0\r\n\r\n"),
        1 => Just("5 \r\nhello\r\n0\r\n\r\n"),
        1 => Just("0x5\r\nhello\r\n0\r\n\r\n"),
        1 => Just("5\r\nhelloo\r\n0\r\n\r\n"),
        1 => Just("5;\r\n\r\nhello\r\n0\r\n\r\n"),
        1 => Just("0\r\nX\r\n\r\n"),
        1 => Just("\r\n"),
    ];
    let request =
        (first, prop::bool::weighted(0.9), prop::collection::vec(field, 0..4), end(), body)
            .prop_map(|(first, host, fields, end, body)| {
                let host = if host { "Host: x\r\n" } else { "" };
                format!("{first}\r\n{host}{}{end}{body}", fields.concat()).into_bytes()
            });
    (
        prop::collection::vec(request, 1..4),
        any::<prop::sample::Index>(),
        prop::option::weighted(0.2, any::<u8>()),
    )
        .prop_map(|(requests, at, byte)| {
            let mut stream = [requests.concat(), NEXT.to_vec()].concat();
            // Now and then, one byte is another.
            if let Some(byte) = byte {
                let at = at.index(stream.len());
                stream[at] = byte;
            }
            stream
        })
}

#[test]
fn of_streams_that_are_nearly_right() {
    let (server, seen) = server();
    let config = ProptestConfig::default();
    let cases = config.cases.max(1000);
    let config = ProptestConfig { failure_persistence: None, cases, ..config };
    proptest!(config, |(stream in streams())| {
        check(&server, &seen, &stream)?;
    });
}
