//! How long does a thumbnail of a photograph take, from the JPEG's bytes to the thumbnail's?
//!
//! `thumbs_make/<system>/<picture>-<edge>`, on one thread:
//!
//! - `larder`: scaled decode, Lanczos3;
//! - `larder-turbojpeg`: the same by libjpeg-turbo, with the feature `turbojpeg`;
//! - `image`: full decode and Lanczos3 of the `image` crate;
//! - `image-thumbnail`: full decode and its `thumbnail` (a fast box filter: not the same quality);
//! - `zune-fir`: full decode by `zune-jpeg`, Lanczos3 by `fast_image_resize`.
//!
//! `larder-all` makes 160, 320, 640 and 1280 px from one decode, where `larder` would decode four
//! times.
//!
//! With `LARDER_PHOTOS` a camera photograph is measured, too, and tables of whole processes over all
//! photographs follow: beside `vipsthumbnail` and ImageMagick, where they are on the PATH, each
//! pinned to one core; three presets at once beside three passes of `vipsthumbnail`; and two threads
//! beside one.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use fast_image_resize as fir;
use image::imageops::FilterType;
use larder_benches::pictures::{QUALITY, encode, generated, photographs};
use larder_thumbs::{Source, Thumbnailer};

const EDGES_PX: [u32; 3] = [256, 320, 1280];
const TABLE_EDGE_PX: u32 = 256;
/// What a gallery asks for: a grid, a large screen's grid, a page.
const PRESETS_PX: [u32; 3] = [160, 320, 640];

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().is_some_and(|first| first == "--pass") {
        return larder_pass(&arguments.collect::<Vec<_>>());
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
        tables(&photographs);
    }
}

/// larder as it is by default, and with libjpeg-turbo if that is compiled in.
fn thumbnailers() -> Vec<(&'static str, Thumbnailer)> {
    let builder = Thumbnailer::builder().quality(QUALITY);
    #[cfg(feature = "turbojpeg")]
    let both = [("larder", false), ("larder-turbojpeg", true)]
        .map(|(name, turbo)| (name, builder.clone().turbojpeg(turbo).build()));
    #[cfg(not(feature = "turbojpeg"))]
    let both = [("larder", builder.build())];
    both.into()
}

