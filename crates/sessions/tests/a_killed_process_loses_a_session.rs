//! Processes that are killed at any moment lose nothing that they have said was stored, leave
//! nothing torn, and are in nobody's way.

mod child;
mod kit;

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use larder_sessions::{FileStore, ManualClock, Saved, Sessions};

const ROUNDS: usize = 12;
const CHILDREN: usize = 2;

fn open(dir: &Path) -> Sessions<FileStore> {
    // A clock that stands where all agree on it, so that nothing expires under the test.
    let clock = ManualClock::new(kit::NOON_MS);
    Sessions::builder(FileStore::open(dir.join("store")).unwrap()).clock(clock).build()
}

/// Says what was stored after it was: `+ cookie count`, and `- cookie` for what was revoked. Half of
/// the sessions come from the lines that earlier children have said.
#[test]
#[ignore = "a child of the next test"]
fn child_that_stores_until_it_is_killed() {
    let Some(dir) = child::dir() else { return };
    let sessions = open(&dir);
    let known = fs::read_to_string(dir.join("known")).unwrap();
    let mut cookies: Vec<String> = known.lines().map(String::from).collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nready").unwrap();
    for nth in 0.. {
        let cookie = (nth % 2 == 1).then(|| cookies.get(nth % (cookies.len() + 1))).flatten();
        let mut session = sessions.open(cookie.map(String::as_str)).unwrap();
        let before: u64 = session.get("count").unwrap().unwrap_or(0);
        session.set("count", &(before + 1)).unwrap();
        session.set("filler", &"x".repeat(nth % 3000)).unwrap();
        if nth % 7 == 6 && !session.is_empty() {
            let cookie = cookie.unwrap().clone();
            writeln!(out, "? {cookie}").unwrap();
            if session.logout().unwrap() {
                writeln!(out, "- {cookie}").unwrap();
            }
            continue;
        }
        let is_new = session.is_empty();
        // Before it is done nobody knows: the other child may be at it too.
        if let Some(cookie) = cookie.filter(|_| !is_new) {
            writeln!(out, "~ {cookie} {}", before + 1).unwrap();
        }
        match session.save().unwrap() {
            Saved::Stored | Saved::Merged => {}
            Saved::Conflict(_) | Saved::Gone => continue,
            Saved::Unchanged => unreachable!("the count has changed"),
        }
        if is_new {
            let cookie = kit::cookie(&session);
            writeln!(out, "+ {cookie} {}", before + 1).unwrap();
            cookies.push(cookie);
        } else {
            writeln!(out, "+ {} {}", cookie.unwrap(), before + 1).unwrap();
        }
    }
}

/// What was said of a session by all children.
#[derive(Default)]
struct Said {
    /// The highest count that was said to be stored.
    stored: u64,
    /// The highest that was begun.
    begun: u64,
    is_ending: bool,
    is_revoked: bool,
}

/// Kills a child in the middle of whatever it does after so many lines, and reads all that it has
/// said until then.
fn read(child: &mut Child, said: &mut HashMap<String, Said>, lines: usize) {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for nth in 0.. {
        if nth == lines {
            child.kill().unwrap();
        }
        let mut line = String::new();
        if out.read_line(&mut line).unwrap() == 0 {
            break;
        }
        let words: Vec<_> = line.trim_end().split(' ').collect();
        match *words {
            ["+", cookie, count] => {
                let said = said.entry(cookie.into()).or_default();
                said.stored = said.stored.max(count.parse().unwrap());
            }
            ["~", cookie, count] => {
                let said = said.entry(cookie.into()).or_default();
                said.begun = said.begun.max(count.parse().unwrap());
            }
            ["?", cookie] => said.entry(cookie.into()).or_default().is_ending = true,
            ["-", cookie] => said.entry(cookie.into()).or_default().is_revoked = true,
            _ => {}
        }
    }
    child.wait().unwrap();
}

#[test]
fn what_was_acknowledged_is_there_and_nothing_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let mut all: HashMap<String, Said> = HashMap::new();
    for round in 0..ROUNDS {
        let known: Vec<_> = all
            .iter()
            .filter(|(_, said)| !said.is_revoked)
            .map(|(cookie, _)| format!("{cookie}\n"))
            .take(40)
            .collect();
        fs::write(dir.path().join("known"), known.concat()).unwrap();
        let start = |_| {
            let mut command = child::command("child_that_stores_until_it_is_killed", dir.path());
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        };
        let mut children: Vec<_> = (0..CHILDREN).map(start).collect();
        for (nth, child) in children.iter_mut().enumerate() {
            // Of unlike lengths, to be killed at unlike moments.
            let mut said = HashMap::new();
            read(child, &mut said, 30 + (round * 37 + nth * 53) % 150);
            for (cookie, said) in said {
                let whole = all.entry(cookie).or_default();
                whole.stored = whole.stored.max(said.stored);
                whole.begun = whole.begun.max(said.begun);
                whole.is_ending |= said.is_ending;
                whole.is_revoked |= said.is_revoked;
            }
        }
        check(dir.path(), &all);
    }
    assert!(all.values().any(|said| said.is_revoked));
    assert!(all.len() > ROUNDS * 20, "{} sessions", all.len());
}

