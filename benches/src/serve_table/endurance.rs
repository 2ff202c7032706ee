//! The rows of patience: connections that are idle, and clients that read slowly.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use larder_benches::{table, waits};

use crate::Plan;
use crate::crowd::{self, Idle, Slow};
use crate::load::{self, Load};
use crate::process::{self, Server};
use crate::tally::{at_least, at_most};

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
    let head =
        ["server", "slow", "served", "fast alone", "beside", "kept", "CPU", "RSS each", "p99"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut ours = None;
    for server in std::iter::once(&larder).chain(nginx.first()) {
        let load = Load { path: "/8k.bin", connections: 16, time: plan.time };
        let run = || load::run(server.addr, &load, &|| server.cpu());
        // Alone, beside, alone: what the machine does meanwhile is shared out.
        let before = run()?;
        let memory = server.rss();
        let crowd = Slow::gather(server.addr, "/2m.bin", plan.slow)?;
        thread::sleep(Duration::from_millis(1500));
        let beside = run()?;
        let each = server.rss().saturating_sub(memory) as f64 / plan.slow as f64;
        let busy = busy(server);
        let served = crowd.leave();
        thread::sleep(Duration::from_millis(300));
        let after = run()?;
        let alone = f64::midpoint(before.rate(), after.rate());
        let kept = beside.rate() / alone;
        rows.push(vec![
            server.name.clone(),
            plan.slow.to_string(),
            served.to_string(),
            format!("{alone:.0}/s"),
            format!("{:.0}/s", beside.rate()),
            format!("{kept:.2}"),
            format!("{:.2} -> {:.2} us", before.cpu_us(), beside.cpu_us()),
            format!("{each:.0} B"),
            waits::ms(beside.waits.quantile(0.99)),
        ]);
        ours.get_or_insert((kept, each, busy));
    }
    let title = "serve_slow: clients that read 2 MB at 1 kB/s, beside 16 fast ones that read 8 KB";
    table::print(title, &rows);
    println!();
    let Some((kept, each, busy)) = ours else { return Ok(()) };
    at_least("throughput that fast clients keep", kept, 0.95);
    at_most("bytes of RSS a slow client", each, 8192.0);
    match busy {
        Some(busy) => at_most("busy workers meanwhile", busy, 0.0),
        None => println!("- busy workers meanwhile: nobody answered (at most 0: MISSED)"),
    }
    Ok(())
}

/// Workers of larder that are busy, beside the one that says so.
fn busy(larder: &Server) -> Option<f64> {
    let answer = String::from_utf8(larder.ask("/busy").ok()?).ok()?;
    answer.split("\r\n\r\n").nth(1)?.split_whitespace().next()?.parse().ok()
}
