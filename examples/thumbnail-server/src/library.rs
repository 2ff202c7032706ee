//! The library: one SQLite table of photographs, read through a pool of readers and written
//! through the pool's one writer.
//!
//! An id is never given twice (`AUTOINCREMENT`), so a link to a removed photograph is a 404 for
//! ever and never shows somebody else's picture.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use larder_pool::sqlite::{Commit, SqliteManager, SqlitePool};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// `PRAGMA user_version` of the schema below; another one is dropped and imported anew, since
/// everything in the library comes from the photographs themselves.
const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
    DROP TABLE IF EXISTS photos;
    CREATE TABLE photos (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        path        BLOB    NOT NULL UNIQUE,  -- below the folder of photographs, as the system says it
        size_bytes  INTEGER NOT NULL,
        mtime_ns    INTEGER NOT NULL,
        version     TEXT    NOT NULL,         -- changes whenever the picture does
        media_type  TEXT    NOT NULL,         -- by content, '' where it cannot be read
        width       INTEGER NOT NULL,         -- upright, 0 where the picture cannot be read
        height      INTEGER NOT NULL,
        orientation INTEGER NOT NULL,
        taken_at    TEXT,
        camera      TEXT,
        sort_key    TEXT    NOT NULL,         -- the exposure, else the file's last change
        problem     TEXT                      -- why the picture cannot be read
    );
    CREATE INDEX photos_by_time ON photos (sort_key DESC, id DESC);
";

/// How long another process's commit may go unnoticed by those who read.
const OTHERS_EVERY: Duration = Duration::from_secs(1);

/// How a file looks from outside; a file with another stamp has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes of the file.
    pub size_bytes: u64,
    /// Nanoseconds since 1970 at which the file was last changed.
    pub mtime_ns: i64,
}

impl Stamp {
    /// Of a file that could not be read just then: no file looks like this, so the next import,
    /// and the next request, tries again.
    pub const UNREAD: Self = Self { size_bytes: 0, mtime_ns: i64::MIN };
}

/// What the library remembers of a file, for comparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The photograph's id.
    pub id: i64,
    /// How the file looked when its header was read.
    pub stamp: Stamp,
    /// Whether its header could not be read.
    pub is_unreadable: bool,
}

/// A photograph as the library knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// Never given twice.
    pub id: i64,
    /// Below the folder of photographs.
    pub path: PathBuf,
    /// How the file looked when its header was read.
    pub stamp: Stamp,
    /// Changes whenever the file does; part of every URL of a thumbnail.
    pub version: String,
    /// By content, such as `image/jpeg`; empty where it could not be read.
    pub media_type: String,
    /// Pixels across, upright; 0 where the picture cannot be read.
    pub width: u32,
    /// Pixels down, upright; 0 where the picture cannot be read.
    pub height: u32,
    /// The EXIF orientation, 1 to 8.
    pub orientation: u8,
    /// Local time of the exposure, `YYYY-MM-DDTHH:MM:SS`.
    pub taken_at: Option<String>,
    /// Make and model.
    pub camera: Option<String>,
    /// Why the picture cannot be read.
    pub problem: Option<String>,
}

impl Photo {
    /// The file's name without its ending, for people.
    pub fn title(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let path: Vec<u8> = row.get("path")?;
        Ok(Self {
            id: row.get("id")?,
            path: PathBuf::from(OsStr::from_bytes(&path)),
            stamp: Stamp { size_bytes: row.get("size_bytes")?, mtime_ns: row.get("mtime_ns")? },
            version: row.get("version")?,
            media_type: row.get("media_type")?,
            width: row.get("width")?,
            height: row.get("height")?,
            orientation: row.get("orientation")?,
            taken_at: row.get("taken_at")?,
            camera: row.get("camera")?,
            problem: row.get("problem")?,
        })
    }
}

/// A photograph's neighbours in the order of the gallery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// The next newer one.
    pub newer: Option<i64>,
    /// The next older one.
    pub older: Option<i64>,
}

/// The table of photographs. Cloning shares it.
#[derive(Clone)]
pub struct Library {
    pool: SqlitePool,
}

impl Library {
    /// Opens the library in `file`, making it where there is none, with `readers` connections
    /// for requests beside the one writer.
    ///
    /// # Errors
    /// When the file cannot be opened or is no SQLite database.
    pub fn open(file: &Path, readers: u32) -> Result<Self> {
        let pool = SqlitePool::open(SqliteManager::file(file), readers)
            .with_context(|| format!("cannot open the library {file:?}"))?;
        pool.check_other_writers_every(OTHERS_EVERY);
        let library = Self { pool };
        library.migrate().with_context(|| format!("cannot use the library {file:?}"))?;
        Ok(library)
    }

