//! A hot hit makes no system call. The kernel is the witness: a thread that has been forbidden all
//! of them but to write its verdict gets as many hits as it likes, and is killed at the first cold
//! one.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod child;

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use larder_files::{Begin, FileCache, Key, Limits};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

const WRITE: i64 = if cfg!(target_arch = "x86_64") { 1 } else { 64 };
/// The signal that ends who makes a forbidden call.
const SIGSYS: i32 = 31;

const KEYS: usize = 100;
const VERDICT: &str = "not a single call";

fn key(n: usize) -> Key {
    Key::new(format!("source {n}"), "1", "p")
}

/// A cache whose entries are open, as far as it may keep them so.
fn filled(dir: &Path, limits: Limits) -> (FileCache, Vec<Key>) {
    let cache = FileCache::open(dir, limits).unwrap();
    assert!(cache.wait_counted(Instant::now() + Duration::from_secs(30)));
    let keys: Vec<Key> = (0..KEYS).map(key).collect();
    for key in &keys {
        let made = cache.get_or_make(key, |out| out.write_all(b"body")).unwrap();
        assert!(made.file().is_some() && cache.get(key).is_some());
    }
    (cache, keys)
}

/// Forbids this thread every system call from here on, or ends the process saying that it cannot.
fn forbid_system_calls() {
    let allowed = [(WRITE, Vec::new())];
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let (other, these) = (SeccompAction::KillProcess, SeccompAction::Allow);
    let filter = SeccompFilter::new(allowed.into(), other, these, arch).unwrap();
    if let Err(e) = apply_filter(&BpfProgram::try_from(filter).unwrap()) {
        println!("\nskipped: this machine forbids us to forbid: {e}");
        std::process::exit(0);
    }
}

/// Says that it came so far. What follows is death, since to end in order takes calls.
fn say_so() {
    let _ = std::io::stdout().write_all(format!("\n{VERDICT}\n").as_bytes());
}

#[test]
#[ignore = "a child of the next test"]
fn child_that_reads_the_clock() {
    let Some(_) = child::dir() else { return };
    forbid_system_calls();
    assert!(SystemTime::now() > SystemTime::UNIX_EPOCH);
    say_so();
}

#[test]
#[ignore = "a child of the next test"]
fn child_that_hits_what_is_open() {
    let Some(dir) = child::dir() else { return };
    let (cache, keys) = filled(&dir, Limits::new());
    forbid_system_calls();
    for key in keys.iter().cycle().take(300 * KEYS) {
        let entry = cache.get(key).unwrap();
        let Begin::Hit(again) = cache.begin(key) else { panic!("no hit") };
        let hot = cache.get_hot(key).unwrap();
        assert!(entry.len() == 4 && again.etag() == entry.etag() && hot.file().is_some());
    }
    say_so();
}

#[test]
#[ignore = "a child of the next test"]
fn child_that_hits_what_is_not_open() {
    let Some(dir) = child::dir() else { return };
    let (cache, keys) = filled(&dir, Limits::new().open_descriptors(0));
    forbid_system_calls();
    let _ = cache.get(&keys[0]);
    say_so();
}

#[test]
fn hits_on_open_files_make_none_and_others_do() {
    let dir = tempfile::tempdir().unwrap();
    let run = |name| child::command(name, dir.path()).output().unwrap();
    let said = |output: &std::process::Output, what: &str| {
        String::from_utf8_lossy(&output.stdout).lines().any(|line| line.starts_with(what))
    };
    if !said(&run("child_that_reads_the_clock"), VERDICT) {
        println!("skipped: this machine has no seccomp, or a clock that takes a call");
        return;
    }
    let hot = run("child_that_hits_what_is_open");
    assert!(said(&hot, VERDICT), "{hot:?}");
    let cold = run("child_that_hits_what_is_not_open");
    assert_eq!(cold.status.signal(), Some(SIGSYS), "the witness sleeps: {cold:?}");
    assert!(!said(&cold, VERDICT), "{cold:?}");
}
