//! Brings the library up to what the folder holds: what has come, changed or gone.
//!
//! A file counts as changed when its size or time of change does; only such files are opened, and
//! of them only the header is read. A picture that is broken is recorded with the reason, so that
//! the gallery can show its place and no request tries it again; one whose file could not be read
//! is tried again by the next import and by each request for it.

use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use larder_thumbs::{Info, Source, probe};
use parking_lot::Mutex;
use walkdir::WalkDir;

use crate::cli::cores;
use crate::library::{Library, Photo, Stamp};

/// Endings of the formats that `larder-thumbs` reads.
const ENDINGS: [&str; 10] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "gif", "webp", "tif", "tiff", "bmp"];

/// What an import found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Pictures in the library now.
    pub pictures: usize,
    /// Of these, new.
    pub added: usize,
    /// Of these, changed since the last import.
    pub changed: usize,
    /// No longer in the folder.
    pub removed: usize,
    /// Of all pictures, those that cannot be read.
    pub unreadable: usize,
    /// Files that are no pictures, and folders that could not be listed.
    pub skipped: usize,
    /// The first few of the unreadable that are new, each with the reason.
    pub problems: Vec<String>,
}

/// So many problems are told one by one.
const PROBLEMS_TOLD: usize = 5;

impl Summary {
    /// Whether anything that pages or thumbnails show is different now.
    pub fn is_change(&self) -> bool {
        self.added + self.changed + self.removed > 0
    }

    /// Says on standard error what was found.
    pub fn report(&self) {
        for problem in &self.problems {
            eprintln!("cannot read {problem}");
        }
        let Self { pictures, added, changed, removed, unreadable, skipped, .. } = self;
        eprintln!(
            "{pictures} pictures: {added} new, {changed} changed, {removed} removed, \
             {unreadable} that cannot be read; {skipped} other files"
        );
    }
}

/// A file that may be a picture.
struct Candidate {
    path: PathBuf,
    stamp: Stamp,
}

/// Imports the pictures below `root`. `progress` hears how many of how many headers are read.
///
/// # Errors
/// When the folder cannot be listed or has no picture (nothing is forgotten then: an empty folder
/// is more often an unmounted disk than a wish), or when the library cannot be written.
pub fn import(
    library: &Library,
    root: &Path,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Summary> {
    let Walk { candidates, skipped, unlisted } = walk(root)?;
    ensure!(
        !candidates.is_empty(),
        "there is no picture in {root:?} ({skipped} other files); pictures end in {}",
        ENDINGS.join(", ")
    );
    let mut known = library.known()?;
    let mut summary = Summary { pictures: candidates.len(), skipped, ..Summary::default() };
    let (mut work, mut unread) = (Vec::new(), HashSet::new());
    for candidate in candidates {
        match known.remove(&candidate.path) {
            Some(old) if old.stamp == candidate.stamp => {
                summary.unreadable += usize::from(old.is_unreadable);
            }
            Some(old) => {
                summary.changed += 1;
                if old.stamp == Stamp::UNREAD {
                    unread.insert(candidate.path.clone());
                }
                work.push(candidate);
            }
            None => {
                summary.added += 1;
                work.push(candidate);
            }
        }
    }
    let mut found = read_headers(root, work, progress);
    summary.unreadable += found.iter().filter(|photo| photo.problem.is_some()).count();
    summary.problems = found.iter().filter_map(told).take(PROBLEMS_TOLD).collect();
    // What could not be read before and still cannot is no change.
    let tried = found.len();
    found.retain(|photo| photo.stamp != Stamp::UNREAD || !unread.contains(&photo.path));
    summary.changed -= tried - found.len();
    // What lies in a folder that cannot be listed just now is not gone.
    known.retain(|path, _| !unlisted.iter().any(|folder| path.starts_with(folder)));
    let gone: Vec<i64> = known.into_values().map(|old| old.id).collect();
    summary.removed = gone.len();
    if summary.is_change() {
        library.apply(&found, &gone)?;
    }
    Ok(summary)
}

fn told(photo: &Photo) -> Option<String> {
    photo.problem.as_ref().map(|problem| format!("{}: {problem}", photo.path.display()))
}

/// Reads one picture's header anew: what the library should say of `path` now, or `None` when the
/// file is gone.
pub fn examine(root: &Path, path: &Path) -> Option<Photo> {
    let meta = metadata(root, path).ok()?;
    Some(describe(root, &Candidate { path: path.to_owned(), stamp: stamp(&meta) }))
}

/// What the system says of a photograph's file.
///
/// # Errors
/// `NotFound` when it is gone, is no file, or is reached by a link, which may lead out of the
/// folder: a folder on the way may have become one since the import.
pub fn metadata(root: &Path, path: &Path) -> io::Result<Metadata> {
    let full = root.join(path);
    let meta = full.symlink_metadata()?;
    if !meta.is_file() || full.canonicalize()? != full {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(meta)
}

/// How a file looks from outside.
pub fn stamp(meta: &Metadata) -> Stamp {
    // Files may be dated before 1970, and scanned photographs often are.
    let mtime_ns = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
    Stamp { size_bytes: meta.len(), mtime_ns }
}

/// What lies below a folder.
#[derive(Default)]
struct Walk {
    /// Files that may be pictures.
    candidates: Vec<Candidate>,
    /// Other files, and folders that could not be listed.
    skipped: usize,
    /// Those folders.
    unlisted: Vec<PathBuf>,
}

/// Lists the files that may be pictures, by path below `root`. Links are not followed: they may
/// lead out of the folder. Hidden files and folders are not looked at.
fn walk(root: &Path) -> Result<Walk> {
    std::fs::read_dir(root)
        .map_err(|e| anyhow::anyhow!("cannot list the photographs in {root:?}: {e}"))?;
    let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_owned();
    let mut found = Walk::default();
    let entries = WalkDir::new(root).min_depth(1).into_iter();
    for entry in entries.filter_entry(|e| !e.file_name().as_encoded_bytes().starts_with(b".")) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.skipped += 1;
                found.unlisted.extend(error.path().map(below));
                continue;
            }
        };
        if entry.file_type().is_dir() {
            continue;
        }
        match entry.metadata().ok().filter(Metadata::is_file) {
            Some(meta) if has_picture_ending(entry.path()) => {
                let path = below(entry.path());
                found.candidates.push(Candidate { path, stamp: stamp(&meta) });
            }
            _ => found.skipped += 1,
        }
    }
    Ok(found)
}

