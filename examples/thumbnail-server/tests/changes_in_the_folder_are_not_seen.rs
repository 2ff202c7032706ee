//! What comes, changes or goes is seen by the next import, and between imports nothing breaks.

mod server;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use server::Server;
use server::pictures::{Pixels, scene, some_photos, write_jpeg};

/// What the gallery calls a picture's id, by its title.
fn id_of(server: &Server, title: &str) -> Option<i64> {
    server.ids().into_iter().find(|id| {
        server.get(&format!("/original/{id}")).header("content-disposition").contains(title)
    })
}

fn etag(server: &Server, id: i64) -> String {
    server.get(&format!("/thumb/320/{id}.jpg")).header("etag").to_owned()
}

fn change(path: &Path) {
    write_jpeg(path, &scene(640, 480, 5), 1);
}

#[test]
fn over_a_restart() {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    let at = |name: &str| photos.path().join(name);
    let server = Server::start(photos.path(), data.path());
    let kept = id_of(&server, "picture-0").unwrap();
    let removed = id_of(&server, "picture-1").unwrap();
    let changed = id_of(&server, "picture-2").unwrap();
    let (kept_etag, changed_etag) = (etag(&server, kept), etag(&server, changed));
    assert_eq!(server.get(&format!("/thumb/320/{removed}.jpg")).status, 200);
    drop(server);

    fs::remove_file(at("picture-1.jpg")).unwrap();
    change(&at("picture-2.jpg"));
    write_jpeg(&at("new.jpg"), &scene(300, 300, 9), 1);
    fs::write(at("notes.txt"), "no picture").unwrap();
    let server = Server::start(photos.path(), data.path());
    assert_eq!(id_of(&server, "picture-0"), Some(kept), "ids stay");
    assert_eq!(etag(&server, kept), kept_etag);
    assert_ne!(etag(&server, changed), changed_etag);
    let shown = Pixels::of_jpeg(&server.get(&format!("/thumb/320/{changed}.jpg")).body);
    assert_eq!((shown.width, shown.height), (320, 240));
    for path in [format!("/thumb/320/{removed}.jpg"), format!("/original/{removed}")] {
        assert_eq!(server.get(&path).status, 404, "{path}");
    }
    let new = id_of(&server, "new").expect("the new one is there");
    assert!(new > removed && new > kept, "an id is never given twice");
    assert_eq!(server.ids().len(), 4);
}

#[test]
fn while_serving() {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    let server = Server::start_with(photos.path(), data.path(), &["--rescan", "1"]);
    let id = id_of(&server, "picture-0").unwrap();
    let path = format!("/thumb/320/{id}.jpg");
    assert_eq!(server.get(&path).status, 200);
    fs::remove_file(photos.path().join("picture-0.jpg")).unwrap();
    let begun = Instant::now();
    while server.get(&path).status != 404 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the removal is never seen");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(server.ids().len(), 3);
}

#[test]
fn between_import_and_request() {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    let server = Server::start(photos.path(), data.path());
    let (gone, changed) =
        (id_of(&server, "picture-1").unwrap(), id_of(&server, "picture-0").unwrap());
    fs::remove_file(photos.path().join("picture-1.jpg")).unwrap();
    change(&photos.path().join("picture-0.jpg"));
    let answer = server.get(&format!("/thumb/320/{gone}.jpg"));
    assert_eq!((answer.status, answer.header("content-type")), (404, "image/svg+xml"));
    assert_eq!(server.get(&format!("/original/{gone}")).status, 404);
    let shown = Pixels::of_jpeg(&server.get(&format!("/thumb/320/{changed}.jpg")).body);
    assert_eq!((shown.width, shown.height), (320, 240), "the picture as it is now");
}

#[test]
fn a_repaired_picture_stays_refused() {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    let path = photos.path().join("half.png");
    // The header is whole, so the import finds nothing wrong.
    let png = include_bytes!("server/two-pixels.png");
    fs::write(&path, &png[..45]).unwrap();
    let server = Server::start(photos.path(), data.path());
    let id = id_of(&server, "half").unwrap();
    let url = format!("/thumb/160/{id}.jpg");
    assert_eq!(server.get(&url).status, 422);
    assert_eq!(server.get(&url).status, 422);
    fs::write(&path, png).unwrap();
    assert_eq!(server.get(&url).status, 200, "the file is whole now");
}

/// A folder that became a link since the import may lead anywhere.
#[test]
fn a_link_leads_out_of_the_folder() {
    let (photos, data, outside) = (some_photos(), tempfile::tempdir().unwrap(), some_photos());
    let inner = photos.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::rename(photos.path().join("picture-0.jpg"), inner.join("picture-0.jpg")).unwrap();
    let server = Server::start(photos.path(), data.path());
    let id = id_of(&server, "picture-0").unwrap();
    fs::rename(&inner, data.path().join("away")).unwrap();
    std::os::unix::fs::symlink(outside.path(), &inner).unwrap();
    for path in [format!("/original/{id}"), format!("/thumb/320/{id}.jpg")] {
        assert_eq!(server.get(&path).status, 404, "{path}");
    }
}

/// Scanned photographs are often dated when they were taken.
#[test]
fn a_change_before_1970_is_overlooked() {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    let date = |years: u64| {
        let before = Duration::from_secs(years * 31_557_600);
        let at = std::time::UNIX_EPOCH - before;
        let file = fs::File::options().write(true).open(photos.path().join("picture-0.jpg"));
        file.unwrap().set_modified(at).unwrap();
    };
    date(15);
    let server = Server::start(photos.path(), data.path());
    let id = id_of(&server, "picture-0").unwrap();
    let version = |server: &Server| {
        let page = server.get(&format!("/photo/{id}"));
        let url = page.text().split("/thumb/").nth(1).expect("the page shows a thumbnail");
        url.split("?v=").nth(1).expect("of a version")[..10].to_owned()
    };
    let before = version(&server);
    for _ in 0..8 {
        assert_eq!(server.get(&format!("/original/{id}")).status, 200);
    }
    drop(server);
    date(14);
    assert_ne!(version(&Server::start(photos.path(), data.path())), before);
}

#[test]
fn an_empty_folder_forgets_nothing() {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    drop(Server::start(photos.path(), data.path()));
    let away = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(photos.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), away.path().join(entry.file_name())).unwrap();
        fs::remove_file(entry.path()).unwrap();
    }
    let server = Server::start(photos.path(), data.path());
    assert_eq!(server.ids().len(), 4, "an unmounted disk is no wish to forget");
}
