//! Clients that reset their connection in the middle of an answer: of bytes, of files as a whole and
//! in parts, of streams. Each is counted as aborted, and what the answer owned is dropped.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use larder_serve::{Reply, Request};

use crate::client::{Client, Gate, eventually};
use crate::held::{Held, LEN};
use crate::scene::{Counts, ROUNDS, Scene, alone, get, open_files};

const ABORTED: Counts = Counts {
    requests: 1,
    handled: 1,
    dropped: 0,
    aborted: 1,
    short: 0,
    bad: 0,
    timed_out: 0,
    unavailable: 0,
    panics: 0,
};

/// Reads so much of a body, of which there is more.
fn read(client: &mut Client, len: usize) {
    client.socket.read_exact(&mut vec![0; len]).unwrap();
}

#[test]
fn of_bytes() {
    let _alone = alone();
    let held = Held::default();
    let holder = held.clone();
    let scene = Scene::start(&held, move |_: Request| Reply::bytes("x/y", holder.bytes()));
    for taken in [1, 1000, 10_000_000] {
        for fields in ["", "Range: bytes=1-\r\n"] {
            let mut client = scene.sent(format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
            read(&mut client, taken);
            assert_eq!((held.count(), scene.stats().busy_workers), (1, 0));
            client.reset();
            scene.nothing_is_left(&ABORTED);
        }
    }
}

#[test]
fn of_a_file() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    File::create(&path).unwrap().set_len(LEN).unwrap();
    let held = Held::default();
    let (holder, name) = (held.clone(), path.clone());
    let scene = Scene::start(&held, move |_: Request| {
        let file = Arc::new(File::open(&name).unwrap());
        Reply::file(file, 0, LEN).with_lease(holder.hold())
    });
    let parts = "Range: bytes=0-9999999,11000000-33000000\r\n";
    let cases = [
        ("", 200, 1000),
        ("", 200, 20_000_000),
        ("Range: bytes=1000-30000000\r\n", 206, 1000),
        ("Range: bytes=1000-30000000\r\n", 206, 20_000_000),
        // In the first part, and in the second.
        (parts, 206, 1000),
        (parts, 206, 11_000_000),
    ];
    for (fields, status, taken) in cases {
        let mut client = scene.sent(format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
        let (got, head) = client.read_head().unwrap();
        let is_multipart = head.contains("multipart/byteranges");
        assert_eq!((got, is_multipart), (status, fields == parts));
        read(&mut client, taken);
        assert_eq!((held.count(), open_files(&path), scene.stats().busy_workers), (1, 1, 0));
        client.reset();
        scene.nothing_is_left(&ABORTED);
        assert_eq!(open_files(&path), 0);
    }
}

#[test]
fn of_a_stream_that_waits_for_the_socket() {
    let _alone = alone();
    let held = Held::default();
    let holder = held.clone();
    let scene = Scene::start(&held, move |request: Request| match request.path() {
        "/sized" => Reply::stream_sized(holder.reader(), LEN),
        _ => Reply::stream(holder.reader()),
    });
    for version in ["/chunked HTTP/1.1", "/sized HTTP/1.1", "/to-the-end HTTP/1.0"] {
        held.given.store(0, SeqCst);
        let mut client = scene.sent(format!("GET {version}\r\nHost: x\r\n\r\n"));
        read(&mut client, 1000);
        eventually("the reader rests", || {
            let before = held.given.load(SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(20));
            scene.stats().busy_workers == 0 && held.given.load(SeqCst) == before
        });
        assert!(held.count() == 1 && held.given.load(SeqCst) < LEN, "it was read to its end");
        client.reset();
        scene.nothing_is_left(&ABORTED);
    }
}

#[test]
fn of_a_stream_whose_reader_blocks() {
    let _alone = alone();
    let held = Held::default();
    let (gate, keeper) = Gate::new();
    let (holder, gate) = (held.clone(), Arc::new(gate));
    let scene = Scene::start(&held, move |_: Request| Reply::stream(holder.blocking(&gate)));
    for _ in 0..ROUNDS {
        held.given.store(0, SeqCst);
        let mut client = scene.asked("/");
        assert_eq!(client.read_head().unwrap().0, 200);
        assert_eq!(client.chunk().unwrap().len(), 4096);
        keeper.wait();
        client.reset();
        scene.all_are_gone();
        // It cannot be interrupted; it is the last read.
        assert_eq!((scene.stats().busy_workers, held.count()), (1, 1));
        keeper.let_go();
        scene.nothing_is_left(&ABORTED);
        assert_eq!(held.given.load(SeqCst), 2 * 4096);
    }
}

#[test]
fn of_a_stream_before_its_first_bytes() {
    let _alone = alone();
    let held = Held::default();
    let (gate, keeper) = Gate::new();
    let holder = held.clone();
    let scene = Scene::start(&held, move |_: Request| {
        gate.pass();
        Reply::stream(holder.reader())
    });
    let client = scene.asked("/");
    keeper.wait();
    client.reset();
    scene.all_are_gone();
    keeper.let_go();
    // Nothing was begun, so nothing is aborted; nor was anything read.
    scene.nothing_is_left(&Counts { aborted: 0, ..ABORTED });
    assert_eq!(held.given.load(SeqCst), 0);
}

#[test]
fn of_many_from_the_response_cache() {
    let _alone = alone();
    let held = Held::default();
    let scene = Scene::start(&held, |_: Request| Reply::bytes("x/y", vec![7; 60_000]).hot());
    let mut first = scene.connect();
    for _ in 0..2 {
        assert_eq!(first.get("/").body.len(), 60_000);
    }
    drop(first);
    scene.nothing_is_left(&Counts { requests: 2, handled: 1, ..Counts::default() });
    // So many that some of them find the socket full; the cache goes on holding the one that it has.
    // Whether that is so, or the reset comes in between, exactly one of them was begun and is cut.
    for _ in 0..10 * ROUNDS {
        let mut client = scene.sent(get("/").repeat(250));
        read(&mut client, 1_000_000);
        client.reset();
        scene.all_are_gone();
        let requests = scene.counts().requests;
        assert!((16..250).contains(&requests), "{requests}");
        scene.nothing_is_left(&Counts { requests, handled: 0, ..ABORTED });
    }
}

#[test]
fn of_many_that_a_worker_made() {
    let _alone = alone();
    let held = Held::default();
    let holder = held.clone();
    let scene = Scene::start(&held, move |_: Request| {
        Reply::bytes("x/y", vec![7; 60_000]).with_lease(holder.hold())
    });
    for _ in 0..10 * ROUNDS {
        let mut client = scene.sent(get("/").repeat(250));
        read(&mut client, 1_000_000);
        client.reset();
        scene.all_are_gone();
        // What is going on just then is chance: a job, a handler, or a delivery, which is cut.
        eventually("the worker is free", || scene.stats().busy_workers == 0);
        let Counts { requests, handled, dropped, aborted, .. } = scene.counts();
        assert!(aborted <= 1 && requests < 250, "{aborted} {requests}");
        scene.nothing_is_left(&Counts { requests, handled, dropped, aborted, ..Counts::default() });
    }
}

#[test]
fn after_the_last_byte_was_sent() {
    let _alone = alone();
    // Most of it is in the kernel's hands and never read: for the server, that is delivered.
    let held = Held::default();
    let holder = held.clone();
    let scene =
        Scene::start(&held, move |_: Request| Reply::text("done").with_lease(holder.hold()));
    for _ in 0..ROUNDS {
        let client = scene.asked("/");
        eventually("delivered", || {
            let delivered = scene.server().latency().delivery.count();
            scene.counts().handled == 1 && delivered == scene.stats().handled
        });
        client.reset();
        scene.nothing_is_left(&Counts { aborted: 0, ..ABORTED });
    }
}
