//! Graceful stop: what is in flight ends, what is idle is closed, and nothing hangs.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use larder_serve::{Reply, Request, Server};

use crate::client::{Client, Gate, builder, eventually, start, start_with};

#[test]
fn requests_in_flight_are_answered_and_idle_connections_closed() {
    let (gate, keeper) = Gate::new();
    let server = start_with(builder().workers(1), move |request: Request| {
        if request.path() == "/wait" {
            gate.pass();
        }
        Reply::text("done")
    });
    let addr = server.local_addr();
    let mut idle = Client::connect(addr);
    idle.get("/");
    let mut running = Client::connect(addr);
    running.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    let mut queued = Client::connect(addr);
    queued.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually("queued", || server.stats().queued == 1);
    server.stopper().stop();
    assert!(idle.is_closed());
    eventually("refused", || TcpStream::connect(addr).is_err());
    keeper.let_go();
    assert_eq!(running.answer().text(), "done");
    assert_eq!(queued.answer().text(), "done");
    assert!(running.is_closed() && queued.is_closed());
    let meter = server.meter();
    server.join();
    assert_eq!(meter.stats().connections, 0);
}

#[test]
fn request_that_arrived_before_the_stop_is_answered_though_nobody_had_read_it() {
    for threads in [1, 3] {
        let (gate, keeper) = Gate::new();
        let bound = builder().io_threads(threads).bind("127.0.0.1:0").unwrap();
        let bound = bound.fast(move |peek| {
            if peek.path() == "/hold" {
                gate.pass();
            }
            None
        });
        let server = bound.start(|_: Request| Reply::text("done")).unwrap();
        let addr = server.local_addr();
        let mut open: Vec<Client> = (0..2 * threads).map(|_| Client::connect(addr)).collect();
        open.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "done"));
        // The thread that accepts is held: connections come to all threads in turn.
        let mut held = open.remove(threads - 1);
        held.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
        keeper.wait();
        let mut fresh: Vec<Client> = (0..10).map(|_| Client::connect(addr)).collect();
        let mut silent = Client::connect(addr);
        // Of the open ones, the last is with the held thread.
        let asking = fresh.iter_mut().chain(open.last_mut());
        asking.for_each(|client| client.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n"));
        server.stopper().stop();
        if threads > 1 {
            // The others have nothing left, but must not end before they were given the rest.
            assert!(open[0].is_closed());
        }
        keeper.let_go();
        for client in fresh.iter_mut().chain(open.last_mut()).chain([&mut held]) {
            assert_eq!(client.answer().text(), "done", "{threads} threads");
            assert!(client.is_closed());
        }
        assert!(silent.is_closed());
        let meter = server.meter();
        server.join();
        assert_eq!((meter.stats().connections, meter.stats().aborted), (0, 0));
    }
}

#[test]
fn delivery_in_flight_is_finished() {
    let len = 30 << 20;
    let server = start(move |_: Request| Reply::bytes("x/y", vec![0; len]));
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.socket.read_exact(&mut [0; 1]).unwrap();
    server.stopper().stop();
    assert!(client.rest().len() >= len);
    server.join();
}

#[test]
fn stuck_handler_does_not_hold_up_the_stop() {
    let (gate, keeper) = Gate::new();
    let settings = builder().grace(Duration::from_millis(200));
    let server = start_with(settings, move |_: Request| {
        gate.pass();
        Reply::text("done")
    });
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    let begun = Instant::now();
    server.stopper().stop();
    server.join();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(client.is_closed());
    keeper.let_go();
}

#[test]
fn dropped_server_is_stopped_and_its_port_free() {
    let server = start(|_: Request| Reply::text("one"));
    let addr = server.local_addr();
    assert_eq!(Client::connect(addr).get("/").text(), "one");
    let in_use = Server::builder().bind(addr).unwrap_err();
    assert!(in_use.is_in_use() && in_use.to_string().contains(&addr.to_string()), "{in_use}");
    drop(server);
    let again = builder().bind(addr).unwrap().start(|_: Request| Reply::text("two")).unwrap();
    assert_eq!(Client::connect(addr).get("/").text(), "two");
    drop(again);
}
