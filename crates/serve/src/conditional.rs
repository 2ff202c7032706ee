//! Conditional requests (RFC 9110, section 13): which answer the validators of a reply earn.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::range::{self, Wanted};

/// The conditional headers of one request, borrowed from its head.
///
/// Lists of tags may come in several lines; of other headers sent twice, the first counts, and a
/// doubled `Range` is ignored altogether.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Conditions<'b> {
    if_match: Tags<'b>,
    if_none_match: Tags<'b>,
    if_modified_since: Option<&'b [u8]>,
    if_unmodified_since: Option<&'b [u8]>,
    if_range: Option<&'b [u8]>,
    range: Option<&'b [u8]>,
    ranges: u8,
}

/// The lines of one list of tags. What is beyond `LINES` matches nothing, which leads to the answer
/// that is always right: all of it, or the refusal to change it.
#[derive(Debug, Default, Clone, Copy)]
struct Tags<'b> {
    lines: [Option<&'b [u8]>; LINES],
}

/// Nobody is known to send more; and each makes every head larger.
const LINES: usize = 2;

/// The validators of a representation.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Validators<'r> {
    /// The entity tag as sent, quotes and weakness mark included.
    pub(crate) etag: Option<&'r [u8]>,
    /// Whole seconds since the epoch.
    pub(crate) modified_s: Option<u64>,
}

/// The answer that the conditions leave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Full,
    Partial(Range<u64>),
    Parts(Vec<Range<u64>>),
    NotModified,
    PreconditionFailed,
    RangeNotSatisfiable,
}

impl<'b> Conditions<'b> {
    /// Notes one header field if it is a conditional one. Told by length first: most are not.
    pub(crate) fn observe(&mut self, name: &str, value: &'b [u8]) {
        let slot = match name.len() {
            8 if name.eq_ignore_ascii_case("if-match") => return self.if_match.push(value),
            13 if name.eq_ignore_ascii_case("if-none-match") => {
                return self.if_none_match.push(value);
            }
            5 if name.eq_ignore_ascii_case("range") => {
                self.ranges = self.ranges.saturating_add(1);
                &mut self.range
            }
            8 if name.eq_ignore_ascii_case("if-range") => &mut self.if_range,
            17 if name.eq_ignore_ascii_case("if-modified-since") => &mut self.if_modified_since,
            19 if name.eq_ignore_ascii_case("if-unmodified-since") => &mut self.if_unmodified_since,
            _ => return,
        };
        slot.get_or_insert(value);
    }

    /// Tells whether nothing conditional was asked, which is the common case.
    pub(crate) fn is_empty(&self) -> bool {
        self.if_match.is_empty()
            && self.if_none_match.is_empty()
            && self.if_modified_since.is_none()
            && self.if_unmodified_since.is_none()
            && self.range.is_none()
    }

    /// Applies the conditions in the order of section 13.2.2 to a 200 reply to GET or HEAD.
    pub(crate) fn evaluate(&self, has: Validators<'_>, len: u64, is_head: bool) -> Outcome {
        if self.is_empty() {
            return Outcome::Full;
        }
        if !self.precondition_holds(has) {
            return Outcome::PreconditionFailed;
        }
        if self.is_unmodified(has) {
            return Outcome::NotModified;
        }
        match self.range {
            Some(range) if !is_head && self.ranges == 1 && self.range_is_current(has) => {
                match range::parse(range, len) {
                    Wanted::Whole => Outcome::Full,
                    Wanted::Part(part) => Outcome::Partial(part),
                    Wanted::Parts(parts) => Outcome::Parts(parts),
                    Wanted::Unsatisfiable => Outcome::RangeNotSatisfiable,
                }
            }
            _ => Outcome::Full,
        }
    }

    fn precondition_holds(&self, has: Validators<'_>) -> bool {
        if !self.if_match.is_empty() {
            return self.if_match.matches(has.etag, strong_eq);
        }
        match (self.if_unmodified_since.and_then(date), has.modified_s) {
            (Some(since), Some(modified)) => modified <= since,
            _ => true,
        }
    }

    fn is_unmodified(&self, has: Validators<'_>) -> bool {
        if !self.if_none_match.is_empty() {
            return self.if_none_match.matches(has.etag, weak_eq);
        }
        match (self.if_modified_since.and_then(date), has.modified_s) {
            (Some(since), Some(modified)) => modified <= since,
            _ => false,
        }
    }

