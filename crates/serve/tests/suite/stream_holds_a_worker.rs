//! Streams: delivered as they come, back-pressured, and with a worker only while bytes are wanted.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use larder_serve::{Reply, Request};
use parking_lot::Mutex;

use crate::client::{Client, Gate, PATIENCE, builder, eventually, start, start_with};

/// Byte `i` of every body here.
fn byte(i: u64) -> u8 {
    (i % 251) as u8
}

fn body(len: u64) -> Vec<u8> {
    (0..len).map(byte).collect()
}

/// Gives `len` bytes, at most `most` a read; tells what it gave and when it was dropped.
struct Counted {
    at: u64,
    len: u64,
    most: usize,
    given: Arc<AtomicU64>,
    dropped: Arc<AtomicBool>,
}

impl Counted {
    fn new(len: u64, most: usize) -> Self {
        let (given, dropped) = Default::default();
        Self { at: 0, len, most, given, dropped }
    }

    /// What it has given, and whether it was dropped.
    fn watch(&self) -> (Arc<AtomicU64>, Arc<AtomicBool>) {
        (Arc::clone(&self.given), Arc::clone(&self.dropped))
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(self.most).min((self.len - self.at) as usize);
        for (i, b) in buffer[..n].iter_mut().enumerate() {
            *b = byte(self.at + i as u64);
        }
        self.at += n as u64;
        self.given.fetch_add(n as u64, SeqCst);
        Ok(n)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.dropped.store(true, SeqCst);
    }
}

