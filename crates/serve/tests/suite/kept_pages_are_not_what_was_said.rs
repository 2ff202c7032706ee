//! Longer answers from the response cache: the same bytes as from a worker, whoever reads them how.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use larder_serve::{Builder, Reply, Request, Running};

use crate::client::{Client, builder, eventually, start_with};

/// No two places of it look alike.
fn body(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at ^ (at >> 8) ^ (at >> 13)) as u8).collect()
}

fn start(settings: Builder) -> Running {
    start_with(settings, |request: Request| {
        let len = request.path()[1..].parse().unwrap();
        Reply::bytes("x/y", body(len)).etag("v").hot()
    })
}

#[test]
fn hits_of_all_sizes_are_whole() {
    let server = start(builder());
    let mut client = Client::connect(server.local_addr());
    // Around the sizes at which something else begins: pages, bounds, and what is kept at all.
    let sizes = [1, 4096, 65_536, 98_303, 98_304, 98_305, 100_000, 262_144, 262_145];
    for len in sizes {
        for _ in 0..3 {
            assert!(client.get(&format!("/{len}")).body == body(len), "{len} bytes");
        }
    }
    assert_eq!(server.stats().hot_hits, 2 * 8);
    assert_eq!(server.stats().hot_entries, 8);
}

#[test]
fn parts_heads_and_conditions_of_a_hit_hold() {
    let server = start(builder());
    let mut client = Client::connect(server.local_addr());
    let whole = client.get("/100000").body;
    for (range, part) in [("0-0", 0..1), ("4095-4096", 4095..4097), ("-5000", 95_000..100_000)] {
        let answer = client.ask("GET", "/100000", &format!("Range: bytes={range}\r\n"));
        assert_eq!(answer.status, 206);
        assert!(answer.body == whole[part], "{range}");
    }
    let head = client.ask("HEAD", "/100000", "");
    assert_eq!(head.header("content-length"), Some("100000"));
    assert_eq!(client.ask("GET", "/100000", "If-None-Match: \"v\"\r\n").status, 304);
    assert!(client.get("/100000").body == whole);
    assert_eq!(server.stats().hot_hits, 6);
}

#[test]
fn answer_under_way_stays_as_it_was_begun() {
    const LEN: usize = 200_000;
    const ASKED: usize = 100;
    let version = Arc::new(AtomicU8::new(1));
    let current = Arc::clone(&version);
    let server = start_with(builder(), move |_: Request| {
        Reply::bytes("x/y", vec![current.load(SeqCst); LEN]).hot()
    });
    let mut slow = Client::connect(server.local_addr());
    slow.get("/");
    // More than the sockets of both sides hold, so that one of them is cut somewhere.
    slow.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(ASKED));
    eventually("hits", || server.stats().hot_hits > 0);
    version.store(2, SeqCst);
    server.hot().clear();
    let mut other = Client::connect(server.local_addr());
    for _ in 0..2 {
        assert!(other.get("/").body == vec![2; LEN]);
    }
    let mut last = 1;
    for nth in 0..ASKED {
        let answer = slow.answer();
        let of = answer.body[0];
        assert!(answer.body == vec![of; LEN], "answer {nth} is of two versions");
        assert!(of >= last, "answer {nth} is older than the one before");
        last = of;
    }
    assert_eq!(last, 2);
}

#[test]
fn entries_without_a_descriptor_of_their_own_are_kept_as_well() {
    // More than there are descriptors for them.
    const ENTRIES: u64 = 1100;
    let body = |nth: u64| nth.to_ne_bytes().repeat(12_300);
    let settings = builder().hot_bytes(256 << 20);
    let server = start_with(settings, move |request: Request| {
        let nth: u64 = request.path()[1..].parse().unwrap();
        Reply::bytes("x/y", body(nth)).hot()
    });
    let mut client = Client::connect(server.local_addr());
    for _ in 0..2 {
        for nth in 0..ENTRIES {
            let answer = client.get(&format!("/{nth}"));
            assert!(answer.body == body(nth), "{nth}");
        }
    }
    assert_eq!(server.stats().hot_hits, ENTRIES);
}
