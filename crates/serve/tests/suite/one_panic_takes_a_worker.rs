//! A handler that panics costs its request, and nothing else.

use std::panic;

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
