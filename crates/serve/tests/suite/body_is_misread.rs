//! Request bodies: by length and in chunks, within the bound, with `Expect`.

use larder_serve::http::header::CONTENT_TYPE;
use larder_serve::{Reply, Request};

use crate::client::{Client, builder, start, start_with};

fn echo(request: Request) -> Reply {
    let content_type = request.header(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("x/y");
    Reply::bytes(content_type, request.body().bytes().unwrap().clone())
}

#[test]
fn body_comes_back_as_sent() {
    let server = start(echo);
    let mut client = Client::connect(server.local_addr());
    let body: Vec<u8> = (0..900_000u32).map(|i| (i % 251) as u8).collect();
    let head = format!(
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.send([head.into_bytes(), body.clone()].concat());
    let answer = client.answer();
    assert!(answer.body == body);
    assert_eq!(answer.header("content-type"), Some("a/b"));

    let mut chunked = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for part in body.chunks(7001) {
        chunked.extend(format!("{:x}\r\n", part.len()).bytes());
        chunked.extend(part);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.send(chunked);
    assert!(client.answer().body == body);
    assert_eq!(client.answer().body, b"");
}

#[test]
fn too_large_is_refused_before_it_is_read() {
    let server = start_with(builder().max_body_bytes(10), echo);
    let mut client = Client::connect(server.local_addr());
    assert_eq!(
        client.ask("POST", "/", "Content-Length: 11\r\nExpect: 100-continue\r\n").status,
        413
    );
    let mut client = Client::connect(server.local_addr());
    client.send(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n",
    );
    assert_eq!(client.answer().status, 413);
    let mut client = Client::connect(server.local_addr());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789");
    assert_eq!(client.answer().text(), "0123456789");
}

#[test]
fn a_refused_upload_still_reads_why() {
    let server = start_with(builder().max_body_bytes(10), echo);
    for _ in 0..20 {
        let mut client = Client::connect(server.local_addr());
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
        client.send(vec![b'x'; 1_000_000]);
        assert_eq!(client.answer().status, 413);
    }
}

#[test]
fn expectation_is_met_once() {
    let server = start(echo);
    let mut client = Client::connect(server.local_addr());
    for _ in 0..2 {
        client.send(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n",
        );
        assert_eq!(client.answer().status, 100);
        client.send("ok");
        assert_eq!(client.answer().text(), "ok");
    }
    // A body that is here already needs no permission.
    client
        .send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nok");
    assert_eq!(client.answer().text(), "ok");
}
