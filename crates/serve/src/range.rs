//! One byte range out of a `Range` header (RFC 9110, section 14).

use std::ops::Range;

/// What a `Range` header asks of a representation of known length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// No range that we serve: not bytes, several ranges, or not understood. The whole is sent.
    Whole,
    /// These bytes; never empty, always inside the representation.
    Part(Range<u64>),
    /// A well-formed range that lies outside.
    Unsatisfiable,
}

/// Reads the value of a `Range` header for a representation of `len` bytes.
pub(crate) fn parse(value: &[u8], len: u64) -> Wanted {
    let Some(set) = strip_unit(value) else { return Wanted::Whole };
    let mut halves = set.splitn(2, |&b| b == b'-');
    let (Some(first), Some(last)) = (halves.next(), halves.next()) else { return Wanted::Whole };
    match (trim(first), trim(last)) {
        (b"", b"") => Wanted::Whole,
        (b"", suffix) => number(suffix).map_or(Wanted::Whole, |n| last_bytes(n, len)),
        (first, b"") => number(first).map_or(Wanted::Whole, |a| clamp(a, u64::MAX, len)),
        (first, last) => match (number(first), number(last)) {
            (Some(a), Some(b)) if a <= b => clamp(a, b, len),
            _ => Wanted::Whole,
        },
    }
}

fn strip_unit(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = value.split_at_checked(6)?;
    (unit.eq_ignore_ascii_case(b"bytes=") && !set.contains(&b',')).then_some(set)
}

fn last_bytes(n: u64, len: u64) -> Wanted {
    if n == 0 || len == 0 {
        return Wanted::Unsatisfiable;
    }
    Wanted::Part(len.saturating_sub(n)..len)
}

fn clamp(first: u64, last: u64, len: u64) -> Wanted {
    if first >= len {
        return Wanted::Unsatisfiable;
    }
    Wanted::Part(first..last.saturating_add(1).min(len))
}

fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

/// Digits only; a number too large for 64 bits counts as the largest.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0u64, |n, d| n.saturating_mul(10).saturating_add(u64::from(d - b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn table() {
        let cases: &[(&str, u64, Wanted)] = &[
            ("bytes=0-0", 10, Wanted::Part(0..1)),
            ("bytes=0-", 10, Wanted::Part(0..10)),
            ("bytes=9-", 10, Wanted::Part(9..10)),
            ("bytes=10-", 10, Wanted::Unsatisfiable),
            ("bytes=2-400", 10, Wanted::Part(2..10)),
            ("bytes=-3", 10, Wanted::Part(7..10)),
            ("bytes=-30", 10, Wanted::Part(0..10)),
            ("bytes=-0", 10, Wanted::Unsatisfiable),
            ("bytes=-5", 0, Wanted::Unsatisfiable),
            ("bytes=0-", 0, Wanted::Unsatisfiable),
            ("bytes=5-4", 10, Wanted::Whole),
            ("bytes=0-1,4-5", 10, Wanted::Whole),
            ("bytes=", 10, Wanted::Whole),
            ("bytes=-", 10, Wanted::Whole),
            ("bytes=a-b", 10, Wanted::Whole),
            ("bytes=+1-2", 10, Wanted::Whole),
            ("items=0-1", 10, Wanted::Whole),
            ("Bytes=0-1", 10, Wanted::Part(0..2)),
            ("bytes=0-99999999999999999999999", 10, Wanted::Part(0..10)),
            ("bytes=99999999999999999999999-", 10, Wanted::Unsatisfiable),
        ];
        for (value, len, wanted) in cases {
            assert_eq!(&parse(value.as_bytes(), *len), wanted, "{value} of {len}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_stays_inside(value in "(bytes=)?[-0-9, a]{0,30}", len in any::<u64>()) {
            if let Wanted::Part(part) = parse(value.as_bytes(), len) {
                prop_assert!(part.start < part.end && part.end <= len);
            }
        }
    }
}
