//! larder beside its peers, in one table and some pictures.
//!
//! Each benchmark is run as the child process that a person would start; its numbers are kept in
//! `numbers/<job>.json` of the day's directory, so that parts may be run one after the other, and
//! the page and the pictures are made anew from all that is there.
//!
//! | module | it knows |
//! |---|---|
//! | `job` | what is run, and how |
//! | `readings` | the numbers' formats: criterion's, and `--json` |
//! | `lines`, `line` | what is compared with what, and who is ahead |
//! | `page`, `chart` | the Markdown, the pictures |
//! | `cost` | how cost grows: words and a picture |

mod chart;
mod cost;
mod job;
mod line;
mod lines;
mod page;
mod readings;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::machine::{about, commit, date};
use crate::table::{self, Reading};
use job::{JOBS, Job, PARTS, Ran};

/// What may go wrong, told to a person.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// What is asked for.
pub struct Options {
    /// Numbers that are good enough to see who leads.
    pub is_quick: bool,
    /// Parts or single benchmarks; all, if there are none.
    pub only: Vec<String>,
    /// Nothing is run: the page and the pictures are made of the numbers that are there.
    pub is_drawn_only: bool,
    /// Where to write, instead of `benches/results/<date>`.
    pub out: Option<PathBuf>,
}

/// The numbers of one job, as they are kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    job: String,
    command: String,
    /// When, of what and how long.
    run: String,
    faults: Vec<String>,
    readings: Vec<Reading>,
}

/// Runs what is asked for, prints the table, and writes the page, the pictures and the numbers.
///
/// # Errors
///
/// A name that nobody knows; benchmarks that are not built; a directory that can't be written. A
/// benchmark that fails is a fault in the report, and an error after all is written.
pub fn run(options: &Options) -> Outcome<()> {
    let jobs = wanted(&options.only)?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = options.out.clone().unwrap_or_else(|| here.join("results").join(date()));
    fs::create_dir_all(dir.join("numbers"))?;
    if options.is_drawn_only {
        return write(&dir);
    }
    job::build(&jobs)?;
    let mut failed = Vec::new();
    for job in jobs {
        eprint!("{} ...", job.name);
        let work = tempfile::tempdir()?;
        let ran = job.run(options.is_quick, work.path());
        eprintln!(" {} numbers in {:.0} s", ran.readings.len(), ran.took.as_secs_f64());
        ran.faults.iter().for_each(|fault| eprintln!("  {fault}"));
        if ran.readings.is_empty() {
            failed.push(job.name);
        }
        keep(&dir, job, options.is_quick, ran)?;
    }
    write(&dir)?;
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("without numbers: {}", failed.join(", ")).into()),
    }
}

/// The jobs of these names, which are parts' or their own.
fn wanted(only: &[String]) -> Outcome<Vec<&'static Job>> {
    for name in only {
        let is_known = JOBS.iter().any(|job| job.name == name || job.part.name() == name);
        if !is_known {
            let parts = PARTS.map(|part| part.name()).join(", ");
            let jobs = JOBS.each_ref().map(|job| job.name).join(", ");
            return Err(format!("{name:?}? There are {parts}; and {jobs}").into());
        }
    }
    let is_wanted = |job: &&Job| {
        only.is_empty() || only.iter().any(|name| job.name == name || job.part.name() == name)
    };
    Ok(JOBS.iter().filter(is_wanted).collect())
}

fn keep(dir: &Path, job: &Job, is_quick: bool, ran: Ran) -> Outcome<()> {
    let (kind, took) = (if is_quick { "quickly" } else { "in full" }, ran.took.as_secs_f64());
    let kept = Kept {
        job: job.name.to_owned(),
        command: job.command(is_quick),
        run: format!("{kind} on {}, in {took:.0} s, commit {}", date(), commit()),
        faults: ran.faults,
        readings: ran.readings,
    };
    let path = dir.join("numbers").join(format!("{}.json", job.name));
    Ok(fs::write(path, pretty(&kept)?)?)
}

/// JSON with a line for each reading.
fn pretty(kept: &Kept) -> Outcome<String> {
    let text = serde_json::to_string(kept)?;
    Ok(text.replace("{\"id\":", "\n{\"id\":") + "\n")
}

/// Reads what jobs have left in a directory, in their order.
fn kept(dir: &Path) -> Outcome<Vec<Kept>> {
    let mut all = Vec::new();
    for job in &JOBS {
        let path = dir.join("numbers").join(format!("{}.json", job.name));
        if path.exists() {
            all.push(serde_json::from_str(&fs::read_to_string(path)?)?);
        }
    }
    Ok(all)
}

/// Makes the page and the pictures of all that is kept, and prints the table.
fn write(dir: &Path) -> Outcome<()> {
    let kept = kept(dir)?;
    let readings = kept.iter().flat_map(|kept| &kept.readings);
    let readings: line::Readings<'_> =
        readings.map(|reading| (reading.id.as_str(), reading)).collect();
    let found = page::Found::new(&readings);
    for (part, rows) in found.parts() {
        let path = dir.join(format!("{part}.svg"));
        fs::write(path, chart::beside(&part.to_string(), rows)?)?;
    }
    if let Some(svg) = chart::overview(&found.headlines())? {
        fs::write(dir.join("overview.svg"), svg)?;
    }
    if let Some((words, svg)) = cost::model(&readings)? {
        fs::write(dir.join("cost.md"), words)?;
        fs::write(dir.join("cost.svg"), svg)?;
    }
    fs::write(dir.join("report.md"), page::markdown(&about(), &found, &kept))?;
    println!();
    table::rendered(&page::table(&found.rows())).iter().for_each(|line| println!("{line}"));
    println!("\n{}\nwritten to {}", found.summary(), dir.join("report.md").display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_jobs_are_wanted_by_name() {
        let names = |only: &[&str]| -> Outcome<Vec<&str>> {
            let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
            Ok(wanted(&only)?.iter().map(|job| job.name).collect())
        };
        assert_eq!(names(&[]).unwrap().len(), JOBS.len());
        assert_eq!(
            names(&["files", "memo_hit"]).unwrap(),
            ["memo_hit", "files_hit", "files_start"]
        );
        let error = names(&["memo", "mango"]).unwrap_err().to_string();
        assert!(error.contains("mango") && error.contains("pool_outage"), "{error}");
    }

    #[test]
    fn a_later_run_replaces_its_own_numbers_only() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("numbers")).unwrap();
        let ran = |value: f64| {
            let id = "memo_hit/larder-memo/1000x1".to_owned();
            let readings = vec![Reading { id, value, unit: "ns".into(), interval: None }];
            Ran { took: std::time::Duration::ZERO, readings, faults: vec!["no nginx".into()] }
        };
        keep(dir.path(), &JOBS[1], true, ran(1.0)).unwrap();
        keep(dir.path(), &JOBS[0], true, ran(2.0)).unwrap();
        keep(dir.path(), &JOBS[0], false, ran(3.0)).unwrap();
        let kept = kept(dir.path()).unwrap();
        let values: Vec<f64> = kept.iter().map(|kept| kept.readings[0].value).collect();
        assert_eq!(values, [3.0, 1.0]);
        assert!(kept[0].run.starts_with("in full") && kept[1].run.starts_with("quickly"));
    }

    #[test]
    fn a_page_is_made_of_few_numbers_too() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("numbers")).unwrap();
        write(dir.path()).unwrap();
        let page = fs::read_to_string(dir.path().join("report.md")).unwrap();
        assert!(page.contains("memo-static-1k-1"), "what is missing is named");
    }
}
