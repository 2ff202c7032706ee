//! A reader is opened once, for those who ask while there is no entry, and copied whole or not at
//! all.

use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use larder_files::{FileCache, Key, Limits};

/// Gives `whole` in pieces of odd lengths, and then ends, or fails.
struct Blob<'a> {
    whole: &'a [u8],
    fails: bool,
    reads: usize,
}

impl Read for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if self.reads.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.whole.is_empty() && self.fails {
            return Err(io::Error::other("the blob was changed while it was read"));
        }
        let n = self.whole.len().min(buffer.len()).min(1 + self.reads * 7919 % 90_000);
        buffer[..n].copy_from_slice(&self.whole[..n]);
        self.whole = &self.whole[n..];
        Ok(n)
    }
}

fn key(n: usize) -> Key {
    Key::new(format!("film {n}"), "1", "")
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7) as u8).collect()
}

fn blob(whole: &[u8]) -> Blob<'_> {
    Blob { whole, fails: false, reads: 0 }
}

#[test]
fn every_length_is_copied_whole() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    let lengths = [0, 1, 262_143, 262_144, 262_145, 524_288, 3_000_001];
    for (n, len) in lengths.into_iter().enumerate() {
        let whole = bytes(len);
        let copied = cache.get_or_copy(&key(n), || io::Result::Ok(blob(&whole))).unwrap();
        let made = cache.get_or_make(&key(n + 100), |out| out.write_all(&whole)).unwrap();
        assert!(copied.file().is_some() && copied.read().unwrap() == whole, "{len} bytes");
        assert_eq!(copied.etag(), made.etag(), "{len} bytes");
    }
    drop(cache);
    let again = FileCache::open(dir.path(), Limits::new()).unwrap();
    let is_whole =
        |(n, len): (usize, &usize)| again.get(&key(n)).is_some_and(|e| e.len() == *len as u64);
    assert!(lengths.iter().enumerate().all(is_whole));
    assert_eq!(again.stats().torn, 0);
}

#[test]
fn many_who_ask_open_one_reader() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new()).unwrap();
    let (whole, opened) = (bytes(1_000_000), AtomicUsize::new(0));
    let open = || {
        opened.fetch_add(1, Ordering::SeqCst);
        io::Result::Ok(blob(&whole))
    };
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(cache.get_or_copy(&key(0), open).unwrap().len(), 1_000_000));
        }
    });
    assert_eq!(opened.load(Ordering::SeqCst), 1);
}

#[test]
fn a_reader_that_fails_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cache = FileCache::open(dir.path(), Limits::new().max_entry_bytes(1 << 20)).unwrap();
    let whole = bytes(700_000);
    let broken = || io::Result::Ok(Blob { fails: true, ..blob(&whole) });
    let error = cache.get_or_copy(&key(0), broken).unwrap_err();
    assert!(error.is_failed() && error.to_string().contains("changed while"), "{error}");
    let closed = cache.get_or_copy(&key(0), || Err::<io::Empty, _>("no such row")).unwrap_err();
    assert!(closed.is_failed() && closed.to_string().contains("no such row"), "{closed}");

    let endless = || io::Result::Ok(io::repeat(1));
    assert!(cache.get_or_copy(&key(0), endless).unwrap_err().is_too_large());
    let exact = cache.get_or_copy(&key(1), || io::Result::Ok(io::repeat(1).take(1 << 20)));
    assert_eq!(exact.unwrap().len(), 1 << 20);
    assert!(cache.get(&key(0)).is_none());
    let drafts = std::fs::read_dir(dir.path().join("drafts")).unwrap().count();
    assert_eq!((drafts, cache.stats().faults), (0, 0));
}
