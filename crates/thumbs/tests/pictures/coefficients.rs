//! JPEGs written from coefficients: the same ones in one scan, or in many that refine each other,
//! as libjpeg writes them.

/// Quantised coefficients of each component, in the order of coding, in whole units.
pub struct Coefficients {
    pub width: usize,
    pub height: usize,
    pub sampling: Vec<(usize, usize)>,
    pub blocks: Vec<Vec<[i32; 64]>>,
}

/// First and last coefficient, and the bits `high` and `low` of the header.
pub type Scan = (usize, usize, u32, u32);

/// What libjpeg does with a component, but for the order.
pub const REFINING: [Scan; 7] = [
    (0, 0, 0, 1),
    (1, 5, 0, 2),
    (6, 63, 0, 2),
    (1, 63, 2, 1),
    (0, 0, 1, 0),
    (1, 63, 1, 0),
    (0, 0, 0, 0),
];

impl Coefficients {
    /// Sparse ones that get smaller towards the high frequencies; some blocks have none.
    pub fn random(width: usize, height: usize, sampling: &[(usize, usize)]) -> Coefficients {
        let mut made =
            Coefficients { width, height, sampling: sampling.to_vec(), blocks: Vec::new() };
        let mut state = 88_172_645_463_325_252u64;
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below) as i32
        };
        for at in 0..sampling.len() {
            let (across, down) = made.size(at);
            let (seen_across, seen_down) = made.seen(at);
            let blocks = (0..across * down).map(|i| {
                let mut block = [0; 64];
                block[0] = random(600) - 300;
                let seen = i % across < seen_across && i / across < seen_down;
                let busy = [0, 0, 1, 2, 5, 20][random(6) as usize] * i32::from(seen);
                for (k, value) in block.iter_mut().enumerate().skip(1) {
                    if random(40) < busy {
                        let most = 1 + 90 / k as u64;
                        *value = random(2 * most + 1) - most as i32;
                    }
                }
                block
            });
            let blocks = blocks.collect();
            made.blocks.push(blocks);
        }
        made
    }

    fn units(&self) -> (usize, usize) {
        let h = self.sampling.iter().map(|s| s.0).max().unwrap();
        let v = self.sampling.iter().map(|s| s.1).max().unwrap();
        (self.width.div_ceil(8 * h), self.height.div_ceil(8 * v))
    }

    /// Blocks across and down, in whole units.
    fn size(&self, at: usize) -> (usize, usize) {
        (self.units().0 * self.sampling[at].0, self.units().1 * self.sampling[at].1)
    }

    /// Blocks across and down that show something of the picture.
    fn seen(&self, at: usize) -> (usize, usize) {
        let h = self.sampling.iter().map(|s| s.0).max().unwrap();
        let v = self.sampling.iter().map(|s| s.1).max().unwrap();
        let blocks = |n: usize, share: usize, max: usize| (n * share).div_ceil(8 * max);
        (blocks(self.width, self.sampling[at].0, h), blocks(self.height, self.sampling[at].1, v))
    }

    /// Codes all in one scan.
    pub fn sequential(&self) -> Vec<u8> {
        let mut out = self.head(0xC0);
        let all: Vec<usize> = (0..self.blocks.len()).collect();
        self.scan(&mut out, &all, (0, 63, 0, 0));
        out.extend([0xFF, 0xD9]);
        out
    }

    /// Codes the first coefficients of all components together, the others apart.
    pub fn progressive(&self, scans: &[Scan]) -> Vec<u8> {
        let mut out = self.head(0xC2);
        let all: Vec<usize> = (0..self.blocks.len()).collect();
        for &scan in scans {
            match scan.0 {
                0 => self.scan(&mut out, &all, scan),
                _ => all.iter().for_each(|&at| self.scan(&mut out, &[at], scan)),
            }
        }
        out.extend([0xFF, 0xD9]);
        out
    }

    fn head(&self, frame: u8) -> Vec<u8> {
        let mut out = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
        out.extend((0..64).map(|k| 4 + k / 4));
        let count = self.sampling.len() as u8;
        out.extend([0xFF, frame, 0, 8 + 3 * count, 8]);
        out.extend([self.height as u16, self.width as u16].map(u16::to_be_bytes).concat());
        out.push(count);
        for (at, (h, v)) in self.sampling.iter().enumerate() {
            out.extend([at as u8 + 1, (h << 4 | v) as u8, 0]);
        }
        // Symbols below 16 in five bits; all, in eight or nine: nothing here has to be small.
        out.extend([0xFF, 0xC4, 0, 19 + 16, 0, 0, 0, 0, 0, 16]);
        out.extend([0; 11]);
        out.extend(0..16u8);
        out.extend([0xFF, 0xC4, 1, 19, 0x10, 0, 0, 0, 0, 0, 0, 0, 128, 128]);
        out.extend([0; 7]);
        out.extend(0..=255u8);
        out
    }

    fn scan(&self, out: &mut Vec<u8>, components: &[usize], scan: Scan) {
        let (first, last, high, low) = scan;
        out.extend([0xFF, 0xDA, 0, 6 + 2 * components.len() as u8, components.len() as u8]);
        components.iter().for_each(|&at| out.extend([at as u8 + 1, 0]));
        out.extend([first as u8, last as u8, (high << 4 | low) as u8]);
        let mut writer = Writer { out, window: 0, bits: 0, eob_run: 0, kept: Vec::new() };
        let mut before = vec![0; self.sampling.len()];
        if let [at] = *components {
            let (across, _) = self.size(at);
            let (seen_across, seen_down) = self.seen(at);
            for i in 0..seen_across * seen_down {
                let block = i / seen_across * across + i % seen_across;
                writer.block(&self.blocks[at][block], scan, &mut before[at]);
            }
        } else {
            let (units_across, units_down) = self.units();
            for (unit, &at) in (0..units_across * units_down)
                .flat_map(|unit| components.iter().map(move |at| (unit, at)))
            {
                let (h, v) = self.sampling[at];
                for i in 0..h * v {
                    let x = unit % units_across * h + i % h;
                    let y = unit / units_across * v + i / h;
                    let block = &self.blocks[at][y * self.size(at).0 + x];
                    writer.block(block, scan, &mut before[at]);
                }
            }
        }
        writer.finish();
    }
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    window: u64,
    bits: u32,
    eob_run: u32,
    /// Bits that refine and follow the code of the run.
    kept: Vec<u32>,
}

