//! Claims as Markdown.

use std::fmt::Write;

use super::claim::{Bound, Claim, Part, RULE, Table};
use crate::table::rendered;

/// Writes the whole report: a summary, then each claim.
pub fn report(claims: &[Claim], about: &str) -> String {
    let mut text = format!("# Old claims, measured again\n\n{about}\n\n{RULE}\n\n");
    for claim in claims {
        let held = claim.parts.iter().filter(|part| part.holds() == Some(true)).count();
        let measured = claim.parts.iter().filter(|part| part.holds().is_some()).count();
        let (number, words, verdict) = (claim.number, &claim.words, claim.verdict().words());
        let _ = writeln!(text, "{number}. {words}: **{verdict}** ({held} of {measured} parts)");
    }
    let losses = losses(claims);
    if !losses.is_empty() {
        text.push_str("\n## Where larder loses\n\n");
        losses.iter().for_each(|line| text.push_str(line));
    }
    claims.iter().for_each(|claim| text.push_str(&section(claim)));
    text
}

fn losses(claims: &[Claim]) -> Vec<String> {
    let lines = claims.iter().flat_map(|claim| {
        let lost = claim.beside.iter().filter(|beside| beside.outcome() == "larder loses");
        lost.map(|beside| format!("- claim {}: {}\n", claim.number, comparison(beside)))
    });
    lines.collect()
}

/// Writes one claim.
pub fn section(claim: &Claim) -> String {
    let words = &claim.words;
    let mut text = format!("\n## {}. {words}\n\n", claim.number);
    let _ = writeln!(text, "Source: {}.\n\nSet-up: {}", claim.source, claim.setup);
    if !claim.run.is_empty() {
        let _ = writeln!(text, "\nMeasured {}.", claim.run);
    }
    for missing in &claim.missing {
        let _ = writeln!(text, "\nMissing: {missing}.");
    }
    for table in &claim.tables {
        let _ = writeln!(text, "\n{}\n", table.title);
        push_table(&mut text, &cells(table));
    }
    if let Some(file) = &claim.picture {
        let _ = writeln!(text, "\n![Chart of claim {}]({file})", claim.number);
    }
    let _ = writeln!(text, "\n**Verdict: {}.**\n", claim.verdict().words());
    claim.parts.iter().for_each(|part| text.push_str(&line(part)));
    if !claim.beside.is_empty() {
        text.push_str("\nlarder beside others, in this run:\n\n");
    }
    for beside in &claim.beside {
        let _ = writeln!(text, "- {}: **{}**", comparison(beside), beside.outcome());
    }
    if !claim.beyond.is_empty() {
        text.push_str("\nBeyond the claim:\n\n");
    }
    for line in &claim.beyond {
        let _ = writeln!(text, "- {line}");
    }
    text
}

fn comparison(beside: &super::claim::Beside) -> String {
    let (larder, other) = (short(beside.larder), short(beside.other));
    format!("{}: larder {larder}, {} {other}", beside.what, beside.name)
}

fn line(part: &Part) -> String {
    let bound = match part.bound {
        Bound::AtLeast(bound) => format!("at least {}", short(bound)),
        Bound::AtMost(bound) => format!("at most {}", short(bound)),
    };
    let outcome = match part.holds() {
        Some(true) => "holds",
        Some(false) => "**contradicted**",
        None => "not measured",
    };
    format!("- {}: {} (bound: {bound}): {outcome}\n", part.what, short(part.number))
}

fn short(number: f64) -> String {
    super::chart::short(number)
}

fn push_table(text: &mut String, rows: &[Vec<String>]) {
    rendered(rows).iter().for_each(|line| {
        text.push_str(line);
        text.push('\n');
    });
}

fn cells(table: &Table) -> Vec<Vec<String>> {
    let names = table.columns.iter().map(|(name, _)| name.clone());
    let mut rows = vec![std::iter::once(table.key.clone()).chain(names).collect::<Vec<_>>()];
    for row in &table.rows {
        let mut cells = vec![row.name.clone()];
        for (number, (_, digits)) in row.numbers.iter().zip(&table.columns) {
            cells.push(match number {
                number if number.is_nan() => "-".to_owned(),
                number => format!("{number:.digits$}"),
            });
        }
        rows.push(cells);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::claim::Beside;
    use super::*;

    fn claim() -> Claim {
        let mut claim = Claim::new(4, "keys", "order matters", "a list, 2003");
        claim.setup = "Two orders.".into();
        let mut table = Table::new("Pages", "order", &[("pages/s", 0), ("p99 ms", 2)]);
        table.push("a, b", &[1000.4, f64::NAN]);
        claim.tables.push(table);
        claim.parts.push(Part::at_least(3.0, "gain", 4.0));
        claim
    }

    #[test]
    fn a_claim_is_written_with_its_source_and_verdict() {
        let text = section(&claim());
        for part in ["## 4. order matters", "Source: a list, 2003.", "**Verdict: holds.**"] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(text.contains("1000 |      - |"), "a number that is missing is a dash:\n{text}");
    }

    #[test]
    fn a_contradiction_is_shown_as_one() {
        let mut claim = claim();
        claim.parts[0].number = 1.0;
        let text = section(&claim);
        assert!(text.contains("**contradicted**") && text.contains("Verdict: does not hold"));
    }

    #[test]
    fn losses_come_first() {
        let mut claim = claim();
        claim.beside.push(Beside::less("ns a count", 500.0, "nsv", 97.0));
        claim.beside.push(Beside::less("ns a read", 60.0, "nsv", 75.0));
        let text = report(&[claim], "Somewhere.");
        let (losses, sections) = text.split_once("## 4.").unwrap();
        assert!(losses.contains("in our words, not quoted"));
        assert!(losses.contains("4. order matters: **holds** (1 of 1 parts)"));
        assert!(losses.contains("claim 4: ns a count: larder 500, nsv 97"));
        assert!(!losses.contains("ns a read"));
        assert!(sections.contains("larder 60, nsv 75: **larder leads**"));
    }

    #[test]
    fn without_a_loss_there_is_no_list_of_them() {
        assert!(!report(&[claim()], "Somewhere.").contains("loses"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut claim = claim();
        claim.missing.push("memcached is not installed".into());
        assert!(section(&claim).contains("Missing: memcached is not installed."));
    }
}
