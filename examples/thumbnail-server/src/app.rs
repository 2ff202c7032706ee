//! What every request shares: the library behind its memo, the thumbnails, the folders.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use larder_files::Limits;
use larder_memo::{Bumps, Memo, Tables};
use larder_pool::sqlite::Commit;
use larder_serve::{Hot, Meter};
use larder_thumbs::{ThumbCache, Thumbnailer};
use once_cell::sync::OnceCell;

use crate::cli::Places;
use crate::import::{self, Summary};
use crate::library::{Library, Photo};
use crate::places::Folders;
use crate::progress::Progress;

/// The table that the rows come from.
const PHOTOS: &str = "photos";
/// Photographs whose rows are kept in memory.
const MEMO_ENTRIES: usize = 100_000;
/// How long a request waits for another request's query of the same row.
const MEMO_WAIT: Duration = Duration::from_secs(5);

/// The state behind every handler. Each field locks for itself, and none across a decode.
pub struct App {
    /// When this process opened its folders.
    pub started: Instant,
    /// The folder of photographs; only read.
    pub photos_dir: PathBuf,
    /// The table of photographs.
    pub library: Library,
    /// Rows of the library by id, those that are not there too; stale after every commit that
    /// touches the table.
    rows: Memo<i64, Option<Arc<Photo>>>,
    /// The thumbnails on disk, and the hands that make them.
    pub thumbs: ThumbCache,
    /// The bound on thumbnails on disk, in bytes.
    pub cache_bytes: u64,
    /// The numbers of that server; set once it runs.
    pub meter: OnceCell<Meter>,
}

impl App {
    /// Opens the library and the thumbnail cache in the data folder. `hot` are the replies that the
    /// server in front keeps, if there is one: they are cleared when the library changes.
    ///
    /// # Errors
    /// When either cannot be opened.
    pub fn open(
        folders: &Folders,
        places: &Places,
        readers: u32,
        hot: Option<Hot>,
    ) -> Result<Self> {
        let cache_bytes = places.cache_mb << 20;
        let limits = Limits::new().max_bytes(cache_bytes);
        let dir = folders.thumbnails();
        let maker = Thumbnailer::builder().memory_budget_bytes(places.decode_mb << 20).build();
        let thumbs = ThumbCache::open(maker, &dir, limits)
            .with_context(|| format!("cannot open the thumbnails in {dir:?}"))?;
        let library = Library::open(&folders.library(), readers)?;
        let tables = Tables::new();
        tables.follow(|bumps: Bumps| {
            library.on_commit(move |commit| {
                forget(&bumps, hot.as_ref(), commit);
            })
        });
        let rows = Memo::builder(MEMO_ENTRIES).wait(MEMO_WAIT).depends_on(&tables, [PHOTOS]);
        Ok(Self {
            started: Instant::now(),
            photos_dir: folders.photos.clone(),
            library,
            rows: rows.build(),
            thumbs,
            cache_bytes,
            meter: OnceCell::new(),
        })
    }

    /// The photograph with this id: from memory, or by one query however many ask.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn photo(&self, id: i64) -> Result<Option<Arc<Photo>>> {
        let load = || anyhow::Ok(self.library.photo(id)?.map(Arc::new));
        self.rows.get_or_try_load(&id, load).map_err(|e| e.into_loader(anyhow::Error::new))
    }

    /// Where a photograph's file is.
    pub fn path(&self, photo: &Photo) -> PathBuf {
        self.photos_dir.join(&photo.path)
    }

    /// Brings the library up to what the folder holds, with a progress bar.
    ///
    /// # Errors
    /// When the folder has no picture or the library cannot be written; the library then still
    /// says what it said before.
    pub fn import(&self) -> Result<Summary> {
        let progress = Progress::new("reading headers");
        let show = |done, total| progress.show(done, total);
        import::import(&self.library, &self.photos_dir, &show)
    }

    /// Reads the header of a photograph whose file is no longer as the library says, and records
    /// it. `None` when the file is gone; its row stays until the next import, since a file that
    /// cannot be seen may be on a disk that comes back.
    ///
    /// Nothing is written, and nothing forgotten, when the library says the same already: a file
    /// that still cannot be read must not cost everyone's replies at each request for it.
    ///
    /// # Errors
    /// When the library cannot be written.
    pub fn refresh(&self, old: &Photo) -> Result<Option<Arc<Photo>>> {
        let Some(found) = import::examine(&self.photos_dir, &old.path) else { return Ok(None) };
        let found = Photo { id: old.id, ..found };
        if found == *old {
            return Ok(Some(Arc::new(found)));
        }
        self.library.apply(&[found], &[])?;
        self.photo(old.id)
    }

    /// How many rows are in memory.
    pub fn rows_in_memory(&self) -> usize {
        self.rows.len()
    }
}

/// Makes every answer stale that was computed from the library before a commit, rows and replies.
/// It is told of other processes' commits too, without the names of their tables.
fn forget(bumps: &Bumps, hot: Option<&Hot>, commit: &Commit<'_>) {
    if commit.is_unknown() || commit.schema_changed() {
        bumps.bump_every();
    } else {
        bumps.bump_all(commit.tables());
    }
    if let Some(hot) = hot.filter(|_| commit.touches(PHOTOS)) {
        hot.clear();
    }
}
