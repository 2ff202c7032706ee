//! What people wrote on the mailing lists of 2000 to 2007, as experiments.
//!
//! ```text
//! cargo run --release -p larder-benches -- claims [--quick] [--only 2,7]
//! ```
//!
//! Each experiment measures now, on this machine, and what it finds decides the verdict by a rule
//! that was there before: see [`claim`]. Whatever has to be seen from outside (memory, above all)
//! is a child process of this same program, and all talk is over the loopback. Programs that are
//! not installed are named as missing.
//!
//! | module | it asks |
//! |---|---|
//! | `blobs` | 1: what large content costs that comes through the database's connections |
//! | `slow` | 2: what slow clients hold |
//! | `thumbnails` | 3: what each cache buys for what is asked for again and again |
//! | `keys` | 4: whether a pool matters, or the order of a key |
//! | `dictionary` | 5: what a dictionary in front of a static table saves |
//! | `sessions` | 6: what clean-up of sessions costs |
//! | `stacks` | 7: what a stack per connection costs |
//! | `variables` | 8: what sharing by variables saves over the database |
//! | `claim`, `render`, `chart` | the type, its Markdown, its picture |
//! | `child`, `servers`, `films` | processes that are looked at from outside, and what they do |
//! | `measure` | work again and again on some threads |
//! | `memcached`, `postgres` | programs, where they are installed |

mod blobs;
pub mod chart;
pub mod child;
pub mod claim;
mod dictionary;
mod films;
mod keys;
pub mod measure;
pub mod memcached;
pub mod postgres;
pub mod render;
mod servers;
mod sessions;
mod slow;
mod stacks;
mod thumbnails;
mod variables;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::machine::{about, date};
use claim::Claim;

/// What may go wrong anywhere in an experiment, told to a person.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// How thorough to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    is_quick: bool,
}

impl Scale {
    /// Picks a size.
    pub fn pick<T>(self, full: T, quick: T) -> T {
        if self.is_quick { quick } else { full }
    }

    /// Picks a time, in milliseconds.
    pub fn time(self, full_ms: u64, quick_ms: u64) -> Duration {
        Duration::from_millis(self.pick(full_ms, quick_ms))
    }
}

type Experiment = fn(Scale) -> Outcome<Claim>;

const ALL: [Experiment; 8] = [
    blobs::run,
    slow::run,
    thumbnails::run,
    keys::run,
    dictionary::run,
    sessions::run,
    stacks::run,
    variables::run,
];

/// What to run, and where to write it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// For numbers that are good enough for a verdict, in some minutes.
    pub is_quick: bool,
    /// The claims' numbers, 1 to 8; all, if there are none.
    pub only: Vec<usize>,
    /// Where to write; `benches/results/<date>/` if it is not said.
    pub out: Option<PathBuf>,
}

impl Options {
    /// The claims that are wanted, in their order.
    fn wanted(&self) -> Outcome<BTreeSet<usize>> {
        if let Some(number) = self.only.iter().find(|number| !(1..=ALL.len()).contains(number)) {
            return Err(format!("claims are 1 to {}, not {number}", ALL.len()).into());
        }
        Ok(match self.only.is_empty() {
            true => (1..=ALL.len()).collect(),
            false => self.only.iter().copied().collect(),
        })
    }
}

/// Runs the claims that are wanted, prints them, and writes them down.
///
/// # Errors
///
/// A number that no claim has; an experiment that failed, after the others have run.
pub fn run(options: &Options) -> Outcome<()> {
    let wanted = options.wanted()?;
    let scale = Scale { is_quick: options.is_quick };
    child::raise_descriptors()?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = options.out.clone().unwrap_or_else(|| here.join("results").join(date()));
    fs::create_dir_all(&dir)?;
    let mut failed = Vec::new();
    for number in wanted {
        eprintln!("claim {number} ...");
        let began = Instant::now();
        match ALL[number - 1](scale).and_then(|claim| keep(claim, scale, began, &dir)) {
            Ok(claim) => println!("{}", render::section(&claim)),
            Err(error) => failed.push(format!("claim {number}: {error}")),
        }
    }
    let claims = kept(&dir)?;
    fs::write(dir.join("claims.md"), render::report(&claims, &format!("{}.", about())))?;
    for claim in &claims {
        println!("{}. {}: {}", claim.number, claim.words, claim.verdict().words());
    }
    println!("\nwritten to {}", dir.join("claims.md").display());
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ").into()) }
}

/// Runs the half of an experiment that is looked at from outside, as a child of the program.
///
/// # Errors
///
/// A name that no half has; whatever goes wrong in it.
pub fn half(name: &str, args: &[String]) -> Outcome<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    child::raise_descriptors()?;
    match name {
        "films" => films::half(&args),
        "serve" => servers::half(&args),
        _ => Err(format!("there is no half called {name}").into()),
    }
}

/// Draws a claim's picture and writes its numbers, beside those of other runs of the day.
fn keep(mut claim: Claim, scale: Scale, began: Instant, dir: &Path) -> Outcome<Claim> {
    let (kind, took) = (scale.pick("in full", "quickly"), began.elapsed().as_secs_f64());
    claim.run = format!("{kind} on {}, in {took:.0} s", date());
    let name = format!("claim-{}-{}", claim.number, claim.slug);
    if let Some(chart) = &claim.chart {
        let file = format!("{name}.svg");
        fs::write(dir.join(&file), chart.draw()?)?;
        claim.picture = Some(file);
    }
    fs::write(dir.join(format!("{name}.json")), serde_json::to_string_pretty(&claim)?)?;
    Ok(claim)
}

/// Reads the claims of a day, in their order.
fn kept(dir: &Path) -> Outcome<Vec<Claim>> {
    let mut claims: Vec<Claim> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("claim-") && name.ends_with(".json") {
            claims.push(serde_json::from_str(&fs::read_to_string(&path)?)?);
        }
    }
    claims.sort_by_key(|claim| claim.number);
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(only: &[usize]) -> Outcome<Vec<usize>> {
        let options = Options { only: only.to_vec(), ..Options::default() };
        Ok(options.wanted()?.into_iter().collect())
    }

    #[test]
    fn all_claims_are_wanted_unless_some_are_named() {
        assert_eq!(wanted(&[]).unwrap(), (1..=8).collect::<Vec<_>>());
        assert_eq!(wanted(&[7, 2, 7]).unwrap(), [2, 7]);
    }

    #[test]
    fn a_number_that_no_claim_has_is_refused() {
        assert!(wanted(&[0]).is_err() && wanted(&[2, 9]).is_err());
    }

    #[test]
    fn a_run_of_some_claims_keeps_those_of_before() {
        let dir = tempfile::tempdir().unwrap();
        for number in [5, 3] {
            let claim = Claim::new(number, "slug", "words", "source");
            keep(claim, Scale { is_quick: true }, Instant::now(), dir.path()).unwrap();
        }
        let numbers: Vec<_> = kept(dir.path()).unwrap().iter().map(|claim| claim.number).collect();
        assert_eq!(numbers, [3, 5]);
    }
}
