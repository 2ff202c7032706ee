//! Runs one ignored test of this very binary as a process of its own, to be limited or killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const DIR: &str = "LARDER_SESSIONS_TEST_DIR";

/// The command that runs the ignored test `name` on `dir`.
#[allow(dead_code, reason = "not every test binary starts one without a shell")]
pub fn command(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    arguments(&mut command, name, dir);
    command
}

/// The same, started by a line of shell that ends in `exec "$0" "$@"`.
#[allow(dead_code, reason = "not every test binary needs a shell")]
pub fn under_shell(line: &str, name: &str, dir: &Path) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).arg(std::env::current_exe().unwrap());
    arguments(&mut command, name, dir);
    command
}

fn arguments(command: &mut Command, name: &str, dir: &Path) {
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(DIR, dir);
}

/// The directory that the parent gave; `None` when the test was started by a person.
pub fn dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(PathBuf::from)
}

/// Runs a child to its end and fails with its words if it failed.
#[allow(dead_code, reason = "not every test binary waits for its children")]
pub fn run(mut command: Command) -> Output {
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{words}\n{errors}", output.status);
    assert!(words.contains("1 passed"), "the child ran no test\n{words}");
    output
}