fn check(dir: &Path, all: &HashMap<String, Said>) {
    let sessions = open(dir);
    for (cookie, said) in all {
        let found: Option<u64> = sessions.peek([&**cookie], "count").unwrap();
        match found {
            Some(_) if said.is_revoked => panic!("revoked, and there: {cookie}"),
            Some(count) => {
                let most = said.stored.max(said.begun);
                assert!((said.stored..=most).contains(&count), "{count} of {}", said.stored);
            }
            None => assert!(said.is_ending || said.stored == 0, "lost: {cookie}"),
        }
    }
    assert_eq!(sessions.metrics().census.foreign, 0, "none is torn");
    // Nobody holds a lock any more.
    let mut session = sessions.open(None).unwrap();
    session.set("count", &1).unwrap();
    assert_eq!(session.save().unwrap(), Saved::Stored);
}

/// A process that stands still holds its lock: writers give up in time, and readers don't notice.
#[test]
fn a_stopped_writer_does_not_stop_readers() {
    let dir = tempfile::tempdir().unwrap();
    let wait = Duration::from_millis(20);
    let store = FileStore::at(dir.path()).copies(0).lock_wait(wait).open().unwrap();
    let (sessions, _) = kit::sessions(store);
    let cookie = kit::start(&sessions);
    let locks = fs::read_dir(dir.path().join("sessions/locks")).unwrap();
    let held: Vec<_> = locks
        .map(|entry| {
            let file = fs::File::open(entry.unwrap().path()).unwrap();
            file.lock().unwrap();
            file
        })
        .collect();
    assert_eq!(kit::color(&sessions, &cookie).as_deref(), Some("red"));
    assert!(sessions.open(["__Host-session=AAAA"]).unwrap().is_empty());
    let mut session = sessions.open([&*cookie]).unwrap();
    session.set("color", "blue").unwrap();
    let error = session.save().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(session.logout().unwrap_err().is_timeout());
    drop(held);
    assert_eq!(session.save().unwrap(), Saved::Stored, "the changes were kept");
    assert!(sessions.metrics().census.waits >= 2);
}

/// Between saying that the buckets change and having said that they have.
#[test]
fn a_dead_maker_of_a_bucket_hides_no_session() {
    use std::os::unix::fs::FileExt;
    let dir = tempfile::tempdir().unwrap();
    let shelf = dir.path().join("sessions");
    let open = || FileStore::at(dir.path()).lock_wait(Duration::from_secs(60)).open().unwrap();
    let (first, clock) = kit::sessions(open());
    kit::start(&first);
    // The number of the buckets is behind those of the 4,096 slots.
    let numbers = fs::File::options().read(true).write(true).open(shelf.join("generations"));
    let numbers = numbers.unwrap();
    let number = || {
        let mut bytes = [0; 8];
        numbers.read_exact_at(&mut bytes, 8 * 4096).unwrap();
        u64::from_le_bytes(bytes)
    };
    let settled = number();
    assert!(settled > 0 && settled.is_multiple_of(2));
    numbers.write_all_at(&(settled + 1).to_le_bytes(), 8 * 4096).unwrap();
    assert!(first.open(["__Host-session=AAAA"]).unwrap().is_empty());
    // Others list what it made, and store in it without making it. Which one that is shows elsewhere.
    clock.advance(kit::IDLE);
    let elsewhere = tempfile::tempdir().unwrap();
    let (third, third_clock) = kit::sessions(FileStore::open(elsewhere.path()).unwrap());
    third_clock.advance(kit::IDLE);
    kit::start(&third);
    let buckets = fs::read_dir(elsewhere.path().join("sessions")).unwrap();
    let mut names = buckets.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    fs::create_dir(shelf.join(names.find(|name| name.parse::<u64>().is_ok()).unwrap())).unwrap();
    let (second, second_clock) = kit::sessions(open());
    second_clock.advance(kit::IDLE);
    let cookie = kit::start(&second);
    assert_eq!(number(), settled + 1, "nothing was made");
    assert_eq!(kit::color(&first, &cookie).as_deref(), Some("red"));
    first.open([&*cookie]).unwrap().logout().unwrap();
    assert_eq!(kit::color(&second, &cookie), None);
    // The next bucket that is made ends it.
    second_clock.advance(kit::IDLE);
    kit::start(&second);
    assert!(number() > settled + 1 && number().is_multiple_of(2));
}
