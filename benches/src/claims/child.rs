//! Halves of experiments that are processes of their own, so that their memory is theirs alone.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::Outcome;

/// A child of this same program; ended when dropped.
pub struct Child {
    process: std::process::Child,
    line: String,
}

impl Child {
    /// Starts `claims half ARGS...` and waits for the first line that it prints.
    ///
    /// # Errors
    ///
    /// It does not start, or ends without a word.
    pub fn start(args: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("half").args(args);
        // It ends when this pipe closes, so that it never outlives us.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().ok_or("it was asked for")?;
        let mut child = Child { process, line: String::new() };
        BufReader::new(stdout).read_line(&mut child.line)?;
        if child.line.is_empty() {
            return Err(format!("{args:?} ended without a word").into());
        }
        Ok(child)
    }

    /// Returns what it has said.
    pub fn line(&self) -> &str {
        self.line.trim()
    }

    /// Returns the bytes that it has in memory: resident and not from files, and page tables.
    pub fn memory(&self) -> u64 {
        memory_of(&self.process.id().to_string())
    }

    /// Returns its time on the processor so far.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let stat = stat.unwrap_or_default();
        // The 14th and 15th field; the third is the first after the name.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
        let second = rustix::param::clock_ticks_per_second() as f64;
        Duration::from_secs_f64(ticks.sum::<u64>() as f64 / second)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // Some serve until they are ended; it is ours alone, and has nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a signal to a child that has not been waited for.
pub fn signal(child: &std::process::Child, signal: rustix::process::Signal) {
    if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// In a child: waits until the parent closes its pipe or is gone.
pub fn wait_for_parent() {
    let _ = io::stdin().read_to_end(&mut Vec::new());
}

/// Returns the anonymous resident bytes of a process (`self`, or its number) and those of its page
/// tables.
pub fn memory_of(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kib = |name| kib(&status, name).unwrap_or(0);
    (kib("RssAnon:") + kib("VmPTE:")) * 1024
}

/// Returns what the kernel keeps as stacks of threads, of all processes.
pub fn kernel_stacks() -> u64 {
    kib(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "KernelStack:").unwrap_or(0)
        * 1024
}

fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Allows as many descriptors as the machine lets us, for us and for what we start.
///
/// # Errors
///
/// The system's.
pub fn raise_descriptors() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Runs something with this thread on one core, and with it all that it starts meanwhile.
///
/// # Errors
///
/// The system's.
pub fn on_core<R>(nth: usize, work: impl FnOnce() -> R) -> io::Result<R> {
    let before = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Cores are numbered from zero on any machine that has not been cut to pieces.
    one.set(nth.min(cores - 1));
    sched_setaffinity(None, &one)?;
    let result = work();
    sched_setaffinity(None, &before)?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_found() {
        let text = "VmRSS:\t  9 kB\nRssAnon:\t    1234 kB\n";
        assert_eq!(kib(text, "RssAnon:"), Some(1234));
        assert_eq!(kib(text, "RssFile:"), None);
        assert!(memory_of("self") > 0);
    }
}
