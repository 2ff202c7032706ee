//! Servers side by side: larder, nginx, Apache, a loop that parses nothing, axum and `tiny_http`.
//!
//! ```text
//! cargo run --release -p larder-benches --bin serve-table -- [--quick] [GROUP...]
//! ```
//!
//! Each server is a process of its own on the first core, its clients are threads on the second.
//! Rounds alternate between the servers of a row and medians are compared. Server CPU is user and
//! system time of the server's processes. nginx has one worker, and is measured at its two best
//! settings; what is not installed is named and left out. Groups: `cached`, `file`, `workers`,
//! `calls`, `idle`, `slow`, `heads`, `grow`. `--json=FILE` appends each number to a file as well.

#![forbid(unsafe_code)]

mod apache;
mod calls;
mod canned;
mod delivery;
mod endurance;
mod grow;
mod heads;
mod larder;
mod memo;
mod peers;
mod process;
mod tally;

use std::error::Error;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use larder_benches::load::{closed as load, crowd};
use process::Server;

/// How long to measure.
pub struct Plan {
    rounds: usize,
    time: Duration,
    idle: usize,
    slow: usize,
}

const FULL: Plan = Plan { rounds: 5, time: Duration::from_secs(2), idle: 10_000, slow: 2000 };
const QUICK: Plan = Plan { rounds: 3, time: Duration::from_millis(400), idle: 2000, slow: 300 };

const FILES: [(&str, usize); 3] = [("8k.bin", 8192), ("64k.bin", 65_536), ("2m.bin", 2 << 20)];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", name, root] => serve(name, Path::new(root)),
        _ => measure(&args),
    }
}

/// The server half: says where it listens, and ends when its standard input does.
fn serve(name: &str, root: &Path) -> Result<(), Box<dyn Error>> {
    let (addr, running): (SocketAddr, _) = match name.split_once(' ') {
        None if name == "larder" => {
            let (addr, running) = larder::start(root)?;
            (addr, Some(running))
        }
        None if name == "axum" => (peers::start_axum()?, None),
        Some(("loop", file)) => (canned::start(root, file)?, None),
        Some(("tiny_http", threads)) => (peers::start_tiny_http(threads.parse()?)?, None),
        _ => return Err(format!("there is no server called {name}").into()),
    };
    println!("{addr}");
    io::stdin().read_to_end(&mut Vec::new())?;
    drop(running);
    std::process::exit(0)
}

fn measure(args: &[String]) -> Result<(), Box<dyn Error>> {
    let plan = if args.iter().any(|arg| arg == "--quick") { QUICK } else { FULL };
    let groups: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |group: &str| groups.is_empty() || groups.iter().any(|wanted| *wanted == group);
    let dir = tempfile::tempdir()?;
    // nginx's worker may be somebody else, who must get in.
    let root = dir.path().join("root");
    std::fs::create_dir(&root)?;
    for (name, bytes) in FILES {
        let noise: Vec<u8> = (0..bytes).map(|at| (at * 7 + at / 251) as u8).collect();
        std::fs::write(root.join(name), noise)?;
    }
    process::raise_descriptors()?;
    process::confine(1)?;
    let larder = Server::own("larder", &root)?;
    let nginx = nginx(&root)?;
    if wanted("cached") {
        let apache = apache::start(&root)?;
        delivery::cached(&plan, &larder, &nginx, apache.as_ref(), &root)?;
    }
    if wanted("file") {
        delivery::file(&plan, &larder, &nginx)?;
    }
    if wanted("workers") {
        delivery::workers(&plan, &larder, &root)?;
    }
    if wanted("calls") {
        delivery::calls(&plan, &larder, &nginx)?;
    }
    if wanted("grow") {
        grow::grow(&plan, &larder)?;
    }
    if wanted("idle") {
        endurance::idle(&plan, &nginx, &root)?;
    }
    if wanted("slow") {
        endurance::slow(&plan, &nginx, &root)?;
    }
    if wanted("heads") {
        heads::heads(&plan, &nginx, &root)?;
    }
    Ok(())
}

/// nginx at its two best settings; none if it is not there.
fn nginx(root: &Path) -> io::Result<Vec<Server>> {
    let sendfile = "sendfile on; tcp_nopush on;";
    let buffered = "sendfile off; output_buffers 2 128k;";
    let modes = [("nginx sendfile", sendfile), ("nginx buffered", buffered)];
    let start = |(name, mode): &(&str, &str)| Server::nginx(name, root, mode);
    match modes.iter().map(start).collect() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("nginx is not installed: its rows are missing");
            Ok(Vec::new())
        }
        servers => servers,
    }
}
