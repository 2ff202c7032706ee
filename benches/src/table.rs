//! Tables of numbers: for people on standard output, and for programs in a file.
//!
//! With `--json=FILE` each number of a table is also a line at the end of that file, as a
//! [`Reading`]. A title `pool_fairness: what it says` names the group, the row's first cells (as
//! many as it takes to tell the rows apart) what was measured, and the column the number:
//! `pool_fairness/larder/p99.9`. A cell is a number, with a unit after it or none, and a
//! remark in brackets; others are words, and only printed.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

/// A number that a benchmark found, under its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// `group/system/parameter`, or `group/row/column`.
    pub id: String,
    /// The number itself.
    pub value: f64,
    /// What it counts; empty for a bare count or ratio.
    pub unit: String,
    /// Both ends of its 95 % confidence interval, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
}

/// Prints a table whose first row is the head; nothing, if there is no other.
///
/// # Panics
///
/// If `--json` names a file that can't be written: a run without its numbers is no run.
pub fn print(title: &str, rows: &[Vec<String>]) {
    if rows.len() < 2 {
        return;
    }
    println!("\n{title}\n");
    rendered(rows).iter().for_each(|line| println!("{line}"));
    if let Some(path) =
        std::env::args().find_map(|arg| arg.strip_prefix("--json=").map(str::to_owned))
    {
        append(&path, &readings(title, rows)).expect("the file of --json can be written");
    }
}

/// Appends readings to a file, a line each.
///
/// # Errors
///
/// What the file system says.
pub fn append(path: &str, readings: &[Reading]) -> io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    for reading in readings {
        writeln!(file, "{}", serde_json::to_string(reading)?)?;
    }
    Ok(())
}

/// Aligns a table in the way of Markdown.
pub fn rendered(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row: &Vec<String>| row.get(column));
        cells.map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    let mut lines = Vec::with_capacity(rows.len() + 1);
    for (nth, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!(" {cell:>width$} |"));
        lines.push(format!("|{}", cells.collect::<String>()));
        if nth == 0 {
            let rules = widths.iter().map(|width| format!("{}:|", "-".repeat(width + 1)));
            lines.push(format!("|{}", rules.collect::<String>()));
        }
    }
    lines
}

/// The numbers of a table, under their names.
fn readings(title: &str, rows: &[Vec<String>]) -> Vec<Reading> {
    let (Some((head, rows)), Some((group, _))) = (rows.split_first(), title.split_once(':')) else {
        return Vec::new();
    };
    let words = words_that_tell_apart(rows);
    let mut readings = Vec::new();
    for row in rows {
        let key = row[..words.min(row.len())].join("/");
        for (column, cell) in head.iter().zip(row).skip(words) {
            if let Some((value, mut unit)) = number(cell) {
                if unit.is_empty() && column.ends_with("/s") {
                    unit.push_str("/s");
                }
                let id = format!("{group}/{key}/{column}");
                readings.push(Reading { id, value, unit, interval: None });
            }
        }
    }
    readings
}

fn words_that_tell_apart(rows: &[Vec<String>]) -> usize {
    let columns = rows.iter().map(Vec::len).min().unwrap_or(0);
    let differ = |count: &usize| {
        let mut seen = HashSet::new();
        rows.iter().all(|row| seen.insert(&row[..*count]))
    };
    (1..columns).find(differ).unwrap_or(1)
}

/// `12.5 ms`, `12.5` or `125000/s`; none for words.
fn number(cell: &str) -> Option<(f64, String)> {
    let end = cell.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-');
    let (digits, unit) = cell.split_at(end.unwrap_or(cell.len()));
    // A unit of several words is a sentence: `3 of 4`; in brackets there is a remark.
    let unit = unit.split('(').next().unwrap_or_default().trim();
    if unit.contains(' ') {
        return None;
    }
    Some((digits.parse().ok()?, unit.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    fn ids(title: &str, table: &[&[&str]]) -> Vec<String> {
        readings(title, &rows(table)).into_iter().map(|reading| reading.id).collect()
    }

    #[test]
    fn a_row_is_named_by_as_many_cells_as_tell_it_apart() {
        let one = ids("pool: x", &[&["system", "p99"], &["larder", "1 ms"], &["r2d2", "2 ms"]]);
        assert_eq!(one, ["pool/larder/p99", "pool/r2d2/p99"]);
        let head: &[&str] = &["system", "when", "rate"];
        let two = ids("load: x", &[head, &["larder", "before", "1"], &["larder", "after", "2"]]);
        assert_eq!(two, ["load/larder/before/rate", "load/larder/after/rate"]);
    }

    #[test]
    fn a_column_of_rates_has_their_unit() {
        let table = rows(&[&["system", "ops/s", "kept"], &["larder", "5", "0.9"]]);
        let units: Vec<_> = readings("a: b", &table).into_iter().map(|r| r.unit).collect();
        assert_eq!(units, ["/s", ""]);
    }

    #[test]
    fn words_are_no_numbers() {
        assert_eq!(number("12.50 ms"), Some((12.5, "ms".into())));
        assert_eq!(number("125000/s"), Some((125_000.0, "/s".into())));
        assert_eq!(number("76.2 (16686)"), Some((76.2, String::new())));
        assert_eq!(number("-0.5"), Some((-0.5, String::new())));
        for words in ["larder", "3 of 4", "-", "", "1.00 -> 2.00 us"] {
            assert_eq!(number(words), None, "{words:?}");
        }
    }

    #[test]
    fn a_title_without_a_group_names_nothing() {
        assert!(ids("words only", &[&["system", "p99"], &["larder", "1 ms"]]).is_empty());
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let lines = rendered(&rows(&[&["a", "time"], &["larder", "1 µs"]]));
        assert_eq!(lines, ["|      a | time |", "|-------:|-----:|", "| larder | 1 µs |"]);
    }

    #[test]
    fn what_is_appended_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("numbers").to_str().unwrap().to_owned();
        let table = rows(&[&["system", "p99"], &["larder", "1.5 ms"]]);
        append(&path, &readings("a: b", &table)).unwrap();
        append(&path, &readings("a: b", &table)).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let read: Vec<Reading> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[1].id.as_str(), read[1].value, read[1].unit.as_str()),
            ("a/larder/p99", 1.5, "ms")
        );
    }
}
