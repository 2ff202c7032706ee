//! What can be said on the command line, and what it means when it is not said.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Photographs in, a gallery out; thumbnails made once and served at wire speed.
///
/// With no argument it draws a sample gallery and serves it.
#[derive(Debug, Parser)]
#[command(name = "thumbnail-server", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// What the program can do besides serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make all thumbnails now, so that the first visitor waits for none.
    Warm(WarmArgs),
}

/// Which photographs, and where what is made of them goes.
#[derive(Debug, Args)]
pub struct Places {
    /// The folder of photographs; nothing is ever written there [default: a sample gallery].
    #[arg(long, value_name = "DIR")]
    pub photos: Option<PathBuf>,
    /// The folder for the library and the thumbnails [default: a folder in ./larder-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Megabytes that thumbnails may take on disk; the least recently used go first.
    #[arg(long, value_name = "MB", default_value_t = 2048,
          value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    pub cache_mb: u64,
    /// Megabytes that pictures being decoded may take together, over all threads; a picture that
    /// alone needs more is refused. A progressive JPEG of 24 megapixels takes up to 70.
    #[arg(long, value_name = "MB", default_value_t = 192,
          value_parser = clap::value_parser!(u64).range(8..=1 << 20))]
    pub decode_mb: u64,
}

/// How to serve.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Which photographs, and where what is made of them goes.
    #[command(flatten)]
    pub places: Places,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Threads that run the blocking handlers [default: 2 a core, at least 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Threads that accept, read and deliver.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub io_threads: u16,
    /// Megabytes of thumbnails and pages kept in memory, shared out among the I/O threads.
    #[arg(long, value_name = "MB", default_value_t = 64,
          value_parser = clap::value_parser!(u64).range(0..=1 << 20))]
    pub hot_mb: u64,
    /// Look for new, changed and removed photographs every so many seconds; 0 only at the start.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub rescan: u64,
}

/// How to make all thumbnails.
#[derive(Debug, Args)]
pub struct WarmArgs {
    /// Which photographs, and where what is made of them goes.
    #[command(flatten)]
    pub places: Places,
    /// Longest edges to make, in pixels, out of 160, 320, 640 and 1280.
    #[arg(long, value_name = "PX,...", value_delimiter = ',', default_value = "160,320,640,1280",
          value_parser = parse_size)]
    pub sizes: Vec<u32>,
    /// Threads that decode and encode [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

fn parse_size(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(size) if crate::thumbnail::SIZES.contains(&size) => Ok(size),
        _ => Err(format!("the sizes are {:?}", crate::thumbnail::SIZES)),
    }
}

/// Threads for work that only computes: one a core.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_that_are_never_served_are_refused() {
        let cli = ["thumbnail-server", "warm", "--sizes", "320,333"];
        assert!(Cli::try_parse_from(cli).unwrap_err().to_string().contains("333"));
        let cli = Cli::try_parse_from(["thumbnail-server", "warm", "--sizes", "320,640"]).unwrap();
        let Some(Command::Warm(warm)) = cli.command else { panic!("no warm") };
        assert_eq!(warm.sizes, [320, 640]);
    }
}
