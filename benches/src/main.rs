//! Where larder leads and where it does not, in one command.
//!
//! ```text
//! cargo run --release -p larder-benches -- report [--quick] [--only memo,pool,...] [--out DIR]
//! ```

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((name, rest)) if name == "claims" => match larder_benches::claims::run(rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        _ => ExitCode::FAILURE,
    }
}
