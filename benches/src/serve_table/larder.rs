//! larder as it is measured: one I/O thread, defaults otherwise.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use larder_serve::{Bytes, Reply, Request, Router, Running, Server};

use crate::memo;

/// Starts a server of the files in `root` and of answers from memory.
pub fn start(root: &Path) -> Result<(SocketAddr, Running), Box<dyn std::error::Error>> {
    let bound = Server::builder().io_threads(1).max_connections(30_000).bind("127.0.0.1:0")?;
    let addr = bound.local_addr();
    let (small, medium) = (bytes(root, "8k.bin")?, bytes(root, "64k.bin")?);
    let large = Arc::new(File::open(root.join("2m.bin"))?);
    let length = large.metadata()?.len();
    let meter = Arc::new(std::sync::OnceLock::<larder_serve::Meter>::new());
    let of_handler = Arc::clone(&meter);
    let router = Router::new()
        .get("/8k.bin", move |_: Request| page(small.clone()).hot())
        .get("/64k.bin", move |_: Request| page(medium.clone()).hot())
        .get("/2m.bin", move |_: Request| Reply::file(Arc::clone(&large), 0, length).etag("1"))
        .get("/memo/{id}", |request: Request| answer(&request))
        .get("/kept/{id}", |request: Request| answer(&request).hot())
        .get("/busy", move |_: Request| {
            // The one that answers this is busy as well.
            let stats = of_handler.get().map(larder_serve::Meter::stats).unwrap_or_default();
            Reply::text(format!("{} {}\n", stats.busy_workers - 1, stats.queued))
        });
    let running = bound.start(router)?;
    let _ = meter.set(running.meter());
    Ok((addr, running))
}

fn bytes(root: &Path, name: &str) -> io::Result<Bytes> {
    std::fs::read(root.join(name)).map(Bytes::from)
}

fn page(body: Bytes) -> Reply {
    Reply::bytes("application/octet-stream", body).etag("1")
}

fn answer(request: &Request) -> Reply {
    let id = request.param("id").and_then(|id| id.parse().ok()).unwrap_or_default();
    Reply::text(memo::find(id))
}
