//! Compressed siblings of files: chosen by what the client takes, each with its own validators.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use larder_serve::http::StatusCode;
use larder_serve::{Reply, Request, Running};
use tempfile::TempDir;

use crate::client::{Client, start};

const BROTLI: &str = "short";
const ZSTD: &str = "not so short";
const GZIP: &str = "not so short either";
const PLAIN: &str = "as long as it may be, it is what it is";

/// A page with siblings of all kinds, one with a stale one, one with none, and a directory.
fn server() -> (Running, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let names = [("all.br", BROTLI), ("all.zst", ZSTD), ("all.gz", GZIP), ("stale.gz", GZIP)];
    let plain = [("all", PLAIN), ("stale", PLAIN), ("none", PLAIN)];
    for (name, content) in plain.into_iter().chain(names) {
        fs::write(path.join(name), content).unwrap();
    }
    fs::create_dir(path.join("directory")).unwrap();
    fs::create_dir(path.join("none.gz")).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for name in ["all", "all.br", "all.zst", "all.gz", "stale", "none"] {
        File::options().append(true).open(path.join(name)).unwrap().set_modified(time).unwrap();
    }
    let earlier = time - Duration::from_secs(1);
    File::options()
        .append(true)
        .open(path.join("stale.gz"))
        .unwrap()
        .set_modified(earlier)
        .unwrap();
    let server = start(move |request: Request| {
        match Reply::path(&request, path.join(request.path().trim_start_matches('/'))) {
            Ok(reply) => reply.content_type("text/html").hot(),
            Err(_) => Reply::status(StatusCode::NOT_FOUND),
        }
    });
    (server, dir)
}

#[test]
fn the_best_that_is_taken() {
    let (server, _dir) = server();
    let mut client = Client::connect(server.local_addr());
    let cases = [
        ("", None),
        ("br", Some("br")),
        ("gzip", Some("gzip")),
        ("zstd", Some("zstd")),
        ("gzip, deflate, br, zstd", Some("br")),
        ("gzip, zstd", Some("zstd")),
        ("gzip;q=1, br;q=0.9", Some("gzip")),
        ("br;q=0, *", Some("zstd")),
        ("*;q=0", None),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", Some("gzip")),
        ("identity;q=0, deflate", None),
        ("deflate", None),
    ];
    let mut tags = Vec::new();
    for (accept, coding) in cases {
        let fields = format!("Accept-Encoding: {accept}\r\n");
        let answer = client.ask("GET", "/all", &fields);
        let body = match coding {
            Some("br") => BROTLI,
            Some("zstd") => ZSTD,
            Some("gzip") => GZIP,
            _ => PLAIN,
        };
        let said = (answer.status, answer.header("content-encoding"), answer.text());
        assert_eq!(said, (200, coding, body), "{accept:?}");
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        assert_eq!(answer.header("content-type"), Some("text/html"));
        let tag = answer.header("etag").unwrap().to_owned();
        // Its own tag is met, also where another coding is asked for in vain.
        let met = client.ask("GET", "/all", &format!("{fields}If-None-Match: {tag}\r\n"));
        assert_eq!((met.status, met.header("vary")), (304, Some("Accept-Encoding")));
        let part =
            client.ask("GET", "/all", &format!("{fields}If-Range: {tag}\r\nRange: bytes=1-2\r\n"));
        assert_eq!((part.status, part.text()), (206, &body[1..3]));
        tags.push((coding, tag));
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4, "one tag for each coding: {tags:?}");
    let two = client.ask("GET", "/all", "Accept-Encoding: deflate\r\nAccept-Encoding: gzip\r\n");
    assert_eq!(two.header("content-encoding"), Some("gzip"));
}

#[test]
fn what_is_no_sibling() {
    let (server, _dir) = server();
    let mut client = Client::connect(server.local_addr());
    for target in ["/stale", "/none"] {
        let answer = client.ask("GET", target, "Accept-Encoding: gzip\r\n");
        assert_eq!((answer.text(), answer.header("content-encoding")), (PLAIN, None), "{target}");
        // Nothing varies, so that it may be kept.
        assert_eq!(answer.header("vary"), None);
    }
    assert_eq!(server.stats().hot_entries, 2);
    for target in ["/directory", "/missing", "/none.gz"] {
        assert_eq!(client.get(target).status, 404, "{target}");
    }
}
