//! Clients that leave: before their turn, in the middle, with half the connection. What they leave
//! behind is counted in `clients_leave_something_behind`.

use std::time::Duration;

use larder_serve::{Reply, Request};

use crate::client::{Client, Gate, PATIENCE, builder, eventually, start, start_with};

#[test]
fn job_of_a_departed_client_is_dropped_before_it_runs() {
    let (gate, keeper) = Gate::new();
    let settings = builder().workers(1).half_close(Duration::ZERO);
    let server = start_with(settings, move |_: Request| {
        gate.pass();
        Reply::text("done")
    });
    let mut first = Client::connect(server.local_addr());
    first.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    for reset in [true, false] {
        let mut client = Client::connect(server.local_addr());
        let before = server.stats().queued;
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        eventually("queued", || server.stats().queued == before + 1);
        if reset {
            client.reset()
        } else {
            drop(client)
        }
        if reset {
            eventually("reset seen", || server.stats().queued == before);
        }
    }
    assert_eq!(server.stats().connections, 2);
    std::thread::sleep(Duration::from_millis(5));
    keeper.let_go();
    assert_eq!(first.answer().text(), "done");
    eventually("dropped", || server.stats().dropped_jobs == 2);
    assert_eq!(server.stats().handled, 1);
}

#[test]
fn client_that_only_stops_sending_is_answered() {
    // Patient, as on a busy machine jobs may wait for longer than is usual.
    let server = start_with(builder().half_close(PATIENCE), |request: Request| {
        let reply = Reply::text("hello");
        if request.path() == "/hot" { reply.hot() } else { reply }
    });
    for target in ["/cold", "/hot", "/hot"] {
        for _ in 0..50 {
            let mut client = Client::connect(server.local_addr());
            client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
            client.half_close();
            assert_eq!(client.answer().text(), "hello");
            assert!(client.is_closed());
        }
    }
    eventually("all closed", || server.stats().connections == 0);
}

#[test]
fn half_close_in_the_middle_of_a_request_ends_it() {
    let server = start(|_: Request| Reply::text("hello"));
    for part in ["", "GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"] {
        let mut client = Client::connect(server.local_addr());
        client.send(part);
        client.half_close();
        assert_eq!(client.rest(), b"");
    }
    eventually("all closed", || server.stats().connections == 0);
    assert_eq!(server.stats().handled, 0);
}