fn has_picture_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending))
}

fn read_headers(
    root: &Path,
    work: Vec<Candidate>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Vec<Photo> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let found = Mutex::new(Vec::with_capacity(work.len()));
    std::thread::scope(|scope| {
        for _ in 0..cores().min(work.len()) {
            scope.spawn(|| {
                while let Some(candidate) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let photo = describe(root, candidate);
                    found.lock().push(photo);
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, work.len());
                }
            });
        }
    });
    let mut found = found.into_inner();
    // Ids follow the names, whichever thread was first.
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn describe(root: &Path, candidate: &Candidate) -> Photo {
    let mut photo = Photo {
        id: 0,
        path: candidate.path.clone(),
        stamp: candidate.stamp,
        version: version(candidate),
        media_type: String::new(),
        width: 0,
        height: 0,
        orientation: 1,
        taken_at: None,
        camera: None,
        problem: None,
    };
    match probe(&Source::path(root.join(&candidate.path))) {
        Ok(info) => fill(&mut photo, &info),
        // It may be readable later, and visitors need not know where it lies.
        Err(error) if error.is_io() || error.is_timeout() => {
            eprintln!("thumbnail-server: {error}");
            photo.stamp = Stamp::UNREAD;
            photo.problem = Some("the file cannot be read just now".to_owned());
        }
        Err(error) => photo.problem = Some(error.to_string()),
    }
    photo
}

fn fill(photo: &mut Photo, info: &Info) {
    photo.media_type = info.format.media_type().to_owned();
    photo.width = info.upright_width();
    photo.height = info.upright_height();
    photo.orientation = info.orientation;
    photo.taken_at = info.taken_at.map(|at| at.to_string());
    photo.camera = camera(info.make.as_deref(), info.model.as_deref());
}

/// Maker and model in one line; many models begin with their maker already.
fn camera(make: Option<&str>, model: Option<&str>) -> Option<String> {
    match (make, model) {
        (Some(make), Some(model)) if !model.starts_with(make) => Some(format!("{make} {model}")),
        (_, Some(model)) => Some(model.to_owned()),
        (make, None) => make.map(str::to_owned),
    }
}

/// Short, and different whenever the file is: the path keeps two files of one size and time apart.
fn version(candidate: &Candidate) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(candidate.path.as_os_str().as_encoded_bytes());
    hasher.update(&candidate.stamp.size_bytes.to_le_bytes());
    hasher.update(&candidate.stamp.mtime_ns.to_le_bytes());
    hasher.finalize().to_hex()[..10].to_owned()
}