    fn migrate(&self) -> Result<()> {
        let writer = self.pool.write()?;
        let version: i64 = writer.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version != SCHEMA_VERSION {
            writer.execute_batch(SCHEMA)?;
            writer.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        writer.commit()?;
        Ok(())
    }

    /// How the pool of readers is doing.
    pub fn readers(&self) -> larder_pool::State {
        self.pool.readers().state()
    }

    /// The photograph with this id.
    ///
    /// # Errors
    /// When no connection is free in time or the query fails.
    pub fn photo(&self, id: i64) -> Result<Option<Photo>> {
        let db = self.pool.read()?;
        let mut query = db.prepare_cached("SELECT * FROM photos WHERE id = ?1")?;
        Ok(query.query_row([id], Photo::from_row).optional()?)
    }

    /// How many photographs there are.
    ///
    /// # Errors
    /// When no connection is free in time or the query fails.
    pub fn count(&self) -> Result<usize> {
        let db = self.pool.read()?;
        let count: i64 =
            db.prepare_cached("SELECT count(*) FROM photos")?.query_row([], |row| row.get(0))?;
        Ok(usize::try_from(count)?)
    }

    /// `limit` photographs from `offset`, newest first.
    ///
    /// # Errors
    /// When no connection is free in time or the query fails.
    pub fn page(&self, offset: usize, limit: usize) -> Result<Vec<Photo>> {
        let db = self.pool.read()?;
        let mut query = db.prepare_cached(
            "SELECT * FROM photos ORDER BY sort_key DESC, id DESC LIMIT ?1 OFFSET ?2",
        )?;
        let rows = query.query_map(params![limit as i64, offset as i64], Photo::from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The id of every photograph, those of the most pixels first: threads that share them out are
    /// then done at the same time, rather than one long after the others.
    ///
    /// # Errors
    /// When no connection is free in time or the query fails.
    pub fn ids(&self) -> Result<Vec<i64>> {
        let db = self.pool.read()?;
        let mut query =
            db.prepare_cached("SELECT id FROM photos ORDER BY width * height DESC, path")?;
        let rows = query.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// What an import compares the folder with, by path.
    ///
    /// # Errors
    /// When no connection is free in time or the query fails.
    pub fn known(&self) -> Result<HashMap<PathBuf, Known>> {
        let db = self.pool.read()?;
        let mut query = db.prepare_cached(
            "SELECT path, id, size_bytes, mtime_ns, problem IS NOT NULL FROM photos",
        )?;
        let rows = query.query_map([], |row| {
            let path: Vec<u8> = row.get(0)?;
            let known = Known {
                id: row.get(1)?,
                stamp: Stamp { size_bytes: row.get(2)?, mtime_ns: row.get(3)? },
                is_unreadable: row.get(4)?,
            };
            Ok((PathBuf::from(OsStr::from_bytes(&path)), known))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The photographs before and after `id` in the gallery.
    ///
    /// # Errors
    /// When no connection is free in time or the query fails.
    pub fn neighbours(&self, id: i64) -> Result<Neighbours> {
        let db = self.pool.read()?;
        let side = |sql: &str| -> rusqlite::Result<Option<i64>> {
            db.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()
        };
        Ok(Neighbours {
            newer: side(
                "SELECT p.id FROM photos p, photos me WHERE me.id = ?1
                 AND (p.sort_key, p.id) > (me.sort_key, me.id)
                 ORDER BY p.sort_key, p.id LIMIT 1",
            )?,
            older: side(
                "SELECT p.id FROM photos p, photos me WHERE me.id = ?1
                 AND (p.sort_key, p.id) < (me.sort_key, me.id)
                 ORDER BY p.sort_key DESC, p.id DESC LIMIT 1",
            )?,
        })
    }

    /// Calls `told` after each commit, of this process and, when a reader notices, of another.
    pub fn on_commit(&self, told: impl Fn(&Commit<'_>) + Send + Sync + 'static) {
        self.pool.on_commit(told);
    }

    /// Records what has come, changed and gone, in one transaction: all of it or nothing.
    ///
    /// # Errors
    /// When the writer is not free in time, the disk is full, or a statement fails.
    pub fn apply(&self, found: &[Photo], gone: &[i64]) -> Result<()> {
        let writer = self.pool.write()?;
        for photo in found {
            upsert(&writer, photo)?;
        }
        for id in gone {
            writer.prepare_cached("DELETE FROM photos WHERE id = ?1")?.execute([id])?;
        }
        writer.commit()?;
        Ok(())
    }
}

/// Inserts a photograph, or changes the row of its path; the row keeps its id.
fn upsert(db: &Connection, photo: &Photo) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO photos (path, size_bytes, mtime_ns, version, media_type, width, height,
                             orientation, taken_at, camera, problem, sort_key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
             coalesce(?9, strftime('%Y-%m-%dT%H:%M:%S', ?3 / 1000000000, 'unixepoch')))
         ON CONFLICT (path) DO UPDATE SET
            size_bytes = ?2, mtime_ns = ?3, version = ?4, media_type = ?5, width = ?6, height = ?7,
            orientation = ?8, taken_at = ?9, camera = ?10, problem = ?11,
            sort_key = excluded.sort_key",
    )?
    .execute(params![
        photo.path.as_os_str().as_bytes(),
        photo.stamp.size_bytes,
        photo.stamp.mtime_ns,
        photo.version,
        photo.media_type,
        photo.width,
        photo.height,
        photo.orientation,
        photo.taken_at,
        photo.camera,
        photo.problem,
    ])?;
    Ok(())
}
