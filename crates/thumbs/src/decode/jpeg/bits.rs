//! Bits of entropy-coded data: byte stuffing removed, markers kept for later.

use std::io::{self, Read};

use crate::Error;
use crate::watch::Input;

pub(super) struct Bits {
    input: Input,
    /// The next bits, the first of them on top; what is below the `count` first is zero.
    window: u64,
    count: u32,
    /// The marker that ended the data; from then on zeros are handed out.
    marker: Option<u8>,
    /// How many of the bits handed into the window were not there.
    invented: u32,
}

impl Bits {
    pub(super) fn new(input: Input) -> Bits {
        Bits { input, window: 0, count: 0, marker: None, invented: 0 }
    }

    /// Fills up to more than 32 bits: enough for one code with its value.
    #[inline(always)]
    pub(super) fn refill(&mut self) -> io::Result<()> {
        if self.count > 32 {
            return Ok(());
        }
        match self.input.peek_word() {
            Some(word) if self.marker.is_none() && !has_ff(word) => {
                let bytes = (64 - self.count) / 8;
                // Zeros below `count` are kept: the bits of a byte that does not fit are cut off.
                let whole = word >> (64 - 8 * bytes) << (64 - 8 * bytes);
                self.window |= whole >> self.count;
                self.count += 8 * bytes;
                self.input.advance(bytes as usize);
                Ok(())
            }
            _ => self.refill_slowly(),
        }
    }

    #[cold]
    #[inline(never)]
    fn refill_slowly(&mut self) -> io::Result<()> {
        while self.count <= 56 {
            let byte = match self.marker {
                Some(_) => {
                    self.invented += 8;
                    0
                }
                None => match self.next_byte()? {
                    Some(byte) => byte,
                    None => continue,
                },
            };
            self.window |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        Ok(())
    }

    /// The next byte of data, or `None` after noting a marker.
    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.read_u8()?;
        if byte != 0xFF {
            return Ok(Some(byte));
        }
        let mut code = self.read_u8()?;
        while code == 0xFF {
            code = self.read_u8()?;
        }
        if code == 0 {
            return Ok(Some(0xFF));
        }
        self.marker = Some(code);
        Ok(None)
    }

    /// The next `n` bits, 1 to 16, without taking them.
    #[inline(always)]
    pub(super) fn peek(&self, n: u32) -> u32 {
        (self.window >> (64 - n)) as u32
    }

    #[inline(always)]
    pub(super) fn take(&mut self, n: u32) {
        self.window <<= n;
        self.count = self.count.wrapping_sub(n);
    }

    /// Takes the next `n` bits, 0 to 16, as a number.
    #[inline(always)]
    pub(super) fn number(&mut self, n: u32) -> u32 {
        // Two steps: a shift by 64 is none.
        let number = (self.window >> 1 >> (63 - n)) as u32;
        self.take(n);
        number
    }

    /// Fails when the time is up, for work that reads nothing.
    pub(super) fn check_time(&self) -> io::Result<()> {
        self.input.check_time()
    }

    /// True once bits have been taken that were not there.
    pub(super) fn overrun(&self) -> bool {
        self.invented > self.count
    }

    /// Leaves the entropy-coded data: returns the marker that ends it, if it is already known.
    pub(super) fn end(&mut self) -> Option<u8> {
        (self.window, self.count, self.invented) = (0, 0, 0);
        self.marker.take()
    }

    /// Passes over data up to the next marker.
    pub(super) fn next_marker(&mut self) -> io::Result<u8> {
        if let Some(marker) = self.end() {
            return Ok(marker);
        }
        while self.next_byte()?.is_some() {}
        Ok(self.end().unwrap_or(0xD9))
    }

    /// The body of the segment whose marker has just been returned.
    pub(super) fn segment(&mut self) -> io::Result<Vec<u8>> {
        let length = usize::from(self.read_u8()?) << 8 | usize::from(self.read_u8()?);
        let mut body = vec![0; length.saturating_sub(2)];
        self.input.read_exact(&mut body)?;
        Ok(body)
    }

    fn read_u8(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte)?;
        Ok(byte[0])
    }
}

/// Why a scan ended.
pub(super) enum Stop {
    Damaged(Error),
    Io(io::Error),
    /// The data ended before the blocks did.
    Short,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Io(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Damaged(error)
    }
}

/// True when one of the eight bytes is 0xFF: the classic search for a zero byte, in the complement.
#[inline(always)]
fn has_ff(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    (!word).wrapping_sub(ONES) & word & (ONES << 7) != 0
}
