//! `warm` may be killed at any moment: what is served afterwards is whole.

mod server;

use std::process::Stdio;
use std::time::Duration;

use server::pictures::{Pixels, scene, write_jpeg};
use server::{Server, program, run};

fn many_photos(count: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..count {
        let path = dir.path().join(format!("picture-{number:02}.jpg"));
        write_jpeg(&path, &scene(800 + number, 600, number), 1 + (number % 8) as u8);
    }
    dir
}

#[test]
fn killed_at_many_points_then_served() {
    let photos = many_photos(12);
    let data = tempfile::tempdir().unwrap();
    let [photos_arg, data_arg] =
        [photos.path(), data.path()].map(|path| path.to_str().expect("a plain path"));
    for round in 0..12u64 {
        let mut warm = program()
            .args(["warm", "--photos", photos_arg, "--data", data_arg, "--threads", "2"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The moment of death is the subject here.
        std::thread::sleep(Duration::from_millis(20 + 35 * round));
        let _ = warm.kill();
        warm.wait().unwrap();
    }
    let server = Server::start(photos.path(), data.path());
    let ids = server.ids();
    assert_eq!(ids.len(), 12);
    // Ids follow the names, so the number of a picture is its place.
    for (number, id) in ids.into_iter().enumerate() {
        for size in [160, 320, 640, 1280] {
            let answer = server.get(&format!("/thumb/{size}/{id}.jpg"));
            assert_eq!(answer.status, 200);
            assert_eq!(Pixels::of_jpeg(&answer.body).longest_edge(), size.min(800 + number));
        }
    }
}

#[test]
fn a_second_warm_makes_nothing() {
    let (photos, data) = (many_photos(3), tempfile::tempdir().unwrap());
    let [photos_arg, data_arg] =
        [photos.path(), data.path()].map(|path| path.to_str().expect("a plain path"));
    let warm = ["warm", "--photos", photos_arg, "--data", data_arg, "--sizes", "320,160"];
    let (ok, out, _) = run(&warm);
    assert!(ok && out.starts_with("3 pictures, 6 thumbnails made, 0 failed, "), "{out}");
    assert_eq!(out.lines().count(), 1, "{out}");
    let (ok, out, _) = run(&warm);
    assert!(ok && out.starts_with("3 pictures, 0 thumbnails made, 0 failed, "), "{out}");
}

#[test]
fn warm_fails_only_when_nothing_could_be_done() {
    let (photos, data) = (many_photos(1), tempfile::tempdir().unwrap());
    std::fs::write(photos.path().join("broken.jpg"), "no picture").unwrap();
    let [photos_arg, data_arg] =
        [photos.path(), data.path()].map(|path| path.to_str().expect("a plain path"));
    let warm = ["warm", "--photos", photos_arg, "--data", data_arg];
    let (ok, out, err) = run(&warm);
    assert!(ok && out.contains("2 pictures, 4 thumbnails made, 1 failed"), "{out}{err}");
    assert!(err.contains("broken.jpg"), "{err}");
    std::fs::remove_file(photos.path().join("picture-00.jpg")).unwrap();
    let (ok, out, err) = run(&warm);
    assert!(!ok && out.contains("1 pictures, 0 thumbnails made, 1 failed"), "{out}{err}");
}
