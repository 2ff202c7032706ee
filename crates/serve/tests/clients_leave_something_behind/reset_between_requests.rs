//! Clients that reset a connection that has been used: idle, between requests that were sent all at
//! once, and while the server is stopping.

use std::sync::mpsc;
use std::time::Duration;

use larder_serve::{Reply, Request};
use parking_lot::Mutex;

use crate::client::{Client, Gate, PATIENCE, builder, eventually};
use crate::held::Held;
use crate::scene::{Counts, ROUNDS, Scene, alone, get, post};

#[test]
fn while_it_is_idle() {
    let _alone = alone();
    let scene = Scene::start(&Held::default(), |request: Request| {
        let reply = Reply::text("done");
        if request.path() == "/hot" { reply.hot() } else { reply }
    });
    for (nth, target) in ["/cold", "/hot", "/hot", "/fast"].into_iter().enumerate() {
        let mut clients = [(); 4].map(|()| scene.connect());
        for client in &mut clients {
            assert_eq!(client.get(target).status, 200);
        }
        assert_eq!(scene.stats().connections, 4);
        clients.into_iter().for_each(Client::reset);
        let handled = [4, 1, 0, 0][nth];
        scene.nothing_is_left(&Counts { requests: 4, handled, ..Counts::default() });
    }
}

/// It has all of its answer, so that this was delivered, whatever the server hears first.
#[test]
fn as_soon_as_it_has_its_answer() {
    const CLIENTS: u64 = 100;
    let _alone = alone();
    let held = Held::default();
    let holder = held.clone();
    let scene =
        Scene::start(&held, move |_: Request| Reply::text("done").with_lease(holder.hold()));
    for nth in 0..CLIENTS {
        let mut client = scene.connect();
        if nth % 2 == 0 {
            assert_eq!(client.get("/").text(), "done");
        } else {
            // Of the second, nobody can say how far it comes; the first is answered.
            client.send(get("/") + &get("/second"));
            assert_eq!(client.answer().text(), "done");
        }
        client.reset();
    }
    scene.all_are_gone();
    eventually("each has its line", || {
        scene.log().lines().filter(|line| line.contains("GET / ")).count() as u64 == CLIENTS
    });
    let log = scene.log();
    let delivered = log.lines().filter(|line| line.ends_with("\"GET / HTTP/1.1\" 200 4"));
    assert_eq!(delivered.count() as u64, CLIENTS, "{log}");
    eventually("all workers are free", || scene.stats().busy_workers == 0);
    let Counts { requests, handled, dropped, aborted, .. } = scene.counts();
    assert!((CLIENTS..=CLIENTS * 3 / 2).contains(&requests), "{requests}");
    scene.nothing_is_left(&Counts { requests, handled, dropped, aborted, ..Counts::default() });
}

#[test]
fn between_pipelined_requests() {
    let _alone = alone();
    let (gate, keeper) = Gate::new();
    let held = Held::default();
    let holder = held.clone();
    let ran = std::sync::Arc::new(Mutex::new(Vec::new()));
    let runs = std::sync::Arc::clone(&ran);
    let scene = Scene::start(&held, move |request: Request| {
        runs.lock().push(request.path().to_owned());
        if request.path() == "/second" {
            gate.pass();
        }
        Reply::text("done").with_lease(holder.hold())
    });
    for _ in 0..ROUNDS {
        let mut client = scene.sent(get("/first") + &get("/second") + &get("/third"));
        assert_eq!(client.answer().text(), "done");
        keeper.wait();
        // The third was read, and is not looked at before the second was answered.
        assert_eq!(scene.counts().requests, 2);
        assert!(scene.stats().body_bytes > 0);
        client.reset();
        scene.all_are_gone();
        eventually("what was sent ahead is dropped", || scene.stats().body_bytes == 0);
        keeper.let_go();
        scene.nothing_is_left(&Counts { requests: 2, handled: 2, ..Counts::default() });
    }
    assert_eq!(*ran.lock(), ["/first", "/second"].repeat(ROUNDS));
}

#[test]
fn in_the_middle_of_a_pipelined_request() {
    let _alone = alone();
    let scene = Scene::start(&Held::default(), |_: Request| Reply::text("done"));
    for second in [get("/")[..20].to_owned(), post("/", 10) + "abc"] {
        let mut client = scene.sent(get("/") + &second);
        assert_eq!(client.answer().text(), "done");
        let requests = if second.starts_with('P') { 2 } else { 1 };
        let is_read = || scene.counts().requests == requests && scene.stats().body_bytes > 0;
        eventually("read", is_read);
        client.reset();
        scene.nothing_is_left(&Counts { requests, handled: 1, ..Counts::default() });
    }
}

#[test]
fn while_the_server_is_stopping() {
    let _alone = alone();
    let held = Held::default();
    let (gate, keeper) = Gate::new();
    let (send, tickets) = mpsc::channel();
    let (send, holder) = (Mutex::new(send), held.clone());
    // Nobody may have to wait for that long.
    let settings = builder().grace(Duration::from_secs(600));
    let scene = Scene::with(settings, &held, move |request: Request| match request.path() {
        "/parked" => {
            let (ticket, reply) = Reply::later();
            send.lock().send(ticket).unwrap();
            reply
        }
        "/bytes" => Reply::bytes("x/y", holder.bytes()),
        "/stream" => Reply::stream(holder.reader()),
        _ => {
            gate.pass();
            Reply::text("done").with_lease(holder.hold())
        }
    });
    let mut idle = scene.connect();
    assert_eq!(idle.get("/fresh").text(), "fresh");
    let mut reading = ["/bytes", "/stream"].map(|target| scene.asked(target));
    for client in &mut reading {
        assert_eq!(client.read_head().unwrap().0, 200);
    }
    let parked = scene.asked("/parked");
    let ticket = tickets.recv_timeout(PATIENCE).unwrap();
    let sending = scene.sent(post("/", 10) + "abc");
    eventually("asked", || scene.counts().requests == 5);
    eventually("the readers rest", || scene.stats().busy_workers == 0);
    let running = scene.asked("/running");
    keeper.wait();
    let queued = scene.asked("/queued");
    eventually("queued", || scene.stats().queued == 1);
    scene.server().stopper().stop();
    assert!(idle.is_closed());
    assert_eq!(scene.stats().connections, 6);
    for client in reading.into_iter().chain([parked, sending, running, queued]) {
        client.reset();
    }
    eventually("the ticket is told", || ticket.is_gone());
    scene.all_are_gone();
    keeper.let_go();
    ticket.complete(Reply::text("to nobody").with_lease(held.hold()));
    drop(idle);
    let counts = Counts { requests: 7, handled: 5, dropped: 1, aborted: 2, ..Counts::default() };
    scene.stopped(&counts);
}
