//! A line of the table: what is compared, and what the numbers say of it.

use std::collections::HashMap;

use crate::table::Reading;

/// What is compared with what, by the names of readings.
pub struct Line {
    /// Its name in the report.
    pub id: &'static str,
    /// What is done; `{}` stands for the number of things that `size` tells.
    pub work: &'static str,
    /// The reading that tells how many there were in this run, if runs differ in that.
    pub size: Option<&'static str>,
    /// The readings of all systems; `{}` stands for the system.
    pub reading: &'static str,
    /// Which way is good.
    pub better: Better,
    /// larder, under its name there.
    pub ours: &'static str,
    /// Whom it is compared with.
    pub peers: &'static [&'static str],
    /// What nobody can do better, if that was measured: a bare structure, or loop.
    pub floor: Option<&'static str>,
    /// Whether it stands in the picture of all.
    pub is_headline: bool,
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Better {
    /// Costs and waits.
    Less,
    /// Rates and shares.
    More,
}

/// A number of one system.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The system.
    pub name: &'static str,
    /// Its number, in the unit of the row.
    pub value: f64,
    /// How many times as good as ours it is; greater is better, whatever the unit.
    pub times_ours: f64,
}

/// A line with its numbers.
pub struct Row<'l> {
    /// What it is of.
    pub line: &'l Line,
    /// What was done, and with how many.
    pub work: String,
    /// Our number.
    pub ours: f64,
    /// What all numbers are in.
    pub unit: String,
    /// Those peers that were measured, the best first.
    pub peers: Vec<Measured>,
    /// The floor, if it was measured.
    pub floor: Option<Measured>,
}

/// Who is ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// larder, by more than [`NOISE`].
    Leads,
    /// Nobody, by more than [`NOISE`].
    Level,
    /// The best peer, by more than [`NOISE`].
    Loses,
    /// There is nobody to compare with.
    Alone,
}

/// Differences of up to this share are taken for the machine's.
pub const NOISE: f64 = 0.05;

/// All readings, by name.
pub type Readings<'r> = HashMap<&'r str, &'r Reading>;

impl Line {
    /// Finds the numbers.
    ///
    /// # Errors
    ///
    /// The name of the reading that is missing, if it is ours.
    pub fn row(&self, readings: &Readings<'_>) -> Result<Row<'_>, String> {
        let find = |system: &str| readings.get(&*self.reading.replace("{}", system)).copied();
        let ours = find(self.ours).ok_or_else(|| self.reading.replace("{}", self.ours))?;
        let measured = |name: &&'static str| {
            let theirs = find(name)?;
            let value = in_unit(theirs, &ours.unit)?;
            Some(Measured { name, value, times_ours: self.times(ours.value, value) })
        };
        let mut peers: Vec<_> = self.peers.iter().filter_map(measured).collect();
        peers.sort_by(|a, b| b.times_ours.total_cmp(&a.times_ours));
        let floor = self.floor.as_ref().and_then(measured);
        let work = self.work_of(readings);
        Ok(Row { line: self, work, ours: ours.value, unit: ours.unit.clone(), peers, floor })
    }

    /// What was done, with the size that the run had.
    fn work_of(&self, readings: &Readings<'_>) -> String {
        let size = self.size.and_then(|name| readings.get(name));
        let size = size.map_or("so many".to_owned(), |size| grouped(size.value));
        self.work.replace("{}", &size)
    }

    /// How many times as good theirs is as ours.
    fn times(&self, ours: f64, theirs: f64) -> f64 {
        match self.better {
            Better::Less => ours / theirs,
            Better::More => theirs / ours,
        }
    }
}

impl Row<'_> {
    /// The peer to beat.
    pub fn best(&self) -> Option<&Measured> {
        self.peers.first()
    }

    /// How many times as good as the best peer ours is.
    pub fn advantage(&self) -> Option<f64> {
        self.best().map(|best| 1.0 / best.times_ours).filter(|times| times.is_finite())
    }

    /// Says who is ahead.
    pub fn verdict(&self) -> Verdict {
        match self.advantage() {
            None => Verdict::Alone,
            Some(times) if times > 1.0 + NOISE => Verdict::Leads,
            Some(times) if times < 1.0 - NOISE => Verdict::Loses,
            Some(_) => Verdict::Level,
        }
    }
}

impl Verdict {
    /// As it stands in the table.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Leads => "leads",
            Verdict::Level => "level",
            Verdict::Loses => "**loses**",
            Verdict::Alone => "",
        }
    }
}

/// A reading's number in another unit; none if they are of different kinds.
fn in_unit(reading: &Reading, unit: &str) -> Option<f64> {
    if reading.unit == unit {
        return Some(reading.value);
    }
    Some(reading.value * ns_of(&reading.unit)? / ns_of(unit)?)
}

