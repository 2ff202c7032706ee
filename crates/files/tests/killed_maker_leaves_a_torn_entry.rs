//! A process killed at any point leaves nothing that is served and wrong, nothing that blocks the
//! next maker, and no draft behind once the cache is opened again.

mod child;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use larder_files::{FileCache, Key, Limits};

const KEYS: usize = 24;
const ROUNDS: u64 = 200;

fn key(n: usize) -> Key {
    Key::new(format!("source {n}"), "1", "p")
}

/// Of very different lengths, some of which go to the draft before they are complete.
fn body(n: usize) -> Vec<u8> {
    let len = [0, 1, 700, 20_000, 300_000, 600_000][n % 6];
    let piece: Vec<u8> = (0..251).map(|at| (at / 5 + n) as u8).collect();
    // Quickly, so that the child spends its time on what is to be interrupted.
    let mut body = piece.repeat(len / piece.len() + 1);
    body.truncate(len);
    body
}

#[test]
#[ignore = "the child of the next test"]
fn child_that_never_ends() {
    let Some(dir) = child::dir() else { return };
    let cache = FileCache::open(dir, Limits::new().max_files(KEYS / 2)).unwrap();
    println!("\nrunning");
    let make = |first: usize| {
        for n in (0..KEYS).cycle().skip(first) {
            let whole = body(n);
            let made = cache.get_or_make(&key(n), |out| {
                whole.chunks(50_000).try_for_each(|chunk| out.write_all(chunk))
            });
            assert_eq!(made.unwrap().read().unwrap(), whole);
            cache.remove(&key(n.wrapping_mul(7) % KEYS));
        }
    };
    // Several at once, so that whenever the end comes, one of them is most likely making something.
    std::thread::scope(|scope| (0..4).for_each(|nth| drop(scope.spawn(move || make(nth * 5)))));
}

#[test]
fn killed_at_any_point_two_hundred_times() {
    let dir = tempfile::tempdir().unwrap();
    let (mut seen, mut drafts) = (0, 0);
    for round in 0..ROUNDS {
        let mut maker = child::command("child_that_never_ends", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(maker.stdout.take().unwrap()).lines();
        lines.map(Result::unwrap).find(|line| line.ends_with("running")).unwrap();
        // Not a synchronisation: the point of the kill is meant to be anywhere.
        std::thread::sleep(Duration::from_micros(round * 7919 % 12_000));
        maker.kill().unwrap();
        maker.wait().unwrap();
        drafts += fs::read_dir(dir.path().join("drafts")).unwrap().count();
        seen += verify(dir.path());
    }
    assert!(seen > 0, "no child lived long enough to publish anything");
    assert!(drafts > 0, "no child was killed while it made something");
    println!("{seen} entries and {drafts} drafts left by {ROUNDS} killed processes");
}

/// Opens what was left, and returns how many entries there were.
fn verify(dir: &std::path::Path) -> usize {
    let limits = Limits::new().verify_up_to(u64::MAX);
    let cache = FileCache::open(dir, limits).unwrap();
    assert!(cache.wait_counted(Instant::now() + Duration::from_secs(30)));
    let drafts = fs::read_dir(dir.join("drafts")).unwrap().count();
    assert_eq!(drafts, 0, "drafts left behind");
    let mut seen = 0;
    for n in 0..KEYS {
        if let Some(entry) = cache.get(&key(n)) {
            assert_eq!(entry.read().unwrap(), body(n), "entry {n} is torn");
            seen += 1;
        }
    }
    let stats = cache.stats();
    assert_eq!((stats.torn, stats.collisions, stats.faults), (0, 0, 0), "{stats:?}");
    assert_eq!(stats.files as usize, seen);
    // And nobody has to wait for the dead.
    let again = cache.get_or_make(&key(KEYS), |out| out.write_all(b"next"));
    assert!(again.is_ok() && cache.remove(&key(KEYS)));
    seen
}
