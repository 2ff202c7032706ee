//! A reader, and how its bytes go onto the wire.

use std::io::{self, Read};

use bytes::Bytes;

use crate::render::Delimited;

/// Bytes read at a time, at most.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;
/// The longest chunk-size line that a piece needs: eight digits, CR LF.
const SIZE_LINE: usize = 10;
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

pub(crate) struct Source {
    reader: Box<dyn Read + Send>,
    /// Bytes that were promised and not yet read; `None` if nothing was promised.
    left: Option<u64>,
    is_chunked: bool,
}

/// What follows a piece.
pub(crate) enum Then {
    /// Another one: the worker reads on.
    More,
    /// Nothing before it is asked for: the reader rests here.
    Rest(Box<Source>),
    End,
    /// The reader failed, or ended before its time: the rest will never come.
    Failed,
}

/// One read.
pub(crate) enum Got {
    Some(Bytes),
    /// The last bytes, perhaps none.
    End(Bytes),
    Failed,
}

impl Source {
    pub(crate) fn new(reader: Box<dyn Read + Send>, delimited: Delimited) -> Self {
        let left = match delimited {
            Delimited::Length(len) => Some(len),
            Delimited::Chunks | Delimited::Close => None,
        };
        Self { reader, left, is_chunked: delimited == Delimited::Chunks }
    }

    /// Reads once, at most about `most` bytes, and frames what it got. May block.
    pub(crate) fn read(&mut self, most: usize) -> Got {
        let most = self.left.map_or(most, |left| most.min(left.try_into().unwrap_or(most)));
        if self.left == Some(0) {
            return Got::End(Bytes::new());
        }
        let mut buffer = vec![0; SIZE_LINE + most + 2];
        let n = loop {
            match self.reader.read(&mut buffer[SIZE_LINE..SIZE_LINE + most]) {
                Ok(n) => break n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Got::Failed,
            }
        };
        match (n, &mut self.left) {
            (0, Some(_)) => Got::Failed,
            (0, None) if self.is_chunked => Got::End(Bytes::from_static(LAST_CHUNK)),
            (0, None) => Got::End(Bytes::new()),
            (n, None) => Got::Some(piece(buffer, n, self.is_chunked)),
            (n, Some(left)) => {
                *left -= n as u64;
                let is_last = *left == 0;
                let piece = piece(buffer, n, false);
                if is_last { Got::End(piece) } else { Got::Some(piece) }
            }
        }
    }
}

/// The `n` bytes that were read behind the room for a size line, framed. A piece that fills little
/// of its buffer is copied, so that what is held is about what is counted.
fn piece(mut buffer: Vec<u8>, n: usize, is_chunked: bool) -> Bytes {
    let (mut start, mut end) = (SIZE_LINE, SIZE_LINE + n);
    if is_chunked {
        let size = format!("{n:x}\r\n");
        start -= size.len();
        buffer[start..SIZE_LINE].copy_from_slice(size.as_bytes());
        buffer[end..end + 2].copy_from_slice(b"\r\n");
        end += 2;
    }
    if n < buffer.len() / 2 {
        return Bytes::copy_from_slice(&buffer[start..end]);
    }
    Bytes::from(buffer).slice(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a reader gives, in reads of at most `most`; `None` if it failed.
    fn all(
        reader: impl Read + Send + 'static,
        delimited: Delimited,
        most: usize,
    ) -> Option<Vec<u8>> {
        let mut source = Source::new(Box::new(reader), delimited);
        let mut got = Vec::new();
        loop {
            match source.read(most) {
                Got::Some(bytes) => got.extend_from_slice(&bytes),
                Got::End(bytes) => {
                    got.extend_from_slice(&bytes);
                    return Some(got);
                }
                Got::Failed => return None,
            }
        }
    }

    #[test]
    fn framing() {
        let text = |got: Option<Vec<u8>>| got.map(|got| String::from_utf8(got).unwrap());
        let chunked = |body: &'static [u8], most| text(all(body, Delimited::Chunks, most));
        assert_eq!(chunked(b"", 10).unwrap(), "0\r\n\r\n");
        assert_eq!(chunked(b"hello", 10).unwrap(), "5\r\nhello\r\n0\r\n\r\n");
        let twice = "10\r\n0123456789abcdef\r\n1\r\ng\r\n0\r\n\r\n";
        assert_eq!(chunked(b"0123456789abcdefg", 16).unwrap(), twice);
        let sized = |body: &'static [u8], len| text(all(body, Delimited::Length(len), 3));
        assert_eq!(sized(b"hello", 5).unwrap(), "hello");
        // No byte beyond the promise, and no end before it.
        assert_eq!(sized(b"hello", 4).unwrap(), "hell");
        assert_eq!(sized(b"hello", 0).unwrap(), "");
        assert_eq!(sized(b"hello", 6), None);
        assert_eq!(text(all(b"hello".as_slice(), Delimited::Close, 2)).unwrap(), "hello");
    }
}
