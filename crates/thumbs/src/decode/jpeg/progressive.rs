//! A decoder for progressive Huffman JPEG, grey or three components.
//!
//! Such a picture comes as a coarse one and what makes it finer, so nothing can be shrunk before
//! the last scan: the coefficients have to wait. The published decoders keep all of them, 139 MB of
//! a photograph of 22 megapixels at 4:4:4. Here it is what [`Coefficients`] are: 10 MB for a
//! thumbnail of a sixteenth of the edge, 41 MB for one of a quarter.
//!
//! After the last scan the blocks go, row by row, the way of those of [`super::sequential`].

use super::bits::{Bits, Stop};
use super::coefficients::{Band, Coefficients, Kept};
use super::huffman::Table;
use super::idct::{Basis, write_flat};
use super::measures::Measures;
use super::tables::Tables;
use crate::Error;
use crate::decode::planes::{Plane, Planes};
use crate::decode::strips::Strips;
use crate::header::jpeg::{Frame, Process};
use crate::watch::Input;

struct Component {
    id: u8,
    h: usize,
    v: usize,
    /// The number of its table, and the table as it was at the component's first scan.
    quantization: usize,
    latched: Option<[f32; 64]>,
    dc: usize,
    ac: usize,
    dc_prediction: i32,
    measures: Measures,
    /// Blocks in a row of whole MCUs.
    across: usize,
    coefficients: Coefficients,
}

struct Decoder {
    bits: Bits,
    size: usize,
    mcus: (usize, usize),
    components: Vec<Component>,
    tables: Tables,
    /// Blocks that bring nothing more in this scan.
    eob_run: u32,
    /// True once a scan has come to its end: there is something to show.
    scanned: bool,
}

/// What a scan brings, beside its components.
#[derive(Clone, Copy)]
struct Scan {
    band: Band,
    /// Whether it adds a bit to what is there.
    refines: bool,
}

/// True for the pictures that this decoder takes.
pub(super) fn takes(frame: &Frame) -> bool {
    let (h_max, v_max) = frame.max_sampling();
    frame.process == Process::Progressive
        && matches!(frame.sampling.len(), 1 | 3)
        && frame.sampling.iter().all(|&(h, v)| h_max % h == 0 && v_max % v == 0)
}

/// What the components occupy until the last scan, and on their way to thumbnails of these heights.
pub(super) fn needed_bytes(frame: &Frame, eighths: u32, heights: &[u32]) -> u64 {
    let mcus = mcus(frame);
    let blocks = |&(h, v): &(u8, u8)| mcus.0 * usize::from(h) * mcus.1 * usize::from(v);
    let coefficients = |sampling| Coefficients::needed_bytes(blocks(sampling), eighths as usize);
    frame.sampling.iter().map(coefficients).sum::<u64>()
        + super::sequential::needed_bytes(frame, eighths, heights)
}

fn mcus(frame: &Frame) -> (usize, usize) {
    let (h_max, v_max) = frame.max_sampling();
    let mcus = |n: u16, max: u8| usize::from(n).div_ceil(8 * usize::from(max));
    (mcus(frame.width, h_max), mcus(frame.height, v_max))
}

/// Decodes to `eighths` of the picture's size, and each component on to `heights`.
pub(super) fn decode(
    input: Input,
    frame: &Frame,
    eighths: u32,
    heights: &[u32],
) -> Result<Planes, Error> {
    let mut decoder = Decoder::new(Bits::new(input), frame, eighths as usize);
    let short = loop {
        match decoder.step() {
            Ok(true) => {}
            Ok(false) => break false,
            // What is there is shown, if there is anything.
            Err(Stop::Short) => break true,
            // A cut within a table looks like damage; libjpeg, too, shows what came before it.
            Err(Stop::Damaged(_)) if decoder.scanned => break true,
            Err(Stop::Damaged(e)) => return Err(e),
            Err(Stop::Io(e)) => return Err(Error::damaged(e)),
        }
    };
    if decoder.components.iter().all(|component| component.latched.is_none()) {
        return Err(Error::damaged("JPEG without pixels"));
    }
    decoder.planes(heights, short)
}

