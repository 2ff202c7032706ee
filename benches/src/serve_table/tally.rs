//! What is measured of a server, as a row of a table, and what two of them say together.

use std::io;

use larder_benches::table;

use crate::Plan;
use crate::load::{self, Load};
use crate::process::Server;

/// The rounds of one server in one row.
pub struct Tally<'s> {
    pub server: &'s Server,
    requests_s: Vec<f64>,
    cpu_us: Vec<f64>,
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
    rss: u64,
}

impl<'s> Tally<'s> {
    fn new(server: &'s Server) -> Self {
        let [requests_s, cpu_us, p50_ms, p99_ms] = [const { Vec::new() }; 4];
        Self { server, requests_s, cpu_us, p50_ms, p99_ms, rss: 0 }
    }

    fn round(&mut self, load: &Load<'_>) -> io::Result<()> {
        let ran = load::run(self.server.addr, load, &|| self.server.cpu())
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", self.server.name)))?;
        self.requests_s.push(ran.rate());
        self.cpu_us.push(ran.cpu_us());
        let ms = |quantile| ran.waits.quantile(quantile).as_secs_f64() * 1e3;
        self.p50_ms.push(ms(0.5));
        self.p99_ms.push(ms(0.99));
        self.rss = self.rss.max(self.server.rss());
        Ok(())
    }

    /// Median of the rounds.
    pub fn requests_s(&self) -> f64 {
        median(&self.requests_s)
    }

    /// Median of the rounds, in microseconds a request.
    pub fn cpu_us(&self) -> f64 {
        median(&self.cpu_us)
    }

    /// Median of the rounds: a moment in which the machine did something else is in the tail of
    /// one round, and would be in that of all of them together.
    pub fn p99_ms(&self) -> f64 {
        median(&self.p99_ms)
    }

    fn cells(&self, label: String) -> Vec<String> {
        let [p50, p99] = [median(&self.p50_ms), self.p99_ms()].map(|ms| format!("{ms:.2} ms"));
        let numbers = [format!("{:.0}", self.requests_s()), format!("{:.2} us", self.cpu_us())];
        let rss = format!("{:.1} MB", self.rss as f64 / 1e6);
        [vec![label], numbers.to_vec(), vec![p50, p99, rss]].concat()
    }
}

/// Runs a load on each server in turn, as often as the plan says, and prints their rows.
pub fn side_by_side<'s>(
    title: &str,
    plan: &Plan,
    servers: &[(&'s Server, &str)],
    connections: usize,
) -> io::Result<Vec<Tally<'s>>> {
    let mut tallies: Vec<_> = servers.iter().map(|(server, _)| Tally::new(server)).collect();
    for _ in 0..plan.rounds {
        for (tally, (_, path)) in tallies.iter_mut().zip(servers) {
            tally.round(&Load { path, connections, time: plan.time })?;
        }
    }
    let head = ["server", "requests/s", "CPU a request", "p50", "p99", "RSS"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (nth, (tally, (server, path))) in tallies.iter().zip(servers).enumerate() {
        let is_again = servers[..nth].iter().any(|(other, _)| other.name == server.name);
        let label = if is_again { format!("{} {path}", server.name) } else { server.name.clone() };
        rows.push(tally.cells(label));
    }
    table::print(title, &rows);
    println!();
    Ok(tallies)
}

/// Says whether a number keeps to what it is to keep to.
pub fn verdict(what: &str, number: f64, holds: bool, bound: &str) {
    let met = if holds { "met" } else { "MISSED" };
    println!("- {what}: {number:.2} ({bound}: {met})");
}

pub fn at_most(what: &str, number: f64, bound: f64) {
    verdict(what, number, number <= bound, &format!("at most {bound}"));
}

pub fn at_least(what: &str, number: f64, bound: f64) {
    verdict(what, number, number >= bound, &format!("at least {bound}"));
}

pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least of what the tallies have: the best peer is the one to beat.
pub fn least<'s>(tallies: &[Tally<'s>], of: impl Fn(&Tally<'s>) -> f64) -> f64 {
    tallies.iter().map(of).fold(f64::NAN, f64::min)
}

/// The most of what the tallies have.
pub fn most<'s>(tallies: &[Tally<'s>], of: impl Fn(&Tally<'s>) -> f64) -> f64 {
    tallies.iter().map(of).fold(f64::NAN, f64::max)
}
