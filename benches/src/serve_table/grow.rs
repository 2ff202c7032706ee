//! How the cost of an answer grows with the connections that ask for it.

use std::io;

use larder_benches::table;

use crate::Plan;
use crate::load::{self, Load};
use crate::process::Server;
use crate::tally::median;

const CONNECTIONS: [usize; 4] = [1, 10, 100, 1000];

/// CPU a request of 8 KB from memory, as more and more connections ask.
pub fn grow(plan: &Plan, larder: &Server) -> io::Result<()> {
    let mut rows = vec![["connections", "cost", "requests/s"].map(String::from).to_vec()];
    for connections in CONNECTIONS {
        let load = Load { path: "/8k.bin", connections, time: plan.time };
        let run = |_| load::run(larder.addr, &load, &|| larder.cpu());
        let runs: Vec<_> = (0..plan.rounds.max(3)).map(run).collect::<io::Result<_>>()?;
        let of =
            |number: fn(&load::Ran) -> f64| median(&runs.iter().map(number).collect::<Vec<_>>());
        let (cpu_us, rate) = (of(load::Ran::cpu_us), of(load::Ran::rate));
        rows.push(vec![connections.to_string(), format!("{cpu_us:.3} us"), format!("{rate:.0}")]);
    }
    table::print("cost_serve/connections: an 8 KB answer, larder's CPU", &rows);
    Ok(())
}
