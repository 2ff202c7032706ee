//! A claim, the experiment that tries it, and the verdict that its numbers give.
//!
//! A claim is cut into [parts](Part): each is one number and a bound that was written down before
//! the run. Nothing else has a say in the [`Verdict`], so a run on another machine may well come to
//! another one.

use serde::{Deserialize, Deserializer, Serialize};

use super::chart::Chart;

/// How the verdict comes about, as the report says it.
pub const RULE: &str = "The claims are told in our words, not quoted. Each is cut into parts, each \
a number and a bound that was written down before the run. It holds when all parts that could be \
measured keep to their bounds, holds in part when some do, and does not hold when none does.";

/// A claim, with all that was found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claim {
    /// Its number in the list of claims.
    pub number: u8,
    /// One word, for names of files.
    pub slug: String,
    /// What is claimed, in our words.
    pub words: String,
    /// On which list it was claimed, when and by whom: each is named, or said not to be recorded.
    pub source: String,
    /// When it was measured, and how thoroughly.
    pub run: String,
    /// What was done to find out.
    pub setup: String,
    /// The numbers.
    pub tables: Vec<Table>,
    /// What the verdict is made of.
    pub parts: Vec<Part>,
    /// larder beside others: who is ahead.
    pub beside: Vec<Beside>,
    /// What else the numbers say, beyond the claim.
    pub beyond: Vec<String>,
    /// Programs that would have been asked, but are not there.
    pub missing: Vec<String>,
    /// The picture, before it is drawn.
    #[serde(skip)]
    pub chart: Option<Chart>,
    /// The file of the picture, once it is drawn.
    pub picture: Option<String>,
}

impl Claim {
    /// Begins a claim of which nothing is known yet.
    pub fn new(number: u8, slug: &str, words: &str, source: &str) -> Self {
        Claim {
            number,
            slug: slug.to_owned(),
            words: words.to_owned(),
            source: source.to_owned(),
            run: String::new(),
            setup: String::new(),
            tables: Vec::new(),
            parts: Vec::new(),
            beside: Vec::new(),
            beyond: Vec::new(),
            missing: Vec::new(),
            chart: None,
            picture: None,
        }
    }

    /// Judges it by its parts.
    pub fn verdict(&self) -> Verdict {
        Verdict::of(&self.parts)
    }
}

/// What the numbers say of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All parts do.
    Holds,
    /// Some parts do.
    HoldsInPart,
    /// No part does.
    DoesNotHold,
    /// There is no number to judge by.
    NotMeasured,
}

impl Verdict {
    /// The rule: see [`RULE`].
    pub fn of(parts: &[Part]) -> Self {
        let measured = parts.iter().filter(|part| part.holds().is_some()).count();
        let held = parts.iter().filter(|part| part.holds() == Some(true)).count();
        match (measured, held) {
            (0, _) => Verdict::NotMeasured,
            (all, held) if held == all => Verdict::Holds,
            (_, 0) => Verdict::DoesNotHold,
            _ => Verdict::HoldsInPart,
        }
    }

    /// Says it in words.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::HoldsInPart => "holds in part",
            Verdict::DoesNotHold => "does not hold",
            Verdict::NotMeasured => "was not measured",
        }
    }
}

/// What a part of a claim says of a number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// It is this or more.
    AtLeast(f64),
    /// It is this or less.
    AtMost(f64),
}

/// A part of a claim: one number, and what it has to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What the number is.
    pub what: String,
    /// The number; not a number if it could not be measured.
    #[serde(deserialize_with = "number")]
    pub number: f64,
    /// What the claim has it be.
    pub bound: Bound,
}

impl Part {
    /// Says that a number is this or more.
    pub fn at_least(bound: f64, what: impl Into<String>, number: f64) -> Self {
        Part { what: what.into(), number, bound: Bound::AtLeast(bound) }
    }

    /// Says that a number is this or less.
    pub fn at_most(bound: f64, what: impl Into<String>, number: f64) -> Self {
        Part { what: what.into(), number, bound: Bound::AtMost(bound) }
    }

    /// Tells whether it is so; none if nobody knows.
    pub fn holds(&self) -> Option<bool> {
        let is_kept = match self.bound {
            Bound::AtLeast(bound) => self.number >= bound,
            Bound::AtMost(bound) => self.number <= bound,
        };
        (!self.number.is_nan()).then_some(is_kept)
    }
}

/// larder and another in the same run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// What was measured, with its unit.
    pub what: String,
    /// larder's number.
    #[serde(deserialize_with = "number")]
    pub larder: f64,
    /// Whose the other is.
    pub name: String,
    /// The other's number.
    #[serde(deserialize_with = "number")]
    pub other: f64,
    /// Whether more of it is better.
    pub is_more_better: bool,
}

/// Closer than this, nobody is ahead: runs differ by as much.
const TIE: f64 = 0.05;

impl Beside {
    /// Compares what is better when it is more.
    pub fn more(what: impl Into<String>, larder: f64, name: impl Into<String>, other: f64) -> Self {
        Beside { what: what.into(), larder, name: name.into(), other, is_more_better: true }
    }

