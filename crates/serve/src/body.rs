//! Request bodies: as many bytes as `Content-Length` says, or chunks, strictly read.

use http::StatusCode;

use crate::head::{Framing, Refusal, is_token, refuse};

/// The longest chunk-size line, extensions included; we read none of them.
const MAX_CHUNK_LINE: usize = 256;
/// The most bytes of extensions in one body: without this, each byte of it could bring a line.
const MAX_EXTENSIONS: usize = 16 * 1024;
/// The most bytes of trailers; they are checked for form and dropped.
const MAX_TRAILERS: usize = 4096;
/// What is reserved before a byte has arrived: a claimed length costs the client nothing.
const FIRST_RESERVE: usize = 16 * 1024;

/// A body on its way in.
pub(crate) struct BodyReader {
    state: State,
    /// The body so far, but for what was taken out.
    bytes: Vec<u8>,
    /// Bytes of the body so far, with what was taken out.
    received: u64,
    limit: u64,
    /// Bytes of chunk extensions so far.
    extensions: usize,
    /// All bytes taken from the connection, framing included; the minimum rate counts these.
    taken: u64,
}

enum State {
    /// Bytes left of a body or of a chunk; `chunked` says which.
    Data {
        left: u64,
        chunked: bool,
    },
    /// In the line that gives a chunk's size.
    Size {
        size: u64,
        digits: u8,
        line: usize,
        part: SizePart,
    },
    /// The CR LF after a chunk's data; true once the CR was seen.
    DataEnd {
        cr: bool,
    },
    /// In the trailers, which end with an empty line.
    Trailers {
        line: usize,
        total: usize,
        cr: bool,
        colon: bool,
    },
    Done,
}

#[derive(Clone, Copy, PartialEq)]
enum SizePart {
    Digits,
    Extension,
    Lf,
}

const TOO_LARGE: Refusal = refuse(StatusCode::PAYLOAD_TOO_LARGE, "body too large");

const fn bad(reason: &'static str) -> Refusal {
    refuse(StatusCode::BAD_REQUEST, reason)
}

const NEXT_SIZE: State = State::Size { size: 0, digits: 0, line: 0, part: SizePart::Digits };

impl BodyReader {
    /// Prepares to read a body framed so, of at most `limit` bytes.
    pub(crate) fn new(framing: Framing, limit: u64) -> Result<Self, Refusal> {
        let state = match framing {
            Framing::None => State::Done,
            Framing::Length(length) if length > limit => return Err(TOO_LARGE),
            Framing::Length(left) => State::Data { left, chunked: false },
            Framing::Chunked => NEXT_SIZE,
        };
        let reserve = match framing {
            Framing::Length(length) => FIRST_RESERVE.min(length as usize),
            _ => 0,
        };
        let bytes = Vec::with_capacity(reserve);
        Ok(Self { state, bytes, received: 0, limit, extensions: 0, taken: 0 })
    }

    /// Takes what belongs to the body from the front of `input`; says how much that was.
    pub(crate) fn feed(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let mut at = 0;
        while at < input.len() && !self.is_done() {
            at += match self.state {
                State::Data { left, chunked } => self.data(&input[at..], left, chunked),
                _ => {
                    self.byte(input[at])?;
                    1
                }
            };
        }
        self.taken += at as u64;
        Ok(at)
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// The body so far, to be kept elsewhere; what comes next is collected anew.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Bytes of the body that are here.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Memory that the body takes here.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    fn data(&mut self, input: &[u8], left: u64, chunked: bool) -> usize {
        let n = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.make_room(n, (!chunked).then_some(left));
        self.bytes.extend_from_slice(&input[..n]);
        self.received += n as u64;
        self.state = match (left - n as u64, chunked) {
            (0, true) => State::DataEnd { cr: false },
            (0, false) => State::Done,
            (left, chunked) => State::Data { left, chunked },
        };
        n
    }

    /// Doubles the memory as it fills, but takes none beyond the end of the body if that is known.
    fn make_room(&mut self, n: usize, left: Option<u64>) {
        let (len, capacity) = (self.bytes.len(), self.bytes.capacity());
        if capacity - len >= n {
            return;
        }
        let most = left.and_then(|left| len.checked_add(usize::try_from(left).ok()?));
        let wanted = (2 * capacity).max(len + n).min(most.unwrap_or(usize::MAX));
        self.bytes.reserve_exact(wanted - len);
    }

    /// One byte of framing.
    fn byte(&mut self, b: u8) -> Result<(), Refusal> {
        self.state = match (&self.state, b) {
            (State::DataEnd { cr: false }, b'\r') => State::DataEnd { cr: true },
            (State::DataEnd { cr: true }, b'\n') => NEXT_SIZE,
            (State::DataEnd { .. }, _) => return Err(bad("no CR LF after a chunk")),
            (&State::Size { size, digits, line, part }, b) => {
                self.size_line(b, size, digits, line + 1, part)?
            }
            (&State::Trailers { line, total, cr, colon }, b) => {
                trailer(b, line, total + 1, cr, colon)?
            }
            (State::Data { .. } | State::Done, _) => unreachable!("data is not framing"),
        };
        Ok(())
    }

