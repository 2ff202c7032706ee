//! No input panics, and no way of cutting it changes what it means.

use proptest::prelude::*;

use super::*;
use crate::body::BodyReader;

#[allow(dead_code)]
#[path = "../../tests/suite/vectors/mod.rs"]
mod vectors;

/// The default of `max_head_bytes`, on which the vectors count.
const LIMIT: usize = 16 * 1024;

/// What a head comes to, without borrows.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Partial,
    Refused(Refusal),
    Complete { len: usize, framing: Framing, keep_alive: bool, path: String },
}

fn see(bytes: &[u8], limit: usize) -> Seen {
    let mut store: FieldStore<'_> = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    match parse(bytes, limit, &mut store) {
        Ok(Parsed::Partial) => Seen::Partial,
        Err(refusal) => Seen::Refused(refusal),
        Ok(Parsed::Complete(head)) => Seen::Complete {
            len: head.len,
            framing: head.framing,
            keep_alive: head.keep_alive,
            path: split_target(head.target).0.to_owned(),
        },
    }
}

/// Reads as a connection does, up to each of the cuts in turn: parses once at first, and again
/// when the end has come.
fn see_in_pieces(bytes: &[u8], limit: usize, cuts: impl Iterator<Item = usize>) -> Seen {
    let mut scanned = 0;
    for end in cuts.filter(|&end| end > 0 && end < bytes.len()).chain([bytes.len()]) {
        let so_far = &bytes[..end];
        if scanned > 0 {
            match is_complete(so_far, scanned, limit) {
                Ok(true) => {}
                Ok(false) => {
                    scanned = end;
                    continue;
                }
                Err(refusal) => return Seen::Refused(refusal),
            }
        }
        match see(so_far, limit) {
            Seen::Partial => scanned = end,
            seen => return seen,
        }
    }
    Seen::Partial
}

/// The same for a whole request: its refusal, or its body.
fn read_cut(bytes: &[u8], cuts: &[usize]) -> Result<Option<Vec<u8>>, Refusal> {
    let (framing, len) = match see_in_pieces(bytes, LIMIT, cuts.iter().copied()) {
        Seen::Partial => return Ok(None),
        Seen::Refused(refusal) => return Err(refusal),
        Seen::Complete { framing, len, .. } => (framing, len),
    };
    let mut body = BodyReader::new(framing, vectors::BODY_LIMIT as u64)?;
    let mut at = len;
    for end in cuts.iter().copied().filter(|&end| end > len).chain([bytes.len()]) {
        at += body.feed(&bytes[at..end])?;
    }
    Ok(body.is_done().then(|| body.take()))
}

/// Heads that are nearly right, so that more than the first byte is tested.
fn nearly() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("Host: x"),
        Just("host:y"),
        Just("Content-Length: 5"),
        Just("Content-Length: +5"),
        Just("Transfer-Encoding: chunked"),
        Just("Transfer-Encoding: gzip"),
        Just(" folded"),
        Just("A : b"),
        Just("Connection: close"),
        Just("Range: bytes=0-"),
        Just("X: \u{7f}"),
    ];
    let end = prop_oneof![20 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r")];
    let first = prop_oneof![
        Just("GET / HTTP/1.1"),
        Just("GET http://x/a?b HTTP/1.1"),
        Just("POST /a HTTP/1.0"),
        Just("GET  / HTTP/1.1"),
        Just("GET / HTTP/3.0"),
        Just("OPTIONS * HTTP/1.1"),
        Just("CONNECT x HTTP/1.1"),
        Just("\r\nGET / HTTP/2.0"),
        Just("G{T / HTTP/1.1"),
        Just(""),
    ];
    let lines = prop::collection::vec((line, end.clone()), 0..5);
    (first, end.clone(), lines, end).prop_map(|(first, first_end, lines, last)| {
        let lines: String = lines.into_iter().map(|(line, end)| format!("{line}{end}")).collect();
        format!("{first}{first_end}{lines}{last}GET /next")
    })
}

/// What follows a vector on the wire.
const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn each_vector_means_the_same_wherever_a_read_ends() {
    for (status, vector) in vectors::refused() {
        let input = [&vector, NEXT].concat();
        let whole = read_cut(&input, &[]);
        let refusal = whole.clone().expect_err(&vector.escape_ascii().to_string());
        assert_eq!(refusal.status.as_u16(), status, "{}", vector.escape_ascii());
        // Long vectors are more of the same in their middles.
        let step = 1 + input.len() / 2000;
        for cut in (1..input.len()).step_by(step) {
            let seen = read_cut(&input, &[cut]);
            assert_eq!(seen, whole, "{} cut at {cut}", vector.escape_ascii());
        }
        let each: Vec<usize> = (1..input.len()).step_by(step).collect();
        assert_eq!(read_cut(&input, &each), whole, "{} byte by byte", vector.escape_ascii());
    }
    for (vector, seen) in vectors::accepted() {
        let input = [&vector, NEXT].concat();
        let whole = read_cut(&input, &[]).unwrap().unwrap();
        let body = vectors::bytes(seen.splitn(3, ' ').nth(2).unwrap());
        assert_eq!(whole, body, "{}", vector.escape_ascii());
        for cut in 1..input.len() {
            let seen = read_cut(&input, &[cut]).unwrap().unwrap();
            assert_eq!(seen, body, "{} cut at {cut}", vector.escape_ascii());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let whole = see(&bytes, LIMIT);
        prop_assert_eq!(see_in_pieces(&bytes, LIMIT, (0..200).step_by(3)), whole);
    }

    #[test]
    fn cutting_changes_nothing(text in nearly(), piece in 1usize..20, limit in 20usize..200) {
        let whole = see(text.as_bytes(), limit);
        let cut = see_in_pieces(text.as_bytes(), limit, (0..text.len()).step_by(piece));
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn what_is_accepted_is_framed_in_one_way(text in nearly()) {
        if let Seen::Complete { len, framing, .. } = see(text.as_bytes(), LIMIT) {
            let head = &text[..len];
            let lower = head.to_ascii_lowercase();
            prop_assert!(head.ends_with("\r\n\r\n") && head.matches("\r\n").count() == head.matches('\n').count());
            prop_assert!(lower.matches("content-length").count() <= 1);
            prop_assert!(!(lower.contains("content-length") && lower.contains("transfer-encoding")));
            prop_assert_eq!(framing == Framing::Chunked, lower.contains("transfer-encoding"));
        }
    }
}
