//! The row of heads that never end: what fast clients feel of those who send a byte a second.
//!
//! Alone, beside, alone, as with the slow readers. A server may cut the slow ones off in the
//! meantime: larder after its time for a head, nginx after a minute. Both are later than the
//! measured time ends, so `waiting` says that they were there all the while.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use larder_benches::load::heads::{Patience, SlowHeads};
use larder_benches::table;

use crate::Plan;
use crate::load::{self, Load, Ran};
use crate::process::Server;
use crate::tally::at_least;

/// Whatever happens, nobody sends heads for longer.
const MOST: Duration = Duration::from_secs(60);
/// Until all have sent a byte, and the server has dealt with it.
const SETTLED: Duration = Duration::from_millis(1500);

/// Prints what fast clients keep beside heads that never end.
pub fn heads(plan: &Plan, nginx: &[Server], root: &Path) -> io::Result<()> {
    let larder = Server::own("larder", root)?;
    let head = ["server", "heads", "waiting", "fast alone", "beside", "kept", "RSS each"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut ours = None;
    for server in std::iter::once(&larder).chain(nginx.first()) {
        let load = Load { path: "/8k.bin", connections: 16, time: plan.time };
        let cpu = || server.cpu();
        let before = load::run(server.addr, &load, &cpu)?;
        let memory = server.rss();
        let (during, patience, rss) =
            beside(server.addr, plan.slow, &load, &cpu, SETTLED, &|| {
                server.rss().saturating_sub(memory)
            })?;
        thread::sleep(Duration::from_millis(300));
        let after = load::run(server.addr, &load, &cpu)?;
        let alone = f64::midpoint(before.rate(), after.rate());
        let kept = during.rate() / alone;
        rows.push(vec![
            server.name.clone(),
            plan.slow.to_string(),
            patience.waiting.to_string(),
            format!("{alone:.0}/s"),
            format!("{:.0}/s", during.rate()),
            format!("{kept:.2}"),
            format!("{:.0} B", rss as f64 / plan.slow as f64),
        ]);
        ours.get_or_insert(kept);
    }
    let title = "serve_heads: heads of a byte a second, beside 16 fast clients that read 8 KB";
    table::print(title, &rows);
    println!();
    if let Some(kept) = ours {
        at_least("throughput that fast clients keep", kept, 0.95);
    }
    Ok(())
}

/// Runs the fast clients while so many heads trickle, and looks at the server before they leave.
fn beside(
    addr: SocketAddr,
    heads: usize,
    load: &Load<'_>,
    cpu: &dyn Fn() -> Duration,
    settled: Duration,
    look: &dyn Fn() -> u64,
) -> io::Result<(Ran, Patience, u64)> {
    let crowd = SlowHeads::gather(addr, heads, MOST)?;
    thread::sleep(settled);
    let ran = load::run(addr, load, cpu)?;
    let seen = look();
    Ok((ran, crowd.leave(), seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_wait_while_others_are_answered() {
        let root = tempfile::tempdir().unwrap();
        for (name, _) in crate::FILES {
            std::fs::write(root.path().join(name), [b'x'; 100]).unwrap();
        }
        let (addr, _running) = crate::larder::start(root.path()).unwrap();
        let load = Load { path: "/8k.bin", connections: 2, time: Duration::from_millis(1) };
        let cpu = || Duration::ZERO;
        let (ran, patience, seen) = beside(addr, 3, &load, &cpu, Duration::ZERO, &|| 7).unwrap();
        assert!(ran.all > 0 && seen == 7);
        assert_eq!(patience.waiting + patience.cut, 3);
    }
}
