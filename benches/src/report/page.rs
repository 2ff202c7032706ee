//! The page: the table with all that was lost, what is missing, and every number.

use std::fmt::Write;

use super::Kept;
use super::job::{PARTS, Part};
use super::line::{NOISE, Readings, Row, Verdict, digits, readable};
use super::lines;

/// The rows of all parts, and what there are no numbers for.
pub struct Found<'l> {
    parts: Vec<(Part, Vec<Row<'l>>)>,
    missing: Vec<(&'static str, String)>,
}

impl Found<'_> {
    /// Looks up the numbers of all lines.
    pub fn new(readings: &Readings<'_>) -> Self {
        let mut found = Found { parts: Vec::new(), missing: Vec::new() };
        for part in PARTS {
            let mut rows = Vec::new();
            for line in lines::of(part) {
                match line.row(readings) {
                    Ok(row) => rows.push(row),
                    Err(reading) => found.missing.push((line.id, reading)),
                }
            }
            if !rows.is_empty() {
                found.parts.push((part, rows));
            }
        }
        found
    }

    /// Parts that have numbers, and their rows.
    pub fn parts(&self) -> impl Iterator<Item = (Part, &[Row<'_>])> {
        self.parts.iter().map(|(part, rows)| (*part, &rows[..]))
    }

    /// All rows.
    pub fn rows(&self) -> Vec<&Row<'_>> {
        self.parts().flat_map(|(_, rows)| rows).collect()
    }

    /// The rows of the picture of all.
    pub fn headlines(&self) -> Vec<&Row<'_>> {
        self.rows().into_iter().filter(|row| row.line.is_headline).collect()
    }

    fn of(&self, verdict: Verdict) -> Vec<&Row<'_>> {
        self.rows().into_iter().filter(|row| row.verdict() == verdict).collect()
    }

    /// The count of all verdicts.
    pub fn summary(&self) -> String {
        let count = |verdict| self.of(verdict).len();
        format!(
            "larder leads in {} rows, is level with the best peer in {} and loses in {}; {} have \
             no peer, {} no numbers.",
            count(Verdict::Leads),
            count(Verdict::Level),
            count(Verdict::Loses),
            count(Verdict::Alone),
            self.missing.len(),
        )
    }
}

