//! Time-outs: of heads, bodies, idle connections.

use std::time::{Duration, Instant};

use larder_serve::{Builder, Reply, Request};

use crate::client::{Client, builder, eventually, start_with};

const SHORT: Duration = Duration::from_millis(200);

fn hello(_: Request) -> Reply {
    Reply::text("hello")
}

fn quick() -> Builder {
    builder().header_timeout(SHORT).body_timeout(SHORT).idle_timeout(SHORT).min_rate(1 << 30)
}

#[test]
fn slow_head_is_answered_408() {
    let server = start_with(quick(), hello);
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n");
    let begun = Instant::now();
    assert_eq!(client.answer().status, 408);
    assert!(begun.elapsed() >= SHORT - Duration::from_millis(20));
    assert!(client.is_closed());
}

#[test]
fn dripping_head_does_not_extend_its_time() {
    let server = start_with(quick(), hello);
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n");
    client.socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let answer = (0..200).find_map(|_| {
        let answer = client.try_answer().ok();
        if answer.is_none() {
            client.send("A: b\r\n");
        }
        answer
    });
    assert_eq!(answer.expect("the head went on for ever").status, 408);
}

#[test]
fn slow_body_is_answered_408() {
    let server = start_with(quick(), hello);
    let mut client = Client::connect(server.local_addr());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234");
    assert_eq!(client.answer().status, 408);
    assert!(client.is_closed());
    assert_eq!(server.stats().handled, 0);
}

/// Each byte comes long before the pause that is allowed, and all of them below the least rate.
#[test]
fn dripping_body_does_not_extend_its_time() {
    let server = start_with(quick().spill_body_above(16), hello);
    let framings = [
        ("Content-Length: 100000", "x"),
        ("Transfer-Encoding: chunked", "1\r\nx\r\n"),
        // With extensions, which are no part of the body and buy no time.
        ("Transfer-Encoding: chunked", "1\r\nx\r\n1;a=b\r\nx\r\n"),
    ];
    for (framing, piece) in framings {
        let mut client = Client::connect(server.local_addr());
        client.send(format!("POST / HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n"));
        client.socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let answer = (0..200).find_map(|_| {
            client.send(piece);
            client.try_answer().ok()
        });
        assert_eq!(answer.expect("the body went on for ever").status, 408, "{framing}");
    }
    assert_eq!((server.stats().handled, server.stats().timed_out), (0, 3));
}

#[test]
fn slow_but_steady_body_is_read() {
    // Takes longer than a pause may, which is long: a busy machine makes pauses of its own.
    let settings = quick().body_timeout(Duration::from_secs(1)).min_rate(4);
    let server = start_with(settings, hello);
    let mut client = Client::connect(server.local_addr());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(150));
        client.send("x");
    }
    assert_eq!(client.answer().text(), "hello");
}

#[test]
fn idle_connection_is_closed_without_a_word() {
    let server = start_with(quick(), hello);
    let mut fresh = Client::connect(server.local_addr());
    let mut used = Client::connect(server.local_addr());
    assert_eq!(used.get("/").status, 200);
    let begun = Instant::now();
    assert_eq!(used.rest(), b"");
    assert!(begun.elapsed() >= SHORT - Duration::from_millis(20));
    assert_eq!(fresh.rest(), b"");
    eventually("all closed", || server.stats().connections == 0);
    assert_eq!(server.stats().timed_out, 0);
}

#[test]
fn busy_connection_outlives_the_idle_time() {
    let idle = Duration::from_secs(1);
    let settings = quick().header_timeout(idle).idle_timeout(idle);
    let server = start_with(settings, |_: Request| Reply::text("hello").hot());
    let mut client = Client::connect(server.local_addr());
    let begun = Instant::now();
    while begun.elapsed() < 2 * idle {
        assert_eq!(client.get("/").status, 200);
        std::thread::sleep(Duration::from_millis(10));
    }
}
