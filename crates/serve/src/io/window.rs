//! The bytes of the connection whose turn it is, in the read buffer that all of them share.

use std::io::{self, Read};

use super::conn::Conn;

/// The read buffer of an I/O thread, holding `buffer[start..end]` of one connection.
///
/// What a turn leaves unused goes back into the connection; usually that is nothing, so an idle
/// connection owns no buffer and a whole request is never copied before it is parsed.
pub(crate) struct Window {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    loaded: bool,
}

/// What came of reading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    More,
    Blocked,
    Eof,
    Broken,
}

impl Window {
    pub(crate) fn new(buffer: Vec<u8>) -> Self {
        Self { buffer, start: 0, end: 0, loaded: false }
    }

    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Brings in what an earlier turn left unused.
    pub(crate) fn load(&mut self, conn: &mut Conn) {
        if !self.loaded {
            self.loaded = true;
            let n = conn.unread.len();
            if n > 0 {
                self.buffer[..n].copy_from_slice(&conn.unread);
                self.end = n;
            }
        }
    }

    /// Gives back to the connection what was not used.
    pub(crate) fn store(&self, conn: &mut Conn) {
        if !self.loaded {
            return;
        }
        if self.is_empty() {
            if conn.unread.capacity() > 0 {
                conn.unread = Vec::new();
            }
        } else {
            conn.unread.clear();
            conn.unread.extend_from_slice(&self.buffer[self.start..self.end]);
        }
    }

    /// Reads once, unless the socket is known to have nothing.
    pub(crate) fn fill(&mut self, conn: &mut Conn) -> Fill {
        if !conn.readable {
            return Fill::Blocked;
        }
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let room = self.buffer.len() - self.end;
        debug_assert!(room > 0, "limits are checked before a window is full");
        loop {
            match (&*conn.socket).read(&mut self.buffer[self.end..]) {
                Ok(0) => return Fill::Eof,
                Ok(n) => {
                    // A short read has emptied the socket; the next byte is a new event.
                    conn.readable = n == room || conn.eof;
                    self.end += n;
                    return Fill::More;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    conn.readable = false;
                    return Fill::Blocked;
                }
                Err(_) => return Fill::Broken,
            }
        }
    }
}