/// The one table: a head, and a row for each line.
pub fn table(rows: &[&Row<'_>]) -> Vec<Vec<String>> {
    let head =
        ["id", "work", "unit", "larder", "best peer", "its name", "ratio", "", "floor", "to floor"];
    let mut table = vec![head.map(String::from).to_vec()];
    table.extend(rows.iter().map(|row| cells(row)));
    table
}

fn cells(row: &Row<'_>) -> Vec<String> {
    let (step, unit) = readable(row.ours, &row.unit);
    let number = |value: f64| digits(value / step);
    let mut cells = vec![row.line.id.to_owned(), row.work.clone(), unit.to_owned()];
    cells.push(number(row.ours));
    match row.best() {
        Some(best) => cells.extend([number(best.value), best.name.to_owned()]),
        None => cells.extend([String::new(), no_peer(row)]),
    }
    cells.push(row.advantage().map_or(String::new(), |times| format!("{} x", digits(times))));
    cells.push(row.verdict().word().to_owned());
    match &row.floor {
        Some(floor) => cells.extend([number(floor.value), digits(floor.times_ours)]),
        None => cells.extend([String::new(), String::new()]),
    }
    cells
}

fn no_peer(row: &Row<'_>) -> String {
    match row.line.peers {
        [] => "none".to_owned(),
        peers => format!("not measured: {}", peers.join(", ")),
    }
}

/// Writes it all down.
pub fn markdown(machine: &str, found: &Found<'_>, kept: &[Kept]) -> String {
    let mut page = String::new();
    let mut say = |text: &str| page.push_str(text);
    say("# larder beside its peers\n\n");
    say(&format!("{machine}. {}\n\n", found.summary()));
    say(&format!(
        "*ratio* is how many times as good as the best peer larder is, whichever way is good: \
         above 1 it leads, below 1 it loses; within {:.0} % they are level. *floor* is what a bare \
         structure or loop takes that does nothing but the work; *to floor* is how many times \
         that larder takes.\n",
        NOISE * 100.0
    ));
    if !found.headlines().is_empty() {
        say("\n![larder and the best peer](overview.svg)\n");
    }
    losses(&mut say, found);
    for (part, rows) in found.parts() {
        say(&format!("\n## {part}\n\n"));
        markdown_table(&mut say, &table(&rows.iter().collect::<Vec<_>>()));
        say(&format!("\n![{part}: all that were measured]({part}.svg)\n"));
    }
    missing(&mut say, found, kept);
    numbers(&mut say, kept);
    page
}

/// The rows that are lost, first of all.
fn losses(say: &mut impl FnMut(&str), found: &Found<'_>) {
    let lost = found.of(Verdict::Loses);
    if lost.is_empty() {
        return;
    }
    say("\n## Where larder loses\n\n");
    for row in lost {
        let (step, unit) = readable(row.ours, &row.unit);
        let Some(best) = row.best() else { continue };
        say(&format!(
            "- {}: {} {unit}, {} {} (`{}`)\n",
            row.work,
            digits(row.ours / step),
            best.name,
            digits(best.value / step),
            row.line.id,
        ));
    }
}

fn missing(say: &mut impl FnMut(&str), found: &Found<'_>, kept: &[Kept]) {
    let faults = || kept.iter().flat_map(|kept| kept.faults.iter().map(move |f| (&kept.job, f)));
    if found.missing.is_empty() && faults().next().is_none() {
        return;
    }
    say("\n## What is missing\n\n");
    for (job, fault) in faults() {
        say(&format!("- `{job}`: {fault}\n"));
    }
    for (id, reading) in &found.missing {
        let why = match kept.iter().find(|kept| reading.starts_with(&kept.job)) {
            None => "its benchmark did not run".to_owned(),
            Some(kept) if kept.faults.is_empty() => format!("{} ran without it", kept.job),
            Some(kept) => format!("{}: {}", kept.job, kept.faults.join("; ")),
        };
        say(&format!("- row `{id}`: no number `{reading}`; {why}\n"));
    }
}

/// Every number, by the job that found it.
fn numbers(say: &mut impl FnMut(&str), kept: &[Kept]) {
    say("\n## Every number\n\nAs the benchmarks told them; of criterion's, the medians.\n");
    for kept in kept {
        say(&format!("\n### {}\n\n`{}`, {}.\n", kept.job, kept.command, kept.run));
        if kept.readings.is_empty() {
            continue;
        }
        say("\n| number | is | 95 % |\n|---|---:|---|\n");
        for reading in &kept.readings {
            let (step, unit) = readable(reading.value, &reading.unit);
            let ends = reading
                .interval
                .map(|(low, high)| format!("{} to {}", digits(low / step), digits(high / step)));
            let value = digits(reading.value / step);
            let ends = ends.unwrap_or_default();
            say(&format!("| {} | {value} {unit} | {ends} |\n", reading.id));
        }
    }
}

fn markdown_table(say: &mut impl FnMut(&str), rows: &[Vec<String>]) {
    for (nth, row) in rows.iter().enumerate() {
        let mut line = String::from("|");
        row.iter().for_each(|cell| {
            let _ = write!(line, " {cell} |");
        });
        say(&(line + "\n"));
        if nth == 0 {
            say("|---|---|---|---:|---:|---|---:|---|---:|---:|\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Reading;

    fn reading(id: &str, value: f64) -> Reading {
        Reading { id: id.into(), value, unit: "ns".into(), interval: Some((value, value)) }
    }

    fn page(readings: &[Reading], faults: &[&str]) -> String {
        let by_name: Readings<'_> = readings.iter().map(|r| (r.id.as_str(), r)).collect();
        let kept = Kept {
            job: "vars".into(),
            command: "cargo bench".into(),
            run: "in full".into(),
            faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
            readings: readings.to_vec(),
        };
        markdown("2 cores", &Found::new(&by_name), &[kept])
    }

    #[test]
    fn a_loss_is_told_first() {
        let page = page(
            &[reading("vars_incr/larder/1", 109.0), reading("vars_incr/dashmap/1", 16.0)],
            &[],
        );
        let lost = page.find("## Where larder loses").unwrap();
        assert!(lost < page.find("## vars").unwrap());
        assert!(page.contains("109 ns, dashmap 16.0 (`vars-incr-1`)"), "{page}");
        assert!(page.contains("| 0.15 x | **loses** |"), "{page}");
    }

    #[test]
    fn what_is_missing_says_why() {
        let page = page(&[reading("vars_incr/larder/1", 1.0)], &["it failed: no memory"]);
        assert!(page.contains("`vars`: it failed: no memory"));
        assert!(
            page.contains("row `vars-read-1`: no number `vars_read/larder/1`; vars: it failed")
        );
        assert!(page.contains("`memo-static-1k-1`") && page.contains("did not run"));
        assert!(page.contains("not measured: papaya, nsv, rwlock, dashmap"));
    }

    #[test]
    fn every_number_is_a_line() {
        let page = page(&[reading("vars_incr/larder/1", 1500.0)], &[]);
        assert!(page.contains("| vars_incr/larder/1 | 1.50 µs | 1.50 to 1.50 |"), "{page}");
    }
}
