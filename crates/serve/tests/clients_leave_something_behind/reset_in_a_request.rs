//! Clients that reset their connection before their request is whole: before a byte of it, in its
//! head, in its body however that is framed and wherever it is kept, and after it was refused.

use larder_serve::{Reply, Request};

use crate::client::{Client, builder, eventually};
use crate::held::Held;
use crate::scene::{Counts, ROUNDS, SPILLED_ABOVE, Scene, alone, chunked, get, post};

fn scene() -> Scene {
    Scene::start(&Held::default(), |_: Request| Reply::text("done"))
}

const NOTHING: Counts = Counts {
    requests: 0,
    handled: 0,
    dropped: 0,
    aborted: 0,
    short: 0,
    bad: 0,
    timed_out: 0,
    unavailable: 0,
    panics: 0,
};

/// The head was accepted, and nothing came of it.
const HEAD_ALONE: Counts = Counts { requests: 1, ..NOTHING };

#[test]
fn before_any_byte() {
    let _alone = alone();
    let scene = scene();
    for _ in 0..ROUNDS {
        let client = scene.connect();
        eventually("accepted", || scene.stats().connections == 1);
        client.reset();
        scene.nothing_is_left(&NOTHING);
    }
}

#[test]
fn in_the_head() {
    let _alone = alone();
    let scene = scene();
    let head = get("/");
    for at in [1, 3, 5, "GET / HTTP/1.1\r".len(), head.len() - 2, head.len() - 1] {
        for served in [false, true] {
            let mut client = scene.connect();
            if served {
                assert_eq!(client.get("/").text(), "done");
            }
            client.send(&head[..at]);
            // Parts of heads are counted with bodies: this one was read.
            eventually("read", || scene.stats().body_bytes > 0);
            client.reset();
            let n = u64::from(served);
            scene.nothing_is_left(&Counts { requests: n, handled: n, ..NOTHING });
        }
    }
}

#[test]
fn in_the_body() {
    let _alone = alone();
    let scene = scene();
    let parts = [
        // By length: nothing of it, some, all but a byte.
        (post("/", 5), ""),
        (post("/", 5), "ab"),
        (post("/", 5), "abcd"),
        // In chunks: before the first, in the line of a size, in an extension.
        (chunked("/"), ""),
        (chunked("/"), "5"),
        (chunked("/"), "5\r"),
        (chunked("/"), "5;a=b"),
        // In a chunk, at its end, between chunks.
        (chunked("/"), "5\r\nab"),
        (chunked("/"), "5\r\nabcde"),
        (chunked("/"), "5\r\nabcde\r"),
        (chunked("/"), "5\r\nabcde\r\n"),
        (chunked("/"), "5\r\nabcde\r\n7\r\nab"),
        // At the last one, and in the trailers.
        (chunked("/"), "5\r\nabcde\r\n0"),
        (chunked("/"), "5\r\nabcde\r\n0\r\n"),
        (chunked("/"), "5\r\nabcde\r\n0\r\nA: "),
        (chunked("/"), "5\r\nabcde\r\n0\r\nA: b\r\n"),
        (chunked("/"), "5\r\nabcde\r\n0\r\nA: b\r\n\r"),
    ];
    for (head, part) in parts {
        let client = scene.sent(head + part);
        eventually("asked", || scene.counts().requests == 1);
        assert!(scene.stats().body_bytes > 0, "{part:?} ended the body");
        client.reset();
        scene.nothing_is_left(&HEAD_ALONE);
    }
}

#[test]
fn after_it_was_told_to_go_on() {
    let _alone = alone();
    let scene = scene();
    for framing in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        for part in ["", "5", "5\r\nab"] {
            let mut client = scene.connect();
            let fields = format!("Expect: 100-continue\r\n{framing}\r\n");
            assert_eq!(client.ask("POST", "/", &fields).status, 100);
            client.send(if framing.starts_with('C') { &part[part.len().min(1)..] } else { part });
            client.reset();
            scene.nothing_is_left(&HEAD_ALONE);
        }
    }
}

#[test]
fn in_a_body_that_is_in_memory_or_in_a_file() {
    let _alone = alone();
    let scene = scene();
    let len = 8 * SPILLED_ABOVE;
    for sent in [SPILLED_ABOVE / 2, 2 * SPILLED_ABOVE, 6 * SPILLED_ABOVE] {
        for is_chunked in [false, true] {
            let head = if is_chunked { chunked("/") } else { post("/", len) };
            let head = if is_chunked { format!("{head}{len:x}\r\n") } else { head };
            let client = scene.sent([head.as_bytes(), &vec![b'p'; sent]].concat());
            eventually("asked", || scene.counts().requests == 1);
            let files = usize::from(sent > SPILLED_ABOVE);
            eventually("written to a file", || scene.spilled() == files);
            client.reset();
            scene.nothing_is_left(&HEAD_ALONE);
            assert_eq!(scene.spilled(), 0);
        }
    }
}

#[test]
fn while_its_body_is_being_written() {
    let _alone = alone();
    let scene = scene();
    let request = [post("/", 1 << 20).as_bytes(), &vec![b'p'; 2 * SPILLED_ABOVE]].concat();
    for _ in 0..10 * ROUNDS {
        // Left as soon as they can be, so that some are gone before their first chunk is written;
        // and others are in their places.
        let clients = [(); 16].map(|()| scene.sent(&request));
        clients.into_iter().for_each(Client::reset);
        let others = [(); 16].map(|()| scene.connect());
        eventually("others are there", || scene.stats().connections == 16);
        eventually("no file is open", || scene.spilled() == 0);
        drop(others);
    }
    let requests = scene.counts().requests;
    scene.nothing_is_left(&Counts { requests, ..NOTHING });
}

#[test]
fn after_it_was_refused() {
    let _alone = alone();
    let settings = builder().max_body_bytes(1000);
    let scene = Scene::with(settings, &Held::default(), |_: Request| Reply::text("done"));
    let cases = [
        ("nonsense\r\n\r\n".to_owned(), 400, 0),
        (post("/", 5000) + "a", 413, 1),
        (chunked("/") + "x", 400, 1),
        (chunked("/") + "1388\r\nabc", 413, 1),
    ];
    for (request, status, requests) in cases {
        let mut client = scene.sent(request);
        assert_eq!(client.answer().status, status);
        // What it sends now, nobody wants.
        client.send("more");
        client.reset();
        scene.nothing_is_left(&Counts { requests, bad: 1, ..NOTHING });
    }
}
