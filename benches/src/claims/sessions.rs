//! What does the clean-up of sessions cost those who are being served?
//!
//! mod_python's two stores, as models by their source, and larder's files. In the models about one
//! request in a thousand is followed by a clean-up, on the thread of that request.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use larder_sessions::{FileStore, ManualClock, Saved, Sessions};

use super::chart::{Chart, Shape};
use super::claim::{Beside, Claim, Part, Table};
use super::{Outcome, Scale, measure};
use crate::mod_python::{CLEANUP_CHANCE, DbmSession, FileSession, GRACE, Store, TIMEOUT};

const THREADS: usize = 8;
/// Of them mod_python has 8 to 32.
const LOCKS: usize = 8;
const INSERTS: usize = 1000;
/// What a session holds, beside a count of visits.
const VALUES: [(&str, &str); 6] = [
    ("user", "7f3c2a90-gallery-visitor"),
    ("name", "Somebody With A Name Of Usual Length"),
    ("email", "somebody.with.a.name@mail.example.org"),
    ("language", "en-GB"),
    ("last_page", "/albums/2006/summer/photo/000347"),
    ("marked", "17,342,347,1003,1004,1190"),
];
const IDLE: Duration = Duration::from_secs(30 * 60);
const NOON_MS: u64 = 1_800_000_000_000;
const DBM: &str = "DbmSession";
const FILE: &str = "FileSession";
const LARDER: &str = "larder's FileStore";

/// What makes files slow to make on some disks, by a profile of the kernel.
const FEW_FILES: &str = "On ext4 without a journal, making a file passes over each inode that was \
freed in its group of 8192 in the last minute, one by one: a file that is made after many were \
removed takes up to a millisecond, in larder's store and in the models alike. A save of larder's \
frees one, too. So no directory of this claim is removed before all rows are measured; what the rows \
before, other claims or programs have freed still counts, and which row meets it is chance.";

/// Runs the experiment.
pub fn run(scale: Scale) -> Outcome<Claim> {
    let words = "Above 10,000 sessions DbmSession's clean-up costs up to 90 % of the request rate; \
                 FileSession avoids that; inserting slows as the dbm grows";
    let source = "mod_python mailing list, 2006 and 2007, authors not recorded";
    let mut claim = Claim::new(6, "sessions", words, source);
    claim.setup = format!(
        "{THREADS} threads load sessions and save one in ten. The models of DbmSession and \
         FileSession clean up after about 1 request in {CLEANUP_CHANCE}, as mod_python does, or \
         never; larder's store, which removes what has expired and looks at nothing else, has its \
         sweeper on or off. Sessions hold six short values and a count. A tenth as many have \
         expired, and are to be removed in the window. No page is made: a \
         request is the session alone, so that the loss is the greatest there is. Windows without \
         clean-up come before and after the one with it. What the models have better than \
         mod_python: Rust for cPickle, and locks of one process. An insert is the mean of the last \
         {INSERTS}; of 1000 sessions these are all, and the directories that the expired ones \
         have not made yet are made among them (FileSession has 256)."
    );
    let sizes = scale.pick(&[1000, 10_000, 30_000, 100_000][..], &[1000, 10_000, 40_000]);
    let columns = [
        ("sessions", 0),
        ("insert us", 1),
        ("requests/s", 0),
        ("with clean-up", 0),
        ("lost %", 1),
        ("p99 ms", 2),
        ("longest ms", 0),
    ];
    let mut table =
        Table::new("Requests, without clean-up and with it", "store, sessions", &columns);
    let window = scale.time(2000, 500);
    let mut lines = Vec::new();
    // Removed after the last row: see FEW_FILES.
    let mut dirs = Vec::new();
    for name in [DBM, FILE, LARDER] {
        let mut points = Vec::new();
        for &count in sizes {
            dirs.push(tempfile::tempdir()?);
            let dir = &dirs[dirs.len() - 1];
            let numbers = match name {
                LARDER => larder(window, dir.path(), count)?,
                _ => model(window, name, dir.path(), count)?,
            };
            points.push((count as f64, numbers[2]));
            table.push(format!("{name}, {count}"), &[&[count as f64], &numbers[..]].concat());
        }
        lines.push((name.to_owned(), points));
    }
    drop(dirs);
    judge(&mut claim, &table, sizes);
    claim.beyond.push(FEW_FILES.to_owned());
    claim.beyond.push(extrapolated(sizes[sizes.len() - 1], &table)?);
    claim.chart = Some(Chart {
        title: "Requests a second while sessions are cleaned up".into(),
        value: "requests/s".into(),
        shape: Shape::Lines("sessions".into(), lines),
    });
    claim.tables.push(table);
    Ok(claim)
}