impl Writer<'_> {
    fn put(&mut self, value: u32, bits: u32) {
        self.window = self.window << bits | u64::from(value) & ((1 << bits) - 1);
        self.bits += bits;
        while self.bits >= 8 {
            self.bits -= 8;
            let byte = (self.window >> self.bits) as u8;
            self.out.push(byte);
            if byte == 0xFF {
                self.out.push(0);
            }
        }
    }

    fn symbol(&mut self, symbol: u32) {
        if symbol < 128 { self.put(symbol, 8) } else { self.put(symbol + 128, 9) }
    }

    /// How many bits a value has, and which (figure F.12).
    fn sized(value: i32) -> (u32, u32) {
        let size = 32 - value.unsigned_abs().leading_zeros();
        (size, if value < 0 { (value - 1) as u32 } else { value as u32 })
    }

    fn finish(&mut self) {
        self.end_run();
        self.put(0x7F, 7);
        self.bits = 0;
    }

    fn end_run(&mut self) {
        if self.eob_run > 0 {
            let size = self.eob_run.ilog2();
            self.symbol(size << 4);
            self.put(self.eob_run, size);
            self.eob_run = 0;
        }
        for bit in std::mem::take(&mut self.kept) {
            self.put(bit, 1);
        }
    }

    fn block(&mut self, block: &[i32; 64], scan: Scan, before: &mut i32) {
        let (first, last, high, low) = scan;
        if first == 0 && high > 0 {
            return self.put((block[0] >> low) as u32, 1);
        }
        if first == 0 {
            let value = block[0] >> low;
            let (size, bits) = Self::sized(value - *before);
            *before = value;
            self.put(size, 5);
            self.put(bits, size);
        }
        if last > 0 && high == 0 {
            self.first(block, first.max(1)..=last, low, first == 0);
        } else if last > 0 {
            self.refining(block, first..=last, low);
        }
    }

    fn first(
        &mut self,
        block: &[i32; 64],
        band: std::ops::RangeInclusive<usize>,
        low: u32,
        at_once: bool,
    ) {
        let mut run = 0;
        for k in band {
            let value = block[k].signum() * (block[k].abs() >> low);
            if value == 0 {
                run += 1;
                continue;
            }
            self.end_run();
            while run > 15 {
                self.symbol(0xF0);
                run -= 16;
            }
            let (size, bits) = Self::sized(value);
            self.symbol(run << 4 | size);
            self.put(bits, size);
            run = 0;
        }
        self.eob_run += u32::from(run > 0);
        if at_once || self.eob_run == 0x7FFF {
            self.end_run();
        }
    }

    fn refining(&mut self, block: &[i32; 64], band: std::ops::RangeInclusive<usize>, low: u32) {
        let size = |k: usize| block[k].unsigned_abs() >> low;
        let last_new = band.clone().rev().find(|&k| size(k) == 1).unwrap_or(0);
        let (mut run, mut kept) = (0, Vec::new());
        for k in band {
            if size(k) == 0 {
                run += 1;
                continue;
            }
            while run > 15 && k <= last_new {
                self.end_run();
                self.symbol(0xF0);
                run -= 16;
                kept.drain(..).for_each(|bit| self.put(bit, 1));
            }
            if size(k) > 1 {
                kept.push(size(k) & 1);
                continue;
            }
            self.end_run();
            self.symbol(run << 4 | 1);
            self.put(u32::from(block[k] > 0), 1);
            kept.drain(..).for_each(|bit| self.put(bit, 1));
            run = 0;
        }
        if run > 0 || !kept.is_empty() {
            self.eob_run += 1;
            self.kept.append(&mut kept);
            if self.eob_run == 0x7FFF || self.kept.len() > 900 {
                self.end_run();
            }
        }
    }
}
