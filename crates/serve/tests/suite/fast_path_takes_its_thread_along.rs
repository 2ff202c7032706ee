//! The fast path: answers from memory beside blocked workers; what goes wrong in it stays in it.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use std::{panic, thread};

use larder_serve::{Peek, Reply, Request, Running};
use parking_lot::Mutex;

use crate::client::{Client, Gate, PATIENCE, builder, eventually};

fn start(
    fast: impl Fn(&Peek<'_>) -> Option<Reply> + Send + Sync + 'static,
    handler: impl Fn(Request) -> Reply + Send + Sync + 'static,
) -> Running {
    builder().workers(1).bind("127.0.0.1:0").unwrap().fast(fast).start(handler).unwrap()
}

#[test]
fn answers_while_all_workers_are_blocked() {
    let (gate, keeper) = Gate::new();
    let fast = |peek: &Peek<'_>| {
        let name = peek.header("X-NAME").unwrap_or(b"nobody").to_owned();
        let reply = || Reply::bytes("text/plain", name).etag(peek.query().unwrap_or("none"));
        (peek.path() == "/fast").then(reply)
    };
    let server = start(fast, move |_: Request| {
        gate.pass();
        Reply::text("slow")
    });
    let mut blocked = Client::connect(server.local_addr());
    blocked.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    let mut client = Client::connect(server.local_addr());
    for _ in 0..50 {
        let answer = client.ask("GET", "/fast?v1", "x-name: larder\r\n");
        assert_eq!((answer.text(), answer.header("etag")), ("larder", Some("\"v1\"")));
        assert_eq!(client.get("/fast").text(), "nobody");
        assert_eq!(client.ask("HEAD", "/fast", "").header("content-length"), Some("6"));
        assert_eq!(client.ask("GET", "/fast?v1", "If-None-Match: \"v1\"\r\n").status, 304);
        let part = client.ask("GET", "/fast", "Range: bytes=2-3\r\n");
        assert_eq!((part.status, part.text()), (206, "bo"));
    }
    let stats = server.stats();
    assert_eq!((stats.fast_answers, stats.busy_workers), (250, 1));
    keeper.let_go();
    assert_eq!(blocked.answer().text(), "slow");
    // With a body, or by another method, it is the handler's.
    for request in ["GET /fast HTTP/1.1\r\nContent-Length: 1\r\n", "POST /fast HTTP/1.1\r\n"] {
        blocked.send(format!("{request}Host: x\r\n\r\n"));
        if request.starts_with("GET") {
            blocked.send("1");
        }
        keeper.wait();
        keeper.let_go();
        assert_eq!(blocked.answer().text(), "slow");
    }
    assert_eq!(server.stats().fast_answers, 250);
}

#[test]
fn panic_is_500_and_the_thread_lives() {
    panic::set_hook(Box::new(|_| {}));
    let fast = |peek: &Peek<'_>| match peek.path() {
        "/panic" => panic!("on purpose"),
        "/later" => Some(Reply::later().1),
        "/fine" => Some(Reply::text("fine")),
        _ => None,
    };
    let server = start(fast, |_: Request| Reply::text("worker"));
    let mut client = Client::connect(server.local_addr());
    for _ in 0..3 {
        assert_eq!(client.get("/panic").status, 500);
        assert_eq!(client.get("/later").status, 500);
        assert_eq!(client.get("/fine").text(), "fine");
        assert_eq!(client.get("/").text(), "worker");
    }
    let stats = server.stats();
    assert_eq!((stats.panics, stats.accepted, stats.handled), (3, 1, 3));
}

#[test]
fn files_are_delivered_small_and_large() {
    let body: Vec<u8> = (0..2_000_000u32).map(|i| (i % 251) as u8).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&body).unwrap();
    let file = Arc::new(file);
    let fast = move |peek: &Peek<'_>| {
        let len: u64 = peek.path()[1..].parse().ok()?;
        let reply = Reply::file(Arc::clone(&file), 1, len);
        Some(if peek.query() == Some("hot") { reply.hot() } else { reply })
    };
    let server = start(fast, |_: Request| Reply::text("worker"));
    let mut client = Client::connect(server.local_addr());
    for len in [0, 1, 1000, 100_000, 1_900_000] {
        let answer = client.get(&format!("/{len}"));
        assert!(answer.status == 200 && answer.body == body[1..=len], "{len}");
    }
    // The response cache may keep such an answer, and then nobody is asked.
    for _ in 0..2 {
        assert!(client.get("/5000?hot").body == body[1..=5000]);
    }
    assert_eq!((server.stats().hot_hits, server.stats().fast_answers), (1, 6));
    // A file that ends before its time: found out when it is sent.
    assert!({
        client.send("GET /2000001 HTTP/1.1\r\nHost: x\r\n\r\n");
        client.try_answer().is_err()
    });
}

#[test]
fn call_that_blocks_raises_the_alarm() {
    let calls = Arc::new(AtomicU64::new(0));
    let (seen, slow) = (Arc::clone(&calls), Duration::from_millis(60));
    let fast = move |peek: &Peek<'_>| {
        seen.fetch_add(1, SeqCst);
        if peek.path() == "/slow" {
            thread::sleep(slow);
        }
        Some(Reply::text("done"))
    };
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let bound = builder().turn_alarm(slow / 2).bind("127.0.0.1:0").unwrap();
    let bound = bound.fast(fast).on_stall(move |stall| drop(tell.lock().send(stall.clone())));
    let server = bound.start(|_: Request| Reply::text("worker")).unwrap();
    let mut client = Client::connect(server.local_addr());
    // An alarm for a thread that did not get the processor may come first.
    eventually("the alarm names the target", || {
        assert_eq!(client.get("/slow?1").text(), "done");
        told.try_iter().any(|stall| {
            let text = stall.to_string();
            stall.fast_target.as_deref() == Some("/slow?1")
                && stall.took >= slow
                && stall.fast_took >= slow / 2
                && stall.fast_calls == 1
                && text.contains("I/O thread 0")
                && text.contains("/slow?1")
        })
    });
    assert!(server.stats().stalls >= 1);
    assert!(calls.load(SeqCst) >= 1);
}

#[test]
fn lease_that_blocks_when_dropped_holds_up_nobody() {
    struct Slow(Gate);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.pass();
        }
    }
    let (gate, keeper) = Gate::new();
    let gate = Mutex::new(Some(gate));
    let fast = move |_: &Peek<'_>| {
        let reply = Reply::text("done");
        Some(match gate.lock().take() {
            Some(gate) => reply.with_lease(Slow(gate)),
            None => reply,
        })
    };
    let server = start(fast, |_: Request| Reply::text("worker"));
    let mut client = Client::connect(server.local_addr());
    client.socket.set_read_timeout(Some(PATIENCE / 2)).unwrap();
    for _ in 0..20 {
        assert_eq!(client.get("/").text(), "done");
    }
    keeper.wait();
    keeper.let_go();
}
