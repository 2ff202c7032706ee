//! A decoder for what nearly all photographs are: sequential Huffman JPEG, grey or three
//! components.
//!
//! The published decoders scale, but keep coefficients in unbounded queues between threads of their
//! own; or they are fast, but do not scale. For thumbnails it matters that a reduced picture is all
//! that is ever in memory, that the calling thread does the work, and that what a truncated file
//! holds is shown. The planes stay apart: the resizer shrinks each, and colour is converted on the
//! pixels of the thumbnail.

use super::bits::{Bits, Stop};
use super::huffman::Table;
use super::idct::{Basis, Block, write_flat};
use super::measures::Measures;
use super::tables::Tables;
use super::zigzag::{ZIGZAG, wanted};
use crate::Error;
use crate::decode::planes::{Plane, Planes};
use crate::decode::strips::Strips;
use crate::header::jpeg::Frame;
use crate::watch::Input;

struct Component {
    id: u8,
    h: usize,
    v: usize,
    quantization: usize,
    dc: usize,
    ac: usize,
    dc_prediction: i32,
    measures: Measures,
    /// Where the samples go; rows are as long as whole MCUs.
    strips: Strips,
    /// True once a row of units has been decoded.
    seen: bool,
    done: bool,
}

struct Decoder {
    bits: Bits,
    /// Samples of a block that are wanted each way: 1 to 8.
    size: usize,
    basis: Basis,
    mcus: (usize, usize),
    components: Vec<Component>,
    tables: Tables,
}

/// True for the pictures that this decoder takes.
pub(super) fn takes(frame: &Frame) -> bool {
    let (h_max, v_max) = frame.max_sampling();
    frame.process == crate::header::jpeg::Process::Sequential
        && matches!(frame.sampling.len(), 1 | 3)
        && frame.sampling.iter().all(|&(h, v)| h_max % h == 0 && v_max % v == 0)
}

/// What the components occupy on their way to thumbnails of these heights.
pub(super) fn needed_bytes(frame: &Frame, eighths: u32, heights: &[u32]) -> u64 {
    let component = |&sampling: &(u8, u8)| {
        let Measures { stride, rows, covers, unit_rows, .. } =
            Measures::new(frame, sampling, eighths as usize);
        Strips::needed_bytes(stride, rows, covers.1, unit_rows, heights)
    };
    frame.sampling.iter().map(component).sum::<u64>() + SMALL_CHANGE
}

/// Tables and buffers.
const SMALL_CHANGE: u64 = 64 << 10;

/// Decodes to `eighths` of the picture's size, and each component on to `heights`.
pub(super) fn decode(
    input: Input,
    frame: &Frame,
    eighths: u32,
    heights: &[u32],
) -> Result<Planes, Error> {
    let mut decoder = Decoder::new(Bits::new(input), frame, eighths as usize, heights);
    let mut short = false;
    while !decoder.components.iter().all(|component| component.done) {
        match decoder.step() {
            Ok(true) => {}
            // What is there is shown, if there is anything.
            Ok(false) | Err(Stop::Short) => {
                short = true;
                break;
            }
            // A cut within a table looks like damage; what came before it is there.
            Err(Stop::Damaged(_)) if decoder.components.iter().any(|c| c.done) => {
                short = true;
                break;
            }
            Err(Stop::Damaged(e)) => return Err(e),
            Err(Stop::Io(e)) => return Err(Error::damaged(e)),
        }
    }
    if !decoder.components.iter().any(|component| component.seen) {
        return Err(Error::damaged("JPEG without pixels"));
    }
    decoder.planes(short)
}

impl Decoder {
    fn new(bits: Bits, frame: &Frame, size: usize, heights: &[u32]) -> Decoder {
        let (h_max, v_max) = frame.max_sampling();
        let mcus = |n: u16, max: u8| usize::from(n).div_ceil(8 * usize::from(max));
        let mcus = (mcus(frame.width, h_max), mcus(frame.height, v_max));
        let component = |(&(h, v), &(id, quantization)): (&(u8, u8), &(u8, u8))| {
            let measures = Measures::new(frame, (h, v), size);
            let Measures { stride, rows, covers, unit_rows, .. } = measures;
            Component {
                id,
                h: h.into(),
                v: v.into(),
                quantization: quantization.into(),
                dc: 0,
                ac: 0,
                dc_prediction: 0,
                strips: Strips::new(stride, rows, covers.1, unit_rows, heights),
                measures,
                seen: false,
                done: false,
            }
        };
        let components = frame.sampling.iter().zip(&frame.components).map(component).collect();
        Decoder { bits, size, basis: Basis::new(size), mcus, components, tables: Tables::default() }
    }

    /// Takes the next segment; false at the end of the picture.
    fn step(&mut self) -> Result<bool, Stop> {
        match self.bits.next_marker()? {
            0xD9 => return Ok(false),
            0xDA => self.scan()?,
            marker => self.tables.segment(marker, &mut self.bits)?,
        }
        Ok(true)
    }

    /// Reads a scan's header and then its blocks.
    fn scan(&mut self) -> Result<(), Stop> {
        let segment = self.bits.segment()?;
        let wrong = || Stop::from(Error::damaged("JPEG scan header is wrong"));
        let (&count, rest) = segment.split_first().ok_or_else(wrong)?;
        let mut scanned = Vec::new();
        for pair in rest.chunks_exact(2).take(count.into()) {
            let at = self.components.iter().position(|c| c.id == pair[0]).ok_or_else(wrong)?;
            let component = &mut self.components[at];
            (component.dc, component.ac) = (usize::from(pair[1] >> 4), usize::from(pair[1] & 15));
            if component.done || scanned.contains(&at) || component.dc > 3 || component.ac > 3 {
                return Err(wrong());
            }
            scanned.push(at);
        }
        if scanned.is_empty() || scanned.len() != usize::from(count) {
            return Err(wrong());
        }
        // A scan of one component has its blocks in a row, however the component is sampled.
        let alone = scanned.len() == 1;
        let units = if alone { self.components[scanned[0]].measures.blocks } else { self.mcus };
        self.units(&scanned, alone, units)?;
        scanned.iter().for_each(|&at| self.components[at].done = true);
        Ok(())
    }