/// At how many sessions the model of DbmSession would lose 90 %, by the cost of one record.
fn extrapolated(count: usize, table: &Table) -> Outcome<String> {
    let dir = tempfile::tempdir()?;
    let store = DbmSession::new(dir.path(), LOCKS, 0);
    (0..count).try_for_each(|nth| begin(&store, nth))?;
    let began = Instant::now();
    let seen = store.clean_up()?.seen;
    let each_ns = began.elapsed().as_secs_f64() * 1e9 / seen as f64;
    let request_ns = 1e9 / table.at(&format!("{DBM}, {count}"), "requests/s");
    let at = sessions_for_ninety_percent(each_ns, request_ns);
    Ok(format!(
        "A clean-up of DbmSession's model looks at {count} records in {each_ns:.0} ns each, after \
         {CLEANUP_CHANCE} requests of {:.1} us: 90 % would be lost at {at:.0} sessions. At 10,000 \
         they would be lost if a look took {:.1} us beside such requests.",
        request_ns / 1e3,
        each_ns / 1e3 * at / 1e4
    ))
}

/// A clean-up takes nine times as long as the requests between two of them.
fn sessions_for_ninety_percent(each_ns: f64, request_ns: f64) -> f64 {
    9.0 * CLEANUP_CHANCE as f64 * request_ns / each_ns
}

fn judge(claim: &mut Claim, table: &Table, sizes: &[usize]) {
    let (few, many) = (sizes[0], sizes[sizes.len() - 1]);
    let at = |name: &str, count: usize, column| table.at(&format!("{name}, {count}"), column);
    let insert = |name| at(name, many, "insert us") / at(name, few, "insert us");
    claim.parts.extend([
        Part::at_least(
            75.0,
            format!("% lost to DbmSession's clean-up, {many} sessions"),
            at(DBM, many, "lost %"),
        ),
        Part::at_least(
            2.0,
            format!("% lost at {many} sessions over that at {few}"),
            // What is lost may be less than what two runs differ by.
            at(DBM, many, "lost %") / at(DBM, few, "lost %").max(1.0),
        ),
        Part::at_most(
            20.0,
            format!("% lost to FileSession's clean-up, {many} sessions"),
            at(FILE, many, "lost %"),
        ),
        Part::at_least(
            1.2,
            format!("an insert into the dbm at {many} over one at {few}"),
            insert(DBM),
        ),
    ]);
    for name in [DBM, FILE] {
        let pair = |count, column| (at(LARDER, count, column), at(name, count, column));
        for count in [few, many] {
            let (ours, theirs) = pair(count, "with clean-up");
            let what = format!("requests/s with clean-up, {count} sessions");
            claim.beside.push(Beside::more(what, ours, name, theirs));
        }
        let columns =
            [("p99 ms", "p99 of a request with clean-up, ms"), ("insert us", "an insert, us")];
        for (column, what) in columns {
            let (ours, theirs) = pair(many, column);
            claim.beside.push(Beside::less(format!("{what}, {many} sessions"), ours, name, theirs));
        }
    }
}

/// What both kinds of store come down to: insert, rate without, rate with, lost, p99, longest.
/// `switch` turns the clean-up on and off; `work` is told which session, and whether to write.
fn numbers(
    window: Duration,
    count: usize,
    insert: Duration,
    switch: &mut dyn FnMut(bool) -> Outcome<()>,
    work: impl Fn(usize, bool) -> Outcome<()> + Sync,
) -> Outcome<[f64; 6]> {
    // Each thread goes on where it was, so that no window meets sessions that another has warmed.
    let turns: [AtomicU64; THREADS] = Default::default();
    let mut run = |is_cleaned| -> Outcome<measure::Ran> {
        switch(is_cleaned)?;
        let ran = measure::again(THREADS, window, |thread, _| {
            let nth = turns[thread].fetch_add(1, Relaxed);
            let work = work(which(thread, nth, count), nth.is_multiple_of(10));
            work.map_err(|error| error.to_string())
        })?;
        Ok(ran)
    };
    let (before, during, after) = (run(false)?, run(true)?, run(false)?);
    let usual = f64::midpoint(before.rate(), after.rate());
    let lost = 100.0 * (1.0 - during.rate() / usual);
    let insert_us = insert.as_secs_f64() * 1e6 / INSERTS as f64;
    Ok([insert_us, usual, during.rate(), lost, during.ms(0.99), during.ms(1.0)])
}

/// Which session a thread asks for: each walks by a stride that meets every one.
fn which(thread: usize, nth: u64, count: usize) -> usize {
    (thread * count / THREADS + nth as usize * 7919) % count
}

