//! A handler that panics costs its request, and nothing else.

use std::panic;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use larder_serve::http::header::{CONTENT_LENGTH, SERVER};
use larder_serve::http::{HeaderValue, Method, StatusCode};
use larder_serve::{Bytes, Class, Handler, Reply, Request};

use crate::client::{Client, builder, eventually, start_with};

#[test]
fn panicking_handler_is_500_and_the_worker_lives() {
    panic::set_hook(Box::new(|_| {}));
    let server = start_with(builder().workers(1), |request: Request| match request.path() {
        "/panic" => panic!("on purpose"),
        // What the server owns cannot be set; what is no header value cannot be made.
        "/framing" => Reply::text("x").header(CONTENT_LENGTH, HeaderValue::from_static("9")),
        "/inject" => Reply::redirect("/\r\nSet-Cookie: a=b"),
        _ => Reply::text("fine").header(SERVER, HeaderValue::from_static("larder")),
    });
    let mut client = Client::connect(server.local_addr());
    for target in ["/panic", "/framing", "/inject"] {
        let answer = client.get(target);
        assert_eq!(answer.status, 500);
        assert_eq!(answer.header("set-cookie"), None);
        let fine = client.get("/");
        assert_eq!((fine.text(), fine.header("server")), ("fine", Some("larder")));
    }
    eventually("the worker is free", || server.stats().busy_workers == 0);
    assert_eq!(server.stats().panics, 3);
    assert_eq!(server.stats().accepted, 1);
}

#[test]
fn time_that_http_cannot_say_is_left_out() {
    let day = Duration::from_secs(24 * 3600);
    let server = start_with(builder().workers(1), move |request: Request| {
        let reply = Reply::text("old");
        match request.path() {
            "/1969" => reply.last_modified(SystemTime::UNIX_EPOCH - day),
            "/10000" => reply.last_modified(SystemTime::UNIX_EPOCH + 2_932_897 * day),
            _ => reply.last_modified(SystemTime::UNIX_EPOCH + 2_932_896 * day),
        }
    });
    let mut client = Client::connect(server.local_addr());
    for target in ["/1969", "/10000"] {
        let answer = client.get(target);
        assert_eq!((answer.text(), answer.header("last-modified")), ("old", None), "{target}");
    }
    let last = client.get("/9999");
    assert_eq!(last.header("last-modified"), Some("Fri, 31 Dec 9999 00:00:00 GMT"));
}

#[test]
fn reply_that_cannot_be_kept_is_500_whatever_its_lease_does() {
    struct Lease;
    impl Drop for Lease {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    panic::set_hook(Box::new(|_| {}));
    let file = Arc::new(tempfile::tempfile().unwrap());
    let server = start_with(builder().workers(1), move |request: Request| {
        let offset = if request.path() == "/short" { 0 } else { u64::MAX - 1 };
        Reply::file(Arc::clone(&file), offset, 10).with_lease(Lease)
    });
    let mut client = Client::connect(server.local_addr());
    for target in ["/short", "/far", "/short"] {
        assert_eq!(client.get(target).status, 500, "{target}");
    }
}

/// Thrown, it panics again when it is dropped, and so does what it throws then.
struct Bomb(u8);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic::panic_any(Bomb(self.0 - 1));
        }
    }
}

struct Bombs(Arc<()>);

impl Handler for Bombs {
    fn handle(&self, request: Request) -> Reply {
        match request.path() {
            "/handler" => panic::panic_any(Bomb(2)),
            "/lease" => Reply::text("fine").with_lease(Bomb(2)),
            "/stream" => Reply::stream(Thrower),
            "/last" => Reply::text("fine").with_lease(Arc::clone(&self.0)),
            _ => Reply::text("fine"),
        }
    }

    fn body_limit(&self, _: &Method, path: &str) -> Option<u64> {
        (path != "/limit").then_some(10).or_else(|| panic::panic_any(Bomb(2)))
    }
}

