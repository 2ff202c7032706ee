//! Bounds: the queue, the connections, the time in the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use larder_serve::{Class, Reply, Request};

use crate::client::{Client, Gate, builder, eventually, start_with};

#[test]
fn full_queue_is_answered_503_and_the_connection_stays() {
    let (gate, keeper) = Gate::new();
    let server = start_with(builder().workers(1).queue(2), move |_: Request| {
        gate.pass();
        Reply::text("done")
    });
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(server.local_addr())).collect();
    clients[0].send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    for (i, client) in clients.iter_mut().enumerate().take(3).skip(1) {
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        eventually("queued", || server.stats().queued == i as u64);
    }
    for _ in 0..3 {
        let answer = clients[3].get("/");
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    }
    assert_eq!(server.stats().unavailable, 3);
    for client in &mut clients[..3] {
        keeper.let_go();
        assert_eq!(client.answer().text(), "done");
    }
    keeper.let_go();
    assert_eq!(clients[3].get("/").text(), "done");
}

#[test]
fn late_job_is_dropped_before_it_runs() {
    let (gate, keeper) = Gate::new();
    let settings = builder().workers(1).handler_deadline(Duration::from_millis(200));
    let server = start_with(settings, move |_: Request| {
        gate.pass();
        Reply::text("done")
    });
    let mut running = Client::connect(server.local_addr());
    running.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    let mut queued = Client::connect(server.local_addr());
    queued.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(running.answer().status, 504);
    assert_eq!(queued.answer().status, 503);
    // Out of the queue by then, whose place others may take, though no worker is free to see it.
    let stats = server.stats();
    assert_eq!((stats.queued, stats.dropped_jobs, stats.busy_workers), (0, 1, 1));
    keeper.let_go();
    eventually("handled", || server.stats().handled == 1);
    assert_eq!(server.stats().dropped_jobs, 1);
}

#[test]
fn idle_connections_make_room_and_busy_ones_do_not() {
    let (gate, keeper) = Gate::new();
    let settings = builder().max_connections(3).workers(3);
    let server = start_with(settings, move |request: Request| {
        if request.path() == "/wait" {
            gate.pass();
        }
        Reply::text("done")
    });
    let addr = server.local_addr();
    let mut idle: Vec<Client> = (0..3).map(|_| Client::connect(addr)).collect();
    for client in &mut idle {
        assert_eq!(client.get("/").status, 200);
    }
    let mut busy: Vec<Client> = (0..3).map(|_| Client::connect(addr)).collect();
    for client in &mut busy {
        client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
        keeper.wait();
    }
    assert!(idle.iter_mut().all(Client::is_closed));
    assert_eq!(server.stats().shed, 3);
    let mut refused = Client::connect(addr);
    assert_eq!(refused.answer().status, 503);
    assert_eq!((server.stats().refused, server.stats().connections), (1, 3));
    for client in &mut busy {
        keeper.let_go();
        client.socket.set_nonblocking(false).unwrap();
    }
    for client in &mut busy {
        assert_eq!(client.answer().text(), "done");
    }
}

