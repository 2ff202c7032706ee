//! Every thumbnail is a JPEG with the longest edge as asked, never upscaled, and upright.

mod server;

use std::path::Path;

use server::pictures::{Pixels, longest_edge_told, scene, some_photos, write_jpeg};
use server::{Server, folder};

const SIZES: [usize; 4] = [160, 320, 640, 1280];

fn thumb(server: &Server, size: usize, id: i64) -> Pixels {
    let answer = server.get(&format!("/thumb/{size}/{id}.jpg"));
    assert_eq!(answer.status, 200, "photo {id} at {size}");
    assert_eq!(answer.header("content-type"), "image/jpeg");
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    assert!(answer.header("etag").starts_with('"'), "a strong validator");
    Pixels::of_jpeg(&answer.body)
}

fn every_thumbnail_of(photos: &Path) -> usize {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(photos, data.path());
    let ids = server.ids();
    for &id in &ids {
        let original = longest_edge_told(&server.get(&format!("/original/{id}")).body);
        for size in SIZES {
            let made = thumb(&server, size, id);
            assert_eq!(made.longest_edge(), size.min(original), "photo {id}");
        }
    }
    ids.len()
}

#[test]
fn of_pictures_made_here() {
    assert_eq!(every_thumbnail_of(some_photos().path()), 4);
}

#[test]
fn of_real_photographs() {
    let Some(photos) = folder("LARDER_PHOTOS") else {
        println!("LARDER_PHOTOS is not set: pictures made here stand in");
        return of_pictures_made_here();
    };
    // With the orientation pictures, which lie in a folder below.
    assert!(every_thumbnail_of(&photos) >= 42);
}

#[test]
fn other_sizes_are_404() {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    let server = Server::start(photos.path(), data.path());
    let id = server.ids()[0];
    for path in ["/thumb/161/ID.jpg", "/thumb/0320/ID.jpg", "/thumb/320/ID.png", "/thumb/320/ID."] {
        assert_eq!(server.get(&path.replace("ID", &id.to_string())).status, 404, "{path}");
    }
    for path in ["/thumb/320/99999.jpg", "/thumb/320/-1.jpg", "/thumb/320/0.jpg"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}

/// Groups by kind: the part of the name before its number; the number 1 is the upright one.
fn compare_with_number_one(photos: &Path) -> usize {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(photos, data.path());
    let mut seen: Vec<(String, Pixels)> = Vec::new();
    for id in server.ids() {
        let answer = server.get(&format!("/original/{id}"));
        let name = answer.header("content-disposition").to_owned();
        let name = name.rsplit("''").next().unwrap().trim_end_matches(".jpg").to_owned();
        seen.push((name, thumb(&server, 160, id)));
    }
    for (name, pixels) in &seen {
        let kind = name.rsplit_once('_').expect("kind_number").0;
        let (_, first) = seen
            .iter()
            .find(|(other, _)| *other == format!("{kind}_1"))
            .expect("each kind has a number 1");
        let difference = pixels.difference(first);
        assert!(difference < 8.0, "{name} differs from {kind}_1 by {difference:.1}");
    }
    seen.len()
}

#[test]
fn each_orientation_made_here() {
    let photos = tempfile::tempdir().unwrap();
    for orientation in 1..=8 {
        for (kind, width, height) in [("landscape", 600, 400), ("portrait", 300, 500)] {
            let path = photos.path().join(format!("{kind}_{orientation}.jpg"));
            write_jpeg(&path, &scene(width, height, 0), orientation);
        }
    }
    assert_eq!(compare_with_number_one(photos.path()), 16);
}

#[test]
fn each_orientation_of_real_photographs() {
    let Some(photos) = folder("LARDER_PHOTOS").map(|dir| dir.join("orientation")) else {
        println!("LARDER_PHOTOS is not set: pictures made here stand in");
        return each_orientation_made_here();
    };
    assert_eq!(compare_with_number_one(&photos), 18);
}