struct Thrower;

impl std::io::Read for Thrower {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic::panic_any(Bomb(2))
    }
}

#[test]
fn panic_whose_payload_panics_takes_no_thread() {
    panic::set_hook(Box::new(|_| {}));
    let lease = Arc::new(());
    let bound = builder().workers(1).bind("127.0.0.1:0").unwrap();
    let bound = bound.class(Class::new("bomb", |peek| {
        if peek.path() == "/class" { panic::panic_any(Bomb(2)) } else { false }
    }));
    let bound =
        bound.fast(|peek| if peek.path() == "/fast" { panic::panic_any(Bomb(2)) } else { None });
    let server = bound.start(Bombs(Arc::clone(&lease))).unwrap();
    let mut client = Client::connect(server.local_addr());
    for (target, status) in
        [("/handler", 500), ("/fast", 500), ("/stream", 500), ("/class", 200), ("/lease", 200)]
    {
        assert_eq!(client.get(target).status, status, "{target}");
        assert_eq!(client.get("/").text(), "fine", "after {target}");
    }
    client.send("POST /limit HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
    assert_eq!(client.answer().text(), "fine");
    // The reaper is there as well: it drops this one after the bomb.
    assert_eq!(client.get("/last").text(), "fine");
    eventually("lease dropped", || Arc::strong_count(&lease) == 2);
    assert_eq!(server.stats().accepted, 1);
}

/// What a body is made of, which panics when it is dropped.
struct Owner(Vec<u8>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[test]
fn body_whose_owner_panics_takes_no_thread_from_the_response_cache() {
    panic::set_hook(Box::new(|_| {}));
    // Nothing has room; all have; and what is copied into pages.
    for (len, room) in [(100, 0), (100, 1 << 20), (20_000, 1 << 20)] {
        let bound = builder().workers(1).hot_bytes(room).bind("127.0.0.1:0").unwrap();
        let hot = bound.hot();
        let server = bound.start(move |request: Request| {
            if request.path() == "/stale" {
                hot.clear();
            }
            let body = Bytes::from_owner(Owner(vec![1; len]));
            Reply::bytes("x/y", body).etag("e").hot()
        });
        let server = server.unwrap();
        let mut client = Client::connect(server.local_addr());
        let ask = |client: &mut Client, target: &str| {
            // Nothing but the cache holds the body then.
            client.ask("GET", target, "If-None-Match: \"e\"\r\n").status
        };
        for target in ["/a", "/b", "/stale", "/a", "/c", "/a", "/b", "/stale", "/d"] {
            assert_eq!(ask(&mut client, target), 304, "{target} of {len} bytes");
        }
        assert_eq!(server.stats().accepted, 1);
        server.hot().clear();
        assert_eq!(ask(&mut client, "/a"), 304);
        server.stopper().stop();
        server.join();
    }
}

#[test]
fn status_that_answers_nothing_is_500_and_one_that_has_no_body_gets_none() {
    panic::set_hook(Box::new(|_| {}));
    let server = start_with(builder().workers(1), |request: Request| match request.path() {
        "/reset" => Reply::text("not to be sent").with_status(StatusCode::RESET_CONTENT),
        "/streamed" => Reply::stream(&b"not to be sent"[..]).with_status(StatusCode::RESET_CONTENT),
        path => Reply::status(path[1..].parse().unwrap()),
    });
    let mut client = Client::connect(server.local_addr());
    for status in ["/100", "/101", "/103", "/199"] {
        assert_eq!(client.get(status).status, 500, "{status}");
    }
    for target in ["/reset", "/streamed", "/205"] {
        let answer = client.get(target);
        assert_eq!((answer.status, answer.header("content-length")), (205, Some("0")), "{target}");
        assert_eq!(answer.header("transfer-encoding"), None);
        assert_eq!(client.get("/204").status, 204, "after {target}");
    }
    assert_eq!(server.stats().accepted, 1);
}
