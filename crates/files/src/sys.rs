//! What differs between platforms: open flags, positioned I/O, identity of a file, the boot.

use std::fs::File;
use std::io;
use std::path::Path;

/// What is asked of a file at each cold hit.
pub(crate) struct Facts {
    pub(crate) len: u64,
    pub(crate) is_file: bool,
    /// Since 1970.
    pub(crate) modified_ns: u64,
}

#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(unix)]
mod unix {
    use super::{Facts, File, Path, io};
    use rustix::buffer::spare_capacity;
    use rustix::fs::{Access, FileType, Mode, OFlags};
    use rustix::io::Errno;
    use std::os::unix::fs::{FileExt, MetadataExt};

    /// Opens a file to be served. A link is not followed and a FIFO does not block: whatever is
    /// no regular file is found out by the caller and is not an entry.
    pub(crate) fn open_entry(path: &Path) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Opens the draft of an entry, or creates it.
    pub(crate) fn open_draft(path: &Path) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(0o644))?))
    }

    /// What an open file is: `fstat`, which asks the system for less than `statx` does.
    pub(crate) fn facts(file: &File) -> io::Result<Facts> {
        let stat = rustix::fs::fstat(file)?;
        let modified_s = u64::try_from(stat.st_mtime).unwrap_or(0);
        Ok(Facts {
            len: u64::try_from(stat.st_size).unwrap_or(0),
            is_file: FileType::from_raw_mode(stat.st_mode).is_file(),
            modified_ns: modified_s.saturating_mul(1_000_000_000) + stat.st_mtime_nsec as u64,
        })
    }

    pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        file.read_exact_at(bytes, offset)
    }

    /// Reads so many bytes into memory that nobody has cleared before.
    pub(crate) fn read_at(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let at = offset + bytes.len() as u64;
            match rustix::io::pread(file, spare_capacity(&mut bytes), at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        // An allocator may give more than was asked for, and the file may have more than that.
        bytes.truncate(len);
        Ok(bytes)
    }

    pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    /// Is `path` still the name of this open file?
    pub(crate) fn same_file(file: &File, path: &Path) -> io::Result<bool> {
        let (open, named) = (file.metadata()?, std::fs::symlink_metadata(path)?);
        Ok(open.dev() == named.dev() && open.ino() == named.ino())
    }

    pub(crate) fn is_writable(dir: &Path) -> bool {
        rustix::fs::access(dir, Access::WRITE_OK).is_ok()
    }

    /// Did [`open_entry`] find a link or a socket where a file should be?
    pub(crate) fn is_foreign(e: &io::Error) -> bool {
        matches!(Errno::from_io_error(e), Some(Errno::LOOP | Errno::NXIO))
    }

    /// Has the process, or the machine, as many open files as it may have?
    pub(crate) fn is_out_of_descriptors(e: &io::Error) -> bool {
        matches!(Errno::from_io_error(e), Some(Errno::MFILE | Errno::NFILE))
    }

    /// How many descriptors this process may open.
    pub(crate) fn descriptor_limit() -> u64 {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        limit.current.unwrap_or(u64::MAX)
    }
}

#[cfg(not(unix))]
pub(crate) use portable::*;

/// The same by `std` alone: weaker against foreign files, one seek and lock for each access.
#[cfg(not(unix))]
mod portable {
    use super::{Facts, File, Path, io};
    use crate::entry::since_epoch_ns;
    use parking_lot::Mutex;
    use std::io::{Read, Seek, SeekFrom, Write};

    /// A descriptor has one position: readers take turns.
    static POSITION: Mutex<()> = Mutex::new(());

    pub(crate) fn open_entry(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub(crate) fn open_draft(path: &Path) -> io::Result<File> {
        File::options().read(true).write(true).create(true).truncate(false).open(path)
    }

    pub(crate) fn read_exact_at(mut file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let _turn = POSITION.lock();
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(bytes)
    }

    pub(crate) fn facts(file: &File) -> io::Result<Facts> {
        let metadata = file.metadata()?;
        Ok(Facts {
            len: metadata.len(),
            is_file: metadata.is_file(),
            modified_ns: metadata.modified().map_or(0, since_epoch_ns),
        })
    }

    pub(crate) fn read_at(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        read_exact_at(file, &mut bytes, offset)?;
        Ok(bytes)
    }

    pub(crate) fn write_all_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let _turn = POSITION.lock();
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    /// A locked file can be neither renamed nor removed by another here: its name is its own.
    pub(crate) fn same_file(_file: &File, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    pub(crate) fn is_writable(dir: &Path) -> bool {
        std::fs::metadata(dir).is_ok_and(|metadata| !metadata.permissions().readonly())
    }

    pub(crate) fn is_foreign(_: &io::Error) -> bool {
        false
    }

    pub(crate) fn is_out_of_descriptors(_: &io::Error) -> bool {
        false
    }

    pub(crate) fn descriptor_limit() -> u64 {
        2048
    }
}

/// A number that changes whenever the machine starts; 0 where that is not known.
pub(crate) fn boot_id() -> u128 {
    if !cfg!(target_os = "linux") {
        return 0;
    }
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).unwrap_or(0)
}
