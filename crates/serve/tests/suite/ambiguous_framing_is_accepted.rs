//! The strict grammar, as a table: each vector sent whole, byte by byte, and after a good request.

use std::io::Write;

use larder_serve::{Reply, Request, Running};

use crate::client::{Client, start};

/// What comes after a refused request and must never be answered.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

const REFUSED: &[(u16, &str)] = &[
    // Line ends.
    (400, "GET / HTTP/1.1\nHost: x\n\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\n\r\n"),
    (400, "GET / HTTP/1.1\nHost: x\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\n\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n"),
    (400, "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    // The request line.
    (400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET /  HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, " GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"),
    (400, "GET /\r\nHost: x\r\n\r\n"),
    (400, "GET\r\nHost: x\r\n\r\n"),
    (400, "G{T / HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET / http/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET / HTTP/1.1x\r\nHost: x\r\n\r\n"),
    (400, "GET / HTTP/1\r\nHost: x\r\n\r\n"),
    (400, "GET / HTTP/11.1\r\nHost: x\r\n\r\n"),
    (400, "GET / HTP/1.1\r\nHost: x\r\n\r\n"),
    (505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
    (505, "GET / HTTP/0.9\r\nHost: x\r\n\r\n"),
    (505, "GET / HTTP/1.2\r\nHost: x\r\n\r\n"),
    (501, "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
    // The target.
    (400, "GET index.html HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET * HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET /#here HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET /\u{7f} HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET /\u{1} HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET /\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET http:/// HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET http://x:81/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET http://u@x/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, "GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
    // Host.
    (400, "GET / HTTP/1.1\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n"),
    (400, "GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x y\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x, y\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: u@x\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: \"x\"\r\n\r\n"),
    // Field names and values.
    (400, "GET / HTTP/1.1\r\nHost : x\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nA\t: b\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\n A: b\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\n A: b\r\nHost: x\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nA(: c\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\n\u{e9}: c\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\u{7f}\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nA: \u{1b}\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n"),
    // Lengths.
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\na"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\na"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1 1\r\n\r\na"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1,1\r\n\r\na"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\na"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\na"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1.0\r\n\r\na"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\na"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\na"),
    (400, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    (413, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\na"),
    // Transfer codings.
    (
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    ),
    (
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: deflate\r\n\r\n"),
    (417, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\na"),
    // Chunks.
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n 1\r\na\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;\n\r\na\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\na"),
    (413, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\na"),
];

const ACCEPTED: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.1\r\nhOST:x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost:  x:80 \t\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
    "GET http://x/a?b HTTP/1.1\r\nHost: X\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "OPTIONS /a HTTP/1.1\r\nHost: x\r\n\r\n",
    "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /a%20b?c=%2F&d HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nA:\r\nB: \t\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nA: \u{e9}\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nA: b\tc\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 003\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n00\r\nT: x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

fn server() -> Running {
    start(|request: Request| {
        assert_ne!(request.path(), "/smuggled");
        Reply::text("ok").hot()
    })
}

/// Latin-1: a vector may hold bytes that are no UTF-8.
fn bytes(vector: &str) -> Vec<u8> {
    vector.chars().map(|c| c as u8).collect()
}

fn check_refused(client: &mut Client, status: u16, vector: &str, how: &str) {
    let answer = client.answer();
    assert_eq!(answer.status, status, "{how}: {vector:?} got {answer:?}");
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(client.rest(), b"", "{how}: {vector:?} was followed by something");
}

#[test]
fn refused_whole() {
    let server = server();
    for (status, vector) in REFUSED {
        let mut client = Client::connect(server.local_addr());
        client.send([bytes(vector), SMUGGLED.into()].concat());
        check_refused(&mut client, *status, vector, "whole");
    }
    assert_eq!(server.stats().panics, 0);
}

#[test]
fn refused_byte_by_byte() {
    let server = server();
    for (status, vector) in REFUSED {
        let mut client = Client::connect(server.local_addr());
        for byte in [bytes(vector), SMUGGLED.into()].concat() {
            // The server may have closed already.
            if client.socket.write_all(&[byte]).is_err() {
                break;
            }
        }
        check_refused(&mut client, *status, vector, "byte by byte");
    }
    assert_eq!(server.stats().panics, 0);
}

#[test]
fn refused_behind_a_good_request() {
    let server = server();
    for (status, vector) in REFUSED {
        // An empty line before a request is one too many here.
        let mut client = Client::connect(server.local_addr());
        let good = b"GET /good HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
        client.send([good, bytes(vector), SMUGGLED.into()].concat());
        assert_eq!(client.answer().status, 200);
        check_refused(&mut client, *status, vector, "pipelined");
    }
    assert_eq!(server.stats().panics, 0);
}

#[test]
fn accepted_however_it_comes() {
    let server = server();
    for vector in ACCEPTED {
        let mut client = Client::connect(server.local_addr());
        client.send(bytes(vector));
        assert_eq!(client.answer().status, 200, "{vector:?}");
        for byte in bytes(vector) {
            client.send([byte]);
        }
        assert_eq!(client.answer().status, 200, "{vector:?} byte by byte");
        client.send([bytes(vector), bytes(vector)].concat());
        assert_eq!(client.answer().status, 200, "{vector:?} pipelined");
        assert_eq!(client.answer().status, 200, "{vector:?} pipelined");
    }
}

#[test]
fn long_heads_are_refused_at_the_bound() {
    let server = server();
    for (len, status) in [(15_000, 200), (17_000, 431), (300_000, 431)] {
        let mut client = Client::connect(server.local_addr());
        let value = "v".repeat(len);
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {value}\r\n\r\n");
        // The server may refuse before all is sent.
        let _ = client.socket.write_all(request.as_bytes());
        assert_eq!(client.answer().status, status, "{len}");
    }
    let mut client = Client::connect(server.local_addr());
    let many: String = (0..101).map(|i| format!("A{i}: b\r\n")).collect();
    assert_eq!(client.ask("GET", "/", &many).status, 431);
}