    /// `If-Range`: a strong tag that matches, or the very date of the last modification.
    fn range_is_current(&self, has: Validators<'_>) -> bool {
        match self.if_range {
            None => true,
            Some(tag) if tag.starts_with(b"\"") || tag.starts_with(b"W/") => {
                has.etag.is_some_and(|etag| strong_eq(etag, tag))
            }
            Some(value) => date(value).is_some_and(|since| has.modified_s == Some(since)),
        }
    }
}

impl<'b> Tags<'b> {
    fn push(&mut self, line: &'b [u8]) {
        if let Some(place) = self.lines.iter_mut().find(|place| place.is_none()) {
            *place = Some(line);
        }
    }

    fn is_empty(&self) -> bool {
        self.lines[0].is_none()
    }

    fn matches(&self, etag: Option<&[u8]>, eq: fn(&[u8], &[u8]) -> bool) -> bool {
        self.lines.iter().flatten().any(|line| list_matches(line, etag, eq))
    }
}

/// `*` matches any representation; otherwise each listed tag is compared.
fn list_matches(list: &[u8], etag: Option<&[u8]>, eq: fn(&[u8], &[u8]) -> bool) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    let Some(etag) = etag else { return false };
    let mut rest = list;
    while let Some((tag, after)) = next_tag(rest) {
        if eq(etag, tag) {
            return true;
        }
        rest = after;
    }
    false
}

/// The next `W/"..."` or `"..."` of a list. A tag may contain commas, so quotes decide.
fn next_tag(list: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = list.iter().position(|b| !matches!(b, b' ' | b'\t' | b','))?;
    let list = &list[start..];
    let open = if list.starts_with(b"W/\"") { 3 } else { 1 };
    if open == 1 && list[0] != b'"' {
        return None;
    }
    let close = open + memchr::memchr(b'"', &list[open..])?;
    Some(list.split_at(close + 1))
}

fn weak_eq(a: &[u8], b: &[u8]) -> bool {
    a.strip_prefix(b"W/").unwrap_or(a) == b.strip_prefix(b"W/").unwrap_or(b)
}

fn strong_eq(a: &[u8], b: &[u8]) -> bool {
    a == b && !a.starts_with(b"W/")
}

/// Whole seconds since the epoch of an HTTP date; a date that is none is ignored.
fn date(value: &[u8]) -> Option<u64> {
    let time = httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()?;
    Some(unix_s(time))
}

