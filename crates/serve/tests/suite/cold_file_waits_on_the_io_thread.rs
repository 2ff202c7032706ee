//! What is not in memory is fetched by a prefetch thread; the I/O thread goes on meanwhile.

use std::fs::File;
use std::io::{IoSliceMut, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use larder_serve::{Peek, Reply, Request};
use rustix::fs::{Advice, fadvise};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::client::{Client, builder, eventually};

const LEN: usize = 12 << 20;

/// Puts the file out of memory, but for what is still on its way elsewhere; false if it stays, as
/// on a file system without a disk. Only the first byte is looked at: a look starts a read.
fn make_cold(file: &File) -> bool {
    file.sync_all().unwrap();
    (0..200).any(|_| {
        thread::sleep(Duration::from_millis(1));
        fadvise(file, 0, None, Advice::DontNeed).unwrap();
        let mut byte = [0];
        let read = preadv2(file, &mut [IoSliceMut::new(&mut byte)], 0, ReadWriteFlags::NOWAIT);
        read == Err(Errno::AGAIN)
    })
}

#[test]
fn cold_parts_are_fetched_elsewhere_and_arrive_whole() {
    let body: Vec<u8> = (0..LEN as u64).map(|i| ((i * i) >> 7) as u8).collect();
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all(&body).unwrap();
    let file = Arc::new(file);
    let (by_fast, by_worker) = (Arc::clone(&file), Arc::clone(&file));
    let part = |path: &str| -> (u64, u64) {
        match path {
            "/small" => (LEN as u64 / 2, 10_000),
            _ => (1, LEN as u64 - 1),
        }
    };
    let fast = move |peek: &Peek<'_>| {
        let (offset, len) = part(peek.path());
        (peek.query() == Some("fast")).then(|| Reply::file(Arc::clone(&by_fast), offset, len))
    };
    let server = builder().bind("127.0.0.1:0").unwrap().fast(fast).start(move |r: Request| {
        let (offset, len) = part(r.path());
        Reply::file(Arc::clone(&by_worker), offset, len)
    });
    let server = server.unwrap();
    let mut client = Client::connect(server.local_addr());
    for target in ["/all", "/all?fast", "/small?fast"] {
        let (offset, len) = part(target.split('?').next().unwrap());
        let expected = &body[offset as usize..(offset + len) as usize];
        let mut is_cold = true;
        eventually("something was cold", || {
            is_cold = make_cold(&file);
            let before = server.stats().cold_parts;
            let answer = client.get(target);
            assert!(answer.status == 200 && answer.body == expected, "{target}");
            server.stats().cold_parts > before || !is_cold
        });
        if !is_cold {
            eprintln!("not tested: files cannot be put out of memory here");
            return;
        }
        eventually("all of it is in memory", || {
            let before = server.stats().cold_parts;
            assert!(client.get(target).body == expected, "{target}");
            server.stats().cold_parts == before
        });
    }
}
