//! A dbm file as Apache's own library keeps it: APR's sdbm, its hashing, its sizes, its splits.
//!
//! `.pag` has pages of pairs, `.dir` a bit for each page that was split. A file is opened for each
//! call and closed after it, as mod_python does, so nothing is kept between them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of a page.
const PAGE: usize = 8192;
/// Bytes of `.dir` that are read at once.
const DIR_BLOCK: usize = 16384;
/// Bytes of the largest pair.
const PAIR_MAX: usize = 8008;
/// How often a page is split for one pair, before sdbm gives up.
const SPLITS: usize = 10;

/// An open file.
pub struct Sdbm {
    dir: File,
    pag: File,
}

/// A page: at its start how many offsets there are, and these, two for each pair; keys and values
/// from its end downwards.
struct Page(Vec<u8>);

/// Where a key belongs.
struct Place {
    page: u64,
    /// The bit of `.dir` that says whether that page was split.
    dir_bit: u64,
    depth: u32,
}

impl Sdbm {
    /// Opens a file, and makes it if there is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let open = |extension| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            options.open(path.with_extension(extension))
        };
        Ok(Sdbm { dir: open("dir")?, pag: open("pag")? })
    }

    /// Returns the value of a key.
    pub fn fetch(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let page = self.read_page(self.place(key)?.page)?;
        Ok(page.find(key).map(|nth| page.pair(nth).1.to_vec()))
    }

    /// Puts a value in place of the last one.
    pub fn store(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let needed = key.len() + value.len();
        if needed > PAIR_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the pair is over 8,008 bytes",
            ));
        }
        for _ in 0..SPLITS {
            let place = self.place(key)?;
            let mut page = self.read_page(place.page)?;
            if let Some(nth) = page.find(key) {
                page.remove(nth);
            }
            if page.fits(needed) {
                page.push(key, value);
                return self.write_page(place.page, &page);
            }
            self.write_page(place.page, &page)?;
            self.split(&place, &page)?;
        }
        Err(io::Error::other("too many keys with one hash"))
    }

    /// Takes a key away; tells whether it was there.
    pub fn delete(&self, key: &[u8]) -> io::Result<bool> {
        let place = self.place(key)?;
        let mut page = self.read_page(place.page)?;
        let Some(nth) = page.find(key) else { return Ok(false) };
        page.remove(nth);
        self.write_page(place.page, &page)?;
        Ok(true)
    }

    /// Shows all pairs, page by page, as `firstkey` and `nextkey` do.
    pub fn for_each(&self, mut look: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
        let pages = self.pag.metadata()?.len().div_ceil(PAGE as u64);
        for page in 0..pages {
            let page = self.read_page(page)?;
            (0..page.pairs()).for_each(|nth| {
                let (key, value) = page.pair(nth);
                look(key, value);
            });
        }
        Ok(())
    }

    /// Walks the tree of splits.
    fn place(&self, key: &[u8]) -> io::Result<Place> {
        let hash = u64::from(hash(key));
        let bits = self.dir.metadata()?.len() * 8;
        let (mut dir_bit, mut depth) = (0, 0);
        let mut block: Option<(u64, Vec<u8>)> = None;
        while dir_bit < bits && self.is_split(dir_bit, &mut block)? {
            dir_bit = 2 * dir_bit + if hash & 1 << depth != 0 { 2 } else { 1 };
            depth += 1;
        }
        Ok(Place { page: hash & ((1 << depth) - 1), dir_bit, depth })
    }

    fn is_split(&self, bit: u64, block: &mut Option<(u64, Vec<u8>)>) -> io::Result<bool> {
        let wanted = bit / 8 / DIR_BLOCK as u64;
        if block.as_ref().is_none_or(|(nth, _)| *nth != wanted) {
            *block = Some((wanted, read_at(&self.dir, wanted * DIR_BLOCK as u64, DIR_BLOCK)?));
        }
        let byte = block.as_ref().map_or(0, |(_, bytes)| bytes[bit as usize / 8 % DIR_BLOCK]);
        Ok(byte & 1 << (bit % 8) != 0)
    }

    /// Moves the pairs of a page whose next bit of the hash is set to a page of their own.
    fn split(&self, place: &Place, page: &Page) -> io::Result<()> {
        let (mut stay, mut go) = (Page::empty(), Page::empty());
        for nth in 0..page.pairs() {
            let (key, value) = page.pair(nth);
            let to = if hash(key) & 1 << place.depth != 0 { &mut go } else { &mut stay };
            to.push(key, value);
        }
        self.write_page(place.page, &stay)?;
        self.write_page(place.page | 1 << place.depth, &go)?;
        let block_at = place.dir_bit / 8 / DIR_BLOCK as u64 * DIR_BLOCK as u64;
        let mut block = read_at(&self.dir, block_at, DIR_BLOCK)?;
        block[place.dir_bit as usize / 8 % DIR_BLOCK] |= 1 << (place.dir_bit % 8);
        self.dir.write_all_at(&block, block_at)
    }

    fn read_page(&self, nth: u64) -> io::Result<Page> {
        read_at(&self.pag, nth * PAGE as u64, PAGE).map(Page)
    }

    fn write_page(&self, nth: u64, page: &Page) -> io::Result<()> {
        self.pag.write_all_at(&page.0, nth * PAGE as u64)
    }
}

