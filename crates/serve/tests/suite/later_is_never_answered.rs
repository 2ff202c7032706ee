//! Tickets: completed early, late, twice removed, dropped, or for a client that has left.

use std::sync::mpsc;
use std::time::Duration;

use larder_serve::http::StatusCode;
use larder_serve::{Reply, Request, Ticket};
use parking_lot::Mutex;

use crate::client::{Client, PATIENCE, builder, eventually, start, start_with};

/// A handler that gives its tickets to the test.
fn parking() -> (impl Fn(Request) -> Reply + Send + Sync + 'static, mpsc::Receiver<Ticket>) {
    let (send, tickets) = mpsc::channel();
    let send = Mutex::new(send);
    let handler = move |_: Request| {
        let (ticket, reply) = Reply::later();
        send.lock().send(ticket).unwrap();
        reply
    };
    (handler, tickets)
}

#[test]
fn parked_connections_hold_no_worker() {
    let (handler, tickets) = parking();
    let server = start_with(builder().workers(1), handler);
    let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(server.local_addr())).collect();
    let mut parked = Vec::new();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"v\"\r\n\r\n");
        parked.push(tickets.recv_timeout(PATIENCE).unwrap());
    }
    assert!(parked.iter().all(|ticket| !ticket.is_gone()));
    for (i, ticket) in parked.into_iter().enumerate().rev() {
        std::thread::spawn(move || ticket.complete(Reply::text(format!("{i}")))).join().unwrap();
        assert_eq!(clients[i].answer().text(), i.to_string());
    }
    // The connection goes on, and conditions apply to what comes later too.
    clients[0].send("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"v\"\r\n\r\n");
    tickets.recv_timeout(PATIENCE).unwrap().complete(Reply::text("x").etag("v"));
    assert_eq!(clients[0].answer().status, 304);
}

#[test]
fn ticket_completed_before_the_handler_returns() {
    let server = start(|_: Request| {
        let (ticket, reply) = Reply::later();
        ticket.complete(Reply::text("early"));
        reply
    });
    let mut client = Client::connect(server.local_addr());
    assert_eq!(client.get("/").text(), "early");
}

#[test]
fn dropped_ticket_is_500() {
    let (handler, tickets) = parking();
    let server = start(handler);
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    drop(tickets.recv_timeout(PATIENCE).unwrap());
    assert_eq!(client.answer().status, 500);
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let (ticket, nested) = Reply::later();
    tickets.recv_timeout(PATIENCE).unwrap().complete(nested);
    assert_eq!(client.answer().status, 500);
    ticket.complete(Reply::status(StatusCode::OK));
}

#[test]
fn deadline_answers_504_and_the_late_answer_is_dropped() {
    let (handler, tickets) = parking();
    let server = start_with(builder().handler_deadline(Duration::from_millis(150)), handler);
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let ticket = tickets.recv_timeout(PATIENCE).unwrap();
    assert_eq!(client.answer().status, 504);
    assert!(ticket.is_gone());
    ticket.complete(Reply::text("too late"));
    assert_eq!(client.rest(), b"");
}

#[test]
fn ticket_is_told_that_its_client_has_left() {
    let (handler, tickets) = parking();
    let server = start_with(builder().half_close(Duration::ZERO), handler);
    let mut reset = Client::connect(server.local_addr());
    reset.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let ticket = tickets.recv_timeout(PATIENCE).unwrap();
    reset.reset();
    eventually("gone after a reset", || ticket.is_gone());
    ticket.complete(Reply::text("to nobody"));
    let mut closed = Client::connect(server.local_addr());
    closed.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let ticket = tickets.recv_timeout(PATIENCE).unwrap();
    drop(closed);
    eventually("gone after a close", || ticket.is_gone());
    ticket.complete(Reply::text("to nobody"));
    eventually("all closed", || server.stats().connections == 0);
}

