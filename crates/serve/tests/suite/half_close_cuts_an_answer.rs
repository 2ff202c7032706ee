//! A client that shuts down its side after its last request has said that it asks for nothing more,
//! and still gets its answers, whole: of every kind, however it asked, and however long they take.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use larder_serve::{Builder, Reply, Request, Running, Ticket};
use parking_lot::Mutex;

use crate::client::{Client, Gate, PATIENCE, builder, eventually, start_with};

/// More than the sockets of both sides can hold.
const LEN: usize = 32 << 20;

/// Byte `i` of every long body here: a part of it tells its place.
fn body() -> Vec<u8> {
    (0..LEN as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Counts as gone at once, so that every bound there is on patience has passed.
fn impatient() -> Builder {
    builder().half_close(Duration::ZERO)
}

/// Runs jobs however long they waited, as they may on a busy machine.
fn patient() -> Builder {
    builder().half_close(PATIENCE)
}

/// Asks, and shuts down.
fn asked(server: &Running, request: impl AsRef<[u8]>) -> Client {
    let mut client = Client::connect(server.local_addr());
    client.send(request);
    client.half_close();
    client
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
}

/// Nothing comes after an answer, and the server has closed without a fault.
fn ended(server: &Running, mut clients: Vec<Client>) {
    for client in &mut clients {
        assert_eq!(client.rest(), b"");
    }
    eventually("all closed", || server.stats().connections == 0);
    let stats = server.stats();
    assert_eq!((stats.aborted, stats.timed_out, stats.bad_requests), (0, 0, 0), "{stats:?}");
}

fn long_answers() -> (Running, Vec<u8>) {
    let whole = body();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&whole).unwrap();
    let (file, bytes): (Arc<File>, _) = (Arc::new(file), larder_serve::Bytes::from(whole.clone()));
    let server = start_with(patient(), move |request: Request| match request.path() {
        "/bytes" => Reply::bytes("x/y", bytes.clone()),
        "/file" => Reply::file(Arc::clone(&file), 0, LEN as u64),
        "/sized" => Reply::stream_sized(std::io::Cursor::new(bytes.clone()), LEN as u64),
        _ => Reply::stream(std::io::Cursor::new(bytes.clone())),
    });
    (server, whole)
}

#[test]
fn long_answers_arrive_whole() {
    let (server, whole) = long_answers();
    for target in ["/bytes", "/file", "/sized"] {
        let mut client = asked(&server, get(target, ""));
        let answer = client.answer();
        assert!(answer.status == 200 && answer.body == whole, "{target}");
        ended(&server, vec![client]);
    }
    let mut client = asked(&server, get("/stream", ""));
    assert!(client.chunked_answer().unwrap().body == whole);
    ended(&server, vec![client]);
    // Of this, the end is that of the connection.
    let mut client = asked(&server, "GET /stream HTTP/1.0\r\n\r\n");
    client.read_head().unwrap();
    assert!(client.rest() == whole);
    ended(&server, vec![client]);
}

#[test]
fn parts_of_files_and_bytes_arrive_whole() {
    let (server, whole) = long_answers();
    for target in ["/bytes", "/file"] {
        let mut client = asked(&server, get(target, "Range: bytes=1000-31000000\r\n"));
        let answer = client.answer();
        assert!(answer.status == 206 && answer.body == whole[1000..=31_000_000], "{target}");
        let ranges = "Range: bytes=0-15000000,16000000-32000000\r\n";
        let mut parts = asked(&server, get(target, ranges));
        let answer = parts.answer();
        assert_eq!(answer.status, 206);
        for part in [&whole[..=15_000_000], &whole[16_000_000..=32_000_000]] {
            let begins = |at: &usize| answer.body[*at..].starts_with(&part[..16]);
            let at = (0..400).chain(15_000_000..15_000_800).find(begins);
            assert!(at.is_some_and(|at| answer.body[at..].starts_with(part)), "{target}");
        }
        ended(&server, vec![client, parts]);
    }
}

#[test]
fn slow_reader_of_a_long_answer_gets_all_of_it() {
    let (server, whole) = long_answers();
    for target in ["/bytes", "/file", "/sized"] {
        let mut client = asked(&server, get(target, ""));
        client.read_head().unwrap();
        // The socket is full before anything is read.
        eventually("full", || {
            let before = server.stats().bytes_sent;
            std::thread::sleep(Duration::from_millis(20));
            before > 0 && server.stats().bytes_sent == before
        });
        assert_eq!(server.stats().connections, 1);
        assert!(client.rest() == whole, "{target}");
        ended(&server, vec![client]);
    }
}

#[test]
fn ticket_may_be_completed_with_anything_and_at_any_time() {
    let (send, tickets) = mpsc::channel::<Ticket>();
    let send = Mutex::new(send);
    let server = start_with(impatient(), move |_: Request| {
        let (ticket, reply) = Reply::later();
        send.lock().send(ticket).unwrap();
        reply
    });
    let whole = body();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&whole).unwrap();
    let file = Arc::new(file);
    for kind in 0..3 {
        let mut client = Client::connect(server.local_addr());
        client.send(get("/", ""));
        let ticket = tickets.recv_timeout(PATIENCE).unwrap();
        client.half_close();
        eventually("counts as gone", || ticket.is_gone());
        ticket.complete(match kind {
            0 => Reply::bytes("x/y", whole.clone()),
            1 => Reply::file(Arc::clone(&file), 0, LEN as u64),
            _ => Reply::stream_sized(std::io::Cursor::new(whole.clone()), LEN as u64),
        });
        let answer = client.answer();
        assert!(answer.status == 200 && answer.body == whole, "{kind}");
        ended(&server, vec![client]);
    }
}

