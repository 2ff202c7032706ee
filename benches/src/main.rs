//! Where larder leads and where it does not; and whether what people wrote of old holds.
//!
//! ```text
//! cargo run --release -p larder-benches -- report [--quick] [--only memo,pool,...] [--draw] [--out DIR]
//! cargo run --release -p larder-benches -- claims [--quick] [--only 2,7] [--out DIR]
//! ```

#![forbid(unsafe_code)]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use larder_benches::{claims, report};

/// larder beside its peers, and the claims of old as experiments.
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
        /// Run nothing: make the page and the pictures anew from the numbers that are there.
        #[arg(long)]
        draw: bool,
        /// Write there instead.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Put what people wrote of old to the test; verdicts, pictures and numbers in the same place.
    Claims {
        /// Numbers that are good enough for a verdict, in some minutes.
        #[arg(long)]
        quick: bool,
        /// The numbers of claims, as 2,7.
        #[arg(long, value_delimiter = ',')]
        only: Vec<usize>,
        /// Write there instead.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// What a claim runs as a process of its own, to look at it from outside.
    #[command(hide = true)]
    Half {
        name: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
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
        Command::Report { quick, only, draw, out } => {
            report::run(&report::Options { is_quick: quick, only, is_drawn_only: draw, out })
        }
        Command::Claims { quick, only, out } => {
            claims::run(&claims::Options { is_quick: quick, only, out })
        }
        Command::Half { name, arguments } => claims::half(&name, &arguments),
    }
}
