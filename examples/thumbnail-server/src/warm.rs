//! `thumbnail-server warm`: makes every thumbnail that is missing.
//!
//! Each picture is decoded once for all the sizes and encodings it lacks. What another process makes at the
//! same time is left to it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use larder_thumbs::{Preset, Source};

use crate::app::App;
use crate::cli::{WarmArgs, cores};
use crate::format::OFFERED;
use crate::places::Folders;
use crate::progress::Progress;
use crate::thumbnail::key_source;

/// What became of the pictures.
#[derive(Debug, Default)]
struct Tally {
    /// Thumbnails made now.
    made: AtomicUsize,
    /// Pictures of which one thumbnail or more could not be made.
    failed: AtomicUsize,
    /// Pictures looked at.
    done: AtomicUsize,
}

/// Imports the folder, makes what is missing and prints one line of summary.
///
/// # Errors
/// When nothing could be done: no folder, no picture, no library, or every picture failed.
pub fn run(args: &WarmArgs) -> Result<()> {
    let folders = Folders::open(&args.places)?;
    if folders.sample {
        crate::draw_sample(&folders.photos)?;
    }
    let threads = args.threads.map_or_else(cores, usize::from);
    let app = App::open(&folders, &args.places, u32::try_from(threads)?, None)?;
    app.import()?;
    let ids = app.library.ids()?;
    let mut sizes = args.sizes.clone();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    let of_size = |&size| OFFERED.iter().map(move |output| Preset::new(size).output(*output));
    let presets: Vec<Preset> = sizes.iter().flat_map(of_size).collect();
    let begun = Instant::now();
    let tally = warm_all(&app, &ids, &presets, threads);
    let seconds = begun.elapsed().as_secs_f64();
    let (made, failed) = (tally.made.into_inner(), tally.failed.into_inner());
    println!(
        "{} pictures, {made} thumbnails made, {failed} failed, {seconds:.1} s, {:.1} pictures/s",
        ids.len(),
        ids.len() as f64 / seconds.max(1e-9),
    );
    tell_what_was_not_kept(&app);
    ensure!(failed < ids.len(), "none of the {failed} pictures could be made into thumbnails");
    Ok(())
}

/// A full disk and a cache that is too small fail no picture, but undo the warming.
fn tell_what_was_not_kept(app: &App) {
    let stats = app.thumbs.files().stats();
    if let Some(fault) = stats.last_fault {
        eprintln!("thumbnail-server: not everything was kept, {} faults: {fault}", stats.faults);
    }
    if stats.evicted > 0 {
        eprintln!(
            "thumbnail-server: {} thumbnails had to go again: --cache-mb is too small",
            stats.evicted
        );
    }
}

fn warm_all(app: &App, ids: &[i64], presets: &[Preset], threads: usize) -> Tally {
    let (tally, next) = (Tally::default(), AtomicUsize::new(0));
    let progress = Progress::new("making thumbnails");
    std::thread::scope(|scope| {
        for _ in 0..threads.min(ids.len()) {
            scope.spawn(|| {
                while let Some(&id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match warm_one(app, id, presets) {
                        Ok(made) => _ = tally.made.fetch_add(made, Ordering::Relaxed),
                        Err(error) => {
                            tally.failed.fetch_add(1, Ordering::Relaxed);
                            progress.say(&format!("{error:#}"));
                        }
                    }
                    progress.show(tally.done.fetch_add(1, Ordering::Relaxed) + 1, ids.len());
                }
            });
        }
    });
    tally
}

/// Makes what one photograph lacks and says how many that were.
fn warm_one(app: &App, id: i64, presets: &[Preset]) -> Result<usize> {
    let Some(photo) = app.photo(id)? else { return Ok(0) };
    let name = photo.path.display();
    if let Some(problem) = &photo.problem {
        anyhow::bail!("{name}: {problem}");
    }
    let source = Source::path(app.path(&photo));
    app.thumbs
        .make_missing(key_source(&photo), &photo.version, &source, presets)
        .map_err(|error| anyhow::anyhow!("{name}: {error}"))
}
