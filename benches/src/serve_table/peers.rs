//! Servers that run blocking handlers on threads, each at its best.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use axum::serve::ListenerExt;

use crate::memo;

/// Threads that run handlers, as many as larder has on this machine.
const THREADS: usize = 8;

/// axum on one thread, which is the most that its core has use for, with `spawn_blocking`.
pub fn start_axum() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .max_blocking_threads(THREADS)
        .build()?;
    let blocking = |Path(id): Path<u64>| async move {
        tokio::task::spawn_blocking(move || memo::find(id)).await.unwrap_or_default()
    };
    let app = Router::new()
        .route("/memo/{id}", get(blocking))
        .route("/kept/{id}", get(|Path(id): Path<u64>| async move { memo::find(id) }));
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

/// `tiny_http` with a number of threads that answer, and without Nagle's delay, which its
/// connections inherit from the listener.
pub fn start_tiny_http(threads: usize) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    socket2::SockRef::from(&listener).set_tcp_nodelay(true)?;
    let addr = listener.local_addr()?;
    let server = tiny_http::Server::from_listener(listener, None).map_err(io::Error::other)?;
    let server = Arc::new(server);
    for _ in 0..threads {
        let server = Arc::clone(&server);
        thread::spawn(move || {
            while let Ok(request) = server.recv() {
                let id = request.url().rsplit('/').next().and_then(|id| id.parse().ok());
                let answer = memo::find(id.unwrap_or_default());
                // A client that has gone is no concern of the next.
                let _ = request.respond(tiny_http::Response::from_string(answer));
            }
        });
    }
    Ok(addr)
}
