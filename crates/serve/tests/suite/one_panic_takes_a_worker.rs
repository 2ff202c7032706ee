//! A handler that panics costs its request, and nothing else.

use std::panic;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use larder_serve::http::HeaderValue;
use larder_serve::http::header::{CONTENT_LENGTH, SERVER};
use larder_serve::{Reply, Request};

use crate::client::{Client, builder, start_with};

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
    assert_eq!((server.stats().panics, server.stats().busy_workers), (3, 0));
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