#[test]
fn head_has_no_body_however_it_ends() {
    let (gate, keeper) = Gate::new();
    let short = Duration::from_millis(200);
    let settings = builder().workers(1).handler_deadline(short).body_timeout(short);
    let server = start_with(settings.min_rate(1 << 30), move |_: Request| {
        gate.pass();
        Reply::text("done")
    });
    let ask = |fields: &str| {
        let mut client = Client::connect(server.local_addr());
        client.send(format!("HEAD / HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
        client
    };
    let mut running = ask("");
    keeper.wait();
    let cases = [
        (413, ask("Content-Length: 999999999\r\n")),
        (400, {
            let mut client = ask("Transfer-Encoding: chunked\r\n");
            client.send("nonsense\r\n");
            client
        }),
        (408, ask("Content-Length: 10\r\n")),
        (503, ask("")),
    ];
    assert_eq!(running.head_answer().status, 504);
    assert_eq!(running.rest(), b"");
    for (status, mut client) in cases {
        assert_eq!(client.head_answer().status, status);
        assert_eq!(String::from_utf8_lossy(&client.rest()), "", "{status}");
    }
    keeper.let_go();
}

#[test]
fn clients_that_left_hold_neither_places_nor_memory() {
    let (gate, keeper) = Gate::new();
    let settings = builder().workers(1).queue(2).handler_deadline(Duration::from_secs(60));
    let server = start_with(settings, move |request: Request| {
        if request.path() == "/hold" {
            gate.pass();
        }
        Reply::text("done")
    });
    let addr = server.local_addr();
    let mut held = Client::connect(addr);
    held.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    for _ in 0..3 {
        let clients = [(); 2].map(|()| {
            let mut client = Client::connect(addr);
            client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n");
            client.send(vec![b'a'; 50_000]);
            client
        });
        eventually("queued", || server.stats().queued == 2);
        assert!(server.stats().body_bytes >= 100_000);
        clients.into_iter().for_each(Client::reset);
        eventually("places given back", || server.stats().queued == 0);
        eventually("memory given back", || server.stats().body_bytes == 0);
    }
    let mut waiting = Client::connect(addr);
    waiting.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually("queued", || server.stats().queued == 1);
    keeper.let_go();
    assert_eq!((held.answer().text(), waiting.answer().text()), ("done", "done"));
    assert_eq!((server.stats().dropped_jobs, server.stats().unavailable), (6, 0));
}

/// Gives as much as a connection holds, and then waits at the gate until it ends.
struct Gated {
    left: usize,
    gate: Arc<Gate>,
}

impl std::io::Read for Gated {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = buffer.len().min(self.left);
        self.left -= n;
        if n == 0 {
            self.gate.pass();
        }
        Ok(n)
    }
}

#[test]
fn streams_of_a_class_take_no_more_than_its_workers() {
    let (gate, keeper) = Gate::new();
    let gate = Arc::new(gate);
    let bound = builder().workers(3).stream_bytes(4096).bind("127.0.0.1:0").unwrap();
    let bound = bound.class(Class::new("slow", |peek| peek.path() != "/").workers(1));
    let server = bound.start(move |request: Request| {
        let stream = || Reply::stream(Gated { left: 4096, gate: Arc::clone(&gate) });
        match request.path() {
            "/slow" => stream(),
            "/ticket" => {
                let (ticket, reply) = Reply::later();
                ticket.complete(stream());
                reply
            }
            _ => Reply::text("done"),
        }
    });
    let server = server.unwrap();
    let ask = |target: &str| {
        let mut client = Client::connect(server.local_addr());
        client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        client
    };
    // What reads for the first goes on after its handler, and takes the place of the class.
    let first = ask("/slow");
    keeper.wait();
    let others = [ask("/ticket"), ask("/slow"), ask("/ticket")];
    eventually("queued", || server.stats().queued == 3);
    assert_eq!(server.meter().classes()[0].running, 1);
    assert_eq!(Client::connect(server.local_addr()).get("/").text(), "done");
    for at in 0..4 {
        if at > 0 {
            keeper.wait();
        }
        assert_eq!(server.meter().classes()[0].running, 1);
        eventually("nobody else is busy", || server.stats().busy_workers == 1);
        keeper.let_go();
    }
    for mut client in std::iter::once(first).chain(others) {
        assert_eq!(client.chunked_answer().unwrap().body.len(), 4096);
    }
    eventually("places given back", || server.meter().classes()[0].running == 0);
}

#[test]
fn class_takes_no_more_than_its_workers_and_its_queue() {
    let (gate, keeper) = Gate::new();
    let (running, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let bound = builder().workers(3).bind("127.0.0.1:0").unwrap();
    let slow = Class::new("slow", |peek| peek.path() == "/slow").queue(2).workers(1);
    let bad = Class::new("bad", |peek| if peek.method() == "PUT" { panic!() } else { false });
    let server = bound.class(slow).class(bad).start(move |request: Request| {
        if request.path() == "/slow" {
            seen.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
            gate.pass();
            running.fetch_sub(1, SeqCst);
        }
        Reply::text("done")
    });
    let server = server.unwrap();
    let classes = || {
        let numbers = |c: larder_serve::ClassStats| (c.name, c.queued, c.running, c.refused);
        server.meter().classes().into_iter().map(numbers).collect::<Vec<_>>()
    };
    let mut slow: Vec<Client> = (0..4).map(|_| Client::connect(server.local_addr())).collect();
    for (i, client) in slow.iter_mut().enumerate() {
        client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
        match i {
            0 => keeper.wait(),
            3 => {
                let answer = client.answer();
                assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
            }
            _ => eventually("queued", || server.stats().queued == i as u64),
        }
    }
    // The other workers are there for everybody else, also while one of the class is let go.
    let mut fast = Client::connect(server.local_addr());
    for _ in 0..20 {
        assert_eq!(fast.get("/").text(), "done");
    }
    assert_eq!(fast.ask("PUT", "/", "Content-Length: 0\r\n").text(), "done");
    assert_eq!(classes()[0], ("slow".to_owned(), 2, 1, 1));
    for client in &mut slow[..3] {
        keeper.let_go();
        assert_eq!(client.answer().text(), "done");
        assert_eq!(fast.get("/").text(), "done");
    }
    assert_eq!(most.load(SeqCst), 1);
    eventually("all places are given back", || classes().iter().all(|c| (c.1, c.2) == (0, 0)));
    assert_eq!(classes()[2].0, "other");
    // At a stop, what waits for a place of its class is not waited for.
    slow[3].send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    slow[0].send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually("queued", || server.stats().queued == 1);
    server.stopper().stop();
    keeper.let_go();
    keeper.let_go();
    assert_eq!(slow[0].answer().text(), "done");
    server.join();
}
