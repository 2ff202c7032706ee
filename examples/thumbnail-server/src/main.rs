//! Photographs in, a gallery out: every larder crate on one hot path.
//!
//! ```text
//! request -> serve (I/O thread) -- in memory --> writev
//!                |
//!                +-> worker: memo -> pool -> SQLite, files -> thumbs -> reply by descriptor
//! ```
//!
//! | module | is |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`places`] | the folder of photographs and the data folder, checked and claimed |
//! | [`sample`] | the pictures drawn where no photographs are given |
//! | [`library`], [`import`] | the SQLite table of photographs, and how it follows the folder |
//! | [`app`] | what every request shares |
//! | [`routes`], [`replies`] | which function answers which path, and answers they share |
//! | [`thumbnail`], [`originals`] | the two ways of delivering a picture |
//! | [`format`](mod@format) | which encoding of a thumbnail a request gets |
//! | [`pages`] | HTML, style and script |
//! | [`status`] | the numbers, for people and for Prometheus |
//! | [`warm`] | the command that makes every thumbnail beforehand |
#![forbid(unsafe_code)]

mod app;
mod cli;
mod format;
mod import;
mod library;
mod originals;
mod pages;
mod places;
mod progress;
mod replies;
mod rescan;
mod routes;
mod sample;
mod status;
mod thumbnail;
mod warm;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser as _;
use larder_serve::Server;

use crate::app::App;
use crate::cli::{Cli, Command, ServeArgs, cores};
use crate::places::Folders;
use crate::progress::Progress;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Some(Command::Warm(args)) => warm::run(args),
        None => serve(&cli.serve),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("thumbnail-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &ServeArgs) -> Result<()> {
    let workers = args.workers.map_or_else(|| (2 * cores()).max(4), usize::from);
    // First, so that a port in use is heard of at once and nothing is begun in vain.
    let bound = Server::builder()
        .io_threads(usize::from(args.io_threads))
        .workers(workers)
        .hot_bytes(usize::try_from(args.hot_mb << 20)?)
        .bind(args.listen.as_str())?;
    let folders = Folders::open(&args.places)?;
    if folders.sample {
        draw_sample(&folders.photos)?;
    }
    let app =
        Arc::new(App::open(&folders, &args.places, u32::try_from(workers)?, Some(bound.hot()))?);
    import_or_keep(&app, args.rescan > 0)?;
    let address = bound.local_addr();
    let running = bound.start(routes::router(&app))?;
    // Nobody else sets it.
    let _ = app.meter.set(running.meter());
    running.stop_on_signals()?;
    let rescan = (args.rescan > 0).then(|| rescan::start(&app, Duration::from_secs(args.rescan)));
    announce(&format!("listening on http://{address}"))?;
    running.join();
    drop(rescan);
    Ok(())
}

/// The one line on standard output, in one write.
fn announce(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Imports the folder. Where that fails and an earlier import is there, it is served: an unmounted
/// disk or a full one is no reason to show nothing. Nor is an empty folder that is looked at again.
fn import_or_keep(app: &App, is_looked_at_again: bool) -> Result<()> {
    match app.import() {
        Ok(found) => {
            found.report();
            Ok(())
        }
        Err(error) => match app.library.count() {
            Ok(kept) if kept > 0 => {
                eprintln!(
                    "thumbnail-server: {error:#}; keeping {kept} pictures of the last import"
                );
                Ok(())
            }
            Ok(_) if is_looked_at_again => {
                eprintln!("thumbnail-server: {error:#}; looking again later");
                Ok(())
            }
            _ => Err(error),
        },
    }
}

/// Draws what is missing of the sample gallery.
fn draw_sample(dir: &Path) -> Result<()> {
    let progress = Progress::new("drawing the sample");
    let show = |done, total| progress.show(done, total);
    sample::make(dir, cores(), &show).with_context(|| format!("cannot draw into {dir:?}"))?;
    Ok(())
}
