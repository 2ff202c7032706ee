//! What can't be read is not gone: a store that fails says so, and nobody is logged out by it.
#![cfg(unix)]

mod child;
mod kit;

use std::fs::File;

use kit::{color, sessions, start};
use larder_sessions::{FileStore, Login};

/// No file can be opened any more, as in a process that has as many as it may.
#[test]
#[ignore = "a child of the next test: it has few files"]
fn child_that_runs_out_of_files() {
    let Some(dir) = child::dir() else { return };
    let (sessions, _) = sessions(FileStore::at(dir).copies(0).open().unwrap());
    let cookie = start(&sessions);
    let mut session = sessions.open([&*cookie]).unwrap();
    session.set("color", "blue").unwrap();
    let mut ann = sessions.open(None).unwrap();
    assert!(matches!(ann.login("ann", None).unwrap(), Login::Admitted { .. }));
    let mut visitor = sessions.open(None).unwrap();
    let files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();

    let error = sessions.peek::<String>([&*cookie], "color").unwrap_err();
    assert!(error.is_store(), "{error}");
    assert!(sessions.open([&*cookie]).unwrap_err().is_store());
    assert!(sessions.revoke_user("ann").unwrap_err().is_store(), "nor is it said that she is out");
    assert!(ann.logout().unwrap_err().is_store());
    assert!(visitor.login("ann", None).unwrap_err().is_store());
    assert_eq!((visitor.user(), visitor.set_cookie()), (None, None), "no id that is not stored");

    drop(files);
    assert!(!session.is_gone() && ann.logout().unwrap());
    assert_eq!(color(&sessions, &cookie).as_deref(), Some("red"));
    assert_eq!(session.save().unwrap(), larder_sessions::Saved::Stored);
    assert_eq!(color(&sessions, &cookie).as_deref(), Some("blue"));
    assert!(matches!(visitor.login("ann", None).unwrap(), Login::Admitted { .. }));
}

#[test]
fn a_fault_of_the_disk_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let few = r#"ulimit -n 40; exec "$0" "$@""#;
    child::run(child::under_shell(few, "child_that_runs_out_of_files", dir.path()));
}
