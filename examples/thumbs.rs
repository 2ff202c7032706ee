//! Makes thumbnails of pictures named on the command line, beside them as `NAME.EDGE.jpg` in a
//! directory:
//!
//! ```text
//! cargo run --release -p larder-examples --example thumbs -- OUT_DIR photo.jpg...
//! ```

use std::path::{Path, PathBuf};
use std::time::Instant;

use larder_thumbs::{Error, Preset, Source, Thumbnailer, probe};

const EDGES_PX: [u32; 3] = [160, 320, 640];

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let Some(out_dir) = arguments.next() else {
        eprintln!("usage: thumbs OUT_DIR PICTURE...");
        std::process::exit(2);
    };
    std::fs::create_dir_all(&out_dir)?;

    // Whatever is handed in, decoding occupies 128 MiB at most.
    let thumbnailer = Thumbnailer::builder().memory_budget_bytes(128 << 20).build();
    for picture in arguments {
        if let Err(error) = shrink(&thumbnailer, &picture, &out_dir) {
            eprintln!("{}: {error}", picture.display());
        }
    }
    Ok(())
}

fn shrink(thumbnailer: &Thumbnailer, picture: &Path, out_dir: &Path) -> Result<(), Error> {
    let source = Source::path(picture);
    let info = probe(&source)?;
    let taken_at = info.taken_at.map_or_else(|| "at a time unknown".into(), |t| t.to_string());
    let (width, height) = (info.upright_width(), info.upright_height());
    println!("{}: {width} x {height}, taken {taken_at}", picture.display());

    // One decode for all sizes. Where only the size matters, `&EDGES_PX` would do.
    let presets = EDGES_PX.map(|edge| Preset::new(edge).quality(75).keep_copyright(true));
    let started = Instant::now();
    let thumbnails = thumbnailer.make_many(&source, &presets)?;
    println!("  made in {:.1} ms", started.elapsed().as_secs_f64() * 1e3);

    let stem = picture.file_stem().unwrap_or_default().to_string_lossy();
    for (edge, thumbnail) in EDGES_PX.into_iter().zip(thumbnails) {
        let path = out_dir.join(format!("{stem}.{edge}.jpg"));
        match std::fs::write(&path, &thumbnail.bytes) {
            Ok(()) => println!("  {} ({} bytes)", path.display(), thumbnail.bytes.len()),
            Err(error) => eprintln!("  cannot write {}: {error}", path.display()),
        }
    }
    Ok(())
}
