//! Broken and malicious pictures are each answered, in bounded memory, by a server that stays up.

mod server;

use std::fs;
use std::path::Path;

use server::pictures::{Pixels, scene, write_jpeg};
use server::{Server, folder};

const BOUND_BYTES: u64 = 200 << 20;

fn answers_all(photos: &Path) -> usize {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(photos, data.path());
    let ids = server.ids();
    for &id in &ids {
        for size in [160, 1280] {
            let answer = server.get(&format!("/thumb/{size}/{id}.jpg"));
            match answer.status {
                200 => assert!(Pixels::of_jpeg(&answer.body).longest_edge() <= size),
                415 | 422 => assert_eq!(answer.header("content-type"), "image/svg+xml"),
                other => panic!("photo {id} at {size}: {other}"),
            }
        }
        assert_eq!(server.get(&format!("/photo/{id}")).status, 200);
        // The head alone: one of the files has 4 GiB.
        assert_eq!(server.ask("HEAD", &format!("/original/{id}"), &[]).status, 200);
    }
    assert_eq!(server.get("/healthz").text(), "ok\n");
    let peak = server.peak_rss_bytes();
    assert!(peak < BOUND_BYTES, "{} MB of memory at the peak", peak >> 20);
    assert!(server.is_alive());
    ids.len()
}

/// What `warm` may decode at a time, and what the program is beside that: SQLite, the caches, and
/// what the allocator keeps.
const WARM_MB: u64 = 32;
const BESIDE_MB: u64 = 48;

fn warms_within_its_budget(photos: &Path) -> bool {
    let data = tempfile::tempdir().unwrap();
    let decode_mb = WARM_MB.to_string();
    let (photos, data) = (photos.to_str().unwrap(), data.path().to_str().unwrap());
    let places = ["--photos", photos, "--data", data, "--decode-mb", &decode_mb];
    let (success, peak) = server::run_watched(&[&["warm", "--threads", "2"], &places[..]].concat());
    println!("warm held {} MB at the peak", peak >> 20);
    assert!(peak > 0, "its memory was never seen");
    assert!(peak <= (WARM_MB + BESIDE_MB) << 20, "{} MB of memory at the peak", peak >> 20);
    success
}

/// A head that claims 65535 x 65535 pixels, in a file of a few hundred bytes.
fn giant(whole: &[u8]) -> Vec<u8> {
    let mut bytes = whole[..whole.len().min(2000)].to_vec();
    let sof = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("a baseline JPEG");
    bytes[sof + 5..sof + 9].fill(0xFF);
    bytes
}

#[test]
fn made_here() {
    let photos = tempfile::tempdir().unwrap();
    let at = |name: &str| photos.path().join(name);
    write_jpeg(&at("whole.jpg"), &scene(1200, 800, 1), 1);
    let whole = fs::read(at("whole.jpg")).unwrap();
    for part in 0..16 {
        fs::write(at(&format!("cut-{part:02}.jpg")), &whole[..whole.len() * part / 16]).unwrap();
    }
    fs::write(at("giant.jpg"), giant(&whole)).unwrap();
    fs::write(at("letter.jpg"), "Dear picture,\n").unwrap();
    fs::write(at("letter.png"), b"\x89PNG\r\n\x1a\n and then nothing").unwrap();
    fs::File::create(at("junk.jpg")).unwrap().set_len(4 << 30).unwrap();
    assert!(warms_within_its_budget(photos.path()), "what is sound was not made");
    assert_eq!(answers_all(photos.path()), 21);
}

#[test]
fn collected() {
    let Some(hostile) = folder("LARDER_HOSTILE") else {
        println!("LARDER_HOSTILE is not set: pictures made here stand in");
        return made_here();
    };
    warms_within_its_budget(&hostile);
    assert!(answers_all(&hostile) >= 50);
}