/// Reads a block; zeros, where the file has a hole or ends.
fn read_at(file: &File, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut block = vec![0; length];
    let mut read = 0;
    while read < length {
        match file.read_at(&mut block[read..], at + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(block)
}

/// sdbm's hash.
fn hash(key: &[u8]) -> u32 {
    key.iter().fold(0, |hash: u32, byte| u32::from(*byte).wrapping_add(hash.wrapping_mul(65599)))
}

impl Page {
    fn empty() -> Self {
        Page(vec![0; PAGE])
    }

    fn pairs(&self) -> usize {
        self.word(0) / 2
    }

    /// The n-th 16-bit word: the count of offsets, or an offset.
    fn word(&self, nth: usize) -> usize {
        usize::from(u16::from_le_bytes([self.0[2 * nth], self.0[2 * nth + 1]]))
    }

    fn set_word(&mut self, nth: usize, word: usize) {
        let word = u16::try_from(word).expect("a page is shorter than that");
        self.0[2 * nth..2 * nth + 2].copy_from_slice(&word.to_le_bytes());
    }

    /// Where the pairs begin, which end with the page.
    fn bottom(&self) -> usize {
        match self.word(0) {
            0 => PAGE,
            offsets => self.word(offsets),
        }
    }

    fn pair(&self, nth: usize) -> (&[u8], &[u8]) {
        let end = if nth == 0 { PAGE } else { self.word(2 * nth) };
        let (key, value) = (self.word(2 * nth + 1), self.word(2 * nth + 2));
        (&self.0[key..end], &self.0[value..key])
    }

    fn find(&self, key: &[u8]) -> Option<usize> {
        (0..self.pairs()).find(|nth| self.pair(*nth).0 == key)
    }

    fn fits(&self, bytes: usize) -> bool {
        let offsets = self.word(0);
        bytes + 2 * (offsets + 3) <= self.bottom()
    }

    fn push(&mut self, key: &[u8], value: &[u8]) {
        let offsets = self.word(0);
        let key_at = self.bottom() - key.len();
        let value_at = key_at - value.len();
        self.0[key_at..key_at + key.len()].copy_from_slice(key);
        self.0[value_at..key_at].copy_from_slice(value);
        self.set_word(offsets + 1, key_at);
        self.set_word(offsets + 2, value_at);
        self.set_word(0, offsets + 2);
    }

    fn remove(&mut self, gone: usize) {
        let mut left = Page::empty();
        for nth in (0..self.pairs()).filter(|nth| *nth != gone) {
            let (key, value) = self.pair(nth);
            left.push(key, value);
        }
        *self = left;
    }
}

#[cfg(test)]
mod tests {
    use super::{PAIR_MAX, Sdbm};
    use std::collections::BTreeMap;

    #[test]
    fn a_file_differs_from_a_map() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("map");
        let mut map = BTreeMap::new();
        for nth in 0..6_000_u32 {
            let db = Sdbm::open(&path).unwrap();
            let key = format!("{:x}", nth.wrapping_mul(2_654_435_761) % 1_500).into_bytes();
            if nth % 5 == 4 {
                assert_eq!(db.delete(&key).unwrap(), map.remove(&key).is_some());
            } else {
                let value = vec![nth as u8; nth as usize % 700];
                db.store(&key, &value).unwrap();
                assert_eq!(db.fetch(&key).unwrap().as_ref(), Some(&value));
                map.insert(key, value);
            }
        }
        let db = Sdbm::open(&path).unwrap();
        assert!(db.pag.metadata().unwrap().len() > 100_000, "pages were split");
        let mut all = BTreeMap::new();
        db.for_each(|key, value| {
            assert!(all.insert(key.to_vec(), value.to_vec()).is_none(), "a key twice");
        })
        .unwrap();
        assert_eq!(all, map);
        assert_eq!(db.fetch(b"none").unwrap(), None);
    }

    #[test]
    fn a_pair_that_is_too_large_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let db = Sdbm::open(&dir.path().join("map")).unwrap();
        db.store(b"k", &[1; PAIR_MAX - 1]).unwrap();
        assert!(db.store(b"k", &[1; PAIR_MAX]).is_err());
        assert_eq!(db.fetch(b"k").unwrap().unwrap().len(), PAIR_MAX - 1);
    }
}