impl Decoder {
    fn new(bits: Bits, frame: &Frame, size: usize) -> Decoder {
        let mcus = mcus(frame);
        let component = |(&(h, v), &(id, quantization)): (&(u8, u8), &(u8, u8))| {
            let (h_blocks, v_blocks) = (usize::from(h), usize::from(v));
            let across = mcus.0 * h_blocks;
            Component {
                id,
                h: h_blocks,
                v: v_blocks,
                quantization: quantization.into(),
                latched: None,
                dc: 0,
                ac: 0,
                dc_prediction: 0,
                measures: Measures::new(frame, (h, v), size),
                across,
                coefficients: Coefficients::new(across * mcus.1 * v_blocks, size),
            }
        };
        let components = frame.sampling.iter().zip(&frame.components).map(component).collect();
        Decoder {
            bits,
            size,
            mcus,
            components,
            tables: Tables::default(),
            eob_run: 0,
            scanned: false,
        }
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
        let (pairs, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or_else(wrong)?;
        let mut scanned = Vec::new();
        for pair in pairs.chunks_exact(2) {
            let at = self.components.iter().position(|c| c.id == pair[0]).ok_or_else(wrong)?;
            let component = &mut self.components[at];
            (component.dc, component.ac) = (usize::from(pair[1] >> 4), usize::from(pair[1] & 15));
            if scanned.contains(&at) || component.dc > 3 || component.ac > 3 {
                return Err(wrong());
            }
            if component.latched.is_none() {
                component.latched = self.tables.quantization[component.quantization & 3];
            }
            component.latched.as_ref().ok_or_else(missing_table)?;
            scanned.push(at);
        }
        let scan = Scan::read(rest).filter(|scan| scan.is_possible(scanned.len()));
        let scan = scan.ok_or_else(wrong)?;
        // A scan of one component has its blocks in a row, however the component is sampled.
        let alone = scanned.len() == 1;
        let units = if alone { self.components[scanned[0]].measures.blocks } else { self.mcus };
        self.units(&scanned, scan, alone, units)?;
        self.scanned = true;
        Ok(())
    }

    fn units(
        &mut self,
        scanned: &[usize],
        scan: Scan,
        alone: bool,
        units: (usize, usize),
    ) -> Result<(), Stop> {
        let mut until_restart = self.tables.restart_interval;
        self.forget();
        for y in 0..units.1 {
            for x in 0..units.0 {
                if self.tables.restart_interval > 0 {
                    if until_restart == 0 {
                        self.restart()?;
                        until_restart = self.tables.restart_interval;
                    }
                    until_restart -= 1;
                }
                for &at in scanned {
                    self.unit(at, scan, alone, (x, y))?;
                }
                if self.bits.overrun() {
                    return Err(Stop::Short);
                }
            }
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(), Stop> {
        if !(0xD0..=0xD7).contains(&self.bits.next_marker()?) {
            return Err(Stop::Short);
        }
        self.forget();
        Ok(())
    }

    /// What a scan and a restart begin without.
    fn forget(&mut self) {
        self.eob_run = 0;
        self.components.iter_mut().for_each(|component| component.dc_prediction = 0);
    }

    /// Decodes what the scan brings of the blocks of one component in one unit.
    #[inline(always)]
    fn unit(
        &mut self,
        at: usize,
        scan: Scan,
        alone: bool,
        unit: (usize, usize),
    ) -> Result<(), Stop> {
        let component = &mut self.components[at];
        let (across, down) = if alone { (1, 1) } else { (component.h, component.v) };
        for block in 0..across * down {
            let (x, y) = (unit.0 * across + block % across, unit.1 * down + block / across);
            let mut block = component.coefficients.block_mut(y * component.across + x);
            let (bits, band) = (&mut self.bits, scan.band);
            if band.first > 0 {
                let ac = self.tables.ac[component.ac].as_ref().ok_or_else(missing_table)?;
                let decode = if scan.refines { refine_ac } else { first_ac };
                decode(&mut block, band, ac, bits, &mut self.eob_run)?;
            } else if scan.refines {
                bits.refill()?;
                block.add_to_first((bits.number(1) << band.low) as i16);
            } else {
                let dc = self.tables.dc[component.dc].as_ref().ok_or_else(missing_table)?;
                bits.refill()?;
                let (_, difference) = dc.decode(bits).ok_or_else(bad_code)?;
                component.dc_prediction = component.dc_prediction.wrapping_add(difference);
                block.set_first((component.dc_prediction << band.low) as i16);
            }
        }
        Ok(())
    }

    /// Shrinks each component by itself, as its rows are made.
    fn planes(mut self, heights: &[u32], partial: bool) -> Result<Planes, Error> {
        let ids: Vec<u8> = self.components.iter().map(|component| component.id).collect();
        let rgb = self.tables.is_rgb(&ids);
        let basis = Basis::new(self.size);
        let mut planes = Vec::with_capacity(ids.len());
        for component in std::mem::take(&mut self.components) {
            let Measures { stride, rows, covers, unit_rows, .. } = component.measures;
            let mut strips = Strips::new(stride, rows, covers.1, unit_rows, heights);
            for y in 0..self.mcus.1 {
                self.bits.check_time().map_err(Error::damaged)?;
                component.write(y, self.size, &basis, &mut strips);
                strips.advance(unit_rows)?;
            }
            planes.push(Plane { shrunk: strips.finish()?, stride, covers: covers.0 });
        }
        Ok(Planes { planes, rgb, partial })
    }
}

impl Component {
    /// Writes row `y` of units; nothing, which is grey, when no scan has brought it.
    fn write(&self, y: usize, size: usize, basis: &Basis, strips: &mut Strips) {
        let Some(quantization) = &self.latched else { return };
        for row in 0..self.v {
            let first = (y * self.v + row) * self.across;
            let stride = strips.stride();
            let out = &mut strips.unit_mut()[row * size * stride..];
            // The size is a constant in each copy: the loops over a block are unrolled for it.
            match size {
                1 => self.blocks::<1>(first, quantization, basis, out, stride),
                2 => self.blocks::<2>(first, quantization, basis, out, stride),
                3 => self.blocks::<3>(first, quantization, basis, out, stride),
                4 => self.blocks::<4>(first, quantization, basis, out, stride),
                5 => self.blocks::<5>(first, quantization, basis, out, stride),
                6 => self.blocks::<6>(first, quantization, basis, out, stride),
                7 => self.blocks::<7>(first, quantization, basis, out, stride),
                _ => self.blocks::<8>(first, quantization, basis, out, stride),
            }
        }
    }

    fn blocks<const SIZE: usize>(
        &self,
        first: usize,
        quantization: &[f32; 64],
        basis: &Basis,
        out: &mut [u8],
        stride: usize,
    ) {
        for x in 0..self.across {
            let mut block = [0.0; 64];
            let at = first + x;
            let positions = self.coefficients.dequantised(at, quantization, &mut block);
            let out = &mut out[x * SIZE..];
            if positions == 0 {
                write_flat::<SIZE>(block[0], out, stride);
            } else {
                basis.write::<SIZE>(&block, positions, out, stride);
            }
        }
    }
}

impl Scan {
    fn read(bytes: &[u8]) -> Option<Scan> {
        let [first, last, bits, ..] = *bytes else { return None };
        let (high, low) = (bits >> 4, bits & 15);
        let in_order = high == 0 || high == low + 1;
        let band = Band { first: first.into(), last: last.into(), low: low.into() };
        (in_order && low <= 13 && last < 64).then_some(Scan { band, refines: high > 0 })
    }

    /// The first coefficients of all components may come together, the others by themselves.
    fn is_possible(self, components: usize) -> bool {
        let Band { first, last, .. } = self.band;
        components > 0
            && first <= last
            && (first == 0) == (last == 0)
            && (first == 0 || components == 1)
    }
}

#[cold]
fn missing_table() -> Stop {
    Error::damaged("JPEG scan without its tables").into()
}

#[cold]
fn bad_code() -> Stop {
    Error::damaged("JPEG has a code that is in no table").into()
}

/// Decodes coefficients that were all zero before (G.1.2.2).
fn first_ac(
    block: &mut Kept<'_>,
    band: Band,
    ac: &Table,
    bits: &mut Bits,
    eob_run: &mut u32,
) -> Result<(), Stop> {
    if *eob_run > 0 {
        *eob_run -= 1;
        return Ok(());
    }
    let mut k = band.first;
    while k <= band.last {
        bits.refill()?;
        let (symbol, value) = ac.decode(bits).ok_or_else(bad_code)?;
        let run = u32::from(symbol >> 4);
        if symbol & 15 == 0 {
            if run < 15 {
                *eob_run = (1 << run) - 1 + bits.number(run);
                break;
            }
            k += 16;
            continue;
        }
        k += run as usize;
        if k <= band.last {
            block.set(k, value << band.low);
        }
        k += 1;
    }
    Ok(())
}

/// Decodes one more bit of those that are not zero, and those that were zero to that bit
/// (G.1.2.3).
fn refine_ac(
    block: &mut Kept<'_>,
    band: Band,
    ac: &Table,
    bits: &mut Bits,
    eob_run: &mut u32,
) -> Result<(), Stop> {
    let mut k = band.first;
    while *eob_run == 0 && k <= band.last {
        bits.refill()?;
        let (symbol, value) = ac.decode(bits).ok_or_else(bad_code)?;
        let run = u32::from(symbol >> 4);
        match symbol & 15 {
            0 if run < 15 => *eob_run = (1 << run) + bits.number(run),
            0 | 1 => {
                k = block.refine_over(k, run, band, bits)?;
                if value != 0 && k <= band.last {
                    block.set(k, value << band.low);
                }
                k += 1;
            }
            _ => return Err(bad_code()),
        }
    }
    if *eob_run > 0 {
        *eob_run -= 1;
        block.refine_all(k, band, bits)?;
    }
    Ok(())
}
