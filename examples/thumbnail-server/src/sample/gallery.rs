//! The files of the gallery: each appears whole under its name, or not at all.
//!
//! A picture is written beside (`NAME.part`), synced and renamed. Two processes on one directory
//! take turns by a lock on the directory itself, which dies with its holder; the second then finds
//! nothing left to do.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jpeg_encoder::{ColorType, Encoder};

use super::catalogue::PICTURES;
use super::develop::{develop, stored_size};
use super::exif;
use super::picture::Picture;

/// The canvas has at most this many pixels; the rest of a large photograph is enlargement.
const CANVAS_PIXELS: usize = 1_100_000;
/// As a camera's "fine".
const JPEG_QUALITY: u8 = 88;

/// Makes the pictures that `dir` does not hold yet, on `threads` threads, and returns how many it
/// made. The directory is created as needed. `progress` hears (done, total) of this call's work,
/// first with 0 done, from any of the threads; it hears nothing if there is nothing to do.
///
/// # Errors
///
/// The first failure (disk full, no permission), naming the file. Pictures that were finished
/// stay; nothing partial does.
///
/// # Panics
///
/// If `threads` is 0.
pub fn make(
    dir: &Path,
    threads: usize,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> io::Result<usize> {
    make_these(PICTURES, dir, threads, progress)
}

/// `make` for a list of pictures.
pub(super) fn make_these(
    pictures: &[Picture],
    dir: &Path,
    threads: usize,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> io::Result<usize> {
    assert!(threads > 0, "a gallery needs at least one thread");
    fs::create_dir_all(dir).map_err(|e| named("cannot create", dir, e))?;
    if missing(pictures, dir)?.is_empty() {
        return Ok(0);
    }
    let turn = File::open(dir)?;
    // A file system without locks costs no more than the same picture drawn twice.
    let _ = turn.lock();
    let missing = missing(pictures, dir)?;
    if missing.is_empty() {
        return Ok(0);
    }
    for picture in &missing {
        // What a killed process left; failing to write it anew says more than failing to remove it.
        let _ = fs::remove_file(dir.join(part_name(picture)));
    }
    progress(0, missing.len());
    paint_all(&missing, dir, threads, progress)?;
    Ok(missing.len())
}

/// The pictures that `dir` does not hold. An empty file is not a picture.
fn missing<'a>(pictures: &'a [Picture], dir: &Path) -> io::Result<Vec<&'a Picture>> {
    let mut there = HashSet::new();
    for entry in fs::read_dir(dir).map_err(|e| named("cannot read", dir, e))? {
        let entry = entry.map_err(|e| named("cannot read", dir, e))?;
        if entry.metadata().is_ok_and(|m| m.is_file() && m.len() > 0) {
            there.insert(entry.file_name());
        }
    }
    Ok(pictures.iter().filter(|p| !there.contains(p.file.as_ref() as &std::ffi::OsStr)).collect())
}

/// Hands the pictures to the threads one by one; the first failure stops them all.
fn paint_all(
    pictures: &[&Picture],
    dir: &Path,
    threads: usize,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let failure: Mutex<Option<io::Error>> = Mutex::new(None);
    let worker = || {
        while let Some(picture) = pictures.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(e) = store(dir, picture) {
                next.store(pictures.len(), Ordering::Relaxed);
                failure.lock().unwrap().get_or_insert(e);
                return;
            }
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, pictures.len());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.min(pictures.len()) {
            scope.spawn(worker);
        }
    });
    failure.into_inner().unwrap().map_or(Ok(()), Err)
}

/// Paints one picture and puts it into its place.
fn store(dir: &Path, picture: &Picture) -> io::Result<()> {
    let jpeg = encode(picture)?;
    let part = dir.join(part_name(picture));
    let whole = dir.join(picture.file);
    let written = write_synced(&part, &jpeg).and_then(|()| fs::rename(&part, &whole));
    written.map_err(|e| {
        let _ = fs::remove_file(&part);
        named("cannot write sample picture", &whole, e)
    })
}

/// The name under which a picture is written before it is whole.
fn part_name(picture: &Picture) -> String {
    format!("{}.part", picture.file)
}

/// Writes a file and waits for the disk: a later start trusts a picture by its name alone.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// The whole JPEG file of a picture.
fn encode(picture: &Picture) -> io::Result<Vec<u8>> {
    let (w, h) = (picture.width, picture.height);
    let pixels = develop(&picture.paint(CANVAS_PIXELS), w, h, picture.orientation);
    let (w, h) = stored_size(picture.orientation, w, h);
    let tiff = exif::tiff(picture.title, picture.orientation, picture.taken);
    let mut jpeg = Vec::with_capacity(w * h / 3);
    let mut encoder = Encoder::new(&mut jpeg, JPEG_QUALITY);
    encoder
        .add_app_segment(1, [b"Exif\0\0", &tiff[..]].concat())
        .and_then(|()| encoder.encode(&pixels, w as u16, h as u16, ColorType::Rgb))
        .map_err(io::Error::other)?;
    Ok(jpeg)
}

/// The same error, saying what failed on which path.
fn named(what: &str, path: &Path, e: io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{what} {}: {e}", path.display()))
}
