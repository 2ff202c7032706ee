//! Clients that reset their connection while their request waits: in the queue, in a handler, for a
//! ticket. A job in the queue never runs; a handler and whoever has a ticket lose nothing but their
//! answer.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Weak};

use larder_serve::{Reply, Request, Ticket};
use parking_lot::Mutex;

use crate::client::{Client, Gate, PATIENCE, eventually};
use crate::held::Held;
use crate::scene::{Counts, ROUNDS, SPILLED_ABOVE, Scene, alone, get, post};

/// An answer of each kind, all with something that must be dropped.
fn answer(held: &Held, path: &str) -> Reply {
    match path {
        "/bytes" => Reply::bytes("x/y", held.bytes()),
        "/file" => {
            Reply::file(Arc::new(tempfile::tempfile().unwrap()), 0, 0).with_lease(held.hold())
        }
        "/stream" => Reply::stream(held.reader()),
        "/panic" => panic!("on purpose"),
        _ => Reply::text("done").with_lease(held.hold()),
    }
}

const KINDS: [&str; 4] = ["/", "/bytes", "/file", "/stream"];

#[test]
fn while_its_job_is_queued() {
    let _alone = alone();
    let held = Held::default();
    let (gate, keeper) = Gate::new();
    let ran: Arc<Mutex<Vec<String>>> = Arc::default();
    let (runs, holder) = (Arc::clone(&ran), held.clone());
    let scene = Scene::start(&held, move |request: Request| {
        runs.lock().push(request.path().to_owned());
        gate.pass();
        answer(&holder, request.path())
    });
    for _ in 0..ROUNDS {
        let mut busy = scene.asked("/busy");
        keeper.wait();
        let in_memory = [post("/memory", 5000).into_bytes(), vec![b'm'; 5000]].concat();
        let len = 2 * SPILLED_ABOVE;
        let in_a_file = [post("/file", len).into_bytes(), vec![b'f'; len]].concat();
        let queued =
            [get("/queued").into_bytes(), in_memory, in_a_file].map(|bytes| scene.sent(bytes));
        eventually("queued", || scene.stats().queued == 3);
        assert!(scene.spilled() == 1 && scene.stats().body_bytes > 0);
        queued.into_iter().for_each(Client::reset);
        // All of it while the only worker is busy: nobody else would give it back.
        eventually("out of the queue", || scene.stats().queued == 0);
        eventually("the memory of bodies is given back", || scene.stats().body_bytes == 0);
        eventually("the file of a body is closed", || scene.spilled() == 0);
        assert_eq!((scene.stats().connections, scene.stats().busy_workers), (1, 1));
        assert_eq!(scene.counts().dropped, 3);
        keeper.let_go();
        assert_eq!(busy.answer().text(), "done");
        drop(busy);
        let counts = Counts { requests: 4, handled: 1, dropped: 3, ..Counts::default() };
        scene.nothing_is_left(&counts);
    }
    assert_eq!(*ran.lock(), ["/busy"; ROUNDS]);
}

#[test]
fn while_its_handler_runs() {
    let _alone = alone();
    let held = Held::default();
    let (gate, keeper) = Gate::new();
    let holder = held.clone();
    let scene = Scene::start(&held, move |request: Request| {
        let _lent = holder.hold();
        gate.pass();
        answer(&holder, request.path())
    });
    for path in KINDS.iter().chain(&["/panic"]) {
        for len in [0, 2 * SPILLED_ABOVE] {
            let client = scene.sent([post(path, len).into_bytes(), vec![b'p'; len]].concat());
            keeper.wait();
            client.reset();
            scene.all_are_gone();
            // The handler cannot be interrupted: its worker, its body and what it holds stay.
            assert_eq!((scene.stats().busy_workers, scene.held.count()), (1, 1));
            assert_eq!(scene.spilled(), usize::from(len > 0));
            keeper.let_go();
            let panics = u64::from(*path == "/panic");
            scene.nothing_is_left(&Counts { requests: 1, handled: 1, panics, ..Counts::default() });
            assert_eq!(scene.spilled(), 0);
        }
    }
    assert_eq!(held.given.load(std::sync::atomic::Ordering::SeqCst), 0, "read for nobody");
}

/// A handler that parks each request, and gives the ticket to the test.
fn parked(held: &Held) -> (Scene, Receiver<Ticket>) {
    let (send, tickets) = mpsc::channel();
    let send = Mutex::new(send);
    let scene = Scene::start(held, move |_: Request| {
        let (ticket, reply) = Reply::later();
        send.lock().send(ticket).unwrap();
        reply
    });
    (scene, tickets)
}

#[test]
fn while_it_is_parked() {
    let _alone = alone();
    let held = Held::default();
    let (scene, tickets) = parked(&held);
    let counts = Counts { requests: 1, handled: 1, ..Counts::default() };
    for end in KINDS.map(Some).into_iter().chain([None]) {
        let client = scene.asked("/");
        let ticket = tickets.recv_timeout(PATIENCE).unwrap();
        let (tell, told) = mpsc::channel();
        ticket.on_gone(move || tell.send(()).unwrap());
        eventually("parked", || scene.stats().busy_workers == 0);
        assert!(!ticket.is_gone() && told.try_recv().is_err());
        client.reset();
        told.recv_timeout(PATIENCE).expect("the ticket was not told");
        assert!(ticket.is_gone());
        // The ticket is out, but nothing of the connection is.
        scene.nothing_is_left(&counts);
        // Harmless, whatever becomes of it now.
        match end {
            Some(path) => ticket.complete(answer(&held, path)),
            None => drop(ticket),
        }
        scene.nothing_is_left(&Counts::default());
    }
    assert_eq!(held.given.load(std::sync::atomic::Ordering::SeqCst), 0, "read for nobody");
}

#[test]
fn while_its_ticket_is_being_completed() {
    let _alone = alone();
    let held = Held::default();
    let (scene, tickets) = parked(&held);
    // Who is first, the reset or the answer, is chance; nothing stays in either case.
    for path in KINDS.repeat(10) {
        let client = scene.asked("/");
        let ticket = tickets.recv_timeout(PATIENCE).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| ticket.complete(answer(&held, path)));
            client.reset();
        });
        scene.all_are_gone();
        let aborted = scene.counts().aborted;
        assert!(aborted <= 1);
        scene.nothing_is_left(&Counts { requests: 1, handled: 1, aborted, ..Counts::default() });
    }
}

#[test]
fn while_it_is_parked_and_its_ticket_is_lost() {
    let _alone = alone();
    // Whoever has the ticket ends with the request: what it is told by holds nothing alive.
    let held = Held::default();
    let (scene, tickets) = parked(&held);
    let client = scene.asked("/");
    let ticket = tickets.recv_timeout(PATIENCE).unwrap();
    let work = Arc::new(held.hold());
    let seen: Weak<_> = Arc::downgrade(&work);
    ticket.on_gone(move || drop(work));
    client.reset();
    eventually("told, and what told it dropped", || seen.upgrade().is_none());
    scene.nothing_is_left(&Counts { requests: 1, handled: 1, ..Counts::default() });
}
