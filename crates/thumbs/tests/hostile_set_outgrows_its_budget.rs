//! The most that a process ever holds, over hostile pictures in every format, is its budget
//! and a little: two at a time, and many at a time with headers that swell.
#![cfg(target_os = "linux")]

mod pictures;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use larder_thumbs::{Source, Thumbnailer, probe};
use pictures::{Extras, files_in, in_format, jpeg_with, rgb_image, scene, tiff};

const BUDGET_BYTES: u64 = 24 << 20;
/// Headers, encoders, and what the allocator keeps of what was given back.
const BESIDE_BYTES: u64 = 12 << 20;
const THREADS: usize = 2;
/// So many that what each holds while it waits for room would be seen.
const MANY_THREADS: usize = 40;

/// Names the folder for this test's child; without it `child` is the harness's, and does nothing.
const CHILD: &str = "LARDER_HOSTILE_CHILD";
/// Tells the child how many threads it has.
const CHILD_THREADS: &str = "LARDER_HOSTILE_CHILD_THREADS";

fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Of each format a sound picture, cut ones, altered ones and a giant; TIFFs that claim too much.
fn made_here() -> Vec<Vec<u8>> {
    use ImageFormat::{Bmp, Gif, Png, Tiff, WebP};
    let picture = scene(1200, 900);
    let mut sound: Vec<Vec<u8>> =
        [Png, Gif, WebP, Tiff, Bmp].map(|f| in_format(rgb_image(&picture), f)).into();
    for progressive in [false, true] {
        sound.push(jpeg_with(&picture, Extras { progressive, ..Extras::default() }));
    }
    let mut all = vec![tiff(&scene(20, 10), &[(282, 3, vec![0; 2 << 20])])];
    for whole in sound {
        all.extend([3, 9, 15].map(|part| whole[..whole.len() * part / 16].to_vec()));
        for at in (12..whole.len().min(160)).step_by(13) {
            let mut altered = whole.clone();
            altered[at] ^= 0xFF;
            all.push(altered);
        }
        all.push(whole);
    }
    all
}

/// A small file whose profile is zeros without end.
fn swelling_png(edge: u32, profile_bytes: usize) -> Vec<u8> {
    let mut png = Vec::new();
    let mut encoder = PngEncoder::new(&mut png);
    encoder.set_icc_profile(vec![0; profile_bytes]).unwrap();
    let pixels = vec![0; (edge * edge * 3) as usize];
    encoder.write_image(&pixels, edge, edge, ExtendedColorType::Rgb8).unwrap();
    png
}

/// What the child does: all pictures by all threads on one budget.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let sources: Vec<Source> = files_in(CHILD, "").into_iter().map(Source::path).collect();
    let threads: usize = std::env::var(CHILD_THREADS).unwrap().parse().unwrap();
    let thumbnailer = Thumbnailer::builder().memory_budget_bytes(BUDGET_BYTES).build();
    let (next, before) = (AtomicUsize::new(0), peak_bytes());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(source) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Outside of the budget, and a few MiB each.
                    if threads <= THREADS {
                        let _ = probe(source);
                    }
                    let _ = thumbnailer.make_many(source, &[1280, 320]);
                    let _ = thumbnailer.make(source, 16);
                }
            });
        }
    });
    println!("grown by {} bytes over {} pictures\n", peak_bytes() - before, sources.len());
}

#[track_caller]
fn assert_within(set: &Path, threads: usize) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD, set)
        .env(CHILD_THREADS, threads.to_string())
        // What glibc keeps in the arena of each thread is not what is asked for here.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}");
    let grown = said.split("grown by ").nth(1).and_then(|rest| rest.split(' ').next());
    let grown: u64 = grown.unwrap_or_else(|| panic!("{said}")).parse().unwrap();
    println!("grown by {} MB of {}", grown >> 20, BUDGET_BYTES >> 20);
    assert!(grown <= BUDGET_BYTES + BESIDE_BYTES, "grown by {grown} bytes");
}

#[test]
fn over_pictures_made_here() {
    let dir = tempfile::tempdir().unwrap();
    for (number, bytes) in made_here().into_iter().enumerate() {
        std::fs::write(dir.path().join(format!("{number}.jpg")), bytes).unwrap();
    }
    assert_within(dir.path(), THREADS);
}

#[test]
fn over_pictures_collected() {
    if let Some(dir) = std::env::var_os("LARDER_HOSTILE") {
        assert_within(Path::new(&dir), THREADS);
    }
}

/// Headers count, too, and nobody holds much of one while waiting for room.
#[test]
fn over_headers_that_swell() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = [swelling_png(1300, 7 << 20), swelling_png(1300, 1900 << 10)];
    for number in 0..2 * MANY_THREADS {
        std::fs::write(dir.path().join(format!("{number}.jpg")), &pictures[number % 2]).unwrap();
    }
    assert_within(dir.path(), MANY_THREADS);
}
