//! Keep-alive and pipelining: each request its own answer, in order, however it is cut.

use larder_serve::{Reply, Request};

use crate::client::{Client, builder, start, start_with};

fn echo(request: Request) -> Reply {
    let reply = Reply::text(format!("{} {}", request.method(), request.target()));
    if request.path().starts_with("/hot") { reply.hot() } else { reply }
}

#[test]
fn connection_serves_one_request_after_another() {
    let server = start(echo);
    let mut client = Client::connect(server.local_addr());
    for i in 0..100 {
        let target = format!("/{}/{}", if i % 2 == 0 { "hot" } else { "cold" }, i % 7);
        assert_eq!(client.get(&target).text(), format!("GET {target}"));
    }
    assert_eq!(server.stats().accepted, 1);
    assert!(server.stats().hot_hits > 0);
}

#[test]
fn a_thousand_pipelined_requests_are_answered_in_order() {
    let server = start(echo);
    for path in ["hot", "cold"] {
        let mut client = Client::connect(server.local_addr());
        let all: String = (0..1000)
            .map(|i| format!("GET /{path}/{} HTTP/1.1\r\nHost: x\r\n\r\n", i % 10))
            .collect();
        client.send(all);
        for i in 0..1000 {
            assert_eq!(client.answer().text(), format!("GET /{path}/{}", i % 10));
        }
    }
}

#[test]
fn request_may_come_byte_by_byte() {
    let server = start(echo);
    let mut client = Client::connect(server.local_addr());
    for target in ["/hot", "/hot", "/cold", "/cold?x=1"] {
        for byte in format!("GET {target} HTTP/1.1\r\nHost: example.org\r\nX-Y: z\r\n\r\n").bytes()
        {
            client.send([byte]);
        }
        assert_eq!(client.answer().text(), format!("GET {target}"));
    }
}

#[test]
fn every_split_of_two_requests_gives_the_same_answers() {
    let server = start(echo);
    let both = b"GET /hot HTTP/1.1\r\nHost: x\r\n\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\n\
        Content-Length: 3\r\n\r\na\ncGET /c HTTP/1.1\r\nHost: x\r\n\r\n";
    for at in 1..both.len() {
        let mut client = Client::connect(server.local_addr());
        client.send(&both[..at]);
        client.send(&both[at..]);
        assert_eq!(client.answer().text(), "GET /hot", "split at {at}");
        assert_eq!(client.answer().text(), "POST /b", "split at {at}");
        assert_eq!(client.answer().text(), "GET /c", "split at {at}");
    }
}

#[test]
fn http_1_0_is_closed_unless_it_asks_to_stay() {
    let server = start(echo);
    for path in ["/hot", "/hot", "/cold"] {
        let mut client = Client::connect(server.local_addr());
        client.send(format!("GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
        assert_eq!(client.answer().header("connection"), Some("keep-alive"));
        client.send(format!("GET {path} HTTP/1.0\r\n\r\n"));
        assert_eq!(client.answer().header("connection"), Some("close"));
        assert!(client.is_closed());
        let mut client = Client::connect(server.local_addr());
        let answer = client.ask("GET", path, "Connection: close\r\n");
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
        assert!(client.is_closed());
    }
}

#[test]
fn many_clients_over_several_io_threads() {
    let server = start_with(builder().io_threads(3).workers(4), echo);
    let addr = server.local_addr();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                let mut client = Client::connect(addr);
                for i in 0..200 {
                    let target = format!("/{}/{thread}/{i}", if i % 3 == 0 { "hot" } else { "c" });
                    assert_eq!(client.get(&target).text(), format!("GET {target}"));
                }
            });
        }
    });
    assert_eq!(server.stats().requests, 1600);
}

#[test]
fn big_answer_of_bytes_arrives_whole() {
    let body: Vec<u8> = (0..20_000_000u32).map(|i| (i ^ (i >> 9)) as u8).collect();
    let sent = body.clone();
    let server = start(move |_: Request| Reply::bytes("x/y", sent.clone()));
    let mut client = Client::connect(server.local_addr());
    for _ in 0..2 {
        assert!(client.get("/").body == body);
    }
}
