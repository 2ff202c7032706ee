//! What is run for the numbers: each benchmark is a child process, and ends in bounded time.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::readings;
use crate::table::Reading;

/// A crate, or what concerns them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// larder-memo.
    Memo,
    /// larder-vars.
    Vars,
    /// larder-pool.
    Pool,
    /// larder-files.
    Files,
    /// larder-thumbs.
    Thumbs,
    /// larder-sessions.
    Sessions,
    /// larder-serve.
    Serve,
    /// How cost grows, in each of them.
    Cost,
}

/// All parts, in the order of the report.
pub const PARTS: [Part; 8] = [
    Part::Memo,
    Part::Vars,
    Part::Pool,
    Part::Files,
    Part::Thumbs,
    Part::Sessions,
    Part::Serve,
    Part::Cost,
];

impl Part {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Part::Memo => "memo",
            Part::Vars => "vars",
            Part::Pool => "pool",
            Part::Files => "files",
            Part::Thumbs => "thumbs",
            Part::Sessions => "sessions",
            Part::Serve => "serve",
            Part::Cost => "cost",
        }
    }
}

/// One benchmark.
#[derive(Debug)]
pub struct Job {
    /// Its name on the command line, of its numbers' file, and how its numbers' names begin.
    pub name: &'static str,
    /// What it is about.
    pub part: Part,
    how: How,
    /// Programs of others that it uses, and what it needs to be told where they are.
    programs: &'static [&'static str],
}

