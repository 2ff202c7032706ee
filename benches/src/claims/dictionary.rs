//! What does a dictionary in front of a static table save?
//!
//! A page looks up fifty names in a table that never changes: by fifty queries on a pooled
//! connection, in a dictionary behind a lock, and in larder's two kinds of it.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use larder_memo::{StaticMemo, StaticTable};

use super::chart::{Chart, Shape};
use super::claim::{Beside, Claim, Part, Table};
use super::{Outcome, Scale, measure};
use crate::photos::{FIND, Photos};
use crate::zipf::Popularity;

const ROWS: u32 = 10_000;
const TRACE: usize = 1 << 16;
const NEAR: &str = "query, database near";
const AWAY: &str = "query, database 0.5 ms away";
const LOCKED: &str = "dictionary behind one lock";
const BARE: &str = "floor: a dictionary that nobody else has";
const MEMO: &str = "larder's StaticMemo";
const TABLE: &str = "larder's StaticTable";

/// Runs the experiment.
pub fn run(scale: Scale) -> Outcome<Claim> {
    let words = "A dictionary in front of static tables saves the database";
    let source = "mod_python mailing list, 2003, author not recorded";
    let mut claim = Claim::new(5, "dictionary", words, source);
    claim.setup = format!(
        "A table of {ROWS} names that never changes, asked for by Zipf(0.9), on one thread and on \
         two: by a prepared query on a pooled connection of SQLite, near and with a delay of 0.5 ms \
         on each, and in dictionaries that have been filled before. A dictionary behind one lock \
         is what a Python dictionary is to the threads of its process; one that nobody else has \
         is a thread's own, and the floor."
    );
    let columns = [("ns, one thread", 0), ("ns, each of two", 0)];
    let mut table = Table::new("One look-up", "by", &columns);
    let trace = Popularity::new(ROWS, 0.9, 7).draw(TRACE, 8);
    by_queries(scale, &mut table, &trace)?;
    by_dictionaries(scale.time(800, 200), &mut table, &trace)?;
    judge(&mut claim, &table);
    let bars = table.rows.iter().map(|row| (row.name.clone(), row.numbers[1])).collect();
    claim.chart = Some(Chart {
        title: "A look-up in a static table, each of two threads".into(),
        value: "ns".into(),
        shape: Shape::Bars(bars),
    });
    claim.tables.push(table);
    Ok(claim)
}

fn judge(claim: &mut Claim, table: &Table) {
    let [one, two] = ["ns, one thread", "ns, each of two"];
    let saved = |query, column| table.at(query, column) / table.at(LOCKED, column);
    claim.parts.extend([
        Part::at_least(
            10.0,
            "a query over a look-up in the dictionary, one thread",
            saved(NEAR, one),
        ),
        Part::at_least(10.0, "the same on each of two threads", saved(NEAR, two)),
        Part::at_least(100.0, "the same, database 0.5 ms away", saved(AWAY, two)),
    ]);
    for ours in [MEMO, TABLE] {
        for theirs in [LOCKED, BARE] {
            for column in [one, two] {
                let what = format!("{column} ({ours})");
                let (ours, other) = (table.at(ours, column), table.at(theirs, column));
                claim.beside.push(Beside::less(what, ours, theirs, other));
            }
        }
    }
}

fn by_queries(scale: Scale, table: &mut Table, trace: &[u32]) -> Outcome<()> {
    let photos = Photos::new(ROWS);
    let pool = larder_pool::Pool::builder().max_size(2).build(photos.manager())?;
    for (name, delay) in [(NEAR, Duration::ZERO), (AWAY, Duration::from_micros(500))] {
        let mut numbers = Vec::new();
        for threads in [1, 2] {
            let ran = measure::again(threads, scale.time(1000, 300), |thread, nth| {
                let id = trace[(thread * 4099 + nth as usize) % TRACE];
                let conn = pool.get().map_err(|error| error.to_string())?;
                if !delay.is_zero() {
                    std::thread::sleep(delay);
                }
                let find =
                    || conn.prepare_cached(FIND)?.query_row([id], |row| row.get::<_, String>(0));
                find().map(|name| drop(black_box(name))).map_err(|error| error.to_string())
            })?;
            numbers.push(threads as f64 * 1e9 / ran.rate());
        }
        table.push(name, &numbers);
    }
    Ok(())
}

fn by_dictionaries(time: Duration, table: &mut Table, trace: &[u32]) -> Outcome<()> {
    let rows = || (0..ROWS).map(|id| (id, format!("albums/{:03}/img_{id:06}.jpg", id % 500)));
    let id = |thread: usize, nth: u64| trace[(thread * 4099 + nth as usize) % TRACE];
    let measured = |look: &(dyn Fn(u32) -> usize + Sync)| {
        [1, 2].map(|threads| {
            measure::each_ns(threads, time, |thread, nth| {
                black_box(look(id(thread, nth)));
            })
        })
    };
    let bare: HashMap<u32, String, RandomState> = rows().collect();
    table.push(BARE, &measured(&|id| bare.get(&id).map_or(0, String::len)));
    let locked = Mutex::new(bare);
    let look = |id| {
        let dictionary = locked.lock().unwrap_or_else(PoisonError::into_inner);
        dictionary.get(&id).map_or(0, String::len)
    };
    table.push(LOCKED, &measured(&look));
    let memo: StaticMemo<u32, String> = StaticMemo::new();
    memo.preload(rows());
    table.push(MEMO, &measured(&|id| memo.get(&id).map_or(0, String::len)));
    let whole: StaticTable<u32, String> = StaticTable::with_loader(move || Ok(rows().collect()));
    whole.reload()?;
    let look = |id: u32| whole.read(&id, String::len).ok().flatten().unwrap_or(0);
    table.push(TABLE, &measured(&look));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::claim::Verdict;
    use super::*;

    #[test]
    fn a_dictionary_that_is_no_quicker_contradicts_it() {
        let judged = |near: f64, away: f64| {
            let columns = [("ns, one thread", 0), ("ns, each of two", 0)];
            let mut table = Table::new("t", "by", &columns);
            table.push(NEAR, &[near, near]);
            table.push(AWAY, &[away, away]);
            table.push(LOCKED, &[20.0, 80.0]);
            let mut claim = Claim::new(5, "dictionary", "", "");
            judge(&mut claim, &table);
            claim.verdict()
        };
        assert_eq!(judged(2000.0, 500_000.0), Verdict::Holds);
        assert_eq!(judged(500.0, 500_000.0), Verdict::HoldsInPart);
        assert_eq!(judged(10.0, 100.0), Verdict::DoesNotHold);
    }
}
