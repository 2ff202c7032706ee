//! Long request bodies go to files, all of them together stay within a budget, and a route has
//! the limit that it says.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use larder_serve::http::StatusCode;
use larder_serve::{Bytes, Reply, Request, Router, Running};
use parking_lot::Mutex;

use crate::client::{Client, Gate, builder, eventually, start_with};

const KIB: usize = 1024;

fn content(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Answers with the place of the body and the body as its reader gives it.
fn tell(request: Request) -> Reply {
    let body = request.body();
    let place = match (body.bytes(), body.file()) {
        (Some(bytes), None) if bytes.len() as u64 == body.len() => "memory",
        (None, Some(file)) if file.metadata().unwrap().len() == body.len() => "file",
        _ => "nowhere",
    };
    let mut read = Vec::new();
    body.reader().read_to_end(&mut read).unwrap();
    Reply::bytes(place, read)
}

fn head(target: &str, len: usize) -> Vec<u8> {
    format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\n\r\n").into_bytes()
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for part in body.chunks(size) {
        bytes.extend(format!("{:x}\r\n", part.len()).bytes());
        bytes.extend(part);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn memory_comes_back(server: &Running) {
    eventually("the memory of bodies comes back", || server.stats().body_bytes == 0);
}

#[test]
fn long_bodies_are_whole_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        builder().max_body_bytes(1 << 30).spill_body_above(100 * KIB).spill_dir(dir.path());
    let server = start_with(settings, tell);
    let mut client = Client::connect(server.local_addr());
    let lens = [1, 100 * KIB, 100 * KIB + 1, 228 * KIB, 300_000, 5_000_000];
    for len in lens {
        let body = content(len);
        for request in [[head("/", len), body.clone()].concat(), chunked(&body, 70_001)] {
            // The next request follows at once, and must not be taken for a part of the body.
            let next = chunked(b"next", 2);
            client.send([request, next].concat());
            let answer = client.answer();
            let place = if len <= 100 * KIB { "memory" } else { "file" };
            assert_eq!(answer.header("content-type"), Some(place), "{len}");
            assert!(answer.body == body, "{len}");
            assert_eq!(client.answer().text(), "next");
        }
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a body has a name");
    memory_comes_back(&server);
}

#[test]
fn small_chunks_of_a_long_body() {
    let settings = builder().max_body_bytes(1 << 30).spill_body_above(0);
    let server = start_with(settings, tell);
    let mut client = Client::connect(server.local_addr());
    let body = content(300_000);
    client.send(chunked(&body, 3));
    let answer = client.answer();
    assert_eq!(answer.header("content-type"), Some("file"));
    assert!(answer.body == body);
}

#[test]
fn a_reader_has_a_place_of_its_own() {
    let server = start_with(builder().spill_body_above(4), |request: Request| {
        let mut first = request.body().reader();
        let mut second = request.body().reader();
        let mut text = String::new();
        first.seek(SeekFrom::End(-3)).unwrap();
        first.read_to_string(&mut text).unwrap();
        second.read_to_string(&mut text).unwrap();
        assert_eq!(second.seek(SeekFrom::Current(-2)).unwrap(), request.body().len() - 2);
        second.read_to_string(&mut text).unwrap();
        assert!(
            second.seek(SeekFrom::Start(100)).is_ok() && second.seek(SeekFrom::End(-100)).is_err()
        );
        assert_eq!(second.read(&mut [0; 9]).unwrap(), 0);
        Reply::text(text)
    });
    let mut client = Client::connect(server.local_addr());
    for body in ["abcd", "abcdefgh"] {
        client.send([head("/", body.len()), body.into()].concat());
        let (last_3, last_2) = (&body[body.len() - 3..], &body[body.len() - 2..]);
        assert_eq!(client.answer().text(), format!("{last_3}{body}{last_2}"));
    }
}

#[test]
fn above_the_budget_bodies_are_refused_and_others_are_not() {
    let settings = builder().body_memory(128 * KIB).max_body_bytes(1 << 20);
    let server = start_with(settings, tell);
    let mut holder = Client::connect(server.local_addr());
    holder.send([head("/", 120 * KIB), content(115 * KIB)].concat());
    eventually("the body is here", || server.stats().body_bytes == 128 * KIB as u64);
    // Told before it sends anything.
    let mut refused = Client::connect(server.local_addr());
    let answer = refused.ask("POST", "/", "Content-Length: 100\r\nExpect: 100-continue\r\n");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.rest(), b"");
    // A request without a body needs no memory.
    assert_eq!(Client::connect(server.local_addr()).get("/").status, 200);
    holder.send(content(5 * KIB));
    assert_eq!(holder.answer().body.len(), 120 * KIB);
    memory_comes_back(&server);
    let mut late = Client::connect(server.local_addr());
    late.send([head("/", 100), content(100)].concat());
    assert_eq!(late.answer().body.len(), 100);
    // One that alone is more than the budget, and is not known to be.
    let mut greedy = Client::connect(server.local_addr());
    greedy.send(chunked(&content(300 * KIB), 300 * KIB));
    assert_eq!(greedy.answer().status, 503);
    memory_comes_back(&server);
}

#[test]
fn what_a_handler_keeps_counts_until_it_is_dropped() {
    let kept: Arc<Mutex<Vec<Bytes>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let server = start_with(builder(), move |request: Request| {
        keep.lock().push(request.body().bytes().unwrap().slice(1..2));
        Reply::text("kept")
    });
    let mut client = Client::connect(server.local_addr());
    client.send([head("/", 50 * KIB), content(50 * KIB)].concat());
    assert_eq!(client.answer().text(), "kept");
    assert!(server.stats().body_bytes >= 50 * KIB as u64);
    kept.lock().clear();
    memory_comes_back(&server);
}

#[test]
fn bodies_of_those_that_leave_are_forgotten() {
    let settings = builder().max_body_bytes(1 << 30).spill_body_above(100 * KIB);
    let server = start_with(settings, tell);
    for sent in [1, 50 * KIB, 150 * KIB, 1000 * KIB] {
        let mut client = Client::connect(server.local_addr());
        client.send([head("/", 2000 * KIB), content(sent)].concat());
        if sent % 100 == 0 { client.reset() } else { drop(client) }
    }
    eventually("all have left", || server.stats().connections == 0);
    memory_comes_back(&server);
    assert_eq!(server.stats().handled, 0);
}

#[test]
fn bodies_of_requests_that_are_turned_away_are_forgotten() {
    let (gate, keeper) = Gate::new();
    let settings = builder().workers(1).queue(1).spill_body_above(0);
    let server = start_with(settings, move |_: Request| {
        gate.pass();
        Reply::text("")
    });
    let mut clients: Vec<_> = (0..2).map(|_| Client::connect(server.local_addr())).collect();
    clients[0].send(head("/", 0));
    keeper.wait();
    clients[1].send([head("/", 5), b"hello".to_vec()].concat());
    eventually("one waits", || server.stats().queued == 1);
    let mut third = Client::connect(server.local_addr());
    third.send([head("/", 5), b"hello".to_vec()].concat());
    assert_eq!(third.answer().status, 503);
    keeper.let_go();
    keeper.wait();
    keeper.let_go();
    assert_eq!((clients[0].answer().status, clients[1].answer().status), (200, 200));
    memory_comes_back(&server);
}

#[test]
fn no_place_to_write_to_is_503() {
    let dir = tempfile::tempdir().unwrap();
    let settings = builder().spill_body_above(10).spill_dir(dir.path().join("missing"));
    let server = start_with(settings, tell);
    for _ in 0..3 {
        let mut client = Client::connect(server.local_addr());
        client.send([head("/", 11), content(11)].concat());
        assert_eq!(client.answer().status, 503);
        assert_eq!(client.rest(), b"");
    }
    let mut client = Client::connect(server.local_addr());
    client.send([head("/", 10), content(10)].concat());
    assert_eq!(client.answer().status, 200);
    memory_comes_back(&server);
}

#[test]
fn a_route_has_its_limit_before_anything_is_sent() {
    let router = Router::new()
        .post("/comment/{id}", tell)
        .body_limit("/comment/{id}", 10)
        .post("/film", tell)
        .body_limit("/film", 200_000)
        .post("/other", tell);
    let server = start_with(builder().max_body_bytes(100), router);
    let cases = [
        ("/comment/7?a=b", 10, 11),
        ("/film", 200_000, 200_001),
        ("/other", 100, 101),
        ("/none", 100, 101),
    ];
    for (target, most, too_much) in cases {
        let expect = |len| format!("Content-Length: {len}\r\nExpect: 100-continue\r\n");
        let mut client = Client::connect(server.local_addr());
        assert_eq!(client.ask("POST", target, &expect(most)).status, 100, "{target}");
        client.send(content(most));
        let expected = if target == "/none" { StatusCode::NOT_FOUND } else { StatusCode::OK };
        assert_eq!(client.answer().status, expected.as_u16(), "{target}");
        assert_eq!(client.ask("POST", target, &expect(too_much)).status, 413, "{target}");
    }
}

#[test]
#[should_panic(expected = "no route has the pattern")]
fn a_limit_for_no_route_is_a_mistake() {
    let _ = Router::new().post("/a", tell).body_limit("/b", 1);
}

#[test]
fn what_is_sent_ahead_is_within_the_budget() {
    const CLIENTS: usize = 12;
    let (gate, keeper) = Gate::new();
    let settings = builder().workers(1).body_memory(256 * KIB);
    let server = start_with(settings, move |_: Request| {
        gate.pass();
        Reply::text("answer")
    });
    // Each sends so much behind its request that a few of them fill the budget.
    let ask = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let ahead = ask.repeat(50 * KIB / ask.len());
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|nth| {
            let mut client = Client::connect(server.local_addr());
            client.send(ask.to_owned() + &ahead);
            eventually("asked", || server.stats().requests == nth as u64 + 1);
            client
        })
        .collect();
    let stats = server.stats();
    assert_eq!(stats.connections, CLIENTS as u64);
    assert!((128 * KIB as u64..=256 * KIB as u64).contains(&stats.body_bytes), "{stats:?}");
    // Those for whom there was no room are answered, once, and closed.
    (0..CLIENTS).for_each(|_| keeper.let_go());
    for client in clients.iter_mut().rev().take(4) {
        assert_eq!(client.answer().text(), "answer");
        assert_eq!(client.rest(), b"");
    }
    (0..CLIENTS * ahead.len()).for_each(|_| keeper.let_go());
    assert_eq!(clients[0].answer().text(), "answer");
    assert_eq!(clients[0].answer().text(), "answer");
    drop(clients);
    memory_comes_back(&server);
}

#[test]
fn parts_of_heads_are_within_the_budget() {
    let settings = builder().body_memory(64 * KIB);
    let server = start_with(settings, tell);
    let part = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(12 * KIB));
    let mut clients: Vec<Client> = (0..12).map(|_| Client::connect(server.local_addr())).collect();
    for client in &mut clients {
        client.send(&part);
    }
    eventually("some are closed", || server.stats().connections < 6);
    assert!(server.stats().body_bytes <= 64 * KIB as u64);
    drop(clients);
    memory_comes_back(&server);
    let mut client = Client::connect(server.local_addr());
    client.send(part + "\r\n\r\n");
    assert_eq!(client.answer().status, 200);
}
