//! The rows of throughput: from memory, by descriptor, by worker, and the system calls of a hit.

use std::io;
use std::path::Path;

use larder_benches::table;

use crate::load::Load;
use crate::process::Server;
use crate::tally::{Tally, at_least, at_most, least, most, side_by_side};
use crate::{FILES, Plan};

/// Small and medium files from memory, at few and at many connections.
pub fn cached(
    plan: &Plan,
    larder: &Server,
    nginx: &[Server],
    apache: Option<&Server>,
    root: &Path,
) -> io::Result<()> {
    for (file, bytes) in &FILES[..2] {
        let floor = Server::own(&format!("loop {file}"), root)?;
        let path = format!("/{file}");
        for connections in [32, 256] {
            let kb = bytes / 1024;
            let group = format!("serve_cached_{kb}k_{connections}");
            let title = format!("{group}: {kb} KB cached, {connections} connections");
            let mut servers = vec![(larder, path.as_str()), (&floor, path.as_str())];
            servers.extend(nginx.iter().map(|server| (server, path.as_str())));
            let apache = apache.map(|server| (server, path.as_str()));
            let tallies = with_apache(&title, plan, &servers, apache, connections)?;
            let [larder, floor, peers @ ..] = &tallies[..] else { continue };
            beside_nginx(larder, &peers[..nginx.len()], 0.85);
            at_most("CPU beside the loop's", larder.cpu_us() / floor.cpu_us(), 1.15);
        }
    }
    Ok(())
}

/// Apache, too, if it bears the load: who closes connections that ask again has no row.
fn with_apache<'s>(
    title: &str,
    plan: &Plan,
    servers: &[(&'s Server, &str)],
    apache: Option<(&'s Server, &str)>,
    connections: usize,
) -> io::Result<Vec<Tally<'s>>> {
    let all: Vec<_> = servers.iter().copied().chain(apache).collect();
    match side_by_side(title, plan, &all, connections) {
        Err(error) if error.to_string().starts_with("apache") => {
            println!("\n{error}: it is left out");
            side_by_side(title, plan, servers, connections)
        }
        tallies => tallies,
    }
}

fn beside_nginx(larder: &Tally<'_>, nginx: &[Tally<'_>], cpu: f64) {
    if nginx.is_empty() {
        return;
    }
    at_most("CPU beside nginx's", larder.cpu_us() / least(nginx, Tally::cpu_us), cpu);
    let requests_s = larder.requests_s() / most(nginx, Tally::requests_s);
    at_least("requests/s beside nginx's", requests_s, 1.0);
    at_most("p99 beside nginx's", larder.p99_ms() / least(nginx, Tally::p99_ms), 1.0);
}

/// A large file by its descriptor.
pub fn file(plan: &Plan, larder: &Server, nginx: &[Server]) -> io::Result<()> {
    let mut servers = vec![(larder, "/2m.bin")];
    servers.extend(nginx.iter().map(|server| (server, "/2m.bin")));
    let title = "serve_file_2m: 2 MB by descriptor, 16 connections";
    let tallies = side_by_side(title, plan, &servers, 16)?;
    if let [larder, nginx @ ..] = &tallies[..] {
        beside_nginx(larder, nginx, 1.0);
    }
    Ok(())
}

/// A blocking handler that asks a memo, beside our own fast path and beside the peers.
pub fn workers(plan: &Plan, larder: &Server, root: &Path) -> io::Result<()> {
    let axum = Server::own("axum", root)?;
    let tiny = ["tiny_http 1", "tiny_http 8"].map(|name| Server::own(name, root));
    let [one, eight] = tiny;
    let (one, eight) = (one?, eight?);
    let memo = "/memo/7";
    let servers =
        [(larder, memo), (larder, "/kept/7"), (&axum, memo), (&one, memo), (&eight, memo)];
    let title = "serve_workers: a blocking handler with one memo hit, 32 connections \
                 (larder by a worker, then by its fast path; tiny_http by 1 and by 8 threads)";
    let tallies = side_by_side(title, plan, &servers, 32)?;
    let [worker, fast, axum, tiny @ ..] = &tallies[..] else { return Ok(()) };
    let of = |tally: &Tally<'_>| worker.requests_s() / tally.requests_s();
    at_least("requests/s beside our own fast path", of(fast), 0.5);
    at_least("requests/s beside axum with spawn_blocking", of(axum), 1.5);
    let tiny = worker.requests_s() / most(tiny, Tally::requests_s);
    at_least("requests/s beside tiny_http at its best", tiny, 3.0);
    Ok(())
}

/// System calls of a hit.
pub fn calls(plan: &Plan, larder: &Server, nginx: &[Server]) -> io::Result<()> {
    let head = ["server", "connections", "system calls a request", "of these waits"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut ours = 0.0;
    for connections in [32, 256] {
        for server in std::iter::once(larder).chain(nginx) {
            let load = Load { path: "/8k.bin", connections, time: plan.time };
            let calls = match crate::calls::count(server, &load) {
                Ok(calls) => calls,
                Err(error) => {
                    println!("\nsystem calls are not counted: perf: {error}");
                    return Ok(());
                }
            };
            let numbers = [calls.all, calls.waits].map(|number| format!("{number:.3}"));
            rows.push([&[server.name.clone(), connections.to_string()], &numbers[..]].concat());
            if std::ptr::eq(server, larder) {
                ours = f64::max(ours, calls.all - calls.waits);
            }
        }
    }
    table::print("serve_calls: system calls of an 8 KB hit", &rows);
    println!();
    // Two, and what it takes to accept the connections, which are counted as well.
    at_most("calls beside waits", ours, 2.1);
    Ok(())
}
