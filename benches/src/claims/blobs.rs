//! Does large content in the database cost a copy a connection, and the cache of what is small?
//!
//! Zope kept files as chains of 64 KB objects in its object database, and each connection had a
//! cache of objects of its own. Here the database is SQLite, its objects are rows, and the cache is
//! that of a connection's pages. Rows of 64 KB (`chunks`) are read through that cache, as Zope's
//! objects were; a film that is one long row (`whole`) is read past it by SQLite since 3.45.
//!
//! A small read is a hit when it made no system call to read: the kernel counts them by thread.

use std::path::Path;

use rusqlite::Connection;

use super::chart::{Chart, Shape};
use super::child::Child;
use super::claim::{Beside, Claim, Part, Table};
use super::films::{CACHE_KIB, CHUNK, CHUNKS, FILMS, PAGE, PAGES, SMALL};
use super::{Outcome, Scale};

const MODES: [&str; 4] = ["none", "chunks", "whole", "files"];

/// Runs the experiment.
pub fn run(scale: Scale) -> Outcome<Claim> {
    let words = "Large content in the object database: N connections hold N copies in memory and \
                 their caches thrash; served from disk there is one copy";
    let mut claim = Claim::new(1, "blobs", words, "Zope mailing list, 2004, author not recorded");
    claim.setup = format!(
        "A SQLite database with {FILMS} films of 4 MB and a small working set of 3 MB. N threads on \
         N pooled connections, each with a page cache of {} MB, read {SMALL} small rows and send \
         one film over a loopback connection, in turns, in a process of its own. none: no films; chunks: films as rows of \
         64 KB, as Zope had them; whole: a film is one row; files: films spilled to larder-files \
         before, and sent by descriptor. Memory: the most that the process has resident and not \
         from files; hit: a small row that was read without a system call.",
        CACHE_KIB / 1024
    );
    let dir = tempfile::tempdir()?;
    let database = dir.path().join("films.db");
    fill(&database)?;
    let columns = [
        ("connections", 0),
        ("memory MB", 1),
        ("hits %", 1),
        ("small reads/s", 0),
        ("films MB/s", 0),
    ];
    let mut table = Table::new("Films beside small rows", "films", &columns);
    let crowds = scale.pick(&[1, 2, 4, 8, 16][..], &[1, 4, 16]);
    let mut lines = Vec::new();
    for mode in MODES {
        let mut points = Vec::new();
        for &connections in crowds {
            let numbers = one(&database, mode, connections, scale.pick(100, 40))?;
            points.push((f64::from(connections), numbers[0]));
            let row = format!("{mode}, {connections}");
            table.push(row, &[&[f64::from(connections)], &numbers[..]].concat());
        }
        lines.push((mode.to_owned(), points));
    }
    judge(&mut claim, &table);
    claim.chart = Some(Chart {
        title: "Memory by connections, while films are sent".into(),
        value: "MB".into(),
        shape: Shape::Lines("connections".into(), lines),
    });
    claim.tables.push(table);
    Ok(claim)
}

fn judge(claim: &mut Claim, table: &Table) {
    let at =
        |mode: &str, connections: u32, column| table.at(&format!("{mode}, {connections}"), column);
    let growth = |mode| at(mode, 16, "memory MB") / at(mode, 1, "memory MB");
    let hits = |mode| at(mode, 16, "hits %") / at("files", 16, "hits %");
    let parts = [
        Part::at_least(4.0, "memory at 16 connections over that at 1, chunks", growth("chunks")),
        Part::at_most(
            0.8,
            "hit ratio of the small rows beside chunks over that beside files, 16 connections",
            hits("chunks"),
        ),
        Part::at_least(4.0, "memory at 16 connections over that at 1, whole rows", growth("whole")),
        Part::at_most(0.8, "hit ratio beside whole rows over that beside files", hits("whole")),
        Part::at_most(
            1.25,
            "memory with films from files over that without films, 16 connections",
            at("files", 16, "memory MB") / at("none", 16, "memory MB"),
        ),
    ];
    claim.parts.extend(parts);
    for mode in ["chunks", "whole"] {
        for (column, what) in
            [("films MB/s", "films sent, MB/s"), ("small reads/s", "small reads/s")]
        {
            let (ours, theirs) = (at("files", 16, column), at(mode, 16, column));
            claim.beside.push(Beside::more(format!("{what}, 16 connections"), ours, mode, theirs));
        }
    }
}

fn fill(database: &Path) -> Outcome<()> {
    let mut conn = Connection::open(database)?;
    conn.execute_batch(
        "PRAGMA page_size = 65536; PRAGMA synchronous = OFF;
         CREATE TABLE page (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
         CREATE TABLE chunk (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
         CREATE TABLE whole (id INTEGER PRIMARY KEY, body BLOB NOT NULL);",
    )?;
    let tx = conn.transaction()?;
    for id in 0..PAGES {
        tx.execute("INSERT INTO page VALUES (?1, ?2)", (id, vec![id as u8; PAGE]))?;
    }
    for id in 0..FILMS * CHUNKS {
        tx.execute("INSERT INTO chunk VALUES (?1, ?2)", (id, vec![id as u8; CHUNK]))?;
    }
    for id in 0..FILMS {
        let film = vec![id as u8; CHUNK * CHUNKS as usize];
        tx.execute("INSERT INTO whole VALUES (?1, ?2)", (id, film))?;
    }
    Ok(tx.commit()?)
}

/// Has a child do it; returns what it printed: memory, hits, small reads and films a second.
fn one(database: &Path, mode: &str, connections: u32, rounds: u64) -> Outcome<[f64; 4]> {
    let (connections, rounds) = (connections.to_string(), rounds.to_string());
    let database = database.to_str().ok_or("a directory with a name")?;
    let child = Child::start(&["films", database, mode, &connections, &rounds])?;
    let numbers: Result<Vec<f64>, _> = child.line().split_whitespace().map(str::parse).collect();
    Ok(numbers?.try_into().map_err(|_| "four numbers were expected")?)
}
