//! Dropping kept answers: at once, for all threads, and for handlers that had begun before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use larder_serve::{Reply, Request};

use crate::client::{Client, Gate, builder, start_with};

#[test]
fn insert_that_began_before_a_clear_is_not_kept() {
    for by_target in [false, true] {
        let (gate, keeper) = Gate::new();
        let version = Arc::new(AtomicU64::new(1));
        let current = Arc::clone(&version);
        let server = start_with(builder(), move |_: Request| {
            // Reads the old state, and is slow to answer.
            let seen = current.load(SeqCst);
            gate.pass();
            Reply::text(seen.to_string()).hot()
        });
        let mut client = Client::connect(server.local_addr());
        client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
        keeper.wait();
        version.store(2, SeqCst);
        if by_target {
            server.hot().remove("/a")
        } else {
            server.hot().clear()
        }
        keeper.let_go();
        assert_eq!(client.answer().text(), "1");
        keeper.let_go();
        assert_eq!(client.get("/a").text(), "2");
        assert_eq!(client.get("/a").text(), "2");
        assert_eq!(server.stats().hot_hits, 1);
    }
}

#[test]
fn clear_and_remove_hold_for_every_io_thread() {
    let version = Arc::new(AtomicU64::new(0));
    let current = Arc::clone(&version);
    let server = start_with(builder().io_threads(4), move |_: Request| {
        Reply::text(current.load(SeqCst).to_string()).hot()
    });
    let mut clients: Vec<Client> = (0..8).map(|_| Client::connect(server.local_addr())).collect();
    for round in 0..50 {
        version.store(round, SeqCst);
        if round % 2 == 0 {
            server.hot().clear()
        } else {
            server.hot().remove("/a?b")
        }
        for client in &mut clients {
            assert_eq!(client.get("/a?b").text(), round.to_string());
        }
    }
    assert!(server.stats().hot_hits >= 50 * 4);
}