    fn size_line(
        &mut self,
        b: u8,
        size: u64,
        digits: u8,
        line: usize,
        part: SizePart,
    ) -> Result<State, Refusal> {
        if line > MAX_CHUNK_LINE {
            return Err(bad("chunk-size line too long"));
        }
        let next = |size, digits, part| Ok(State::Size { size, digits, line, part });
        match (part, b) {
            (SizePart::Digits, b) if b.is_ascii_hexdigit() => {
                if digits == 15 {
                    return Err(bad("chunk size too long"));
                }
                let digit = (b as char).to_digit(16).unwrap_or(0);
                next(size * 16 + u64::from(digit), digits + 1, SizePart::Digits)
            }
            (SizePart::Digits, _) if digits == 0 => Err(bad("no chunk size")),
            (SizePart::Digits, b';') => next(size, digits, SizePart::Extension),
            (SizePart::Digits | SizePart::Extension, b'\r') => next(size, digits, SizePart::Lf),
            (SizePart::Extension, b) if b == b'\t' || (b >= b' ' && b != 0x7f) => {
                self.extensions += 1;
                if self.extensions > MAX_EXTENSIONS {
                    return Err(bad("too many chunk extensions"));
                }
                next(size, digits, SizePart::Extension)
            }
            (SizePart::Lf, b'\n') => self.chunk(size),
            _ => Err(bad("invalid chunk-size line")),
        }
    }

    fn chunk(&self, size: u64) -> Result<State, Refusal> {
        if size == 0 {
            return Ok(State::Trailers { line: 0, total: 0, cr: false, colon: false });
        }
        if self.received + size > self.limit {
            return Err(TOO_LARGE);
        }
        Ok(State::Data { left: size, chunked: true })
    }
}

/// One byte of the trailers: `line` counts the bytes of the current line without its end.
fn trailer(b: u8, line: usize, total: usize, cr: bool, colon: bool) -> Result<State, Refusal> {
    if total > MAX_TRAILERS {
        return Err(bad("trailers too long"));
    }
    match (b, cr) {
        (b'\n', true) if line == 0 => Ok(State::Done),
        (b'\n', true) if colon => Ok(State::Trailers { line: 0, total, cr: false, colon: false }),
        (_, true) | (b'\n', false) => Err(bad("invalid trailer")),
        (b'\r', false) => Ok(State::Trailers { line, total, cr: true, colon }),
        (b':', false) if line == 0 => Err(bad("invalid trailer")),
        (b, false) if !colon && b != b':' && !is_token(b) => Err(bad("invalid trailer")),
        (b, false) if b < b' ' && b != b'\t' || b == 0x7f => Err(bad("invalid trailer")),
        (b, false) => {
            Ok(State::Trailers { line: line + 1, total, cr: false, colon: colon || b == b':' })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `input` in pieces; the body and what was left over, or the refusal.
    fn read(input: &[u8], piece: usize) -> Result<(Vec<u8>, usize, bool), Refusal> {
        let mut reader = BodyReader::new(Framing::Chunked, 1000)?;
        let mut at = 0;
        for part in input.chunks(piece.max(1)) {
            let n = reader.feed(part)?;
            at += n;
            if reader.is_done() {
                break;
            }
            assert_eq!(n, part.len());
        }
        let done = reader.is_done();
        Ok((reader.take(), at, done))
    }

    #[test]
    fn chunks() {
        let good: &[(&str, &str)] = &[
            ("0\r\n\r\n", ""),
            ("5\r\nhello\r\n0\r\n\r\n", "hello"),
            ("5;a=b;c\r\nhello\r\n000\r\n\r\n", "hello"),
            ("1\r\na\r\nA\r\n0123456789\r\n0\r\nX: y\r\nZ:\r\n\r\n", "a0123456789"),
        ];
        for (input, body) in good {
            let with_more = format!("{input}GET");
            for piece in [1, 2, 3, 1000] {
                let (got, used, done) = read(with_more.as_bytes(), piece).unwrap();
                assert!(done && used == input.len(), "{input:?}");
                assert_eq!(got, body.as_bytes());
            }
        }
        let refused = [
            "\r\n",
            "x\r\n",
            "+5\r\nhello",
            "0x5\r\nhello",
            " 5\r\nhello",
            "5 \r\nhello",
            "-1\r\n",
            "5\nhello",
            "5\r\nhelloX",
            "5\r\nhello\n0",
            "0\r\nX\r\n\r\n",
            "0\r\n X: y\r\n\r\n",
            "0\r\nX: y\n\r\n",
            "0\r\n: y\r\n\r\n",
            "5;\n\r\n",
            "fffffffffffffffff\r\n",
            "5;\x01\r\n",
            "3e9\r\n",
        ];
        for input in refused {
            for piece in [1, 1000] {
                assert!(read(input.as_bytes(), piece).is_err(), "{input:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn splitting_changes_nothing(input in "[0-9a-f;:\r\nX ]{0,60}", piece in 1usize..7) {
            prop_assert_eq!(read(input.as_bytes(), piece), read(input.as_bytes(), 1000));
        }
    }
}
