//! How long does a thumbnail of a photograph take, from the JPEG's bytes to the thumbnail's?
//!
//! `thumbs_make/<system>/<picture>-<edge>`, on one thread:
//!
//! - `larder`: scaled decode, Lanczos3;
//! - `image`: full decode and Lanczos3 of the `image` crate;
//! - `image-thumbnail`: full decode and its `thumbnail` (a fast box filter: not the same quality);
//! - `zune-fir`: full decode by `zune-jpeg`, Lanczos3 by `fast_image_resize`.
//!
//! `larder-all` makes 160, 320, 640 and 1280 px from one decode, where `larder` would decode four
//! times.
//!
//! With `LARDER_PHOTOS` a camera photograph is measured, too, and where `vipsthumbnail` and
//! ImageMagick are on the PATH a table of whole processes over all photographs follows, each pinned
//! to one core.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use fast_image_resize as fir;
use image::imageops::FilterType;
use larder_thumbs::{Source, Thumbnailer};

const QUALITY: u8 = 80;
const EDGES_PX: [u32; 2] = [256, 1280];
const TABLE_EDGE_PX: u32 = 256;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "--pass") {
        return larder_pass(&arguments.map(PathBuf::from).collect::<Vec<_>>());
    }
    let mut criterion = Criterion::default()
        .sample_size(20)
        .measurement_time(Duration::from_secs(4))
        .warm_up_time(Duration::from_secs(1))
        .configure_from_args();
    let photographs = photographs();
    systems(&mut criterion, "4000x3000", &generated(4000, 3000));
    if let Some(photograph) = photographs.iter().find(|path| path.ends_with("canon-eos-5d.jpg")) {
        systems(&mut criterion, "canon-eos-5d", &std::fs::read(photograph).unwrap());
    }
    criterion.final_summary();
    if std::env::args().any(|argument| argument == "--bench") && !photographs.is_empty() {
        table(&photographs);
    }
}

fn systems(criterion: &mut Criterion, name: &str, jpeg: &[u8]) {
    let mut group = criterion.benchmark_group("thumbs_make");
    let thumbnailer = Thumbnailer::builder().quality(QUALITY).build();
    let source = Source::bytes(jpeg);
    for edge in EDGES_PX {
        let picture = format!("{name}-{edge}");
        group.bench_function(BenchmarkId::new("larder", &picture), |b| {
            b.iter(|| thumbnailer.make(&source, edge).unwrap());
        });
        group.bench_function(BenchmarkId::new("image", &picture), |b| {
            b.iter(|| with_image(jpeg, |full| full.resize(edge, edge, FilterType::Lanczos3)));
        });
        group.bench_function(BenchmarkId::new("image-thumbnail", &picture), |b| {
            b.iter(|| with_image(jpeg, |full| full.thumbnail(edge, edge)));
        });
        group.bench_function(BenchmarkId::new("zune-fir", &picture), |b| {
            b.iter(|| with_zune(jpeg, edge));
        });
    }
    group.bench_function(BenchmarkId::new("larder-all", format!("{name}-160..1280")), |b| {
        b.iter(|| thumbnailer.make_many(&source, &[160, 320, 640, 1280]).unwrap());
    });
    group.finish();
}

fn with_image(jpeg: &[u8], shrink: impl Fn(image::DynamicImage) -> image::DynamicImage) -> Vec<u8> {
    let full = image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap();
    let mut out = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, QUALITY);
    shrink(full).write_with_encoder(encoder).unwrap();
    out
}

fn with_zune(jpeg: &[u8], edge: u32) -> Vec<u8> {
    let mut decoder =
        zune_jpeg::JpegDecoder::new(zune_jpeg::zune_core::bytestream::ZCursor::new(jpeg));
    let pixels = decoder.decode().unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    let (width, height) = (width as u32, height as u32);
    let longest = width.max(height);
    let (small_w, small_h) = (width * edge / longest, height * edge / longest);
    let kind = fir::PixelType::U8x3;
    let full = fir::images::ImageRef::new(width, height, &pixels, kind).unwrap();
    let mut small = fir::images::Image::new(small_w, small_h, kind);
    let lanczos = fir::ResizeAlg::Convolution(fir::FilterType::Lanczos3);
    let options = fir::ResizeOptions::new().resize_alg(lanczos);
    fir::Resizer::new().resize(&full, &mut small, &options).unwrap();
    encode(small.buffer(), small_w, small_h, QUALITY)
}

fn encode(rgb: &[u8], width: u32, height: u32, quality: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut out, quality);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    encoder.encode(rgb, width as u16, height as u16, jpeg_encoder::ColorType::Rgb).unwrap();
    out
}

