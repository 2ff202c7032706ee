//! Where and when it was measured.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Returns today, in UTC, as `2026-11-20`.
pub fn date() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (year, month, day) = civil((now.as_secs() / 86_400) as i64);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of so many days after 1970-01-01, by the calendar's cycle of 400 years.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years that begin in March have their leap day at their end.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

/// Says what machine, kernel, compiler and commit these are.
pub fn about() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find(|line| line.starts_with("model name"));
    let cpu =
        cpu.and_then(|line| line.split_once(':')).map_or("a processor", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let memory = memory.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    let memory_gb = memory.unwrap_or_default() * 1024.0 / 1e9;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let rustc = said(Command::new("rustc").arg("--version"));
    let commit = commit();
    let kernel = kernel.trim();
    format!("{cores} cores ({cpu}), {memory_gb:.0} GB, Linux {kernel}, {rustc}, commit {commit}")
}

/// Says which commit this is, and whether it was changed since.
pub fn commit() -> String {
    let here = env!("CARGO_MANIFEST_DIR");
    let git = |args: &[&str]| said(Command::new("git").args(["-C", here]).args(args));
    let changed = git(&["status", "--porcelain", "--untracked-files=no", ".."]);
    let more = if changed.is_empty() { "" } else { " with changes" };
    format!("{}{more}", git(&["rev-parse", "--short", "HEAD"]))
}

fn said(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(11_017), (2000, 3, 1));
        assert_eq!(civil(20_777), (2026, 11, 20));
    }
}