    fn units(&mut self, scanned: &[usize], alone: bool, units: (usize, usize)) -> Result<(), Stop> {
        let mut until_restart = self.tables.restart_interval;
        self.components.iter_mut().for_each(|component| component.dc_prediction = 0);
        for _ in 0..units.1 {
            for x in 0..units.0 {
                if self.tables.restart_interval > 0 {
                    if until_restart == 0 {
                        self.restart()?;
                        until_restart = self.tables.restart_interval;
                    }
                    until_restart -= 1;
                }
                for &at in scanned {
                    self.unit(at, alone, x)?;
                }
                if self.bits.overrun() {
                    return Err(Stop::Short);
                }
            }
            for &at in scanned {
                let component = &mut self.components[at];
                let blocks = if alone { 1 } else { component.v };
                component.strips.advance(blocks * self.size)?;
                component.seen = true;
            }
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(), Stop> {
        if !(0xD0..=0xD7).contains(&self.bits.next_marker()?) {
            return Err(Stop::Short);
        }
        self.components.iter_mut().for_each(|component| component.dc_prediction = 0);
        Ok(())
    }

    /// Decodes the blocks of one component in one unit, each to its place in the row of units.
    #[inline(always)]
    fn unit(&mut self, at: usize, alone: bool, x: usize) -> Result<(), Stop> {
        let component = &mut self.components[at];
        let missing = || Stop::from(Error::damaged("JPEG scan without its tables"));
        let quantization =
            self.tables.quantization[component.quantization & 3].as_ref().ok_or_else(missing)?;
        let dc = self.tables.dc[component.dc].as_ref().ok_or_else(missing)?;
        let ac = self.tables.ac[component.ac].as_ref().ok_or_else(missing)?;
        let (across, down) = if alone { (1, 1) } else { (component.h, component.v) };
        for block in 0..across * down {
            let (block_x, block_y) = (x * across + block % across, block / across);
            let stride = component.strips.stride();
            let to = block_y * self.size * stride + block_x * self.size;
            let out = &mut component.strips.unit_mut()[to..];
            let prediction = &mut component.dc_prediction;
            let bits = &mut self.bits;
            let basis = &self.basis;
            // The size is a constant in each copy: the loops over a block are unrolled for it.
            match self.size {
                1 => decode_block::<1>(bits, dc, ac, quantization, basis, prediction, out, stride),
                2 => decode_block::<2>(bits, dc, ac, quantization, basis, prediction, out, stride),
                3 => decode_block::<3>(bits, dc, ac, quantization, basis, prediction, out, stride),
                4 => decode_block::<4>(bits, dc, ac, quantization, basis, prediction, out, stride),
                5 => decode_block::<5>(bits, dc, ac, quantization, basis, prediction, out, stride),
                6 => decode_block::<6>(bits, dc, ac, quantization, basis, prediction, out, stride),
                7 => decode_block::<7>(bits, dc, ac, quantization, basis, prediction, out, stride),
                _ => decode_block::<8>(bits, dc, ac, quantization, basis, prediction, out, stride),
            }?;
        }
        Ok(())
    }

    fn planes(self, partial: bool) -> Result<Planes, Error> {
        let ids: Vec<u8> = self.components.iter().map(|component| component.id).collect();
        let rgb = self.tables.is_rgb(&ids);
        let plane = |component: Component| {
            let Measures { stride, covers, .. } = component.measures;
            Ok(Plane { shrunk: component.strips.finish()?, stride, covers: covers.0 })
        };
        let planes: Result<_, Error> = self.components.into_iter().map(plane).collect();
        Ok(Planes { planes: planes?, rgb, partial })
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "parts of the decoder that are borrowed apart")]
fn decode_block<const SIZE: usize>(
    bits: &mut Bits,
    dc: &Table,
    ac: &Table,
    quantization: &[f32; 64],
    basis: &Basis,
    prediction: &mut i32,
    out: &mut [u8],
    stride: usize,
) -> Result<(), Stop> {
    let bad_code = || Stop::from(Error::damaged("JPEG has a code that is in no table"));
    bits.refill()?;
    let (_, difference) = dc.decode(bits).ok_or_else(bad_code)?;
    *prediction = prediction.wrapping_add(difference);
    let first = *prediction as f32 * quantization[0];

    let mut block: Block = [0.0; 64];
    block[0] = first;
    // Where its coefficients are, ORed.
    let mut positions = 0;
    let mut k = 1;
    while k < 64 {
        bits.refill()?;
        let (symbol, value) = ac.decode(bits).ok_or_else(bad_code)?;
        if symbol & 15 == 0 {
            if symbol != 0xF0 {
                break;
            }
            k += 16;
            continue;
        }
        k += usize::from(symbol >> 4);
        if k < const { wanted(SIZE as u8) } {
            let position = ZIGZAG[k] & 63;
            block[usize::from(position)] = value as f32 * quantization[k];
            positions |= position;
        }
        k += 1;
    }
    if positions == 0 {
        write_flat::<SIZE>(first, out, stride);
    } else {
        basis.write::<SIZE>(&block, positions, out, stride);
    }
    Ok(())
}
