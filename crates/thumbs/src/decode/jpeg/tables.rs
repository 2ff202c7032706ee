//! What the segments between the scans say: tables, restarts, the colours.

use super::bits::{Bits, Stop};
use super::huffman::Table;
use crate::Error;

#[derive(Default)]
pub(super) struct Tables {
    /// In the order of coding.
    pub quantization: [Option<[f32; 64]>; 4],
    pub dc: [Option<Table>; 4],
    pub ac: [Option<Table>; 4],
    /// Units between two restarts; 0 for none.
    pub restart_interval: usize,
    jfif: bool,
    adobe_transform: Option<u8>,
}

impl Tables {
    /// Takes the segment whose marker has just been read, if it has one.
    pub(super) fn segment(&mut self, marker: u8, bits: &mut Bits) -> Result<(), Stop> {
        match marker {
            0x01 | 0xD0..=0xD8 => {}
            0xC4 => self.huffman(&bits.segment()?)?,
            0xDB => self.quantization(&bits.segment()?)?,
            0xDD => match *bits.segment()? {
                [high, low, ..] => {
                    self.restart_interval = usize::from(high) << 8 | usize::from(low);
                }
                _ => return Err(Error::damaged("JPEG restart interval is cut short").into()),
            },
            0xE0 => self.jfif |= bits.segment()?.starts_with(b"JFIF\0"),
            0xEE => {
                let segment = bits.segment()?;
                if segment.starts_with(b"Adobe") {
                    self.adobe_transform = segment.get(11).copied();
                }
            }
            _ => drop(bits.segment()?),
        }
        Ok(())
    }

    fn quantization(&mut self, segment: &[u8]) -> Result<(), Error> {
        let mut rest = segment;
        while let [head, tail @ ..] = rest {
            let (wide, index) = (head >> 4 != 0, usize::from(head & 15));
            let bytes = if wide { 128 } else { 64 };
            if index > 3 || tail.len() < bytes {
                return Err(Error::damaged("JPEG quantization table is cut short"));
            }
            self.quantization[index] = Some(std::array::from_fn(|i| match wide {
                true => u16::from_be_bytes([tail[2 * i], tail[2 * i + 1]]).into(),
                false => tail[i].into(),
            }));
            rest = &tail[bytes..];
        }
        Ok(())
    }

    fn huffman(&mut self, segment: &[u8]) -> Result<(), Error> {
        let mut rest = segment;
        while let Some((head, tail)) = rest.split_first_chunk::<17>() {
            let (class, index) = (head[0] >> 4, usize::from(head[0] & 15));
            let counts: [u8; 16] = std::array::from_fn(|i| head[i + 1]);
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let Some((symbols, after)) = tail.split_at_checked(total) else {
                return Err(Error::damaged("JPEG Huffman table is cut short"));
            };
            let tables = if class == 0 { &mut self.dc } else { &mut self.ac };
            let Some(table) = tables.get_mut(index) else {
                return Err(Error::damaged("JPEG Huffman table has no place"));
            };
            *table = Some(Table::new(&counts, symbols)?);
            rest = after;
        }
        Ok(())
    }

    /// Whether three components of these names are red, green and blue: as libjpeg decides (and
    /// every other decoder after it).
    pub(super) fn is_rgb(&self, ids: &[u8]) -> bool {
        match (ids, self.jfif, self.adobe_transform) {
            ([1, 2, 3], ..) | (_, true, _) => false,
            (b"RGB", ..) => true,
            (_, false, transform) => transform == Some(0),
        }
    }
}
