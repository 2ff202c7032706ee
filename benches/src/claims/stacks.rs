//! What does a stack per connection cost?
//!
//! Connections that have asked once and stay, beside a few that are busy: the memory of the server
//! by its number of idle connections, and what the busy ones get.

use super::chart::{Chart, Shape};
use super::child::{Child, kernel_stacks, on_core};
use super::claim::{Beside, Claim, Part, Table};
use super::{Outcome, Scale};
use crate::load::closed::{Load, run as run_load};
use crate::load::crowd::Idle;

const THREADS: &str = "a thread a connection";
const LARDER: &str = "larder, worker path";
const HOT: &str = "larder, fast path";
const AXUM: &str = "event-driven (axum)";
const BUSY: usize = 16;
const CROWDS: [usize; 3] = [100, 1000, 10_000];

/// Name, arguments, and what its busy clients ask for.
const SERVERS: [(&str, &[&str], &str); 4] = [
    (THREADS, &["threads"], "/small"),
    (LARDER, &["larder", "8"], "/small"),
    (HOT, &["larder", "8"], "/hot"),
    (AXUM, &["axum"], "/small"),
];

/// Runs the experiment.
pub fn run(scale: Scale) -> Outcome<Claim> {
    let words = "A stack per connection costs";
    let source = "httpd developers' mailing list, 2000, Dean Gaudet (who designed the hybrid MPM)";
    let mut claim = Claim::new(7, "stacks", words, source);
    claim.setup = format!(
        "Each server is a process on one core. Idle connections ask once for 8 KB and stay; then \
         {BUSY} busy ones ask for the same, by an event loop on the other core. Memory is what the \
         server has resident and not from files, its page tables, and the kernel's stacks of its \
         threads, above what there was before. Threads have the standard library's stacks: 2 MiB of addresses, of \
         which only what was touched is memory. larder has one I/O thread and 8 workers."
    );
    let columns = [
        ("idle", 0),
        ("bytes each", 0),
        ("of these kernel stack", 0),
        ("requests/s", 0),
        ("p99 ms", 3),
        ("CPU us a request", 2),
    ];
    let mut table =
        Table::new(format!("{BUSY} busy connections beside idle ones"), "server", &columns);
    let mut lines = Vec::new();
    for (name, args, path) in SERVERS {
        let mut points = Vec::new();
        for idle in CROWDS {
            let numbers = one(scale, args, path, idle)?;
            points.push((idle as f64, numbers[1] * idle as f64));
            table.push(format!("{name}, {idle} idle"), &numbers);
        }
        lines.push((name.to_owned(), points));
    }
    judge(&mut claim, &table);
    // Both of larder's have the same connections.
    lines.retain(|(name, _)| name != HOT);
    claim.chart = Some(Chart {
        title: "Memory of idle connections".into(),
        value: "bytes in all".into(),
        shape: Shape::Lines("idle connections".into(), lines),
    });
    claim.tables.push(table);
    Ok(claim)
}

fn one(scale: Scale, args: &[&str], path: &str, idle: usize) -> Outcome<[f64; 6]> {
    let server = Child::start(&[&["serve"], args].concat())?;
    let addr = server.line().parse()?;
    // What the first few need is not the price of a connection.
    drop(Idle::gather(addr, path, 4)?);
    let (memory, stacks) = (server.memory(), kernel_stacks());
    let crowd = Idle::gather(addr, path, idle)?;
    let each = |now: u64, before: u64| now.saturating_sub(before) as f64 / idle as f64;
    let stack = each(kernel_stacks(), stacks);
    let bytes = each(server.memory(), memory) + stack;
    let load = Load { path, connections: BUSY, time: scale.time(2500, 700) };
    let ran = on_core(1, || run_load(addr, &load, &|| server.cpu()))??;
    let stay = crowd.stay();
    if stay < idle {
        return Err(format!("{args:?} closed {} idle connections", idle - stay).into());
    }
    let p99_ms = ran.waits.quantile(0.99).as_secs_f64() * 1e3;
    Ok([idle as f64, bytes, stack, ran.rate(), p99_ms, ran.cpu_us()])
}

fn judge(claim: &mut Claim, table: &Table) {
    let at =
        |server: &str, idle: usize, column| table.at(&format!("{server}, {idle} idle"), column);
    let [few, many, most] = CROWDS;
    for idle in [many, most] {
        claim.parts.push(Part::at_least(
            4.0,
            format!("memory of a thread's connection over larder's, {idle} idle"),
            at(THREADS, idle, "bytes each") / at(LARDER, idle, "bytes each").max(1.0),
        ));
    }
    claim.parts.push(Part::at_least(
        4.0,
        format!("the same over the event-driven server's, {most} idle"),
        at(THREADS, most, "bytes each") / at(AXUM, most, "bytes each").max(1.0),
    ));
    claim.parts.push(Part::at_most(
        0.9,
        format!("throughput of threads at {most} idle over that at {few}"),
        at(THREADS, most, "requests/s") / at(THREADS, few, "requests/s"),
    ));
    claim.parts.push(Part::at_most(
        0.9,
        format!("throughput of threads over the hybrid's fast path, {most} idle"),
        at(THREADS, most, "requests/s") / at(HOT, most, "requests/s"),
    ));
    for (name, column) in [(THREADS, "requests/s"), (AXUM, "requests/s")] {
        for ours in [LARDER, HOT] {
            let what = format!("requests/s beside {most} idle ({ours})");
            let numbers = (at(ours, most, column), at(name, most, column));
            claim.beside.push(Beside::more(what, numbers.0, name, numbers.1));
        }
    }
    for name in [THREADS, AXUM] {
        let bytes = |server| at(server, most, "bytes each");
        claim.beside.push(Beside::less(
            "bytes an idle connection",
            bytes(LARDER),
            name,
            bytes(name),
        ));
    }
}