/// As much to decode as a photograph: soft shapes, edges, and the noise of a sensor.
fn generated(width: u32, height: u32) -> Vec<u8> {
    let mut noise = 0x2545_F491_u32;
    let mut rgb = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let grain = (noise & 15) as f32 + (noise >> 8 & 7) as f32;
            let wave = (x as f32 * 0.011).sin() * (y as f32 * 0.007).cos() * 50.0;
            let edge = if (x / 97 + y / 61) % 5 == 0 { 30.0 } else { 0.0 };
            let slope = (x + y) as f32 * 100.0 / (width + height) as f32;
            rgb.extend(
                [0.0, 15.0, 40.0].map(|tint| (50.0 + slope + wave + edge + tint + grain) as u8),
            );
        }
    }
    encode(&rgb, width, height, 92)
}

fn photographs() -> Vec<PathBuf> {
    let Some(dir) = std::env::var_os("LARDER_PHOTOS") else { return Vec::new() };
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        .collect();
    found.sort();
    found
}

/// The child process of the table: all thumbnails, written beside one another.
fn larder_pass(arguments: &[PathBuf]) {
    let [out_dir, photographs @ ..] = arguments else { panic!("--pass DIR PICTURE...") };
    let thumbnailer = Thumbnailer::builder().quality(QUALITY).build();
    for photograph in photographs {
        let thumbnail = thumbnailer.make(&Source::path(photograph), TABLE_EDGE_PX).unwrap();
        std::fs::write(out_dir.join(photograph.file_name().unwrap()), thumbnail.bytes).unwrap();
    }
}

/// Whole processes on one core: the starting, reading and writing of files included. Our own is one
/// process for all photographs, as is vipsthumbnail's; `each` starts one a photograph.
fn table(photographs: &[PathBuf]) {
    let out = tempfile::tempdir().unwrap();
    let size = format!("{TABLE_EDGE_PX}x{TABLE_EDGE_PX}");
    let vips = |files: &[PathBuf]| {
        let mut command = pinned("vipsthumbnail");
        command.args(files).args(["--size", &size, "-o"]);
        command.arg(out.path().join(format!("%s.jpg[Q={QUALITY},strip,optimize-coding]")));
        run(command)
    };
    let magick = |file: &Path| {
        let mut command = pinned("convert");
        let hint = format!("jpeg:size={0}x{0}", 2 * TABLE_EDGE_PX);
        command.args(["-define", &hint]).arg(file).args(["-auto-orient", "-thumbnail", &size]);
        command.args(["-quality", &QUALITY.to_string(), "-strip"]).arg(out.path().join("out.jpg"));
        run(command)
    };
    let larder = || {
        let mut command = pinned(std::env::current_exe().unwrap().to_str().unwrap());
        command.arg("--pass").arg(out.path()).args(photographs);
        run(command)
    };
    let each = |one: &dyn Fn(&Path) -> Option<Duration>| photographs.iter().map(|p| one(p)).sum();
    println!("\n{} photographs to {size}, one core, best of five passes:", photographs.len());
    let passes: [Pass<'_>; 4] = [
        ("larder", &larder),
        ("vipsthumbnail", &|| vips(photographs)),
        ("vipsthumbnail, each", &|| each(&|p| vips(&[p.to_owned()]))),
        ("ImageMagick, each", &|| each(&magick)),
    ];
    let best = best_of_five(&passes);
    let ours = best[0].1;
    for (name, time) in best {
        let Some(time) = time else {
            println!("{name:>20}  not measured: it is not on the PATH, or failed");
            continue;
        };
        let ms = time.as_secs_f64() * 1e3 / photographs.len() as f64;
        let ratio = ours.map_or(f64::NAN, |ours| time.as_secs_f64() / ours.as_secs_f64());
        println!("{name:>20}  {ms:6.1} ms each  {ratio:5.2} of ours");
    }
}

type Pass<'a> = (&'a str, &'a dyn Fn() -> Option<Duration>);

/// The systems take turns, so that a slow minute of the machine is everybody's.
fn best_of_five<'a>(passes: &[Pass<'a>]) -> Vec<(&'a str, Option<Duration>)> {
    let mut best: Vec<(&str, Option<Duration>)> = passes.iter().map(|p| (p.0, None)).collect();
    for _ in 0..5 {
        for ((_, pass), (_, best)) in passes.iter().zip(&mut best) {
            *best = pass().map(|time| best.map_or(time, |known: Duration| known.min(time)));
        }
    }
    best
}

fn pinned(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0", program]);
    command
}

fn run(mut command: Command) -> Option<Duration> {
    let started = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let time = started.elapsed();
    black_box(status.ok()?.success().then_some(time))
}
