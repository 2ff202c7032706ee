//! The rows of patience: connections that are idle, and clients that read slowly.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use larder_benches::{table, waits};

use crate::Plan;
use crate::crowd::{self, Idle, Slow};
use crate::load::{self, Load, Ran};
use crate::process::{self, Server};
use crate::tally::{at_least, at_most, median};

/// Idle keep-alive connections: what each costs, and what a newcomer feels of them.
pub fn idle(plan: &Plan, nginx: &[Server], root: &Path) -> io::Result<()> {
    let most = process::descriptors().saturating_sub(200);
    let n = plan.idle.min(most);
    if n < plan.idle {
        println!("\nthis machine allows {most} connections, not {}", plan.idle);
    }
    let own = ["larder", "axum"].map(|name| Server::own(name, root));
    let [larder, axum] = own;
    let (larder, axum) = (larder?, axum?);
    let head = ["server", "idle", "RSS each", "fresh request p50", "p99"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut ours = None;
    let files = std::iter::once(&larder).chain(nginx.first()).map(|server| (server, "/8k.bin"));
    for (server, path) in files.chain([(&axum, "/kept/7")]) {
        server.ask(path)?;
        let before = server.rss();
        let idle = Idle::gather(server.addr, path, n)?;
        thread::sleep(Duration::from_millis(200));
        let each = server.rss().saturating_sub(before) as f64 / n as f64;
        let waits = crowd::fresh(server.addr, path, 500)?;
        let [p50, p99, ..] = waits.cells();
        let (name, stay) = (server.name.clone(), idle.stay().to_string());
        rows.push(vec![name, stay, format!("{each:.0} B"), p50, p99]);
        ours.get_or_insert((each, waits.quantile(0.99)));
    }
    table::print("serve_idle: idle keep-alive connections", &rows);
    println!();
    if let Some((each, p99)) = ours {
        at_most("bytes each", each, 1024.0);
        at_most("ms of a fresh request, p99", p99.as_secs_f64() * 1e3, 5.0);
    }
    Ok(())
}

/// Slow readers of something large: what they cost, and what fast clients feel of them.
pub fn slow(plan: &Plan, nginx: &[Server], root: &Path) -> io::Result<()> {
    let larder = Server::own("larder", root)?;
    let servers: Vec<&Server> = std::iter::once(&larder).chain(nginx.first()).collect();
    let mut rounds: Vec<Vec<Round>> = servers.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.rounds {
        for (server, rounds) in servers.iter().zip(&mut rounds) {
            rounds.push(Round::run(plan, server)?);
        }
    }
    let head = [
        "server",
        "slow",
        "served",
        "fast alone",
        "beside",
        "kept",
        "CPU",
        "RSS each",
        "TCP memory each",
        "p99",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (server, rounds) in servers.iter().zip(&rounds) {
        let of = |what: fn(&Round) -> f64| median(&rounds.iter().map(what).collect::<Vec<_>>());
        rows.push(vec![
            server.name.clone(),
            plan.slow.to_string(),
            format!("{:.0}", of(|round| round.served as f64)),
            format!("{:.0}/s", of(|round| round.alone)),
            format!("{:.0}/s", of(|round| round.beside.rate())),
            format!("{:.2}", of(Round::kept)),
            format!("{:.2} -> {:.2} us", of(|r| r.cpu_us), of(|r| r.beside.cpu_us())),
            format!("{:.0} B", most(rounds)),
            format!("{:.0} kB", of(|round| round.tcp / 1e3)),
            waits::ms(Duration::from_secs_f64(of(|r| r.beside.waits.quantile(0.99).as_secs_f64()))),
        ]);
    }
    let title = "serve_slow: clients that read 2 MB at 1 kB/s, beside 16 fast ones that read 8 KB";
    table::print(title, &rows);
    println!();
    let Some(ours) = rounds.first() else { return Ok(()) };
    let kept: Vec<f64> = ours.iter().map(Round::kept).collect();
    let of_rounds: Vec<String> = kept.iter().map(|kept| format!("{kept:.2}")).collect();
    println!("- kept in each round: {}", of_rounds.join(", "));
    at_least("throughput that fast clients keep", median(&kept), 0.95);
    at_most("bytes of RSS a slow client", most(ours), 8192.0);
    match ours.iter().map(|round| round.busy).collect::<Option<Vec<f64>>>() {
        Some(busy) => {
            at_most("busy workers meanwhile", busy.into_iter().fold(0.0, f64::max), 0.0);
        }
        None => println!("- busy workers meanwhile: nobody answered (at most 0: MISSED)"),
    }
    Ok(())
}

/// Bytes of RSS a slow client: of the first round, as a rule, since what was taken then is there
/// for the next.
fn most(rounds: &[Round]) -> f64 {
    rounds.iter().map(|round| round.each).fold(0.0, f64::max)
}

/// Fast clients alone, beside slow ones, and alone again: the machine is quicker at one time than
/// at another, so that each share is of what was measured just before and after.
struct Round {
    /// Requests/s.
    alone: f64,
    cpu_us: f64,
    beside: Ran,
    /// Bytes of RSS a slow client.
    each: f64,
    /// Bytes that the kernel holds of the two ends of a slow client's connection.
    tcp: f64,
    busy: Option<f64>,
    /// Slow clients that were still being served at the end.
    served: usize,
}

impl Round {
    fn run(plan: &Plan, server: &Server) -> io::Result<Self> {
        let load = Load { path: "/8k.bin", connections: 16, time: plan.time / 2 };
        let run = || load::run(server.addr, &load, &|| server.cpu());
        let before = run()?;
        let (memory, tcp) = (server.rss(), tcp_memory()?);
        let crowd = Slow::gather(server.addr, "/2m.bin", plan.slow)?;
        thread::sleep(Duration::from_millis(1500));
        let beside = run()?;
        let each = server.rss().saturating_sub(memory) as f64 / plan.slow as f64;
        let tcp = tcp_memory()?.saturating_sub(tcp) as f64 / plan.slow as f64;
        let busy = busy(server);
        let served = crowd.leave();
        thread::sleep(Duration::from_millis(300));
        let after = run()?;
        let alone = f64::midpoint(before.rate(), after.rate());
        let cpu_us = f64::midpoint(before.cpu_us(), after.cpu_us());
        Ok(Self { alone, cpu_us, beside, each, tcp, busy, served })
    }

    fn kept(&self) -> f64 {
        self.beside.rate() / self.alone
    }
}

/// Bytes in the buffers of all TCP sockets of this machine.
fn tcp_memory() -> io::Result<u64> {
    let sockets = std::fs::read_to_string("/proc/net/sockstat")?;
    let line = sockets.lines().find(|line| line.starts_with("TCP:"));
    let pages = line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    Ok(pages.unwrap_or(0) * 4096)
}

/// Workers of larder that are busy, beside the one that says so.
fn busy(larder: &Server) -> Option<f64> {
    let answer = String::from_utf8(larder.ask("/busy").ok()?).ok()?;
    answer.split("\r\n\r\n").nth(1)?.split_whitespace().next()?.parse().ok()
}
