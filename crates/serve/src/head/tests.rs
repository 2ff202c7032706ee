//! No input panics, and no way of cutting it changes what it means.

use proptest::prelude::*;

use super::*;

/// What a head comes to, without borrows.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Partial,
    Refused(Refusal),
    Complete { len: usize, framing: Framing, keep_alive: bool, path: String },
}

fn see(bytes: &[u8]) -> Seen {
    let mut store: FieldStore<'_> = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    match parse(bytes, &mut store) {
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

/// Reads as a connection does: parses once at first, and again when the end has come.
fn see_in_pieces(bytes: &[u8], piece: usize) -> Seen {
    let mut scanned = 0;
    for end in (piece..bytes.len()).step_by(piece).chain([bytes.len()]) {
        let so_far = &bytes[..end];
        let parse_now = match is_complete(so_far, scanned) {
            Ok(complete) => scanned == 0 || complete,
            Err(refusal) => return Seen::Refused(refusal),
        };
        scanned = end;
        match see(so_far) {
            Seen::Partial => {}
            seen if parse_now => return seen,
            _ => {}
        }
    }
    Seen::Partial
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
        Just(""),
    ];
    let lines = prop::collection::vec((line, end.clone()), 0..5);
    (first, end.clone(), lines, end).prop_map(|(first, first_end, lines, last)| {
        let lines: String = lines.into_iter().map(|(line, end)| format!("{line}{end}")).collect();
        format!("{first}{first_end}{lines}{last}GET /next")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        see(&bytes);
        see_in_pieces(&bytes, 3);
    }

    #[test]
    fn cutting_changes_nothing(text in nearly(), piece in 1usize..20) {
        let (whole, cut) = (see(text.as_bytes()), see_in_pieces(text.as_bytes(), piece));
        match (&whole, &cut) {
            // Which of two faults is named may depend on which bytes came first, and a fault
            // may go unseen until the head ends; but nothing is accepted in one way alone.
            (Seen::Refused(_), Seen::Refused(_) | Seen::Partial) => {}
            _ => prop_assert_eq!(&whole, &cut),
        }
    }

    #[test]
    fn another_version_is_the_same_refusal_wherever_it_is_cut(
        major in 0u8..10, minor in 0u8..10, cut in 1usize..20,
    ) {
        let text = format!("GET / HTTP/{major}.{minor}\r\nHost: x\r\n\r\n");
        let whole = see(text.as_bytes());
        let first = see(&text.as_bytes()[..cut]);
        prop_assert!(first == Seen::Partial || first == whole, "{:?} {:?}", first, whole);
    }

    #[test]
    fn what_is_accepted_is_framed_in_one_way(text in nearly()) {
        if let Seen::Complete { len, framing, .. } = see(text.as_bytes()) {
            let head = &text[..len];
            let lower = head.to_ascii_lowercase();
            prop_assert!(head.ends_with("\r\n\r\n") && head.matches("\r\n").count() == head.matches('\n').count());
            prop_assert!(lower.matches("content-length").count() <= 1);
            prop_assert!(!(lower.contains("content-length") && lower.contains("transfer-encoding")));
            prop_assert_eq!(framing == Framing::Chunked, lower.contains("transfer-encoding"));
        }
    }
}