#[test]
fn whole_bodies_arrive_and_the_connection_goes_on() {
    let server = start(|request: Request| {
        let numbers = request.path().split('/').skip(2).map(|n| n.parse::<u64>().unwrap());
        let numbers: Vec<u64> = numbers.collect();
        let reader = Counted::new(numbers[0], numbers[1] as usize);
        match request.path().starts_with("/sized") {
            true => Reply::stream_sized(reader, numbers[0]).content_type("x/y"),
            false => Reply::stream(reader).content_type("x/y").etag("v1"),
        }
    });
    let mut client = Client::connect(server.local_addr());
    for (len, most) in
        [(0, 9), (1, 9), (5000, 1), (5000, 7), (100_000, 65536), (3_000_001, 1 << 20)]
    {
        client.send(format!("GET /chunks/{len}/{most} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let answer = client.chunked_answer().unwrap();
        assert!(answer.status == 200 && answer.body == body(len), "{len} by {most}");
        assert_eq!(answer.header("content-type"), Some("x/y"));
        let answer = client.get(&format!("/sized/{len}/{most}"));
        assert!(answer.body == body(len), "sized {len} by {most}");
        assert_eq!(answer.header("content-length"), Some(&*len.to_string()));
        // HTTP/1.0 has no chunks; the end of the connection is the end of the body.
        let mut old = Client::connect(server.local_addr());
        old.send(format!("GET /chunks/{len}/{most} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
        let head = old.read_head().unwrap().1;
        assert!(
            !head.contains("Transfer-Encoding") && head.contains("Connection: close"),
            "{head}"
        );
        assert!(old.rest() == body(len), "old {len} by {most}");
    }
    // Ranges have no meaning here, and validators have.
    client.send("GET /chunks/9/9 HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\n\r\n");
    assert_eq!(client.chunked_answer().unwrap().body, body(9));
    assert_eq!(client.ask("GET", "/chunks/9/9", "If-None-Match: \"v1\"\r\n").status, 304);
    assert_eq!(server.stats().aborted, 0);
}

#[test]
fn nothing_is_read_for_an_answer_without_a_body() {
    let given = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&given);
    let server = start(move |_: Request| {
        let mut reader = Counted::new(1000, 100);
        reader.given = Arc::clone(&counter);
        Reply::stream(reader).etag("v1")
    });
    let mut client = Client::connect(server.local_addr());
    let head = client.ask("HEAD", "/", "");
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")));
    assert_eq!(client.ask("GET", "/", "If-None-Match: *\r\n").status, 304);
    let failed = client.ask("GET", "/", "If-Match: \"v2\"\r\n");
    assert_eq!((failed.status, failed.header("content-length")), (412, Some("0")));
    assert_eq!(given.load(SeqCst), 0);
}

#[test]
fn slow_client_holds_no_worker_and_little_memory() {
    const LEN: u64 = 32 << 20;
    let (send, ends) = mpsc::channel();
    let send = Mutex::new(send);
    let settings = builder().workers(1).grace(Duration::from_millis(100));
    let server = start_with(settings, move |request: Request| {
        if request.path() == "/" {
            return Reply::text("free");
        }
        let reader = Counted::new(LEN, 1 << 20);
        send.lock().send(reader.watch()).unwrap();
        Reply::stream(reader)
    });
    let mut slow: Vec<Client> = (0..4).map(|_| Client::connect(server.local_addr())).collect();
    let mut readers = Vec::new();
    for client in &mut slow {
        client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
        readers.push(ends.recv_timeout(PATIENCE).unwrap());
    }
    let mut fast = Client::connect(server.local_addr());
    let total = || readers.iter().map(|(given, _)| given.load(SeqCst)).sum::<u64>();
    eventually("the readers rest", || {
        let before = total();
        assert_eq!(fast.get("/").text(), "free");
        std::thread::sleep(Duration::from_millis(20));
        server.stats().busy_workers == 0 && total() == before
    });
    // What the sockets of both sides hold, and a quarter of a megabyte.
    for (given, dropped) in &readers {
        assert!(given.load(SeqCst) < LEN / 2 && !dropped.load(SeqCst));
    }
    // One goes on to the end, one leaves, and one is left behind.
    let answer = slow[0].chunked_answer().unwrap();
    assert!(answer.body.iter().enumerate().all(|(i, &b)| b == byte(i as u64)));
    assert_eq!(answer.body.len() as u64, LEN);
    eventually("the first is dropped", || readers[0].1.load(SeqCst));
    slow.remove(1).reset();
    eventually("that of the client that left is dropped", || readers[1].1.load(SeqCst));
    assert!(!readers[2].1.load(SeqCst));
    drop(server);
    eventually("the rest is dropped", || readers.iter().all(|(_, dropped)| dropped.load(SeqCst)));
}

/// Gives what the test sends, as soon as it does; ends when the test drops its end.
struct Told(mpsc::Receiver<&'static str>, Arc<AtomicBool>);

impl Read for Told {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.recv_timeout(PATIENCE) {
            Ok(text) => text.as_bytes().read(buffer),
            Err(mpsc::RecvTimeoutError::Disconnected) => Ok(0),
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the test has stopped"),
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.1.store(true, SeqCst);
    }
}

fn told() -> (Mutex<Option<Told>>, mpsc::Sender<&'static str>, Arc<AtomicBool>) {
    let (tell, receiver) = mpsc::channel();
    let dropped = Arc::new(AtomicBool::new(false));
    (Mutex::new(Some(Told(receiver, Arc::clone(&dropped)))), tell, dropped)
}

#[test]
fn bytes_are_delivered_as_they_come() {
    let (reader, tell, _) = told();
    let server = start(move |_: Request| Reply::stream(reader.lock().take().unwrap()));
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    tell.send("one").unwrap();
    assert_eq!(client.read_head().unwrap().0, 200);
    assert_eq!(client.chunk().unwrap(), b"one");
    for text in ["two", "three", "four"] {
        tell.send(text).unwrap();
        assert_eq!(client.chunk().unwrap(), text.as_bytes());
    }
    drop(tell);
    assert_eq!(client.chunk().unwrap(), b"");
}

#[test]
fn reader_of_a_departed_client_is_dropped_at_its_next_read() {
    let (reader, tell, dropped) = told();
    let server = start(move |_: Request| Reply::stream(reader.lock().take().unwrap()));
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    tell.send("one").unwrap();
    client.read_head().unwrap();
    client.reset();
    eventually("the reset is seen", || server.stats().connections == 0);
    // It may be in a read already, and the worker looks whether anybody waits before the next.
    eventually("the reader is dropped", || {
        let _ = tell.send("more");
        dropped.load(SeqCst)
    });
    eventually("the worker is free", || server.stats().busy_workers == 0);
    assert_eq!(server.stats().aborted, 1);
}

#[test]
fn reader_that_gives_nothing_is_cut_at_the_deadline() {
    let (reader, tell, dropped) = told();
    let settings = builder().handler_deadline(Duration::from_millis(200));
    let server =
        start_with(settings, move |_: Request| Reply::stream(reader.lock().take().unwrap()));
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    tell.send("one").unwrap();
    client.read_head().unwrap();
    assert_eq!(client.chunk().unwrap(), b"one");
    assert!(client.chunk().is_err());
    assert_eq!((server.stats().timed_out, server.stats().aborted), (1, 1));
    drop(tell);
    eventually("the reader is dropped", || dropped.load(SeqCst));
}

#[test]
fn ticket_is_completed_with_a_stream_by_a_thread_that_never_waits() {
    let (send, tickets) = mpsc::channel();
    let send = Mutex::new(send);
    let server = start_with(builder().workers(1), move |_: Request| {
        let (ticket, reply) = Reply::later();
        send.lock().send(ticket).unwrap();
        reply
    });
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let (reader, tell, _) = told();
    let ticket = tickets.recv_timeout(PATIENCE).unwrap();
    // Returns although the reader has nothing yet.
    ticket.complete(Reply::stream(reader.lock().take().unwrap()));
    tell.send("late").unwrap();
    drop(tell);
    assert_eq!(client.chunked_answer().unwrap().body, b"late");
}

#[test]
fn stream_of_a_client_that_has_left_is_not_begun() {
    let (gate, keeper) = Gate::new();
    let (send, tickets) = mpsc::channel();
    let send = Mutex::new(send);
    let server = start_with(builder().workers(1), move |request: Request| {
        if request.path() == "/hold" {
            gate.pass();
            return Reply::text("held");
        }
        let (ticket, reply) = Reply::later();
        send.lock().send(ticket).unwrap();
        reply
    });
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let ticket = tickets.recv_timeout(PATIENCE).unwrap();
    let mut held = Client::connect(server.local_addr());
    held.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    let reader = Counted::new(1000, 100);
    let (given, dropped) = reader.watch();
    ticket.complete(Reply::stream(reader));
    client.reset();
    eventually("reset seen", || server.stats().connections == 1);
    keeper.let_go();
    assert_eq!(held.answer().text(), "held");
    eventually("dropped", || dropped.load(SeqCst));
    assert_eq!(given.load(SeqCst), 0);
}

#[test]
fn few_workers_serve_many_streams_and_other_requests() {
    const LEN: u64 = 1 << 20;
    let server = start_with(builder().workers(2), |request: Request| match request.path() {
        "/big" => Reply::stream(Counted::new(LEN, 50_000)),
        _ => Reply::text("small"),
    });
    let addr = server.local_addr();
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(move || {
                let mut client = Client::connect(addr);
                for _ in 0..3 {
                    client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
                    assert!(client.chunked_answer().unwrap().body == body(LEN));
                    assert_eq!(client.get("/").text(), "small");
                }
            });
        }
    });
    assert_eq!(server.stats().aborted, 0);
}
