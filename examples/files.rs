//! Something costly is made once, kept as a plain file, and served by descriptor.
//!
//! `cargo run -p larder-examples --example files`

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use larder_files::{Begin, Body, FileCache, Key, Limits};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let limits = Limits::new()
        .max_bytes(64 << 20)
        .on_fault(|fault| eprintln!("serving uncached where need be: {fault}"));
    let cache = FileCache::open(dir.path().join("reports"), limits)?;

    // The source, its version, and how the entry is made from it.
    let key = Key::new("report/2007-11", "revision 3", "format=text");

    // Sixteen threads ask at once; one makes it, the others wait for that one.
    let made = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let entry = cache.get_or_make(&key, |out| {
                    made.fetch_add(1, Ordering::Relaxed);
                    (1..=1000).try_for_each(|line| writeln!(out, "line {line} of the report"))
                });
                assert!(entry.is_ok_and(|entry| entry.len() > 20_000));
            });
        }
    });
    println!("16 threads asked, {} made it", made.into_inner());

    // What a server does with a hit: the body goes out by sendfile, and the descriptor stays valid
    // until the last byte is sent, whatever is evicted meanwhile.
    let entry = cache.get(&key).ok_or("evicted already")?;
    match entry.body() {
        Body::File { offset, len, .. } => println!("{len} bytes from offset {offset} of a file"),
        Body::Memory(bytes) => println!("{} bytes that the disk would not take", bytes.len()),
    }
    println!("ETag: {}", entry.etag());

    // A server that parks connections does not wait: it leaves a callback.
    let other = Key::new("report/2007-12", "revision 1", "format=text");
    let Begin::Make(lease) = cache.begin(&other) else { return Err("someone was first".into()) };
    let (tell, told) = mpsc::channel();
    if let Begin::Busy(flight) = cache.begin(&other) {
        flight.on_ready(move |entry| tell.send(entry).unwrap_or(()));
    }
    lease.publish(b"nothing happened in December\n");
    print!("a parked connection is answered: {}", String::from_utf8_lossy(&told.recv()??.read()?));

    // A new revision is a new key; the old entries of a source can go at once all the same.
    println!("purged {} file(s)", cache.purge_source("report/2007-11"));
    assert!(cache.get(&key).is_none() && entry.read()?.starts_with(b"line 1 of"));

    let stats = cache.stats();
    println!("{} made, {} coalesced, {} on disk", stats.made, stats.coalesced, stats.files);
    Ok(())
}
