//! Do slow downloads hold the threads that do the work?
//!
//! Four workers; slow clients that ask for 8 MB and read a kilobyte of it each second; and fast
//! ones that ask for a small page, each time on a new connection, so that no worker is theirs.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::chart::{Chart, Shape};
use super::child::{Child, on_core};
use super::claim::{Beside, Claim, Part, Table};
use super::{Outcome, Scale, measure};
use crate::load::crowd::{Slow, read_answer};

const WORKERS: &str = "4";
const FAST: usize = 8;
/// A fast client does not wait longer than this, and then was not served.
const PATIENCE: Duration = Duration::from_millis(500);
const THREADS: &str = "a thread a connection, 4 threads";
const MANY: &str = "the same with 128 threads";
const LARDER: &str = "larder, 4 workers";
const SERVERS: [(&str, [&str; 2]); 3] =
    [(THREADS, ["pool", WORKERS]), (MANY, ["pool", "128"]), (LARDER, ["larder", WORKERS])];
/// What fast clients ask for, and what that is.
const PAGES: [(&str, &str); 2] = [("/waits", "waits 2 ms"), ("/small", "waits for nothing")];

/// Runs the experiment.
pub fn run(scale: Scale) -> Outcome<Claim> {
    let words = "Slow downloads do not hold worker threads when the delivery is elsewhere";
    let source = "mailing lists on Zope and its server Medusa, date and author not recorded";
    let mut claim = Claim::new(2, "slow", words, source);
    claim.setup = format!(
        "{WORKERS} workers on one core. Slow clients read an answer of 8 MB at 1 kB/s. {FAST} fast \
         clients, on the other core, each ask for 8 KB on a new connection, again and again, and \
         give up after {} ms. The handler of their page waits 2 ms first, as for a query, or it \
         does not. A thread a connection: it accepts, reads, answers until the last byte is with \
         the kernel, and accepts again. larder: the handler returns the answer, and an I/O thread \
         delivers it.",
        PATIENCE.as_millis()
    );
    let columns =
        [("slow clients", 0), ("fast served/s", 0), ("kept", 2), ("p99 ms", 2), ("given up", 0)];
    let mut lines = Vec::new();
    for (path, page) in PAGES {
        let title = format!("Fast clients beside slow ones; the page {page}");
        let mut table = Table::new(title, "server, slow", &columns);
        for (name, args) in SERVERS {
            let points = one(scale, &mut table, name, &args, path)?;
            if path == PAGES[0].0 {
                lines.push((name.to_owned(), points));
            }
        }
        claim.tables.push(table);
    }
    judge(&mut claim);
    claim.chart = Some(Chart {
        title: format!("Fast clients served, beside slow ones; the page {}", PAGES[0].1),
        value: "requests/s".into(),
        shape: Shape::Lines("slow clients".into(), lines),
    });
    Ok(claim)
}

/// Measures one server with more and more slow clients.
fn one(
    scale: Scale,
    table: &mut Table,
    name: &str,
    args: &[&str],
    path: &str,
) -> Outcome<Vec<(f64, f64)>> {
    let crowds = scale.pick(&[0, 1, 2, 4, 16, 64][..], &[0, 2, 4, 64]);
    let time = scale.time(2000, 600);
    let mut alone = f64::NAN;
    let mut points = Vec::new();
    for &count in crowds {
        // A server of its own for each crowd: what the last one left behind is not measured.
        let server = Child::start(&[&["serve"], args].concat())?;
        let addr = server.line().parse()?;
        let crowd = Slow::gather(addr, "/large", count)?;
        // Until the kernel has all that it takes; while its buffers grow, everyone waits for it.
        let settle_ms = 50 + 25 * count as u64;
        std::thread::sleep(Duration::from_millis(settle_ms.min(1500)));
        let fast = on_core(1, || fast(addr, path, time))??;
        drop(crowd);
        if count == 0 {
            alone = fast.rate;
        }
        let kept = fast.rate / alone;
        let numbers = [count as f64, fast.rate, kept, fast.p99_ms, fast.given_up as f64];
        table.push(row(name, count), &numbers);
        if count > 0 {
            // Nobody served has no logarithm, but is a point all the same.
            points.push((count as f64, fast.rate.max(0.1)));
        }
    }
    Ok(points)
}

fn row(name: &str, slow: usize) -> String {
    format!("{name}, {slow}")
}

struct Fast {
    rate: f64,
    p99_ms: f64,
    given_up: u64,
}

fn fast(addr: SocketAddr, path: &str, time: Duration) -> io::Result<Fast> {
    let given_up = std::sync::atomic::AtomicU64::new(0);
    let ran = measure::again(FAST, time, |_, _| {
        let began = Instant::now();
        match ask(addr, path) {
            Err(_) if began.elapsed() >= PATIENCE => {
                given_up.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok(())
            }
            asked => asked,
        }
    })?;
    let given_up = given_up.into_inner();
    let served = (ran.count - given_up) as f64;
    Ok(Fast { rate: served / ran.time.as_secs_f64(), p99_ms: ran.ms(0.99), given_up })
}

/// Asks for a page on a connection of its own.
fn ask(addr: SocketAddr, path: &str) -> io::Result<()> {
    let mut socket = TcpStream::connect(addr)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes())?;
    let answer = read_answer(&mut socket)?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a 200"));
    }
    Ok(())
}

fn judge(claim: &mut Claim) {
    let at = |page: usize, server: &str, slow, column| {
        claim.tables.get(page).map_or(f64::NAN, |table| table.at(&row(server, slow), column))
    };
    let mut parts = vec![
        Part::at_most(
            0.05,
            "of their rate, what fast clients keep beside 4 slow ones, one for each thread",
            at(0, THREADS, 4, "kept"),
        ),
        Part::at_most(
            0.8,
            "the same beside 2 slow ones, half of the threads",
            at(0, THREADS, 2, "kept"),
        ),
    ];
    let mut beside = Vec::new();
    for (nth, (_, page)) in PAGES.iter().enumerate() {
        let what = format!("delivery elsewhere, 64 slow ones, what they keep; the page {page}");
        parts.push(Part::at_least(0.9, what, at(nth, LARDER, 64, "kept")));
        for (name, slow) in [(THREADS, 0), (THREADS, 64), (MANY, 64)] {
            let what = format!("requests/s beside {slow} slow clients; the page {page}");
            let numbers = [LARDER, name].map(|server| at(nth, server, slow, "fast served/s"));
            beside.push(Beside::more(what, numbers[0], name, numbers[1]));
        }
    }
    claim.parts.extend(parts);
    claim.beside.extend(beside);
}

#[cfg(test)]
mod tests {
    use super::super::claim::Verdict;
    use super::*;

    fn judged(threads: [f64; 2], larder: f64) -> Verdict {
        let mut claim = Claim::new(2, "slow", "", "");
        for _ in PAGES {
            let mut table = Table::new("t", "server", &[("kept", 2)]);
            table.push(row(THREADS, 2), &[threads[0]]);
            table.push(row(THREADS, 4), &[threads[1]]);
            table.push(row(LARDER, 64), &[larder]);
            claim.tables.push(table);
        }
        judge(&mut claim);
        claim.verdict()
    }

    #[test]
    fn delivery_that_is_held_up_contradicts_it() {
        assert_eq!(judged([0.5, 0.0], 1.0), Verdict::Holds);
        assert_eq!(judged([0.5, 0.0], 0.5), Verdict::HoldsInPart);
        assert_eq!(judged([1.0, 1.0], 0.5), Verdict::DoesNotHold);
    }
}
