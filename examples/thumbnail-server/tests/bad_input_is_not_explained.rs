//! What cannot be done is said in one line that names the thing, and nothing is lost.

mod server;

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use server::pictures::some_photos;
use server::run;

/// Starts the server where it cannot start, and gives back what it says.
fn refused(photos: &Path, data: &Path, listen: &str) -> String {
    let [photos, data] = [photos, data].map(|path| path.to_str().expect("a plain path"));
    let (ok, out, err) = run(&["--photos", photos, "--data", data, "--listen", listen]);
    assert!(!ok, "it started: {out}");
    assert_eq!(out, "", "nothing is said to be listening");
    assert!(!err.contains("panicked"), "{err}");
    err
}

#[test]
fn a_folder_that_is_not_there() {
    let data = tempfile::tempdir().unwrap();
    let error = refused(Path::new("/nowhere/at/all"), data.path(), "127.0.0.1:0");
    assert!(error.contains("/nowhere/at/all"), "{error}");
}

#[test]
fn a_folder_without_pictures() {
    let (photos, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let error = refused(photos.path(), data.path(), "127.0.0.1:0");
    assert!(error.contains("no picture in"), "{error}");
    fs::write(photos.path().join("notes.txt"), "no picture").unwrap();
    let error = refused(photos.path(), data.path(), "127.0.0.1:0");
    assert!(error.contains("1 other file"), "{error}");
}

#[test]
fn a_data_folder_that_is_not_ours() {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    fs::write(data.path().join("thesis.txt"), "years of work").unwrap();
    let error = refused(photos.path(), data.path(), "127.0.0.1:0");
    assert!(error.contains("not ours"), "{error}");
    assert_eq!(fs::read_to_string(data.path().join("thesis.txt")).unwrap(), "years of work");
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    let photos = some_photos();
    // Not even root can make files here.
    let error = refused(photos.path(), Path::new("/proc/self/task"), "127.0.0.1:0");
    assert!(error.contains("/proc/self/task"), "{error}");
}

#[test]
fn a_library_that_is_no_database() {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    drop(server::Server::start(photos.path(), data.path()));
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(data.path().join(format!("library.sqlite{ending}")));
    }
    fs::write(data.path().join("library.sqlite"), "certainly no database".repeat(300)).unwrap();
    let error = refused(photos.path(), data.path(), "127.0.0.1:0");
    assert!(error.contains("library.sqlite"), "{error}");
}

#[test]
fn a_port_in_use() {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = refused(photos.path(), data.path(), &address);
    assert!(error.contains(&address), "{error}");
}

#[test]
fn nothing_is_written_among_the_photographs() {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    let listing = || {
        let mut names: Vec<_> = fs::read_dir(photos.path())
            .unwrap()
            .map(|entry| {
                let meta = entry.as_ref().unwrap().metadata().unwrap();
                (entry.unwrap().file_name(), meta.len(), meta.modified().unwrap())
            })
            .collect();
        names.sort();
        names
    };
    let before = listing();
    let server = server::Server::start(photos.path(), data.path());
    for id in server.ids() {
        assert_eq!(server.get(&format!("/thumb/640/{id}.jpg")).status, 200);
    }
    assert_eq!(server.stop("-TERM"), (true, String::new()));
    assert_eq!(listing(), before);
    let inside = photos.path().join("data");
    let error = refused(photos.path(), &inside, "127.0.0.1:0");
    assert!(error.contains("among the photographs"), "{error}");
    assert!(!inside.exists());
}
