//! The servers of the claims, each in a child: one stack a connection, larder, and one event loop.
//!
//! | kind | it is |
//! |---|---|
//! | `pool N` | N threads; each accepts a connection and serves it until its end |
//! | `threads` | a thread for each connection |
//! | `larder N` | larder-serve: one I/O thread and N workers |
//! | `axum` | hyper by way of axum, on one thread that waits for all |
//!
//! All answer `/small` with the same 8 KB and `/large` with the same 8 MB from memory; all but the
//! event loop `/waits` with the small one after 2 ms, as after a query; and larder `/hot` with the
//! small one from its I/O thread. All others go through a worker there.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::serve::ListenerExt;
use larder_serve::{Bytes, Reply, Request, Router, Server};

use super::{Outcome, child};

/// Bytes of the small page.
pub const SMALL: usize = 8 << 10;
/// Bytes of the large one: more than the buffers of a socket take.
pub const LARGE: usize = 8 << 20;
/// How long the handler of `/waits` waits for what would be a database.
pub const WAIT: Duration = Duration::from_millis(2);

/// Serves on the first core until the parent is gone; says where it listens.
pub fn half(args: &[&str]) -> Outcome<()> {
    child::on_core(0, || {
        let (addr, running) = match args {
            ["pool", threads] => (pool(threads.parse()?)?, None),
            ["threads"] => (one_each()?, None),
            ["larder", workers] => larder(workers.parse()?).map(|(addr, it)| (addr, Some(it)))?,
            ["axum"] => (axum()?, None),
            _ => return Err(format!("there is no server {args:?}").into()),
        };
        println!("{addr}");
        child::wait_for_parent();
        drop(running);
        // Threads that serve somebody don't end by themselves.
        std::process::exit(0)
    })?
}

fn body(length: usize) -> Bytes {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect::<Vec<u8>>().into()
}

fn larder(workers: usize) -> Outcome<(SocketAddr, larder_serve::Running)> {
    let builder = Server::builder().io_threads(1).workers(workers).max_connections(30_000);
    // Who is idle is to stay, and who is slow to be served: that is what is measured.
    let builder = builder.idle_timeout(Duration::from_secs(600));
    let bound = builder.bind("127.0.0.1:0")?;
    let addr = bound.local_addr();
    let page = |bytes: &Bytes| Reply::bytes("application/octet-stream", bytes.clone()).etag("1");
    let (small, hot, large) = (body(SMALL), body(SMALL), body(LARGE));
    let waits = small.clone();
    let router = Router::new()
        .get("/small", move |_: Request| page(&small))
        .get("/waits", move |_: Request| {
            thread::sleep(WAIT);
            page(&waits)
        })
        .get("/hot", move |_: Request| page(&hot).hot())
        .get("/large", move |_: Request| page(&large));
    Ok((addr, bound.start(router)?))
}

fn axum() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (small, large) = (body(SMALL), body(LARGE));
    let answer = |bytes: Bytes| axum::routing::get(move || std::future::ready(bytes.clone()));
    let app = axum::Router::new().route("/small", answer(small)).route("/large", answer(large));
    thread::spawn(move || {
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let listener = listener.tap_io(|stream| {
                let _ = stream.set_nodelay(true);
            });
            axum::serve(listener, app).await
        })
    });
    Ok(addr)
}

/// Threads that accept and serve, one connection each at a time.
fn pool(threads: usize) -> io::Result<SocketAddr> {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0")?);
    let addr = listener.local_addr()?;
    let pages = Arc::new(Pages::new());
    for _ in 0..threads {
        let (listener, pages) = (Arc::clone(&listener), Arc::clone(&pages));
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                // What becomes of one client is no concern of the next.
                let _ = serve(&client, &pages);
            }
        });
    }
    Ok(addr)
}

/// A thread for each connection, with the stack that the standard library gives it.
fn one_each() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let pages = Arc::new(Pages::new());
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let pages = Arc::clone(&pages);
            // When there are no more threads to be had, the client is turned away.
            let _ = thread::Builder::new().spawn(move || serve(&client, &pages));
        }
    });
    Ok(addr)
}

/// Whole answers, rendered once.
struct Pages {
    small: Vec<u8>,
    large: Vec<u8>,
}

impl Pages {
    fn new() -> Self {
        let answer = |length| {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\
                 Content-Length: {length}\r\n\r\n"
            );
            [head.as_bytes(), &body(length)].concat()
        };
        Pages { small: answer(SMALL), large: answer(LARGE) }
    }
}

/// More than any request here has.
const HEAD: usize = 2048;

/// Answers what a client asks, one after the other, until it is enough for one of them.
fn serve(mut client: &TcpStream, pages: &Pages) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (mut head, mut have) = ([0; HEAD], 0);
    loop {
        let end = loop {
            if let Some(end) = head[..have].windows(4).position(|end| end == b"\r\n\r\n") {
                break end + 4;
            }
            match client.read(&mut head[have..])? {
                0 => return Ok(()),
                n => have += n,
            }
        };
        let is_last = head[..end].windows(6).any(|word| word.eq_ignore_ascii_case(b" close"));
        let is_large = head.starts_with(b"GET /large ");
        if head.starts_with(b"GET /waits ") {
            thread::sleep(WAIT);
        }
        client.write_all(if is_large { &pages.large } else { &pages.small })?;
        if is_last {
            return Ok(());
        }
        head.copy_within(end..have, 0);
        have -= end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::closed::whole;

    fn ask(addr: SocketAddr, requests: &[u8]) -> Vec<u8> {
        let mut client = TcpStream::connect(addr).unwrap();
        client.write_all(requests).unwrap();
        let mut answers = Vec::new();
        client.read_to_end(&mut answers).unwrap();
        answers
    }

    #[test]
    fn a_thread_serves_one_request_after_the_other() {
        let requests = b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n\
            GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        for addr in [pool(1).unwrap(), one_each().unwrap()] {
            let answers = ask(addr, requests);
            let first = whole(&answers).unwrap();
            assert_eq!(answers.len(), 2 * first);
            assert!(answers[..first].ends_with(&body(SMALL)));
        }
    }

    #[test]
    fn a_pool_of_one_serves_the_next_when_the_first_is_done() {
        let addr = pool(1).unwrap();
        let request = b"GET /large HTTP/1.1\r\nConnection: close\r\n\r\n";
        for _ in 0..2 {
            let answer = ask(addr, request);
            assert_eq!(answer.len(), whole(&answer).unwrap());
            assert!(answer.len() > LARGE);
        }
    }
}
