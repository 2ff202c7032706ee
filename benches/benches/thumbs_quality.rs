//! How much of a photograph is left in its thumbnail?
//!
//! A table of SSIMULACRA2 scores, for each photograph in `LARDER_PHOTOS` (and one made here, where
//! it is not set) and each edge: the thumbnail against a reference, which is the picture decoded in
//! full, in sRGB, upright, and reduced by Lanczos3 at 16 bits a sample, not encoded. 100 is the
//! reference itself, 90 can't be told from it, 70 is good, 50 is middling.
//!
//! - `larder`: the thumbnail as it is made, quality 80;
//! - `turbojpeg`: the same by libjpeg-turbo, with the feature `turbojpeg`;
//! - `vipsthumbnail`, if it is on the PATH: the same quality and sampling, to sRGB;
//! - `ceiling`: the reference, encoded as larder encodes. What is missing here is the encoder's.
//!
//! Bytes are compared, too: a score is no merit when it is paid for in size.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fast_image_resize as fir;
use image::{DynamicImage, ImageDecoder, ImageReader};
use larder_benches::pictures::{QUALITY, encode, generated, photographs};
use larder_benches::plan::Plan;
use larder_benches::table;
use larder_thumbs::{Source, Thumbnailer};
use ssimulacra2::{ColorPrimaries, Rgb, TransferCharacteristic, compute_frame_ssimulacra2};

const EDGES_PX: [u32; 2] = [256, 320];
const SYSTEMS: [&str; 4] = ["larder", "turbojpeg", "vipsthumbnail", "ceiling"];

fn main() {
    let plan = Plan::from_args();
    let systems = plan.wanted("thumbs_quality", &SYSTEMS);
    if systems.is_empty() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut photographs = photographs();
    if photographs.is_empty() {
        let path = dir.path().join("generated.jpg");
        std::fs::write(&path, generated(2000, 1500)).expect("a picture can be written");
        photographs.push(path);
    }
    photographs.truncate(if plan.is_full() { usize::MAX } else { 1 });
    for edge in EDGES_PX {
        let mut table = Table::new(&systems);
        for photograph in &photographs {
            table.add(photograph, edge, dir.path());
        }
        table.print(edge);
    }
}

/// A finished thumbnail: its bytes, or why there are none.
type Made = Result<Vec<u8>, &'static str>;

/// The score and the bytes of one thumbnail, if there is one.
type Score = Option<(f64, usize)>;

struct Table<'a> {
    systems: &'a [&'a str],
    /// For each photograph those of each system.
    scores: Vec<(String, Vec<Score>)>,
    missing: Vec<String>,
}

impl<'a> Table<'a> {
    fn new(systems: &'a [&'a str]) -> Self {
        Table { systems, scores: Vec::new(), missing: Vec::new() }
    }

    fn add(&mut self, photograph: &Path, edge: u32, dir: &Path) {
        let full = Full::decode(photograph);
        let mut row = Vec::new();
        for system in self.systems {
            let made = match *system {
                "larder" => larder(photograph, edge, false),
                "turbojpeg" => larder(photograph, edge, true),
                "vipsthumbnail" => vips(photograph, edge, dir),
                _ => Ok(full.ceiling(edge)),
            };
            row.push(match made {
                Ok(jpeg) => Some((full.score(&jpeg), jpeg.len())),
                Err(why) => {
                    self.missing.push(format!("{system}: {why}"));
                    None
                }
            });
        }
        let name = photograph.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.scores.push((name, row));
    }

    fn print(mut self, edge: u32) {
        let mut rows = vec![vec!["photograph".to_owned()]];
        rows[0].extend(self.systems.iter().map(|system| (*system).to_owned()));
        rows[0].push("photographs".to_owned());
        for (name, row) in &self.scores {
            let cell = |score: &Score| match score {
                Some((score, bytes)) => format!("{score:.2} ({bytes})"),
                None => "-".to_owned(),
            };
            let cells = row.iter().map(cell).chain([String::new()]);
            rows.push([name.clone()].into_iter().chain(cells).collect());
        }
        let column = |nth: usize| self.scores.iter().filter_map(move |(_, row)| row[nth]);
        let mean = |nth: usize| {
            let count = column(nth).count();
            if count == 0 {
                return "-".to_owned();
            }
            let (scores, bytes) = column(nth).fold((0.0, 0), |sum, s| (sum.0 + s.0, sum.1 + s.1));
            format!("{:.2} ({})", scores / count as f64, bytes / count)
        };
        let means = (0..self.systems.len()).map(mean);
        // Beside the means: of how many.
        let means = means.chain([self.scores.len().to_string()]);
        rows.push(["mean".to_owned()].into_iter().chain(means).collect());
        table::print(
            &format!(
                "thumbs_quality_{edge}: SSIMULACRA2 (and bytes) at {edge} px, quality {QUALITY}"
            ),
            &rows,
        );
        self.missing.sort();
        self.missing.dedup();
        self.missing.iter().for_each(|why| println!("not measured: {why}"));
        self.print_lower();
    }

    /// Says where larder is lower than vipsthumbnail.
    fn print_lower(&self) {
        let nth = |name| self.systems.iter().position(|system| *system == name);
        let Some(theirs) = nth("vipsthumbnail") else { return };
        for ours in ["larder", "turbojpeg"].into_iter().filter_map(nth) {
            let pairs = self
                .scores
                .iter()
                .filter_map(|(name, row)| Some((row[ours]?.0 - row[theirs]?.0, name)));
            let Some((least, name)) = pairs.clone().min_by(|a, b| a.0.total_cmp(&b.0)) else {
                continue;
            };
            let lower = pairs.clone().filter(|(difference, _)| *difference < 0.0).count();
            let system = self.systems[ours];
            println!("{system} is below vipsthumbnail on {lower} of {}", pairs.count());
            println!("{system} less vipsthumbnail, at least: {least:+.2} ({name})");
        }
    }
}

