//! What an I/O thread has done with is dropped elsewhere, if that may take time.

use std::panic;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use larder_serve::{Bytes, Peek, Reply, Request, Running};
use parking_lot::Mutex;

use crate::client::{Client, Gate, PATIENCE, builder};

/// A body whose memory takes as long to give back as the test wants.
struct Slow(Vec<u8>, Arc<Gate>);

impl AsRef<[u8]> for Slow {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.1.pass();
    }
}

/// Answers `/slow` with a body of `len` bytes, once, and anything else from the fast path.
fn start(len: usize, gate: Gate, hot_bytes: usize) -> Running {
    let body = Mutex::new(Some(Bytes::from_owner(Slow(vec![b's'; len], Arc::new(gate)))));
    let fast = |peek: &Peek<'_>| (peek.path() == "/fast").then(|| Reply::text("fast"));
    let bound = builder().hot_bytes(hot_bytes).bind("127.0.0.1:0").unwrap().fast(fast);
    let handler = move |request: Request| match request.path() {
        "/slow" => Reply::bytes("x/y", body.lock().take().unwrap()).hot(),
        _ => Reply::bytes("x/y", vec![b'o'; 9000]).hot(),
    };
    bound.start(handler).unwrap()
}

fn is_answered(client: &mut Client) {
    client.socket.set_read_timeout(Some(PATIENCE / 2)).unwrap();
    for _ in 0..10 {
        assert_eq!(client.get("/fast").text(), "fast");
    }
}

#[test]
fn clear_of_the_response_cache() {
    let (gate, keeper) = Gate::new();
    let server = start(1000, gate, 1 << 20);
    let mut client = Client::connect(server.local_addr());
    assert_eq!(client.get("/slow").body.len(), 1000);
    assert_eq!(server.stats().hot_entries, 1);
    server.hot().clear();
    client.get("/fast");
    keeper.wait();
    is_answered(&mut client);
    keeper.let_go();
}

#[test]
fn eviction_from_the_response_cache() {
    let (gate, keeper) = Gate::new();
    let server = start(1000, gate, 20_000);
    let mut client = Client::connect(server.local_addr());
    client.get("/slow");
    for n in 0..5 {
        assert_eq!(client.get(&format!("/other/{n}")).body.len(), 9000);
    }
    keeper.wait();
    is_answered(&mut client);
    keeper.let_go();
}

/// Too long for a worker to write, too long for the cache, and both.
#[test]
fn body_that_was_delivered() {
    for (len, hot_bytes) in [(70_000, 1000), (400_000, 1000), (3 << 20, 1 << 20)] {
        let (gate, keeper) = Gate::new();
        let server = start(len, gate, hot_bytes);
        let mut client = Client::connect(server.local_addr());
        assert_eq!(client.get("/slow").body.len(), len);
        keeper.wait();
        is_answered(&mut client);
        keeper.let_go();
    }
}

/// A ticket is completed with it; in time, or when its client was answered otherwise already.
#[test]
fn body_of_a_ticket() {
    for late in [false, true] {
        let (gate, keeper) = Gate::new();
        let (give, tickets) = mpsc::channel();
        let give = Mutex::new(give);
        let fast = |peek: &Peek<'_>| (peek.path() == "/fast").then(|| Reply::text("fast"));
        let deadline = if late { Duration::from_millis(100) } else { PATIENCE };
        let bound = builder().handler_deadline(deadline).bind("127.0.0.1:0").unwrap().fast(fast);
        let server = bound.start(move |_: Request| {
            let (ticket, reply) = Reply::later();
            give.lock().send(ticket).unwrap();
            reply
        });
        let server = server.unwrap();
        let mut client = Client::connect(server.local_addr());
        client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
        let ticket = tickets.recv_timeout(PATIENCE).unwrap();
        if late {
            assert_eq!(client.answer().status, 504);
        }
        let body = Bytes::from_owner(Slow(vec![b's'; 1000], Arc::new(gate)));
        ticket.complete(Reply::bytes("x/y", body));
        if !late {
            assert_eq!(client.answer().body.len(), 1000);
        }
        keeper.wait();
        is_answered(&mut Client::connect(server.local_addr()));
        keeper.let_go();
    }
}

#[test]
fn body_that_panics_when_it_is_dropped() {
    struct Bad;
    impl AsRef<[u8]> for Bad {
        fn as_ref(&self) -> &[u8] {
            b"bad"
        }
    }
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    panic::set_hook(Box::new(|_| {}));
    let fast = |_: &Peek<'_>| Some(Reply::bytes("x/y", Bytes::from_owner(Bad)));
    let server = builder().bind("127.0.0.1:0").unwrap().fast(fast);
    let server = server.start(|_: Request| Reply::text("worker")).unwrap();
    let mut client = Client::connect(server.local_addr());
    for _ in 0..10 {
        assert_eq!(client.get("/").text(), "bad");
    }
}
