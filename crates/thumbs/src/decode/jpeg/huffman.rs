//! Huffman tables that mostly decode a code and its value by one look-up.

use super::bits::Bits;
use crate::Error;

/// Codes of up to this many bits, and codes with values of together so many, are looked up.
const LOOKUP_BITS: u32 = 10;

pub(super) struct Table {
    /// For the next ten bits: see [`Entry`].
    lookup: Box<[Entry; 1 << LOOKUP_BITS]>,
    /// For each length the first 16-bit window that is beyond its codes, and what turns a code into
    /// the index of its symbol.
    beyond: [u32; 17],
    offset: [i32; 17],
    symbols: Vec<u8>,
}

/// What the next bits mean. `bits` is 0 when the code is longer than the look-up.
#[derive(Clone, Copy, Default)]
pub(super) struct Entry {
    /// Bits of the code, and of its value when `complete`.
    pub bits: u8,
    pub symbol: u8,
    /// True when `value` has been looked up with the code.
    pub complete: bool,
    pub value: i16,
}

impl Table {
    /// Builds a table from a DHT segment's counts per length and symbols.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Table, Error> {
        let mut table = Table {
            lookup: Box::new([Entry::default(); 1 << LOOKUP_BITS]),
            beyond: [0; 17],
            offset: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut index) = (0u32, 0usize);
        for bits in 1..=16u32 {
            table.offset[bits as usize] = index as i32 - code as i32;
            for _ in 0..counts[bits as usize - 1] {
                if code >> bits != 0 {
                    return Err(Error::damaged("JPEG Huffman table has too many codes"));
                }
                table.enter(code, bits, symbols[index]);
                (code, index) = (code + 1, index + 1);
            }
            table.beyond[bits as usize] = code << (16 - bits);
            code <<= 1;
        }
        Ok(table)
    }

    /// Enters a code for all windows that begin with it.
    fn enter(&mut self, code: u32, bits: u32, symbol: u8) {
        if bits > LOOKUP_BITS {
            return;
        }
        let free = LOOKUP_BITS - bits;
        let size = u32::from(symbol & 15);
        for below in 0..1 << free {
            let complete = size <= free;
            let value = if complete { extend(below >> (free - size), size) } else { 0 };
            let bits = if complete { bits + size } else { bits } as u8;
            let at = (code << free | below) as usize;
            self.lookup[at] = Entry { bits, symbol, complete, value: value as i16 };
        }
    }

    /// Decodes a symbol with the value that follows it, whose bits its lower half counts.
    ///
    /// Needs 32 bits in the window: at most 16 of code and 15 of value.
    #[inline(always)]
    pub(super) fn decode(&self, bits: &mut Bits) -> Option<(u8, i32)> {
        let entry = self.lookup[bits.peek(LOOKUP_BITS) as usize];
        if entry.complete {
            bits.take(entry.bits.into());
            return Some((entry.symbol, entry.value.into()));
        }
        let symbol = if entry.bits > 0 {
            bits.take(entry.bits.into());
            entry.symbol
        } else {
            self.long_code(bits)?
        };
        let size = u32::from(symbol & 15);
        if size == 0 {
            return Some((symbol, 0));
        }
        let value = extend(bits.peek(size), size);
        bits.take(size);
        Some((symbol, value))
    }

    #[inline(never)]
    fn long_code(&self, bits: &mut Bits) -> Option<u8> {
        let window = bits.peek(16);
        let length = (LOOKUP_BITS + 1..=16).find(|&n| window < self.beyond[n as usize])?;
        let code = (window >> (16 - length)) as i32;
        bits.take(length);
        self.symbols.get(usize::try_from(code + self.offset[length as usize]).ok()?).copied()
    }
}

/// Values of `size` bits with a leading zero are negative (F.2.2.1, figure F.12).
#[inline(always)]
fn extend(value: u32, size: u32) -> i32 {
    let value = value as i32;
    if size > 0 && value < 1 << (size - 1) { value - (1 << size) + 1 } else { value }
}
