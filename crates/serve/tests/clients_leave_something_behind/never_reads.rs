//! Clients that ask and never read: cut when their time is over, and cheap until then.

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use larder_serve::{Builder, Bytes, Reply, Request};

use crate::client::{Client, builder, eventually};
use crate::held::{Held, LEN};
use crate::scene::{Counts, Scene, alone, get};

/// As the defaults are to one another: the least rate gives no more time than the pause that is
/// allowed, for what is no longer in the socket.
fn settings() -> Builder {
    builder().write_timeout(Duration::from_millis(200)).min_rate(8 << 20)
}

fn handler(held: &Held) -> impl Fn(Request) -> Reply + Send + Sync + use<> {
    let held = held.clone();
    move |request: Request| match request.path() {
        "/bytes" => Reply::bytes("x/y", held.bytes()),
        "/file" => {
            let file = tempfile::tempfile().unwrap();
            file.set_len(LEN).unwrap();
            Reply::file(Arc::new(file), 0, LEN).with_lease(held.hold())
        }
        "/stream" => Reply::stream(held.reader()),
        "/sized" => Reply::stream_sized(held.reader(), LEN),
        _ => Reply::bytes("x/y", vec![7; 100_000]).with_lease(held.hold()),
    }
}

#[test]
fn whatever_the_answer_is_it_is_cut() {
    let _alone = alone();
    let held = Held::default();
    let scene = Scene::with(settings(), &held, handler(&held));
    for target in ["/bytes", "/file", "/stream", "/sized"] {
        let client = scene.asked(target);
        eventually("begun", || held.count() == 1);
        scene.all_are_gone();
        drop(client);
        let counts =
            Counts { requests: 1, handled: 1, aborted: 1, timed_out: 1, ..Counts::default() };
        scene.nothing_is_left(&counts);
    }
}

#[test]
fn a_part_of_a_file_and_several_are_cut() {
    let _alone = alone();
    let held = Held::default();
    let scene = Scene::with(settings(), &held, handler(&held));
    for range in ["1-32000000", "0-15000000,16000000-32000000"] {
        let request = format!("GET /file HTTP/1.1\r\nHost: x\r\nRange: bytes={range}\r\n\r\n");
        let mut client = scene.sent(request);
        assert_eq!(client.read_head().unwrap().0, 206);
        scene.all_are_gone();
        drop(client);
        let counts =
            Counts { requests: 1, handled: 1, aborted: 1, timed_out: 1, ..Counts::default() };
        scene.nothing_is_left(&counts);
    }
}

#[test]
fn who_pipelines_a_thousand_requests_is_cut_at_one() {
    let _alone = alone();
    let held = Held::default();
    let scene = Scene::with(settings(), &held, handler(&held));
    let client = scene.sent(get("/").repeat(1000));
    eventually("begun", || scene.counts().requests > 0);
    // No look-ahead: there is one answer under way, and no job but for it.
    eventually("cut", || {
        let stats = scene.stats();
        assert!(stats.requests <= stats.handled + 1, "{stats:?}");
        stats.connections == 0
    });
    drop(client);
    let requests = scene.counts().requests;
    assert!((2..1000).contains(&requests), "{requests}");
    let counts =
        Counts { requests, handled: requests, aborted: 1, timed_out: 1, ..Counts::default() };
    scene.nothing_is_left(&counts);
}

#[test]
fn requests_without_end_are_left_in_the_socket() {
    let _alone = alone();
    let held = Held::default();
    let scene = Scene::start(&held, handler(&held));
    let mut client = scene.asked("/bytes");
    client.socket.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let more = get("/bytes").repeat(1000);
    let mut sent = 0;
    // Until the sockets of both sides are full, since the server has stopped reading.
    while let Ok(n) = client.socket.write(more.as_bytes()) {
        sent += n;
        assert!(sent < 256 << 20, "the server reads without end");
    }
    let stats = scene.stats();
    assert!(stats.body_bytes <= 128 * 1024, "{stats:?}");
    assert_eq!((stats.requests, stats.connections), (1, 1));
    client.reset();
    scene.nothing_is_left(&Counts { requests: 1, handled: 1, aborted: 1, ..Counts::default() });
}

#[test]
fn many_of_them_take_little_memory() {
    let _alone = alone();
    const CLIENTS: usize = 100;
    const STREAM_BYTES: usize = 64 * 1024;
    let held = Held::default();
    let (holder, body) = (held.clone(), Bytes::from(vec![b'b'; LEN as usize]));
    let settings = builder().stream_bytes(STREAM_BYTES);
    let scene = Scene::with(settings, &held, move |request: Request| match request.path() {
        "/stream" => Reply::stream(holder.reader()),
        _ => Reply::bytes("x/y", body.clone()).with_lease(holder.hold()),
    });
    for target in ["/bytes", "/stream"] {
        let before = rss_bytes();
        let clients: Vec<Client> = (0..CLIENTS).map(|_| scene.asked(target)).collect();
        eventually("all are given what they may have", || {
            let given = || (held.given.load(SeqCst), scene.stats().bytes_sent);
            let then = given();
            std::thread::sleep(Duration::from_millis(50));
            held.count() == CLIENTS && scene.stats().busy_workers == 0 && given() == then
        });
        let grown = rss_bytes().saturating_sub(before);
        // A stream holds what it may, and a piece more; and all a few KiB. It is told from megabytes.
        let each = if target == "/stream" { 3 * STREAM_BYTES } else { 16 * 1024 };
        assert!(grown < (4 << 20) + CLIENTS * each, "{target}: {grown} bytes");
        clients.into_iter().for_each(Client::reset);
        let n = CLIENTS as u64;
        scene.nothing_is_left(&Counts { requests: n, handled: n, aborted: n, ..Counts::default() });
    }
}

fn rss_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
