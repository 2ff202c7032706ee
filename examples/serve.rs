//! Serves the files of a folder: `cargo run --release --example serve -- DIR [ADDR]`.
//!
//! Small files are answered from memory by the I/O thread after the first request, large ones by
//! `sendfile`. `/worker` is answered by a worker each time.

use std::env;
use std::error::Error;
use std::fs::File;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use larder_serve::http::StatusCode;
use larder_serve::{Reply, Request, Router, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let root = PathBuf::from(args.next().unwrap_or_else(|| ".".into())).canonicalize()?;
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let bound = Server::builder().io_threads(1).bind(&*addr)?;
    println!("listening on http://{}", bound.local_addr());
    let router = Router::new()
        .get("/worker", |_: Request| Reply::text("a worker says hello\n"))
        .get("/{*path}", move |request: Request| serve(&root, &request));
    let server = bound.start(router)?;
    server.stop_on_signals()?;
    let meter = server.meter();
    server.join();
    println!("{:#?}", meter.stats());
    Ok(())
}

fn serve(root: &Path, request: &Request) -> Reply {
    let relative = Path::new(request.param("path").unwrap_or_default());
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return Reply::status(StatusCode::NOT_FOUND);
    }
    answer(&root.join(relative)).unwrap_or_else(|_| Reply::status(StatusCode::NOT_FOUND))
}

fn answer(path: &Path) -> std::io::Result<Reply> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Ok(Reply::status(StatusCode::NOT_FOUND));
    }
    let modified = meta.modified()?;
    let content_type = match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    };
    let reply = Reply::file(Arc::new(file), 0, meta.len());
    Ok(reply.content_type(content_type).last_modified(modified).hot())
}
