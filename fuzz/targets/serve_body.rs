//! A body ends where its framing says, however it is cut, and is never longer than was allowed.

#![no_main]

use larder_serve::fuzzing::body;
use libfuzzer_sys::fuzz_target;

const LIMIT: u64 = 200;

const SEEDS: [&str; 7] = [
    "\x02\x010\r\n\r\n",
    "\x02\x015\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
    "\x03\x055;a=b;c\r\nhello\r\n000\r\n\r\n",
    "\x07\x051\r\na\r\nA\r\n0123456789\r\n0\r\nX: y\r\nZ:\r\n\r\n",
    "\x02\x01c9\r\n",
    "\x02\x01fffffffffffffff\r\n",
    "\x01\x05hello, and more",
];

fuzz_target!(
    init: larder_fuzz::plant(SEEDS),
    |data: &[u8]| {
        let Some(([step, length], input)) = data.split_first_chunk() else { return };
        let step = usize::from(*step) % 32 + 1;
        of_length(u64::from(*length), step, input);
        chunked(step, input);
    }
);

fn of_length(length: u64, step: usize, input: &[u8]) {
    let read = body(false, length, LIMIT, input.chunks(step));
    assert_eq!(read.is_none(), length > LIMIT, "only the limit refuses");
    let Some((bytes, taken, done)) = read else { return };
    let expected = input.len().min(length as usize);
    assert_eq!((taken, done && length > 0), (expected, expected as u64 == length && length > 0));
    assert_eq!(bytes, &input[..expected]);
}

fn chunked(step: usize, input: &[u8]) {
    let whole = body(true, 0, LIMIT, [input].into_iter());
    assert_eq!(whole, body(true, 0, LIMIT, input.chunks(step)), "cut into pieces of {step}");
    let Some((bytes, taken, done)) = whole else {
        let more = [input, b"\r\n0\r\n\r\n"].concat();
        return assert_eq!(body(true, 0, LIMIT, [&more[..]].into_iter()), None, "a verdict stands");
    };
    assert!(bytes.len() as u64 <= LIMIT);
    assert!(taken <= input.len() && (done || taken == input.len()));
    if done {
        assert_eq!((&bytes, taken), (&plainly(input).0, plainly(input).1), "{input:?}");
    }
}

/// Another reader of the same grammar, which is given only what was accepted.
fn plainly(input: &[u8]) -> (Vec<u8>, usize) {
    let (mut bytes, mut at) = (Vec::new(), 0);
    let line = |at: usize| {
        let len = input[at..].windows(2).position(|end| end == b"\r\n").expect("a line's end");
        (&input[at..at + len], at + len + 2)
    };
    loop {
        let (size, after) = line(at);
        let size = std::str::from_utf8(size.split(|b| *b == b';').next().expect("a size"));
        let size = usize::from_str_radix(size.expect("digits"), 16).expect("a size");
        at = after;
        if size == 0 {
            break;
        }
        bytes.extend_from_slice(&input[at..at + size]);
        assert_eq!(&input[at + size..at + size + 2], b"\r\n");
        at += size + 2;
    }
    loop {
        let (trailer, after) = line(at);
        at = after;
        if trailer.is_empty() {
            return (bytes, at);
        }
        assert!(trailer.iter().position(|b| *b == b':') > Some(0), "{trailer:?}");
    }
}