fn sid(nth: usize) -> String {
    format!("{:032x}", (nth as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

/// Stores a new session in one of the models.
fn begin(store: &dyn Store, nth: usize) -> Outcome<()> {
    store.request(&sid(nth), &mut |session| {
        let values = VALUES.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        session.values.extend(values);
        true
    })?;
    Ok(())
}

fn model(window: Duration, name: &str, dir: &Path, count: usize) -> Outcome<[f64; 6]> {
    let open = |chance| -> Outcome<Box<dyn Store>> {
        Ok(match name {
            DBM => Box::new(DbmSession::new(dir, LOCKS, chance)),
            _ => Box::new(FileSession::new(dir, LOCKS, chance)?),
        })
    };
    let (never, often) = (open(0)?, open(CLEANUP_CHANCE)?);
    let alone = count - INSERTS.min(count);
    for nth in count..count + count / 10 {
        never.plant(&sid(nth), TIMEOUT + GRACE + 60)?;
    }
    (0..alone).try_for_each(|nth| begin(&*never, nth))?;
    let began = Instant::now();
    (alone..count).try_for_each(|nth| begin(&*never, nth))?;
    let insert = began.elapsed();
    let sids: Vec<_> = (0..count).map(sid).collect();
    let is_cleaned = AtomicBool::new(false);
    let mut switch = |on| {
        is_cleaned.store(on, Relaxed);
        Ok(())
    };
    numbers(window, count, insert, &mut switch, |nth, is_write| {
        let store = if is_cleaned.load(Relaxed) { &often } else { &never };
        let was_there = store.request(&sids[nth], &mut |session| {
            if is_write {
                session.values.insert("visit".into(), "1".into());
            }
            is_write
        })?;
        if was_there { Ok(()) } else { Err(format!("{name} lost a session").into()) }
    })
}

fn larder(window: Duration, dir: &Path, count: usize) -> Outcome<[f64; 6]> {
    let clock = ManualClock::new(NOON_MS);
    let store = FileStore::at(dir).copies(2 * count).open()?;
    let sessions = Sessions::builder(store).idle(IDLE).clock(clock.clone()).build();
    let insert = |nth: usize| -> Outcome<String> {
        let mut session = sessions.open(None)?;
        session.set("visit", &nth)?;
        VALUES.iter().try_for_each(|(key, value)| session.set(key, value))?;
        if session.save()? != Saved::Stored {
            return Err("a new session was not stored".into());
        }
        let line = session.set_cookie().ok_or("a new session has a cookie")?;
        Ok(line.split(';').next().unwrap_or_default().to_owned())
    };
    (0..count / 10).try_for_each(|nth| insert(nth).map(drop))?;
    clock.advance(IDLE + IDLE / 4);
    let alone = count - INSERTS.min(count);
    let mut cookies = (0..alone).map(insert).collect::<Outcome<Vec<_>>>()?;
    let began = Instant::now();
    for nth in alone..count {
        cookies.push(insert(nth)?);
    }
    let took = began.elapsed();
    let mut sweeper = None;
    let mut switch = |on: bool| {
        // What is expired is removed in about as many steps as the window has.
        let sweep = || sessions.sweep_every(Duration::from_millis(20), (count / 250).max(1));
        sweeper = on.then(sweep).transpose()?;
        Ok(())
    };
    numbers(window, count, took, &mut switch, |nth, is_write| {
        one(&sessions, &cookies[nth], is_write)
    })
}

fn one(sessions: &Sessions<FileStore>, cookie: &str, is_write: bool) -> Outcome<()> {
    if !is_write {
        let visit: Option<usize> = sessions.peek([cookie], "visit")?;
        return visit.map(drop).ok_or_else(|| "larder lost a session".into());
    }
    let mut session = sessions.open([cookie])?;
    let visit: usize = session.get("visit")?.ok_or("larder lost a session")?;
    session.set("visit", &(visit + 1))?;
    // Another thread may have changed it too, and then this is a conflict: not of interest here.
    let _ = session.save()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::claim::Verdict;
    use super::*;

    fn judged(dbm: [f64; 2], file: f64, inserts: [f64; 2]) -> Verdict {
        let columns = [("insert us", 1), ("lost %", 1)];
        let mut table = Table::new("t", "store", &columns);
        for (nth, count) in [1000, 100_000].into_iter().enumerate() {
            table.push(format!("{DBM}, {count}"), &[inserts[nth], dbm[nth]]);
            table.push(format!("{FILE}, {count}"), &[inserts[nth], file]);
        }
        let mut claim = Claim::new(6, "sessions", "", "");
        judge(&mut claim, &table, &[1000, 100_000]);
        claim.verdict()
    }

    #[test]
    fn a_clean_up_that_costs_little_contradicts_it() {
        assert_eq!(judged([5.0, 90.0], 2.0, [10.0, 20.0]), Verdict::Holds);
        assert_eq!(judged([5.0, 40.0], 2.0, [10.0, 20.0]), Verdict::HoldsInPart);
        assert_eq!(judged([5.0, 5.0], 40.0, [10.0, 10.0]), Verdict::DoesNotHold);
    }

    #[test]
    fn ninety_percent_are_lost_when_a_clean_up_takes_nine_times_the_requests() {
        // 1,000 requests of 10 us are 10 ms; 90 ms are 90,000 looks of 1 us.
        assert_eq!(sessions_for_ninety_percent(1000.0, 10_000.0), 90_000.0);
    }

    #[test]
    fn no_store_loses_a_session() {
        let window = Duration::from_millis(10);
        let dir = tempfile::tempdir().unwrap();
        let of = |name| {
            let dir = dir.path().join(name);
            std::fs::create_dir(&dir).unwrap();
            match name {
                LARDER => larder(window, &dir, 50).unwrap(),
                _ => model(window, name, &dir, 50).unwrap(),
            }
        };
        for name in [DBM, FILE, LARDER] {
            let numbers = of(name);
            assert!(numbers.iter().all(|number| number.is_finite()), "{name}: {numbers:?}");
        }
    }
}