    /// Compares what is better when it is less.
    pub fn less(what: impl Into<String>, larder: f64, name: impl Into<String>, other: f64) -> Self {
        Beside { is_more_better: false, ..Beside::more(what, larder, name, other) }
    }

    /// Tells how many times better larder is: below one, it loses.
    pub fn ratio(&self) -> f64 {
        let (good, bad) =
            if self.is_more_better { (self.larder, self.other) } else { (self.other, self.larder) };
        good / bad
    }

    /// Says who is ahead.
    pub fn outcome(&self) -> &'static str {
        match self.ratio() {
            ratio if ratio.is_nan() => "not measured",
            ratio if ratio > 1.0 + TIE => "larder leads",
            ratio if ratio < 1.0 / (1.0 + TIE) => "larder loses",
            _ => "level",
        }
    }
}

/// Numbers, in rows of the same kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What they are about.
    pub title: String,
    /// What the names of the rows are.
    pub key: String,
    /// What is measured: name with unit, and digits after the point.
    pub columns: Vec<(String, usize)>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A row of a [`Table`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Whose numbers.
    pub name: String,
    /// One a column; not a number where there is none.
    #[serde(deserialize_with = "numbers")]
    pub numbers: Vec<f64>,
}

impl Table {
    /// Begins a table.
    pub fn new(title: impl Into<String>, key: &str, columns: &[(&str, usize)]) -> Self {
        let columns = columns.iter().map(|(name, digits)| ((*name).to_owned(), *digits)).collect();
        Table { title: title.into(), key: key.to_owned(), columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, name: impl Into<String>, numbers: &[f64]) {
        debug_assert_eq!(numbers.len(), self.columns.len(), "a number a column");
        self.rows.push(Row { name: name.into(), numbers: numbers.to_vec() });
    }

    /// Finds a number by its row and its column; not a number if it is not there.
    pub fn at(&self, row: &str, column: &str) -> f64 {
        let column = self.columns.iter().position(|(name, _)| name == column);
        let row = self.rows.iter().find(|candidate| candidate.name == row);
        row.zip(column).and_then(|(row, at)| row.numbers.get(at)).copied().unwrap_or(f64::NAN)
    }
}

/// JSON has no way to say "not a number" but null.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

fn numbers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    let numbers = Vec::<Option<f64>>::deserialize(from)?;
    Ok(numbers.into_iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(numbers: &[f64]) -> Vec<Part> {
        numbers.iter().map(|number| Part::at_least(2.0, "ratio", *number)).collect()
    }

    #[test]
    fn a_part_that_fails_is_not_overlooked() {
        assert_eq!(Verdict::of(&parts(&[2.0, 3.0])), Verdict::Holds);
        assert_eq!(Verdict::of(&parts(&[2.0, 1.9])), Verdict::HoldsInPart);
        assert_eq!(Verdict::of(&parts(&[1.9, 0.0])), Verdict::DoesNotHold);
    }

    #[test]
    fn what_was_not_measured_is_no_argument() {
        assert_eq!(Verdict::of(&[]), Verdict::NotMeasured);
        assert_eq!(Verdict::of(&parts(&[f64::NAN])), Verdict::NotMeasured);
        assert_eq!(Verdict::of(&parts(&[f64::NAN, 2.5])), Verdict::Holds);
        assert_eq!(Verdict::of(&parts(&[f64::NAN, 1.5])), Verdict::DoesNotHold);
    }

    #[test]
    fn a_bound_is_within() {
        assert_eq!(Part::at_most(0.1, "gain", 0.1).holds(), Some(true));
        assert_eq!(Part::at_most(0.1, "gain", 0.11).holds(), Some(false));
        assert_eq!(Part::at_least(0.1, "gain", f64::INFINITY).holds(), Some(true));
    }

    #[test]
    fn a_loss_is_called_one() {
        assert_eq!(Beside::more("requests/s", 90.0, "other", 100.0).outcome(), "larder loses");
        assert_eq!(Beside::less("ns", 90.0, "other", 100.0).outcome(), "larder leads");
        assert_eq!(Beside::less("ns", 100.0, "other", 98.0).outcome(), "level");
        assert_eq!(Beside::less("ns", f64::NAN, "other", 98.0).outcome(), "not measured");
    }

    #[test]
    fn a_number_that_is_not_there_is_none() {
        let mut table = Table::new("t", "who", &[("ns", 1), ("ratio", 2)]);
        table.push("larder", &[3.0, 1.0]);
        assert_eq!(table.at("larder", "ratio"), 1.0);
        assert!(table.at("larder", "bytes").is_nan() && table.at("other", "ns").is_nan());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut claim = Claim::new(4, "keys", "order matters", "a list");
        let mut table = Table::new("t", "who", &[("ns", 1), ("ratio", 2)]);
        table.push("larder", &[3.0, f64::NAN]);
        claim.tables.push(table);
        claim.parts = parts(&[1.5, f64::NAN]);
        claim.beside.push(Beside::less("ns", f64::NAN, "other", 98.0));
        let text = serde_json::to_string(&claim).unwrap();
        let read: Claim = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert!(read.parts[1].number.is_nan() && read.tables[0].rows[0].numbers[1].is_nan());
        assert_eq!(read.verdict(), Verdict::DoesNotHold);
    }
}