#[test]
fn handler_that_takes_long_is_not_in_vain() {
    let (gate, keeper) = Gate::new();
    let server = start_with(impatient().workers(1), move |request: Request| {
        gate.pass();
        let mut read = String::new();
        request.body().reader().read_to_string(&mut read).unwrap();
        Reply::text(read)
    });
    let long = "a".repeat(300_000);
    let requests = [
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n{long}"),
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            .to_owned(),
    ];
    // A worker is free: the job runs, as it is taken before anybody can count as gone.
    for (request, expected) in requests.iter().zip(["hello", &long, "hello"]) {
        let mut client = Client::connect(server.local_addr());
        client.send(request);
        keeper.wait();
        client.half_close();
        std::thread::sleep(Duration::from_millis(20));
        keeper.let_go();
        assert_eq!(client.answer().text(), expected);
        ended(&server, vec![client]);
    }
}

#[test]
fn everything_that_was_pipelined_is_answered() {
    let server = start_with(patient(), |request: Request| {
        let reply = Reply::text(request.target().to_owned());
        if request.path() == "/hot" { reply.hot() } else { reply }
    });
    let targets: Vec<String> = (0..200)
        .map(|i| if i % 3 == 0 { "/hot".to_owned() } else { format!("/cold?{i}") })
        .collect();
    let all: String = targets.iter().map(|target| get(target, "")).collect();
    let mut client = asked(&server, all);
    for target in &targets {
        assert_eq!(client.answer().text(), target);
    }
    ended(&server, vec![client]);
}

#[test]
fn who_waits_in_the_queue_is_answered_within_its_time_and_told_after_it() {
    for patient in [true, false] {
        let (gate, keeper) = Gate::new();
        let time = if patient { PATIENCE } else { Duration::ZERO };
        let settings = builder().workers(1).half_close(time);
        let server = start_with(settings, move |request: Request| {
            if request.path() == "/busy" {
                gate.pass();
            }
            Reply::text("done")
        });
        let mut busy = Client::connect(server.local_addr());
        busy.send(get("/busy", ""));
        keeper.wait();
        let mut queued = asked(&server, get("/", ""));
        eventually("queued", || server.stats().queued == 1);
        if !patient {
            std::thread::sleep(Duration::from_millis(20));
        }
        keeper.let_go();
        assert_eq!(busy.answer().text(), "done");
        // Not run for somebody who has most likely gone; but not left without a word either.
        assert_eq!(queued.answer().status, if patient { 200 } else { 503 });
        assert_eq!(server.stats().dropped_jobs, u64::from(!patient));
        drop(busy);
        ended(&server, vec![queued]);
    }
}