#[test]
fn whoever_works_for_a_ticket_is_called_when_nobody_waits() {
    let (handler, tickets) = parking();
    let settings = builder().handler_deadline(Duration::from_secs(10));
    let server = start_with(settings, handler);
    let ask = || {
        let mut client = Client::connect(server.local_addr());
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        (client, tickets.recv_timeout(PATIENCE).unwrap())
    };
    let (tell, told) = mpsc::channel();
    let teller = |name: &'static str| {
        let tell = tell.clone();
        move || tell.send(name).unwrap()
    };
    // Answered: nobody is called, whenever the client leaves.
    let (mut client, ticket) = ask();
    ticket.on_gone(teller("answered"));
    ticket.complete(Reply::text("done"));
    assert_eq!(client.answer().text(), "done");
    drop(client);
    // Told before, the last one alone; told after; and what panics takes nobody along.
    let (client, ticket) = ask();
    ticket.on_gone(teller("replaced"));
    ticket.on_gone(teller("before"));
    client.reset();
    assert_eq!(told.recv_timeout(PATIENCE), Ok("before"));
    assert!(ticket.is_gone());
    ticket.on_gone(|| panic!("on purpose"));
    ticket.on_gone(teller("after"));
    assert_eq!(told.recv_timeout(PATIENCE), Ok("after"));
    drop(ticket);
    assert!(told.try_recv().is_err());
}

#[test]
fn plain_close_is_told_long_before_the_deadline() {
    let (handler, tickets) = parking();
    let hour = Duration::from_secs(3600);
    let settings = builder().handler_deadline(hour).half_close(Duration::from_millis(50));
    let server = start_with(settings, handler);
    let (tell, told) = mpsc::channel();
    let mut clients = Vec::new();
    for closed in [true, false] {
        let mut client = Client::connect(server.local_addr());
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        let ticket = tickets.recv_timeout(PATIENCE).unwrap();
        let tell = tell.clone();
        ticket.on_gone(move || tell.send(closed).unwrap());
        if closed {
            drop(client);
        } else {
            client.half_close();
            clients.push(client);
        }
        assert_eq!(told.recv_timeout(PATIENCE), Ok(closed));
        assert!(ticket.is_gone());
        // Who asks too late hears it at once; who only stopped sending is answered all the same.
        let (late, heard) = mpsc::channel();
        ticket.on_gone(move || late.send(()).unwrap());
        heard.recv_timeout(PATIENCE).unwrap();
        ticket.complete(Reply::text("after all"));
    }
    assert_eq!(clients[0].answer().text(), "after all");
    eventually("all closed", || server.stats().connections == 0);
    assert_eq!(server.stats().timed_out, 0);
}

#[test]
fn deadline_comes_though_the_client_has_stopped_sending() {
    let (handler, tickets) = parking();
    let settings =
        builder().handler_deadline(Duration::from_millis(300)).half_close(Duration::ZERO);
    let server = start_with(settings, handler);
    let mut client = Client::connect(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let ticket = tickets.recv_timeout(PATIENCE).unwrap();
    client.half_close();
    assert_eq!(client.answer().status, 504);
    assert!(client.is_closed() && ticket.is_gone());
}

#[test]
fn deadline_calls_whoever_works_for_the_ticket() {
    let (tell, told) = mpsc::channel();
    let (send, tickets) = mpsc::channel();
    let (tell, send) = (Mutex::new(tell), Mutex::new(send));
    let settings = builder().handler_deadline(Duration::from_millis(100));
    // Asked for before the worker has seen the reply.
    let server = start_with(settings, move |_: Request| {
        let (ticket, reply) = Reply::later();
        let tell = tell.lock().clone();
        ticket.on_gone(move || tell.send(()).unwrap());
        send.lock().send(ticket).unwrap();
        reply
    });
    let mut client = Client::connect(server.local_addr());
    assert_eq!(client.get("/").status, 504);
    told.recv_timeout(PATIENCE).unwrap();
    drop(tickets);
}
