//! The lines of the table, a file for each crate.

mod files;
mod memo;
mod pool;
mod serve;
mod sessions;
mod thumbs;
mod vars;

use super::job::Part;
use super::line::{Better, Line};

/// The lines of a part.
pub fn of(part: Part) -> &'static [Line] {
    match part {
        Part::Memo => memo::LINES,
        Part::Vars => vars::LINES,
        Part::Pool => pool::LINES,
        Part::Files => files::LINES,
        Part::Thumbs => thumbs::LINES,
        Part::Sessions => sessions::LINES,
        Part::Serve => serve::LINES,
        Part::Cost => &[],
    }
}

/// A line whose less is better, without a floor; what differs is said after it.
const LESS: Line = Line {
    id: "",
    work: "",
    size: None,
    reading: "",
    better: Better::Less,
    ours: "larder",
    peers: &[],
    floor: None,
    is_headline: false,
};

/// A line whose more is better.
const MORE: Line = Line { better: Better::More, ..LESS };

#[cfg(test)]
mod tests {
    use super::super::job::PARTS;
    use super::*;

    #[test]
    fn each_line_has_a_name_of_its_own_and_compares_something() {
        let mut ids = Vec::new();
        for line in PARTS.into_iter().flat_map(of) {
            assert!(line.reading.contains("{}"), "{}", line.id);
            assert!(!line.work.is_empty() && !line.id.is_empty(), "{}", line.reading);
            // It fits its place in the pictures, and needs no other to be understood.
            assert!(line.work.chars().count() <= 68, "{}", line.work);
            assert_eq!(line.work.contains("{}"), line.size.is_some(), "{}", line.id);
            assert!(!line.work.contains("the same"), "{}", line.work);
            assert!(!line.peers.contains(&line.ours), "{}", line.id);
            assert!(!line.is_headline || !line.peers.is_empty(), "{}", line.id);
            ids.push(line.id);
        }
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
        assert!(all > 60);
    }
}
