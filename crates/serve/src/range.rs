//! The ranges that a `Range` header asks for (RFC 9110, section 14).
//!
//! Ranges that touch, or lie so close that a part of its own would cost more than what is between
//! them, become one; so what is sent is never more than the whole and the heads of a few parts,
//! whatever is asked.

use std::ops::Range;

/// The most ranges a request may ask for; more are answered with the whole. Viewers of documents
/// ask for a handful.
const MAX_RANGES: usize = 16;

/// Two ranges with no more bytes than this between them are sent as one part: about what the head
/// of a part takes.
const MAX_GAP: u64 = 128;

/// What a `Range` header asks of a representation of known length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// No ranges that we serve: not bytes, too many, or not understood. The whole is sent.
    Whole,
    /// These bytes; never empty, always inside the representation.
    Part(Range<u64>),
    /// Two to `MAX_RANGES` such ranges, apart from one another, in the order asked for.
    Parts(Vec<Range<u64>>),
    /// Well-formed ranges that all lie outside.
    Unsatisfiable,
}

/// Reads the value of a `Range` header for a representation of `len` bytes.
pub(crate) fn parse(value: &[u8], len: u64) -> Wanted {
    let Some(set) = strip_unit(value) else { return Wanted::Whole };
    let mut found = Found::default();
    let mut outside = false;
    let specs = set.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|spec| !spec.is_empty());
    for (nth, spec) in specs.enumerate() {
        match one(spec, len) {
            _ if nth == MAX_RANGES => return Wanted::Whole,
            Some(part) if part.is_empty() => outside = true,
            Some(part) => found.add(part),
            None => return Wanted::Whole,
        }
    }
    match found.parts() {
        [] if outside => Wanted::Unsatisfiable,
        [] => Wanted::Whole,
        [part] => Wanted::Part(part.clone()),
        parts => Wanted::Parts(parts.to_vec()),
    }
}

fn strip_unit(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = value.split_at_checked(6)?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(set)
}

/// One range; empty if it lies outside, `None` if it is malformed.
fn one(spec: &[u8], len: u64) -> Option<Range<u64>> {
    let mut halves = spec.splitn(2, |&b| b == b'-');
    let (first, last) = (halves.next()?.trim_ascii(), halves.next()?.trim_ascii());
    match (first, last) {
        (b"", suffix) => Some(len.saturating_sub(number(suffix)?)..len),
        (first, b"") => Some(number(first)?.min(len)..len),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            let within = first.min(len)..last.saturating_add(1).min(len);
            (first <= last).then_some(within)
        }
    }
}

/// Digits only; a number too large for 64 bits counts as the largest.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0u64, |n, d| n.saturating_mul(10).saturating_add(u64::from(d - b'0'))))
}

/// Ranges so far, no two of them close to each other; on the stack, as most requests ask for one.
#[derive(Default)]
struct Found {
    parts: [Range<u64>; MAX_RANGES],
    n: usize,
}

impl Found {
    fn parts(&self) -> &[Range<u64>] {
        &self.parts[..self.n]
    }

    /// Adds a range in the place of the first that it is close to, or as the last.
    fn add(&mut self, mut part: Range<u64>) {
        let mut place = self.n;
        while let Some(at) = self.parts().iter().position(|other| are_close(other, &part)) {
            let other = &self.parts[at];
            part = other.start.min(part.start)..other.end.max(part.end);
            self.parts[at..self.n].rotate_left(1);
            self.n -= 1;
            place = place.min(at);
        }
        self.parts[place..=self.n].rotate_right(1);
        self.parts[place] = part;
        self.n += 1;
    }
}

