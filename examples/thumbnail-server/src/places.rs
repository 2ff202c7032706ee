//! The two folders: photographs, which are only read, and data, which is ours alone.
//!
//! A data folder is claimed by a marker file. A folder that has something else in it is refused,
//! so that a slip of `--data` never mixes our files with somebody's own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::cli::Places;

const MARKER: &str = "LARDER";
/// Names the folder of photographs that the library is of.
const OWNER: &str = "photos";
const MARKER_TEXT: &str = "Made by thumbnail-server: the library of photographs and the \
                           thumbnails.\nEverything here can be made again; delete it freely \
                           while no server runs.\n";

/// The folders of one run, both absolute, the data folder claimed and writable.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Where the photographs are. Nothing is ever written here.
    pub photos: PathBuf,
    /// Where the library and the thumbnails are.
    pub data: PathBuf,
    /// Whether the photographs are our own drawings, still to be made where they are missing.
    pub sample: bool,
}

impl Folders {
    /// Resolves, checks and claims the folders.
    ///
    /// # Errors
    /// When the photographs are not a folder, the data folder is not ours or cannot be written,
    /// or one lies so that data would be written among the photographs.
    pub fn open(places: &Places) -> Result<Self> {
        let base = Path::new("larder-data");
        let (photos, sample) = match &places.photos {
            Some(dir) => (existing_folder(dir)?, false),
            None => (made_folder(&base.join("sample"))?, true),
        };
        let data = match &places.data {
            Some(dir) => dir.clone(),
            None => base.join(default_name(&photos, sample)),
        };
        let data = claim(&data, &photos)?;
        belongs_to(&data, &photos)?;
        Ok(Self { photos, data, sample })
    }

    /// The file of the SQLite library.
    pub fn library(&self) -> PathBuf {
        self.data.join("library.sqlite")
    }

    /// The folder of the thumbnail cache.
    pub fn thumbnails(&self) -> PathBuf {
        self.data.join("thumbnails")
    }
}

fn existing_folder(dir: &Path) -> Result<PathBuf> {
    let full =
        dir.canonicalize().with_context(|| format!("no folder of photographs at {dir:?}"))?;
    ensure!(full.is_dir(), "{dir:?} is not a folder of photographs");
    fs::read_dir(&full).with_context(|| format!("cannot list the photographs in {dir:?}"))?;
    Ok(full)
}

fn made_folder(dir: &Path) -> Result<PathBuf> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {dir:?}"))?;
    dir.canonicalize().with_context(|| format!("cannot find the folder {dir:?}"))
}

/// One data folder for each folder of photographs: two of the same name do not share one.
fn default_name(photos: &Path, sample: bool) -> String {
    if sample {
        return "sample-library".to_owned();
    }
    let name = photos.file_name().unwrap_or_default().to_string_lossy();
    let hash = blake3::hash(photos.as_os_str().as_encoded_bytes()).to_hex();
    format!("{name}-{}", &hash[..8])
}

fn claim(data: &Path, photos: &Path) -> Result<PathBuf> {
    // Before it exists a path cannot be resolved, so compare what its nearest parent resolves to.
    let nearest = data.ancestors().find_map(|dir| {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        dir.canonicalize().ok()
    });
    if nearest.is_some_and(|dir| dir.starts_with(photos)) {
        bail!(
            "the data folder {data:?} lies among the photographs, where nothing is \
               written; choose another with --data"
        );
    }
    let full = made_folder(data)?;
    let marker = full.join(MARKER);
    if !marker.exists() {
        let mut others =
            fs::read_dir(&full).with_context(|| format!("cannot list the data folder {data:?}"))?;
        ensure!(
            others.next().is_none(),
            "the data folder {data:?} has other files in it and no file {MARKER:?}: \
             it is not ours, and nothing in it was touched"
        );
        fs::write(&marker, MARKER_TEXT)
            .with_context(|| format!("cannot write to the data folder {data:?}"))?;
    }
    probe_writable(&full).with_context(|| format!("cannot write to the data folder {data:?}"))?;
    Ok(full)
}

/// A library is of one folder of photographs: with another one it would forget them all, and mix
/// up pictures of one name, size and time.
fn belongs_to(data: &Path, photos: &Path) -> Result<()> {
    let file = data.join(OWNER);
    match fs::read(&file) {
        Ok(owner) if owner == photos.as_os_str().as_encoded_bytes() => Ok(()),
        Ok(owner) => bail!(
            "the data folder {data:?} belongs to the photographs in {:?}, not to {photos:?}; \
             choose another with --data, or delete {file:?} if they have moved",
            String::from_utf8_lossy(&owner)
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::write(&file, photos.as_os_str().as_encoded_bytes())
                .with_context(|| format!("cannot write {file:?}"))
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {file:?}")),
    }
}

/// Writes and removes a file: permissions, read-only mounts and a full disk all answer alike.
fn probe_writable(dir: &Path) -> io::Result<()> {
    let probe = dir.join(format!(".probe-{}", std::process::id()));
    let written = fs::write(&probe, b"x");
    // What could not be written may still have been created.
    let _ = fs::remove_file(&probe);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(photos: &Path, data: &Path) -> Places {
        Places {
            photos: Some(photos.to_owned()),
            data: Some(data.to_owned()),
            cache_mb: 1,
            decode_mb: 8,
        }
    }

    #[test]
    fn a_folder_that_is_not_ours_is_left_alone() {
        let (photos, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(data.path().join("letter.txt"), "dear").unwrap();
        let error = Folders::open(&places(photos.path(), data.path())).unwrap_err();
        assert!(error.to_string().contains("not ours"), "{error}");
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
    }

    #[test]
    fn data_is_never_put_among_the_photographs() {
        let photos = tempfile::tempdir().unwrap();
        for inside in [photos.path().to_owned(), photos.path().join("a/b")] {
            let error = Folders::open(&places(photos.path(), &inside)).unwrap_err();
            assert!(error.to_string().contains("among the photographs"), "{error}");
        }
        assert_eq!(fs::read_dir(photos.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_same_folder_is_claimed_again() {
        let (photos, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let data = data.path().join("new/deep");
        Folders::open(&places(photos.path(), &data)).unwrap();
        let again = Folders::open(&places(photos.path(), &data)).unwrap();
        assert!(again.data.join(MARKER).exists() && !again.sample);
    }

    #[test]
    fn a_library_is_of_one_folder() {
        let [photos, others, data] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        Folders::open(&places(photos.path(), data.path())).unwrap();
        let error = Folders::open(&places(others.path(), data.path())).unwrap_err();
        assert!(error.to_string().contains("belongs to"), "{error}");
        Folders::open(&places(photos.path(), data.path())).unwrap();
    }

    #[test]
    fn a_missing_folder_is_named() {
        let data = tempfile::tempdir().unwrap();
        let missing = data.path().join("nowhere");
        let error = Folders::open(&places(&missing, data.path())).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
