//! A head that is accepted means one thing: to us, to whoever stands before us, and however it
//! arrived.

#![no_main]

use larder_serve::fuzzing::{Body, Head, head, is_complete};
use libfuzzer_sys::fuzz_target;

const SEEDS: [&str; 9] = [
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "\r\nHEAD /a%20b?c=d HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.1\r\n",
    "POST /form HTTP/1.1\r\nHost: [::1]:8080\r\nContent-Length: 5\r\n\r\nhello",
    "PUT http://x/y HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close, te\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: W/\"a\", \"b\"\r\nRange: bytes=0-9\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nA:\t b c \t\r\nA: \r\n\r\n",
    "GET / HTTP/2.0\r\n\r\n",
    "GET / HTTP/1.1\nHost: x\r\n folded\r\nContent-Length: 1, 1\r\n\r\n",
];

/// Bytes of a head, at most.
const LIMIT: usize = 512;

fuzz_target!(
    init: larder_fuzz::plant(SEEDS),
    |data: &[u8]| {
        let seen = head(data, LIMIT);
        if let Head::Complete { len, body, keep_alive, fields } = &seen {
            is_one_way_framed(*len, *body, fields, data);
            means_itself(&data[..*len], &seen);
            closes_when_told(*keep_alive, fields, data);
        }
        whatever_follows(data, &seen);
        piece_by_piece(data, &seen);
    }
);

fn named<'a>(fields: &'a [(String, Vec<u8>)], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let same = move |(field, _): &&(String, Vec<u8>)| field.eq_ignore_ascii_case(name);
    fields.iter().filter(same).map(|(_, value)| value.as_slice())
}

/// No two fields that could disagree on where the body ends, nor on whose request it is; no line
/// that another reader may end elsewhere.
fn is_one_way_framed(len: usize, body: Body, fields: &[(String, Vec<u8>)], data: &[u8]) {
    let lengths: Vec<_> = named(fields, "content-length").collect();
    let encodings: Vec<_> = named(fields, "transfer-encoding").collect();
    match (lengths.as_slice(), encodings.as_slice(), body) {
        ([], [], Body::None) => {}
        ([], [only], Body::Chunked) => assert!(only.eq_ignore_ascii_case(b"chunked")),
        ([digits], [], Body::Length(_) | Body::None) => {
            let expected = if let Body::Length(length) = body { length } else { 0 };
            let digits = std::str::from_utf8(digits).expect("digits");
            assert!(digits.bytes().all(|b| b.is_ascii_digit()));
            assert_eq!(digits.parse(), Ok(expected));
        }
        other => panic!("framed in two ways: {other:?}"),
    }
    assert!(named(fields, "host").count() <= 1);
    let text = &data[..len];
    for (at, _) in text.iter().enumerate().filter(|(_, b)| **b == b'\n') {
        assert!(at > 0 && text[at - 1] == b'\r', "bare LF at {at}");
        assert!(!matches!(text.get(at + 1), Some(b' ' | b'\t')), "folded line at {at}");
    }
    let ends = text.windows(4).filter(|end| end == b"\r\n\r\n").count();
    assert_eq!(ends, 1, "a head goes to its first empty line");
    for (name, value) in fields {
        assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':'));
        assert!(value.iter().all(|&b| b == b'\t' || (b >= b' ' && b != 0x7F)), "{value:?}");
    }
}

/// The same again, alone: what stands behind a head is of no account.
fn means_itself(text: &[u8], seen: &Head) {
    assert_eq!(&head(text, LIMIT), seen);
}

fn closes_when_told(keep_alive: bool, fields: &[(String, Vec<u8>)], data: &[u8]) {
    let options = named(fields, "connection").flat_map(|value| value.split(|b| *b == b','));
    let close = options.map(<[u8]>::trim_ascii).any(|it| it.eq_ignore_ascii_case(b"close"));
    assert!(!(keep_alive && close), "kept alive: {:?}", String::from_utf8_lossy(data));
}

/// A verdict stands: more bytes change neither an accepted head nor a refused one.
fn whatever_follows(data: &[u8], seen: &Head) {
    if *seen == Head::Partial {
        return;
    }
    for more in [b"GET".as_slice(), b"\r\n\r\n", b"\n", b"\0"] {
        assert_eq!(&head(&[data, more].concat(), LIMIT), seen);
    }
}

/// As a connection reads: parsed at first, and again when its end has come. What comes of it is
/// the same to the status of a refusal.
fn piece_by_piece(data: &[u8], whole: &Head) {
    let step = 1 + data.last().map_or(0, |b| usize::from(*b) % 9);
    let mut scanned = 0;
    for end in (step..data.len()).step_by(step).chain([data.len()]) {
        let so_far = &data[..end];
        if scanned > 0 {
            match is_complete(so_far, scanned, LIMIT) {
                Err(status) => return assert_eq!(&Head::Refused(status), whole),
                Ok(false) => {
                    scanned = end;
                    continue;
                }
                Ok(true) => {}
            }
        }
        match head(so_far, LIMIT) {
            Head::Partial => scanned = end,
            seen => return assert_eq!(&seen, whole, "in pieces of {step}"),
        }
    }
    assert_eq!(whole, &Head::Partial, "in pieces of {step}");
}