/// A photograph, decoded in full: upright, in sRGB, 16 bits a sample.
struct Full(image::ImageBuffer<image::Rgb<u16>, Vec<u16>>);

impl Full {
    fn decode(path: &Path) -> Full {
        let reader = ImageReader::open(path).expect("a photograph can be opened");
        let mut decoder = reader.into_decoder().expect("a photograph has a header");
        let orientation = decoder.orientation().expect("JPEG can be asked for it");
        let icc = decoder.icc_profile().ok().flatten();
        let mut picture = DynamicImage::from_decoder(decoder).expect("a photograph is whole");
        picture.apply_orientation(orientation);
        let mut picture = picture.into_rgb16();
        if let Some(icc) = icc {
            to_srgb(&icc, &mut picture);
        }
        Full(picture)
    }

    /// Reduces it to exactly this size.
    fn reduced(&self, width: u32, height: u32) -> Vec<u16> {
        let (from_w, from_h) = self.0.dimensions();
        let kind = fir::PixelType::U16x3;
        let bytes: Vec<u8> = self.0.as_raw().iter().flat_map(|s| s.to_ne_bytes()).collect();
        let mut aligned = fir::images::Image::new(from_w, from_h, kind);
        aligned.buffer_mut().copy_from_slice(&bytes);
        let mut small = fir::images::Image::new(width, height, kind);
        let lanczos = fir::ResizeAlg::Convolution(fir::FilterType::Lanczos3);
        let options = fir::ResizeOptions::new().resize_alg(lanczos);
        fir::Resizer::new().resize(&aligned, &mut small, &options).expect("sizes are sound");
        small.buffer().chunks_exact(2).map(|s| u16::from_ne_bytes([s[0], s[1]])).collect()
    }

    fn ceiling(&self, edge: u32) -> Vec<u8> {
        let (width, height) = self.0.dimensions();
        let longest = width.max(height);
        let fit = |n: u32| (n * edge + longest / 2) / longest;
        let (width, height) = (fit(width), fit(height));
        let eight_bits = |sample: u16| ((u32::from(sample) * 255 + 32_767) / 65_535) as u8;
        let pixels: Vec<u8> = self.reduced(width, height).into_iter().map(eight_bits).collect();
        encode(&pixels, width, height, QUALITY)
    }

    fn score(&self, jpeg: &[u8]) -> f64 {
        let made = image::load_from_memory(jpeg).expect("a thumbnail is sound").into_rgb8();
        let (width, height) = made.dimensions();
        let reference = self.reduced(width, height);
        let made = made.as_raw().iter().map(|&sample| f32::from(sample) / 255.0);
        let reference = reference.into_iter().map(|sample| f32::from(sample) / 65_535.0);
        let (reference, made) = (frame(reference, width, height), frame(made, width, height));
        compute_frame_ssimulacra2(reference, made).expect("sizes are the same")
    }
}

fn frame(samples: impl Iterator<Item = f32>, width: u32, height: u32) -> Rgb {
    let samples: Vec<f32> = samples.collect();
    let pixels = samples.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
    let (transfer, primaries) = (TransferCharacteristic::SRGB, ColorPrimaries::BT709);
    Rgb::new(pixels, width as usize, height as usize, transfer, primaries).expect("a frame")
}

fn to_srgb(icc: &[u8], picture: &mut image::ImageBuffer<image::Rgb<u16>, Vec<u16>>) {
    use moxcms::{ColorProfile, Layout, RenderingIntent, TransformOptions};
    let Ok(profile) = ColorProfile::new_from_slice(icc) else { return };
    let options = TransformOptions {
        rendering_intent: RenderingIntent::RelativeColorimetric,
        ..TransformOptions::default()
    };
    let srgb = ColorProfile::new_srgb();
    let transform = profile.create_transform_16bit(Layout::Rgb, &srgb, Layout::Rgb, options);
    let Ok(transform) = transform else { return };
    let mut converted = vec![0; picture.as_raw().len()];
    transform.transform(picture.as_raw(), &mut converted).expect("the lengths are the same");
    picture.copy_from_slice(&converted);
}

#[cfg(feature = "turbojpeg")]
fn thumbnailer(by_turbo: bool) -> Result<Thumbnailer, &'static str> {
    Ok(Thumbnailer::builder().quality(QUALITY).turbojpeg(by_turbo).build())
}

#[cfg(not(feature = "turbojpeg"))]
fn thumbnailer(by_turbo: bool) -> Result<Thumbnailer, &'static str> {
    match by_turbo {
        true => Err("needs --features turbojpeg"),
        false => Ok(Thumbnailer::builder().quality(QUALITY).build()),
    }
}

fn larder(photograph: &Path, edge: u32, by_turbo: bool) -> Made {
    let made = thumbnailer(by_turbo)?.make(&Source::path(photograph), edge);
    Ok(made.expect("a photograph has a thumbnail").bytes)
}

fn vips(photograph: &Path, edge: u32, dir: &Path) -> Made {
    let out: PathBuf = dir.join("vips.jpg");
    let mut command = Command::new("vipsthumbnail");
    command.arg(photograph).args(["--size", &format!("{edge}x{edge}")]);
    command.args(["--eprofile", "srgb", "-o"]);
    command.arg(format!("{}[Q={QUALITY},strip,subsample-mode=on]", out.display()));
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !status.map_err(|_| "it is not on the PATH")?.success() {
        return Err("it failed");
    }
    std::fs::read(out).map_err(|_| "it wrote nothing")
}