fn are_close(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start <= b.end.saturating_add(MAX_GAP) && b.start <= a.end.saturating_add(MAX_GAP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(part: Range<u64>) -> Wanted {
        Wanted::Part(part)
    }

    #[test]
    fn one_range() {
        let cases: &[(&str, u64, Wanted)] = &[
            ("bytes=0-0", 10, part(0..1)),
            ("bytes=0-", 10, part(0..10)),
            ("bytes=9-", 10, part(9..10)),
            ("bytes=10-", 10, Wanted::Unsatisfiable),
            ("bytes=2-400", 10, part(2..10)),
            ("bytes=-3", 10, part(7..10)),
            ("bytes=-30", 10, part(0..10)),
            ("bytes=-0", 10, Wanted::Unsatisfiable),
            ("bytes=-5", 0, Wanted::Unsatisfiable),
            ("bytes=0-", 0, Wanted::Unsatisfiable),
            ("bytes=5-4", 10, Wanted::Whole),
            ("bytes=15-14", 10, Wanted::Whole),
            ("bytes=", 10, Wanted::Whole),
            ("bytes=,", 10, Wanted::Whole),
            ("bytes=-", 10, Wanted::Whole),
            ("bytes=5", 10, Wanted::Whole),
            ("bytes=a-b", 10, Wanted::Whole),
            ("bytes=+1-2", 10, Wanted::Whole),
            ("bytes=1--2", 10, Wanted::Whole),
            ("bytes 1-2", 10, Wanted::Whole),
            ("items=0-1", 10, Wanted::Whole),
            ("Bytes=0-1", 10, part(0..2)),
            ("bytes=0-99999999999999999999999", 10, part(0..10)),
            ("bytes=99999999999999999999999-", 10, Wanted::Unsatisfiable),
            ("bytes=0-18446744073709551615", u64::MAX, part(0..u64::MAX)),
        ];
        for (value, len, wanted) in cases {
            assert_eq!(&parse(value.as_bytes(), *len), wanted, "{value} of {len}");
        }
    }

    #[test]
    fn several_ranges() {
        let parts = |parts: &[Range<u64>]| Wanted::Parts(parts.to_vec());
        let cases: &[(&str, Wanted)] = &[
            ("bytes=0-9,5000-5009", parts(&[0..10, 5000..5010])),
            ("bytes= 0-9 ,, 5000-5009, ", parts(&[0..10, 5000..5010])),
            ("bytes=5000-5009,0-9", parts(&[5000..5010, 0..10])),
            ("bytes=0-9,-10", parts(&[0..10, 9990..10_000])),
            ("bytes=0-9,20000-", part(0..10)),
            ("bytes=20000-,30000-", Wanted::Unsatisfiable),
            ("bytes=0-9,5-3", Wanted::Whole),
            ("bytes=0-9,x", Wanted::Whole),
            // Overlapping, adjacent, or nearly so.
            ("bytes=0-9,5-19", part(0..20)),
            ("bytes=0-9,10-19", part(0..20)),
            ("bytes=0-9,100-109", part(0..110)),
            ("bytes=0-,0-,0-", part(0..10_000)),
            ("bytes=0-0,1-", part(0..10_000)),
            ("bytes=0-9,5000-5009,3-4999", part(0..5010)),
            ("bytes=9000-9009,0-9,4000-4009,5-8", parts(&[9000..9010, 0..10, 4000..4010])),
            ("bytes=9000-9009,0-9,4000-4009,2-3999", parts(&[9000..9010, 0..4010])),
        ];
        for (value, wanted) in cases {
            assert_eq!(&parse(value.as_bytes(), 10_000), wanted, "{value}");
        }
        let many = |n: u64| -> String {
            let ranges = (0..n).map(|i| format!("{}-{}", i * 1000, i * 1000));
            format!("bytes={}", ranges.collect::<Vec<_>>().join(","))
        };
        assert!(matches!(parse(many(16).as_bytes(), 100_000), Wanted::Parts(p) if p.len() == 16));
        assert_eq!(parse(many(17).as_bytes(), 100_000), Wanted::Whole);
        // As many, but one after the other: no more bytes than the whole.
        let tiny = format!("bytes={}", ["1-2"; 16].join(","));
        assert_eq!(parse(tiny.as_bytes(), 100_000), part(1..3));
    }

    proptest! {
        #[test]
        fn never_panics_and_stays_inside(value in "(bytes=)?[-0-9, a]{0,60}", len in any::<u64>()) {
            check(parse(value.as_bytes(), len), len);
        }

        #[test]
        fn parts_are_apart(
            ranges in prop::collection::vec((0u64..5000, 0u64..400), 0..18), len in 0u64..5000,
        ) {
            let ranges: Vec<_> = ranges.iter().map(|(a, n)| format!("{a}-{}", a + n)).collect();
            check(parse(format!("bytes={}", ranges.join(",")).as_bytes(), len), len);
        }
    }

    fn check(wanted: Wanted, len: u64) {
        let mut parts = match wanted {
            Wanted::Part(part) => vec![part],
            Wanted::Parts(parts) => {
                assert!((2..=MAX_RANGES).contains(&parts.len()));
                parts
            }
            Wanted::Whole | Wanted::Unsatisfiable => return,
        };
        parts.sort_by_key(|part| part.start);
        assert!(parts.iter().all(|part| part.start < part.end && part.end <= len));
        assert!(parts.windows(2).all(|two| two[0].end + MAX_GAP < two[1].start));
    }
}