#[derive(Clone, Copy, Debug)]
enum How {
    /// A benchmark of criterion's.
    Criterion(&'static str),
    /// A benchmark that prints tables.
    Table(&'static str),
    /// A group of serve-table's.
    Servers(&'static str),
    /// A script in `benches`.
    Script(&'static str),
}

const fn job(name: &'static str, part: Part, how: How, programs: &'static [&'static str]) -> Job {
    Job { name, part, how, programs }
}

const NGINX: &[&str] = &["nginx"];
const VIPS: &[&str] = &["vipsthumbnail"];

/// All of them. Each is short enough to be run alone.
pub const JOBS: [Job; 27] = [
    job("memo_hit", Part::Memo, How::Criterion("memo_hit"), &[]),
    job("memo_hit_ratio", Part::Memo, How::Table("memo_hit_ratio"), &[]),
    job("memo_memory", Part::Memo, How::Table("memo_memory"), &[]),
    job("memo_cold", Part::Memo, How::Table("memo_cold"), &[]),
    job("vars", Part::Vars, How::Criterion("vars"), &[]),
    job("pool_checkout", Part::Pool, How::Criterion("pool_checkout"), &[]),
    job("pool_sqlite_read", Part::Pool, How::Criterion("pool_sqlite_read"), &[]),
    job("pool_sqlite_mixed", Part::Pool, How::Table("pool_sqlite_mixed"), &[]),
    job("pool_fairness", Part::Pool, How::Table("pool_fairness"), &[]),
    job("pool_outage", Part::Pool, How::Table("pool_outage"), &[]),
    job("files_hit", Part::Files, How::Criterion("files_hit"), &[]),
    job("files_start", Part::Files, How::Table("files_start"), &[]),
    job("thumbs_make", Part::Thumbs, How::Criterion("thumbs_make"), &[]),
    job("thumbs_quality", Part::Thumbs, How::Table("thumbs_quality"), VIPS),
    job("beside_vips", Part::Thumbs, How::Script("beside-vips"), VIPS),
    job("sessions_check", Part::Sessions, How::Criterion("sessions_check"), &[]),
    job("sessions_cleanup", Part::Sessions, How::Table("sessions_cleanup"), &[]),
    job("serve_cached", Part::Serve, How::Servers("cached"), &["nginx", "apache2"]),
    job("serve_file", Part::Serve, How::Servers("file"), NGINX),
    job("serve_workers", Part::Serve, How::Servers("workers"), &[]),
    job("serve_calls", Part::Serve, How::Servers("calls"), &["nginx", "perf"]),
    job("serve_idle", Part::Serve, How::Servers("idle"), NGINX),
    job("serve_slow", Part::Serve, How::Servers("slow"), NGINX),
    job("serve_heads", Part::Serve, How::Servers("heads"), NGINX),
    job("beside_nginx", Part::Serve, How::Script("beside-nginx"), &["nginx", "wrk"]),
    job("cost", Part::Cost, How::Table("cost"), &[]),
    job("cost_serve", Part::Cost, How::Servers("grow"), &[]),
];

/// What came of one.
pub struct Ran {
    /// How long it took.
    pub took: Duration,
    /// Its numbers.
    pub readings: Vec<Reading>,
    /// Why there are none, or not all.
    pub faults: Vec<String>,
}

/// After this long a child is given up. The longest takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(40 * 60);

impl Job {
    /// The command that a person would give.
    pub fn command(&self, is_quick: bool) -> String {
        let quick = if is_quick { " --quick" } else { "" };
        let cargo = "cargo bench -p larder-benches --bench";
        match self.how {
            How::Criterion(bench) | How::Table(bench) if is_quick => {
                format!("{cargo} {bench} -- --quick")
            }
            How::Criterion(bench) | How::Table(bench) => format!("{cargo} {bench}"),
            How::Servers(group) => {
                let cargo = "cargo run --release -p larder-benches --bin serve-table --";
                format!("{cargo}{quick} {group}")
            }
            How::Script(script) => format!("benches/{script}{quick}"),
        }
    }

    /// The targets that cargo has to build for it.
    pub fn target(&self) -> Option<[&'static str; 2]> {
        match self.how {
            How::Criterion(bench) | How::Table(bench) => Some(["--bench", bench]),
            How::Servers(_) => Some(["--bin", "serve-table"]),
            How::Script(_) => None,
        }
    }

    /// Runs it, in a directory that is its own.
    pub fn run(&self, is_quick: bool, dir: &Path) -> Ran {
        let begun = Instant::now();
        let mut ran = Ran { took: Duration::ZERO, readings: Vec::new(), faults: self.missing() };
        if let Err(fault) = self.child(is_quick, dir) {
            ran.faults.push(fault);
        }
        match self.read(dir) {
            Ok(readings) => ran.readings = readings,
            Err(error) => ran.faults.push(format!("its numbers can't be read: {error}")),
        }
        ran.took = begun.elapsed();
        ran
    }

    fn missing(&self) -> Vec<String> {
        let mut faults: Vec<_> = self
            .programs
            .iter()
            .filter(|program| !is_installed(program))
            .map(|program| format!("{program} is not installed"))
            .collect();
        if self.part == Part::Thumbs && std::env::var_os("LARDER_PHOTOS").is_none() {
            faults.push("LARDER_PHOTOS names no folder of photographs".to_owned());
        }
        faults
    }

    fn child(&self, is_quick: bool, dir: &Path) -> Result<(), String> {
        let told = |error: io::Error| format!("it can't be started: {error}");
        fs::create_dir_all(dir.join("criterion")).map_err(told)?;
        let log = dir.join("log");
        let out = File::create(&log).map_err(told)?;
        let mut command = self.arguments(is_quick, dir);
        command.env("CRITERION_HOME", dir.join("criterion"));
        command.stdin(Stdio::null()).stderr(out.try_clone().map_err(told)?).stdout(out);
        // A group of its own, so that a child's children end with it.
        let child = command.process_group(0).spawn().map_err(told)?;
        match wait(child, PATIENCE).map_err(told)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("it failed ({status}): {}", last_words(&log))),
            None => Err(format!("it did not end within {PATIENCE:?}")),
        }
    }

    fn arguments(&self, is_quick: bool, dir: &Path) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let json = format!("--json={}", dir.join("lines").display());
        let mut command = Command::new(cargo);
        command.current_dir(workspace());
        match self.how {
            How::Criterion(bench) => {
                command.args(["bench", "-q", "-p", "larder-benches", "--bench", bench, "--"]);
            }
            How::Table(bench) => {
                command.args(["bench", "-q", "-p", "larder-benches", "--bench", bench, "--"]);
                command.arg(json);
            }
            How::Servers(group) => {
                let run = ["run", "-q", "--release", "-p", "larder-benches", "--bin"];
                command.args(run).args(["serve-table", "--", &json]).arg(group);
            }
            How::Script(script) => {
                command = Command::new(workspace().join("benches").join(script));
                command.arg(json);
            }
        }
        if is_quick {
            command.arg("--quick");
        }
        command
    }

    fn read(&self, dir: &Path) -> io::Result<Vec<Reading>> {
        match self.how {
            How::Criterion(_) => readings::of_criterion(&dir.join("criterion")),
            _ => readings::of_lines(&dir.join("lines")),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where all crates are.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Builds all that is needed, and lets cargo tell of it.
///
/// # Errors
///
/// What was not built.
pub fn build(jobs: &[&Job]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let targets = |kind: &str| -> Vec<&str> {
        let mut targets: Vec<_> =
            jobs.iter().filter_map(|job| job.target()).filter(|target| target[0] == kind).collect();
        targets.dedup();
        targets.concat()
    };
    for (start, targets) in [
        (&["bench", "--no-run"][..], targets("--bench")),
        (&["build", "--release"], targets("--bin")),
    ] {
        if targets.is_empty() {
            continue;
        }
        let mut command = Command::new(&cargo);
        command.current_dir(workspace()).args(start).args(["-p", "larder-benches"]).args(targets);
        let status = command.stdin(Stdio::null()).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!("cargo {} does not build the benchmarks", start[0]));
        }
    }
    Ok(())
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Waits for a child; none if it did not end in time, and was killed with its group.
fn wait(mut child: Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(50));
    }
    if let Some(group) = Pid::from_raw(child.id() as i32) {
        kill_process_group(group, Signal::KILL)?;
    }
    child.wait()?;
    Ok(None)
}

/// The last line that says something.
fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let says = |line: &&str| !line.trim().is_empty();
    text.lines().rev().find(says).unwrap_or("it said nothing").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_of_one() {
        let mut names: Vec<_> = JOBS.iter().map(|job| job.name).collect();
        names.extend(PARTS.map(Part::name));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        // `vars` and `cost` are parts of one job each, which has the part's name.
        assert_eq!(names.len(), all - 2);
    }

    #[test]
    fn a_child_that_hangs_is_killed_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & sleep 600"]).process_group(0);
        assert!(wait(command.spawn().unwrap(), Duration::from_millis(60)).unwrap().is_none());
        let mut command = Command::new("sh");
        command.args(["-c", "exit 3"]);
        let status = wait(command.spawn().unwrap(), Duration::from_secs(60)).unwrap();
        assert_eq!(status.and_then(|status| status.code()), Some(3));
    }

    #[test]
    fn the_last_words_of_a_child_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        assert_eq!(last_words(&log), "it said nothing");
        fs::write(&log, "running\nno nginx here\n\n").unwrap();
        assert_eq!(last_words(&log), "no nginx here");
    }
}
