//! The strict grammar: each vector sent whole, byte by byte, and after a good request.

use std::io::Write;

use larder_serve::{Reply, Request, Running};

use crate::client::{Client, Gate, builder, eventually, start_with};
use crate::vectors::{BODY_LIMIT, accepted, refused, rules};

/// What comes after a refused request and must never be answered.
const SMUGGLED: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

fn server() -> Running {
    start_with(builder().max_body_bytes(BODY_LIMIT as u64), |request: Request| {
        assert_ne!(request.path(), "/smuggled");
        let line = format!("{} {} ", request.method(), request.target());
        let reply = Reply::text([line.as_bytes(), request.body().bytes().unwrap()].concat());
        if request.body().is_empty() { reply.hot() } else { reply }
    })
}

fn check_refused(client: &mut Client, status: u16, vector: &[u8], how: &str) {
    let vector = vector.escape_ascii();
    let answer = client.try_answer().unwrap_or_else(|error| panic!("{how}: {vector}: {error}"));
    assert_eq!(answer.status, status, "{how}: {vector} got {answer:?}");
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(client.rest(), b"", "{how}: {vector} was followed by something");
}

/// What the framing of requests stands or falls with: each of these is broken by several vectors,
/// and each vector is sent whole, byte by byte, and behind another request.
const RULES: [&str; 20] = [
    "Content-Length with Transfer-Encoding",
    "two Content-Lengths, be they alike",
    "a list of Content-Lengths",
    "a Content-Length that is no plain number",
    "two Transfer-Encodings",
    "a Transfer-Encoding but exactly `chunked`",
    "chunks in HTTP/1.0",
    "a folded line",
    "a bare LF",
    "a bare CR, or another end of line",
    "a space before the colon",
    "control bytes in a name or a value",
    "no Host, or more than one",
    "an absolute form that contradicts Host",
    "a chunk size that is no plain number",
    "a chunk line that does not end in CR LF",
    "a chunk that does not end where it says",
    "an extension above its cap",
    "trailers above their cap",
    "trailers that are no fields",
];

#[test]
fn each_rule_has_its_vectors() {
    let mut known = RULES.map(|rule| (rule, 0));
    for (broken_by, ..) in rules() {
        if let Some((_, n)) = known.iter_mut().find(|(rule, _)| *rule == broken_by) {
            *n += 1;
        }
    }
    assert!(known.iter().all(|(_, n)| *n >= 3), "{known:#?}");
    assert!(refused().count() >= 370 && accepted().count() >= 60);
}

#[test]
fn refused_whole() {
    let server = server();
    for (status, vector) in refused() {
        let mut client = Client::connect(server.local_addr());
        client.send([&vector, SMUGGLED].concat());
        check_refused(&mut client, status, &vector, "whole");
    }
    assert_eq!(server.stats().panics, 0);
}

#[test]
fn refused_byte_by_byte() {
    let server = server();
    for (status, vector) in refused() {
        let mut client = Client::connect(server.local_addr());
        // Of a long one, only the end: what came before is more of the same.
        let (at_once, slowly) = vector.split_at(vector.len().saturating_sub(400));
        client.send(at_once);
        for byte in [slowly, SMUGGLED].concat() {
            // The server may have closed already.
            if client.socket.write_all(&[byte]).is_err() {
                break;
            }
        }
        check_refused(&mut client, status, &vector, "byte by byte");
    }
    assert_eq!(server.stats().panics, 0);
}

#[test]
fn refused_behind_a_good_request() {
    let server = server();
    for (status, vector) in refused() {
        let mut client = Client::connect(server.local_addr());
        let good = b"GET /good HTTP/1.1\r\nHost: x\r\n\r\n";
        client.send([good, &vector[..], SMUGGLED].concat());
        assert_eq!(client.answer().status, 200);
        check_refused(&mut client, status, &vector, "pipelined");
    }
    assert_eq!(server.stats().panics, 0);
}

/// A request that is under way may end the connection, so nothing behind it has a meaning yet.
#[test]
fn nothing_is_parsed_before_what_came_before_is_answered() {
    let (gate, keeper) = Gate::new();
    let server = start_with(builder(), move |_: Request| {
        gate.pass();
        Reply::text("done")
    });
    for (behind, status) in [("nonsense\r\n\r\n", 400), ("GET / HTTP/1.1\r\n\r\n", 400)] {
        let mut client = Client::connect(server.local_addr());
        let before = server.stats();
        client.send(format!("GET /first HTTP/1.1\r\nHost: x\r\n\r\n{behind}"));
        keeper.wait();
        eventually("it was read", || server.stats().body_bytes > 0);
        let stats = server.stats();
        assert_eq!(stats.requests, before.requests + 1);
        assert_eq!(stats.bad_requests, before.bad_requests);
        keeper.let_go();
        assert_eq!(client.answer().text(), "done");
        assert_eq!(client.answer().status, status);
        assert_eq!(client.rest(), b"");
        assert_eq!(server.stats().bad_requests, before.bad_requests + 1);
    }
}

#[test]
fn accepted_however_it_comes() {
    let server = server();
    for (vector, seen) in accepted() {
        let mut client = Client::connect(server.local_addr());
        let check = |client: &mut Client, how: &str| loop {
            let answer = client.answer();
            // Asked for by those that expect it, unless their body is here already.
            if answer.status == 100 {
                continue;
            }
            let vector = vector.escape_ascii();
            assert_eq!((answer.status, answer.text()), (200, &*seen), "{how}: {vector}");
            break;
        };
        client.send(&vector);
        check(&mut client, "whole");
        for byte in &vector {
            client.send([*byte]);
        }
        check(&mut client, "byte by byte");
        client.send([&vector[..], &vector].concat());
        check(&mut client, "pipelined");
        check(&mut client, "pipelined");
    }
}

/// Each byte at each kind of place: accepted there or refused with 400, and nothing else.
#[test]
fn each_byte_is_refused_where_it_has_no_place() {
    let server = server();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let visible = |b: u8| (0x21..=0x7e).contains(&b);
    for b in 0..=255 {
        let places: [(&[u8], &[u8], bool); 4] = [
            (b"G", b"T / HTTP/1.1\r\nHost: x\r\n\r\n", token(b)),
            (b"GET /a", b"b HTTP/1.1\r\nHost: x\r\n\r\n", visible(b) && b != b'#'),
            (b"GET / HTTP/1.1\r\nHost: x\r\nA", b"A: b\r\n\r\n", token(b) || b == b':'),
            (
                b"GET / HTTP/1.1\r\nHost: x\r\nA: b",
                b"c\r\n\r\n",
                b >= b' ' && b != 0x7f || b == b'\t',
            ),
        ];
        for (before, after, good) in places {
            let request = [before, &[b], after].concat();
            let mut client = Client::connect(server.local_addr());
            client.send(&request);
            let expected = if good { 200 } else { 400 };
            assert_eq!(client.answer().status, expected, "{}", request.escape_ascii());
        }
    }
}

#[test]
fn long_heads_are_refused_at_the_bound() {
    let server = server();
    // The bound is 16 KiB; what is around the value takes 32 bytes.
    let around = "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n".len();
    let bound = 16 * 1024 - around;
    for (len, status) in [(bound, 200), (bound + 1, 431), (300_000, 431)] {
        let mut client = Client::connect(server.local_addr());
        let value = "v".repeat(len);
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {value}\r\n\r\n");
        // The server may refuse before all is sent.
        let _ = client.socket.write_all(request.as_bytes());
        assert_eq!(client.answer().status, status, "{len}");
    }
}
