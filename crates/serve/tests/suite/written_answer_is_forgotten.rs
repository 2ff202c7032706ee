//! Answers that a worker writes to the socket itself: what it could not write follows, and what is
//! left to be noted is noted though nothing else happens on the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use larder_serve::{Reply, Request};

use crate::client::{Client, Gate, builder, eventually, start, start_with};

const BYTES: usize = 60_000;

/// A body that is no other request's.
fn body(n: usize) -> Vec<u8> {
    (0..BYTES).map(|at| (at * 31 + n * 7 + at / 251) as u8).collect()
}

fn numbered(request: Request) -> Reply {
    let n = request.path()[1..].parse().unwrap();
    Reply::bytes("x/y", body(n))
}

/// Megabytes ahead of a client that does not read yet: most answers find the socket full.
#[test]
fn what_the_socket_does_not_take_follows() {
    const N: usize = 200;
    let server = start(numbered);
    let mut client = Client::connect(server.local_addr());
    let asked: String = (0..N).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: x\r\n\r\n")).collect();
    client.send(asked);
    thread::sleep(Duration::from_millis(100));
    for n in 0..N {
        let answer = client.answer();
        assert_eq!(answer.status, 200);
        assert!(answer.body == body(n), "the answer to request {n} is another");
    }
    eventually("all are counted", || {
        let stats = server.stats();
        server.latency().delivery.count() == N as u64 && stats.bytes_sent > (N * BYTES) as u64
    });
}

/// The client says nothing more, so that no event makes the I/O thread look.
#[test]
fn what_is_left_to_note_waits_for_no_event() {
    let idle = Duration::from_millis(300);
    let server = start_with(builder().idle_timeout(idle), |_: Request| Reply::text("hello"));
    let mut client = Client::connect(server.local_addr());
    assert_eq!(client.get("/").text(), "hello");
    eventually("it is counted", || server.latency().delivery.count() == 1);
    assert!(client.is_closed(), "the idle time began with the answer");
}

/// The next request is there before the answer to the one before: nothing but the answer itself
/// can make the I/O thread go on.
#[test]
fn what_was_sent_ahead_goes_on_after_it() {
    let (gate, keeper) = Gate::new();
    let server = start(move |request: Request| {
        gate.pass();
        Reply::text(request.path().to_owned())
    });
    let mut client = Client::connect(server.local_addr());
    for round in 0..20 {
        client.send(format!("GET /{round}/a HTTP/1.1\r\nHost: x\r\n\r\n"));
        keeper.wait();
        // On its own way in, and in the read buffer behind another.
        client.send(format!("GET /{round}/b HTTP/1.1\r\nHost: x\r\n\r\n"));
        client.send(format!("GET /{round}/c HTTP/1.1\r\nHost: x\r\n\r\n"));
        thread::sleep(Duration::from_millis(5));
        keeper.let_go();
        assert_eq!(client.answer().text(), format!("/{round}/a"));
        for last in ["b", "c"] {
            keeper.wait();
            keeper.let_go();
            assert_eq!(client.answer().text(), format!("/{round}/{last}"));
        }
    }
}

/// A lease ends with the last byte, whoever wrote it.
#[test]
fn lease_ends_with_it() {
    struct Leased(Arc<AtomicU64>);
    impl Drop for Leased {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    let ended = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&ended);
    let server = start(move |_: Request| {
        Reply::bytes("x/y", vec![7; BYTES]).with_lease(Leased(Arc::clone(&counter)))
    });
    let mut client = Client::connect(server.local_addr());
    for n in 1..=50 {
        assert_eq!(client.get("/").body.len(), BYTES);
        eventually("the lease has ended", || ended.load(Relaxed) == n);
    }
}

/// Many at once, on few workers: each gets its own, and none waits for an event that does not come.
#[test]
fn crowds_get_their_own() {
    let server = start(numbered);
    let addr = server.local_addr();
    let ask = move |client: usize| {
        let mut socket = Client::connect(addr);
        for round in 0..40 {
            let n = client * 100 + round;
            assert!(socket.get(&format!("/{n}")).body == body(n));
        }
    };
    let clients: Vec<_> = (0..16).map(|n| thread::spawn(move || ask(n))).collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    eventually("all are counted", || server.latency().delivery.count() == 16 * 40);
}
