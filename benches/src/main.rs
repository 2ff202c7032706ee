//! Where larder leads and where it does not.
//!
//! ```text
//! cargo run --release -p larder-benches -- report [--quick] [--only memo,pool,...] [--out DIR]
//! ```

#![forbid(unsafe_code)]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use larder_benches::report;

/// larder beside its peers.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the benchmarks; one table, pictures and all numbers in benches/results/<date>.
    Report {
        /// Numbers that are good enough to see who leads, in a few minutes.
        #[arg(long)]
        quick: bool,
        /// Parts (memo, vars, pool, files, thumbs, sessions, serve, cost) or single benchmarks.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Write there instead.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Report { quick, only, out } => {
            report::run(&report::Options { is_quick: quick, only, out })
        }
    }
}
