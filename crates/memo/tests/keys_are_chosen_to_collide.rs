//! The seed of the hasher is of its process: whoever knows that of another knows nothing.
#![cfg(not(loom))]

use larder_memo::Seeded;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::process::Command;

const MARK: &str = "hashed to ";

fn hash() -> u64 {
    Seeded::new().hash_one("a key that a client has chosen")
}

/// Runs the test below, in this very binary, as a process of its own.
fn hash_of_another_process() -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child = child.args(["--exact", "tell_the_hash", "--ignored", "--nocapture"]);
    let output = child.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = words.lines().find_map(|line| line.split_once(MARK)).map(|(_, hash)| hash);
    told.unwrap_or_else(|| panic!("the child told nothing\n{words}")).parse().unwrap()
}

#[test]
#[ignore = "run as a process of its own by the test below"]
fn tell_the_hash() {
    println!("\n{MARK}{}", hash());
}

#[test]
fn no_two_processes_share_a_seed() {
    assert_eq!(hash(), hash(), "within one they do");
    let hashes: HashSet<_> = [hash(), hash_of_another_process(), hash_of_another_process()].into();
    assert_eq!(hashes.len(), 3, "{hashes:?}");
}