fn systems(criterion: &mut Criterion, name: &str, jpeg: &[u8]) {
    let mut group = criterion.benchmark_group("thumbs_make");
    let thumbnailers = thumbnailers();
    let source = Source::bytes(jpeg);
    for edge in EDGES_PX {
        let picture = format!("{name}-{edge}");
        for (system, thumbnailer) in &thumbnailers {
            group.bench_function(BenchmarkId::new(*system, &picture), |b| {
                b.iter(|| thumbnailer.make(&source, edge).unwrap());
            });
        }
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
        b.iter(|| thumbnailers[0].1.make_many(&source, &[160, 320, 640, 1280]).unwrap());
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

/// The child process of the tables: all thumbnails, written beside one another.
fn larder_pass(arguments: &[String]) {
    let [out_dir, system, threads, edges, photographs @ ..] = arguments else {
        panic!("--pass DIR SYSTEM THREADS EDGE,... PICTURE...")
    };
    let (_, thumbnailer) =
        thumbnailers().into_iter().find(|(name, _)| name == system).expect("a system of ours");
    let edges: Vec<u32> = edges.split(',').map(|edge| edge.parse().unwrap()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(path) = photographs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let made = thumbnailer.make_many(&Source::path(path), &edges).unwrap();
            for (edge, thumbnail) in edges.iter().zip(made) {
                let name = Path::new(path).file_stem().unwrap().to_str().unwrap();
                let out = Path::new(out_dir).join(format!("{name}.{edge}.jpg"));
                std::fs::write(out, thumbnail.bytes).unwrap();
            }
        }
    };
    std::thread::scope(|scope| {
        (1..threads.parse::<usize>().unwrap()).for_each(|_| drop(scope.spawn(work)));
        work();
    });
}

/// One process of ours for all photographs.
fn larder(
    system: &str,
    threads: usize,
    edges: &[u32],
    photographs: &[PathBuf],
) -> Option<Duration> {
    let out = tempfile::tempdir().unwrap();
    let cores = if threads == 1 { "0" } else { "0,1" };
    let mut command = pinned(cores, std::env::current_exe().unwrap().to_str().unwrap());
    let edges: Vec<String> = edges.iter().map(u32::to_string).collect();
    command.arg("--pass").arg(out.path()).arg(system).arg(threads.to_string());
    command.arg(edges.join(",")).args(photographs);
    run(command)
}

/// One process of vipsthumbnail for all photographs.
fn vips(edge: u32, photographs: &[PathBuf]) -> Option<Duration> {
    let out = tempfile::tempdir().unwrap();
    let mut command = pinned("0", "vipsthumbnail");
    command.env("VIPS_CONCURRENCY", "1").args(photographs);
    command.args(["--size", &format!("{edge}x{edge}"), "-o"]);
    command.arg(out.path().join(format!("%s.jpg[Q={QUALITY},strip]")));
    run(command)
}

fn magick(photograph: &Path) -> Option<Duration> {
    let out = tempfile::tempdir().unwrap();
    let size = format!("{TABLE_EDGE_PX}x{TABLE_EDGE_PX}");
    let mut command = pinned("0", "convert");
    let hint = format!("jpeg:size={0}x{0}", 2 * TABLE_EDGE_PX);
    command.args(["-define", &hint]).arg(photograph).args(["-auto-orient", "-thumbnail", &size]);
    command.args(["-quality", &QUALITY.to_string(), "-strip"]).arg(out.path().join("out.jpg"));
    run(command)
}

/// Whole processes: the starting, reading and writing of files included. `each` starts one a
/// photograph.
fn tables(photographs: &[PathBuf]) {
    let size = TABLE_EDGE_PX;
    let each = |one: &dyn Fn(&Path) -> Option<Duration>| photographs.iter().map(|p| one(p)).sum();
    let ours: Vec<&str> = thumbnailers().iter().map(|(name, _)| *name).collect();
    let alone = |system| larder(system, 1, &[size], photographs);
    let mut passes: Vec<Pass<'_>> = Vec::new();
    for system in &ours {
        passes.push((system, Box::new(move || alone(system))));
    }
    passes.push(("vipsthumbnail", Box::new(|| vips(size, photographs))));
    passes.push(("vipsthumbnail, each", Box::new(move || each(&|p| vips(size, &[p.to_owned()])))));
    passes.push(("ImageMagick, each", Box::new(move || each(&magick))));
    table(&format!("{} photographs to {size} px, one core", photographs.len()), &passes);

    let mut passes: Vec<Pass<'_>> = Vec::new();
    for system in &ours {
        passes.push((system, Box::new(move || larder(system, 1, &PRESETS_PX, photographs))));
    }
    let thrice = || PRESETS_PX.iter().map(|&edge| vips(edge, photographs)).sum();
    passes.push(("vipsthumbnail, thrice", Box::new(thrice)));
    table(&format!("{PRESETS_PX:?} px of each at once, one core"), &passes);

    let passes: [Pass<'_>; 2] = [
        ("two threads", Box::new(|| larder(ours[0], 2, &[size], photographs))),
        ("one thread", Box::new(|| larder(ours[0], 1, &[size], photographs))),
    ];
    table(&format!("{size} px, two cores"), &passes);
}

type Pass<'a> = (&'a str, Box<dyn Fn() -> Option<Duration> + 'a>);

fn table(title: &str, passes: &[Pass<'_>]) {
    println!("\n{title}, best of five passes:");
    let best = best_of_five(passes);
    let ours = best[0].1;
    for (name, time) in best {
        let Some(time) = time else {
            println!("{name:>22}  not measured: it is not on the PATH, or failed");
            continue;
        };
        let ratio = ours.map_or(f64::NAN, |ours| time.as_secs_f64() / ours.as_secs_f64());
        println!("{name:>22}  {:7.1} ms  {ratio:5.2} of the first", time.as_secs_f64() * 1e3);
    }
}

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

fn pinned(cores: &str, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", cores, program]);
    command
}

fn run(mut command: Command) -> Option<Duration> {
    let started = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let time = started.elapsed();
    black_box(status.ok()?.success().then_some(time))
}