/// Whole seconds since the epoch, zero for what lies before it.
pub(crate) fn unix_s(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Full, NotModified, Partial, PreconditionFailed, RangeNotSatisfiable};

    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const SAME: &str = "Mon, 07 Nov 1994 08:49:37 GMT";
    const NEW: &str = "Tue, 08 Nov 1994 08:49:37 GMT";

    fn outcome(etag: &str, headers: &[(&str, &'static str)]) -> Outcome {
        let mut conditions = Conditions::default();
        for (name, value) in headers {
            conditions.observe(name, value.as_bytes());
        }
        let has = Validators { etag: Some(etag.as_bytes()), modified_s: date(SAME.as_bytes()) };
        conditions.evaluate(has, 100, false)
    }

    #[test]
    fn strong_tag() {
        let cases: &[(&[(&str, &'static str)], Outcome)] = &[
            (&[], Full),
            (&[("If-None-Match", "\"a\"")], NotModified),
            (&[("If-None-Match", "W/\"a\"")], NotModified),
            (&[("If-None-Match", "\"x\", \"a,b\" , \"a\"")], NotModified),
            (&[("If-None-Match", "*")], NotModified),
            (&[("If-None-Match", "\"b\"")], Full),
            (&[("If-None-Match", "a")], Full),
            (&[("If-None-Match", "\"b\""), ("If-Modified-Since", NEW)], Full),
            (&[("If-Modified-Since", SAME)], NotModified),
            (&[("If-Modified-Since", OLD)], Full),
            (&[("If-Modified-Since", "yesterday")], Full),
            (&[("If-Match", "\"a\"")], Full),
            (&[("If-Match", "W/\"a\"")], PreconditionFailed),
            (&[("If-Match", "\"b\"")], PreconditionFailed),
            (&[("If-Match", "*")], Full),
            (&[("If-Unmodified-Since", OLD)], PreconditionFailed),
            (&[("If-Unmodified-Since", SAME)], Full),
            (&[("Range", "bytes=0-9")], Partial(0..10)),
            (&[("Range", "bytes=100-")], RangeNotSatisfiable),
            (&[("Range", "bytes=0-9"), ("If-Range", "\"a\"")], Partial(0..10)),
            (&[("Range", "bytes=0-9"), ("If-Range", "\"b\"")], Full),
            (&[("Range", "bytes=0-9"), ("If-Range", "W/\"a\"")], Full),
            (&[("Range", "bytes=0-9"), ("If-Range", SAME)], Partial(0..10)),
            (&[("Range", "bytes=0-9"), ("If-Range", NEW)], Full),
            (&[("Range", "bytes=0-9"), ("If-None-Match", "\"a\"")], NotModified),
            (&[("Range", "bytes=0-9"), ("Range", "bytes=1-2")], Full),
            (&[("Range", "bytes=0-9,5-99")], Partial(0..100)),
            (&[("If-Range", "\"b\"")], Full),
            // Which of them counts where there are several.
            (&[("If-Match", "\"a\""), ("If-Unmodified-Since", OLD)], Full),
            (&[("If-Match", "\"b\""), ("If-Unmodified-Since", NEW)], PreconditionFailed),
            (&[("If-Match", "\"a\""), ("If-None-Match", "\"a\"")], NotModified),
            (&[("If-Match", "\"b\""), ("If-None-Match", "\"a\"")], PreconditionFailed),
            (&[("If-Match", "*"), ("If-Modified-Since", SAME)], NotModified),
            (&[("If-Unmodified-Since", OLD), ("If-None-Match", "\"a\"")], PreconditionFailed),
            (&[("If-Unmodified-Since", NEW), ("If-None-Match", "\"a\"")], NotModified),
            (&[("If-Unmodified-Since", NEW), ("If-Modified-Since", NEW)], NotModified),
            (&[("If-Unmodified-Since", "never")], Full),
            (&[("If-None-Match", "\"a\""), ("If-Modified-Since", OLD)], NotModified),
            (&[("If-None-Match", "\"b\""), ("If-Modified-Since", SAME)], Full),
            (&[("If-Match", "\"b\""), ("Range", "bytes=0-9")], PreconditionFailed),
            (&[("If-Match", "\"a\""), ("Range", "bytes=0-9")], Partial(0..10)),
            (&[("If-Modified-Since", SAME), ("Range", "bytes=0-9")], NotModified),
            (&[("If-Modified-Since", OLD), ("Range", "bytes=0-9")], Partial(0..10)),
            (&[("If-None-Match", "\"a\""), ("Range", "bytes=100-")], NotModified),
            (&[("If-Range", "\"b\""), ("Range", "bytes=100-")], Full),
            (&[("If-Range", OLD), ("Range", "bytes=0-9")], Full),
            (&[("If-Range", "a"), ("Range", "bytes=0-9")], Full),
            // One list in several lines.
            (&[("If-Match", "\"b\""), ("If-Match", "\"a\"")], Full),
            (&[("If-None-Match", "\"b\""), ("If-None-Match", "\"c\", \"a\"")], NotModified),
            (&[("If-Match", "\"b\""), ("If-Match", "\"c\"")], PreconditionFailed),
            // Lists that are none.
            (&[("If-None-Match", "")], Full),
            (&[("If-None-Match", "\"a")], Full),
            (&[("If-None-Match", "w/\"a\"")], Full),
            (&[("If-None-Match", "\"b\", *")], Full),
            (&[("If-None-Match", ",,\"b\",,\"a\",,")], NotModified),
            (&[("If-Match", "")], PreconditionFailed),
        ];
        for (headers, expected) in cases {
            assert_eq!(&outcome("\"a\"", headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn weak_tag_never_gives_a_part() {
        let part = &[("Range", "bytes=0-9"), ("If-Range", "W/\"a\"")];
        assert_eq!(outcome("W/\"a\"", part), Full);
        assert_eq!(outcome("W/\"a\"", &[("If-Match", "W/\"a\"")]), PreconditionFailed);
        assert_eq!(outcome("W/\"a\"", &[("If-None-Match", "\"a\"")]), NotModified);
    }

    #[test]
    fn head_ignores_ranges() {
        let mut conditions = Conditions::default();
        conditions.observe("range", b"bytes=0-1");
        assert_eq!(conditions.evaluate(Validators::default(), 10, true), Full);
    }
}