fn ns_of(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1.0),
        "us" | "µs" => Some(1e3),
        "ms" => Some(1e6),
        "s" => Some(1e9),
        _ => None,
    }
}

/// Finds the unit in which a number is short: `121000 ns` are `121 µs`. Returns what to divide by.
pub fn readable(value: f64, unit: &str) -> (f64, &str) {
    let Some(ns) = ns_of(unit) else { return (1.0, unit) };
    let steps = [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    let fits = |step: &&(f64, &str)| value * ns >= step.0;
    let (step, name) = steps.iter().find(fits).copied().unwrap_or((1.0, "ns"));
    (step / ns, name)
}

/// Writes a number with about three digits.
pub fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => grouped(value),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// `125000` as `125,000`.
fn grouped(value: f64) -> String {
    let text = format!("{value:.0}");
    let mut out = String::new();
    for (nth, digit) in text.chars().enumerate() {
        let left = text.len() - nth;
        if nth > 0 && left.is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line = Line {
        id: "memo-hit",
        work: "a hit",
        size: None,
        reading: "memo_hit/{}/1000x1",
        better: Better::Less,
        ours: "larder",
        peers: &["moka", "dashmap", "absent"],
        floor: Some("hashmap"),
        is_headline: true,
    };

    fn reading(system: &str, value: f64, unit: &str) -> Reading {
        let id = format!("memo_hit/{system}/1000x1");
        Reading { id, value, unit: unit.into(), interval: None }
    }

    fn by_name(readings: &[Reading]) -> Readings<'_> {
        readings.iter().map(|reading| (reading.id.as_str(), reading)).collect()
    }

    #[test]
    fn the_best_peer_is_the_one_to_beat() {
        let readings = [
            reading("larder", 4.0, "ns"),
            reading("moka", 0.2, "us"),
            reading("dashmap", 16.0, "ns"),
            reading("hashmap", 2.0, "ns"),
        ];
        let row = LINE.row(&by_name(&readings)).unwrap();
        assert_eq!(row.best().map(|best| (best.name, best.value)), Some(("dashmap", 16.0)));
        assert_eq!(row.advantage(), Some(4.0));
        assert_eq!(row.verdict(), Verdict::Leads);
        assert_eq!(row.floor.unwrap().times_ours, 2.0);
        assert_eq!(row.peers[1].value, 200.0, "in our unit");
    }

    #[test]
    fn a_row_says_how_many_there_were() {
        let entries = "memo_hit/larder/entries";
        let line = Line { work: "a hit among {} keys", size: Some(entries), ..LINE };
        let mut readings = vec![reading("larder", 4.0, "ns")];
        assert_eq!(line.row(&by_name(&readings)).unwrap().work, "a hit among so many keys");
        readings.push(Reading { id: entries.into(), ..reading("", 20_000.0, "") });
        assert_eq!(line.row(&by_name(&readings)).unwrap().work, "a hit among 20,000 keys");
    }

    #[test]
    fn more_is_better_of_rates() {
        let line = Line { better: Better::More, ..LINE };
        let readings = [reading("larder", 60.0, "%"), reading("moka", 80.0, "%")];
        let row = line.row(&by_name(&readings)).unwrap();
        assert_eq!(row.advantage(), Some(0.75));
        assert_eq!(row.verdict(), Verdict::Loses);
    }

    #[test]
    fn what_noise_makes_is_level() {
        for (theirs, verdict) in [
            (104.0, Verdict::Level),
            (96.0, Verdict::Level),
            (106.0, Verdict::Leads),
            (94.0, Verdict::Loses),
        ] {
            let readings = [reading("larder", 100.0, "ns"), reading("moka", theirs, "ns")];
            assert_eq!(LINE.row(&by_name(&readings)).unwrap().verdict(), verdict, "{theirs}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let theirs = [reading("moka", 1.0, "ns")];
        assert_eq!(LINE.row(&by_name(&theirs)).err().unwrap(), "memo_hit/larder/1000x1");
        let ours = [reading("larder", 1.0, "ns"), reading("moka", 1.0, "MB")];
        let row = LINE.row(&by_name(&ours)).unwrap();
        assert_eq!(row.verdict(), Verdict::Alone, "bytes are not compared with time");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(readable(121_000.0, "ns"), (1e3, "µs"));
        assert_eq!(readable(0.5, "ms"), (1e-3, "µs"));
        assert_eq!(readable(3.0, "MB"), (1.0, "MB"));
        let written = [0.5, 12.34, 123.4, 1234.0, 1_234_567.0, -1500.0].map(digits);
        assert_eq!(written, ["0.50", "12.3", "123", "1,234", "1,234,567", "-1,500"]);
    }
}
