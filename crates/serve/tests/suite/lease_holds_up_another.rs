//! Leases are the user's, and their drops may block: each its own thread, none the server's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use larder_serve::{Peek, Reply, Request};
use parking_lot::{Condvar, Mutex};

use crate::client::{Client, PATIENCE, builder, eventually, start, start_with};

/// Where leases block until the test opens it.
#[derive(Default)]
struct Door {
    is_open: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
    passed: AtomicUsize,
}

impl Door {
    fn open(&self) {
        *self.is_open.lock() = true;
        self.opened.notify_all();
    }
}

/// A lease that blocks in its drop.
struct Blocks(Arc<Door>);

impl Drop for Blocks {
    fn drop(&mut self) {
        self.0.waiting.fetch_add(1, SeqCst);
        let mut is_open = self.0.is_open.lock();
        while !*is_open && !self.0.opened.wait_for(&mut is_open, PATIENCE).timed_out() {}
        self.0.passed.fetch_add(1, SeqCst);
    }
}

/// One that does not.
struct Counts(Arc<AtomicUsize>);

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn leases_that_block_hold_up_no_others() {
    let (door, dropped) = (Arc::new(Door::default()), Arc::new(AtomicUsize::new(0)));
    let (of_handler, counter) = (Arc::clone(&door), Arc::clone(&dropped));
    let server = start(move |request: Request| match request.path() {
        "/blocks" => Reply::text("x").with_lease(Blocks(Arc::clone(&of_handler))),
        _ => Reply::text("x").with_lease(Counts(Arc::clone(&counter))),
    });
    let mut client = Client::connect(server.local_addr());
    for blocked in 1..=10 {
        client.get("/blocks");
        eventually("a lease blocks", || door.waiting.load(SeqCst) == blocked);
        client.get("/");
        eventually("another is dropped", || dropped.load(SeqCst) == blocked);
    }
    assert_eq!(door.passed.load(SeqCst), 0);
    door.open();
    drop(client);
    server.stopper().stop();
    server.join();
    assert_eq!(door.passed.load(SeqCst), 10);
}

#[test]
fn where_too_many_wait_requests_are_refused_and_hits_are_not() {
    let door = Arc::new(Door::default());
    let of_handler = Arc::clone(&door);
    let fast = |peek: &Peek<'_>| (peek.path() == "/fast").then(|| Reply::text("fast"));
    let bound = builder().bind("127.0.0.1:0").unwrap().fast(fast);
    let server = bound.start(move |request: Request| match request.path() {
        "/hot" => Reply::text("hot").hot(),
        _ => Reply::text("x").with_lease(Blocks(Arc::clone(&of_handler))),
    });
    let server = server.unwrap();
    let mut client = Client::connect(server.local_addr());
    client.get("/hot");
    let mut served = 0;
    while client.get("/").status == 200 {
        served += 1;
        assert!(served < 10_000, "nothing is refused");
    }
    let stats = server.stats();
    assert!(served > 4000 && stats.chores < 5000 && stats.stalls == 0, "{served} {stats:?}");
    // What would add to it is refused, whole and with its body; what is kept is not.
    assert_eq!(client.get("/fast").status, 503);
    assert_eq!(client.get("/hot").text(), "hot");
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(client.answer().status, 503);
    assert!(client.is_closed());
    door.open();
    eventually("all are dropped", || door.passed.load(SeqCst) == served);
    let mut client = Client::connect(server.local_addr());
    assert_eq!(client.get("/").status, 200);
    assert_eq!(client.get("/fast").text(), "fast");
}

#[test]
fn join_waits_for_leases() {
    struct Takes(Arc<AtomicUsize>);
    impl Drop for Takes {
        fn drop(&mut self) {
            // Longer than everything else that `join` waits for.
            std::thread::sleep(Duration::from_millis(400));
            self.0.fetch_add(1, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&dropped);
    let server = start_with(builder(), move |_: Request| {
        Reply::text("x").with_lease(Takes(Arc::clone(&counter)))
    });
    for _ in 0..3 {
        Client::connect(server.local_addr()).get("/");
    }
    server.stopper().stop();
    server.join();
    assert_eq!(dropped.load(SeqCst), 3);
}
