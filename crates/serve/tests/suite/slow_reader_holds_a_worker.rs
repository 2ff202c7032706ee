//! Delivery is not the workers' business, and one delivery not another's.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use larder_serve::{Bytes, Reply, Request};

use crate::client::{Client, builder, eventually, start_with};

/// More than the sockets of both sides can hold.
const LEN: u64 = 32 << 20;

#[test]
fn one_worker_many_slow_readers_and_fast_clients() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(LEN).unwrap();
    let file = Arc::new(file);
    let server = start_with(builder().workers(1), move |request: Request| match request.path() {
        "/big" => Reply::file(Arc::clone(&file), 0, LEN),
        "/bytes" => Reply::bytes("x/y", vec![0; LEN as usize]),
        _ => Reply::text("fast"),
    });
    let mut slow: Vec<Client> = (0..12)
        .map(|i| {
            let mut client = Client::connect(server.local_addr());
            let target = if i % 4 == 0 { "/bytes" } else { "/big" };
            client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
            client.socket.read_exact(&mut [0; 1]).unwrap();
            client
        })
        .collect();
    let mut fast = Client::connect(server.local_addr());
    for _ in 0..100 {
        assert_eq!(fast.get("/").text(), "fast");
    }
    eventually("the worker is free", || server.stats().busy_workers == 0);
    // And the slow ones get everything in the end.
    for client in slow.iter_mut().take(5) {
        client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let got = client.rest();
        assert!(got.len() as u64 > LEN && got.ends_with(b"fast"));
    }
}

#[test]
fn lease_is_held_until_the_last_byte() {
    struct Lease(Arc<AtomicUsize>);
    impl Drop for Lease {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }
    let file = tempfile::tempfile().unwrap();
    file.set_len(LEN).unwrap();
    let (file, held) = (Arc::new(file), Arc::new(AtomicUsize::new(0)));
    let leases = Arc::clone(&held);
    let server = start_with(builder(), move |_: Request| {
        leases.fetch_add(1, SeqCst);
        Reply::file(Arc::clone(&file), 0, LEN).with_lease(Lease(Arc::clone(&leases)))
    });
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.socket.read_exact(&mut [0; 1000]).unwrap();
    let mut other = Client::connect(server.local_addr());
    other.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    other.socket.read_exact(&mut [0; 1000]).unwrap();
    assert_eq!(held.load(SeqCst), 2);
    other.reset();
    eventually("lease of a reset delivery dropped", || held.load(SeqCst) == 1);
    client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    client.rest();
    eventually("lease of a whole delivery dropped", || held.load(SeqCst) == 0);
    assert_eq!(server.stats().aborted, 1);
}

#[test]
fn client_that_never_reads_is_cut() {
    let settings = builder().write_timeout(Duration::from_millis(150)).min_rate(1 << 30);
    let server = start_with(settings, |_: Request| Reply::bytes("x/y", vec![0; LEN as usize]));
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually("cut", || server.stats().timed_out == 1 && server.stats().connections == 0);
    assert_eq!(server.stats().aborted, 1);
    assert!((client.rest().len() as u64) < LEN);
    let _ = client.socket.flush();
}

#[test]
fn client_that_never_reads_is_not_paid_for_what_buffers_took() {
    // The buffers of both sides take megabytes, which are 16 s and more at this rate; what it has
    // instead is about a second, and a busy machine some more.
    let settings = builder().write_timeout(Duration::from_millis(100)).min_rate(256 << 10);
    let server = start_with(settings, |_: Request| Reply::bytes("x/y", vec![0; LEN as usize]));
    let begun = Instant::now();
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually("cut", || server.stats().timed_out == 1);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(begun.elapsed() < Duration::from_secs(10), "held for {:?}", begun.elapsed());
}

#[test]
fn client_that_sends_but_never_reads_is_cut() {
    let settings = builder().write_timeout(Duration::from_millis(200)).min_rate(1 << 30);
    let server = start_with(settings, |_: Request| Reply::bytes("x/y", vec![0; LEN as usize]));
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually("cut", || {
        let _ = client.socket.write(b"x");
        server.stats().timed_out == 1
    });
}

#[test]
fn dripping_reader_is_cut() {
    // Takes something within each pause that it may make, but a hundredth of the least rate.
    let settings = builder().write_timeout(Duration::from_millis(200)).min_rate(8 << 20);
    let file = tempfile::tempfile().unwrap();
    file.set_len(LEN).unwrap();
    let file = Arc::new(file);
    let server = start_with(settings, move |request: Request| match request.path() {
        "/bytes" => Reply::bytes("x/y", vec![0; LEN as usize]),
        "/file" => Reply::file(Arc::clone(&file), 0, LEN),
        _ => Reply::stream(io::repeat(b's').take(LEN)),
    });
    for (nth, target) in ["/bytes", "/file", "/stream"].into_iter().enumerate() {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&server.local_addr().into()).unwrap();
        let mut client = Client::over(socket);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        eventually("cut", || {
            let _ = client.socket.read(&mut [0; 500]);
            server.stats().timed_out == nth as u64 + 1
        });
        assert_eq!(server.stats().aborted, nth as u64 + 1, "{target}");
    }
}

#[test]
fn slow_but_steady_reader_gets_on() {
    // Reads at the least rate, and for three times as long as nothing may be taken: that is more
    // than a second, since on a busy machine this thread may have to wait for its turn.
    let rate = 1 << 20;
    let settings = builder().write_timeout(Duration::from_secs(1)).min_rate(rate);
    let server = start_with(settings, |_: Request| Reply::bytes("x/y", vec![0; LEN as usize]));
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let begun = Instant::now();
    let mut got = 0;
    while begun.elapsed() < Duration::from_millis(4000) {
        let due = (begun.elapsed().as_millis() as u64 * rate / 1000).saturating_sub(got);
        if due < 1024 {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let mut piece = vec![0; due as usize];
        client.socket.read_exact(&mut piece).expect("the reader was cut");
        got += due;
    }
    assert_eq!(server.stats().timed_out, 0);
    assert!(got + client.rest().len() as u64 > LEN);
}

#[test]
fn steady_delivery_may_take_longer_than_its_handler() {
    // Zeros that were never written take no memory. Eight share a thread, so that each of them
    // keeps up with what it is given, and most never make it wait.
    let body = Bytes::from(vec![0; 256 << 20]);
    let len = body.len() as u64;
    let settings = builder().handler_deadline(Duration::from_millis(250));
    let server = start_with(settings, move |_: Request| Reply::bytes("x/y", body.clone()));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let mut client = Client::connect(server.local_addr());
            client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            scope.spawn(move || {
                let got = io::copy(&mut client.socket, &mut io::sink()).unwrap();
                assert!(got > len, "cut after {got} bytes");
            });
        }
    });
    assert_eq!(server.stats().timed_out, 0);
}
