//! The response cache answers on the I/O thread, whatever the workers do.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use larder_serve::http::HeaderValue;
use larder_serve::http::header::{SET_COOKIE, VARY};
use larder_serve::{Reply, Request};

use crate::client::{Client, Gate, builder, start, start_with};

#[test]
fn hits_are_answered_while_all_workers_are_blocked() {
    let (gate, keeper) = Gate::new();
    let server = start_with(builder().workers(1), move |request: Request| {
        if request.path() == "/wait" {
            gate.pass();
        }
        Reply::text("answer").etag("v1").hot()
    });
    let mut client = Client::connect(server.local_addr());
    client.get("/a?b=c");
    let mut blocked = Client::connect(server.local_addr());
    blocked.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    for _ in 0..100 {
        assert_eq!(client.get("/a?b=c").text(), "answer");
        assert_eq!(client.ask("HEAD", "/a?b=c", "").status, 200);
        assert_eq!(client.ask("GET", "/a?b=c", "If-None-Match: \"v1\"\r\n").status, 304);
        let part = client.ask("GET", "/a?b=c", "Range: bytes=1-2\r\n");
        assert_eq!((part.status, part.text()), (206, "ns"));
    }
    let stats = server.stats();
    assert_eq!((stats.hot_hits, stats.busy_workers, stats.hot_entries), (400, 1, 1));
    keeper.let_go();
    assert_eq!(blocked.answer().text(), "answer");
}

#[test]
fn only_a_plain_200_to_get_is_kept() {
    let calls = AtomicU64::new(0);
    let server = start(move |request: Request| {
        let reply = Reply::text(calls.fetch_add(1, SeqCst).to_string()).hot();
        match request.path() {
            "/cookie" => reply.header(SET_COOKIE, HeaderValue::from_static("a=b")),
            "/vary" => reply.header(VARY, HeaderValue::from_static("Accept")),
            "/missing" => reply.with_status(larder_serve::http::StatusCode::NOT_FOUND),
            "/large" => Reply::bytes("x/y", vec![0; 300 * 1024]).hot(),
            _ => reply,
        }
    });
    let mut client = Client::connect(server.local_addr());
    for target in ["/cookie", "/vary", "/missing", "/large"] {
        client.get(target);
        client.get(target);
    }
    client.ask("HEAD", "/head", "");
    client.ask("POST", "/post", "");
    client.ask("POST", "/post", "");
    assert_eq!(client.get("http://x/absolute").status, 200);
    assert_eq!(server.stats().hot_entries, 0, "kept what no request can hit");
    client.get("/post");
    assert_eq!(server.stats().hot_hits, 0);
    // What GET left behind answers GET alone.
    let kept = client.get("/post");
    assert_ne!(client.ask("POST", "/post", "").body, kept.body);
    assert_eq!(client.get("/post").body, kept.body);
}

#[test]
fn kept_bytes_stay_within_the_bound() {
    let limit = 100_000;
    let server = start_with(builder().hot_bytes(limit), |request: Request| {
        let n: usize = request.path()[1..].parse().unwrap();
        Reply::bytes("x/y", vec![b'x'; n % 5000]).hot()
    });
    let mut client = Client::connect(server.local_addr());
    for n in 0..2000 {
        // One target is asked for all the time and stays.
        assert_eq!(client.get("/4999").body.len(), 4999);
        assert_eq!(client.get(&format!("/{n}")).body.len(), n % 5000);
        assert!(server.stats().hot_bytes <= limit as u64);
    }
    assert!(server.stats().hot_hits >= 1990, "{:?}", server.stats());
}
