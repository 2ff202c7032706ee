//! Validators, conditions, ranges and `HEAD`, the same for a worker's bytes, a hot answer, a small
//! file and a large one.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use larder_serve::http::StatusCode;
use larder_serve::{Bytes, Reply, Request, Running};

use crate::client::{Client, builder, start_with};

const LEN: usize = 300_000;
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

fn content() -> Vec<u8> {
    (0..LEN as u32).map(|i| (i ^ (i >> 8)) as u8).collect()
}

/// The same content in four ways, and without validators.
fn server() -> Running {
    let bytes = Bytes::from(content());
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"before").unwrap();
    file.write_all(&bytes).unwrap();
    file.write_all(b"after").unwrap();
    let file = Arc::new(file);
    let date = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_900);
    start_with(builder().hot_entry_bytes(1 << 20), move |request: Request| {
        let file = Reply::file(Arc::clone(&file), 6, LEN as u64).content_type("x/y");
        let reply = match request.path() {
            "/bytes" | "/bare" => Reply::bytes("x/y", bytes.clone()),
            "/hot" => Reply::bytes("x/y", bytes.clone()).hot(),
            "/file" => file,
            "/hot-file" => file.hot(),
            _ => return Reply::status(StatusCode::NOT_FOUND).etag("v1"),
        };
        let reply = reply.cache_control("max-age=60");
        if request.path() == "/bare" { reply } else { reply.etag("v1").last_modified(date) }
    })
}

const WAYS: [&str; 4] = ["/bytes", "/hot", "/file", "/hot-file"];

/// Field lines, the status, and the part of the content. `@` stands for the date of the content,
/// `+` and `-` for a second later and earlier.
type Case = (&'static str, u16, Option<(usize, usize)>);

fn cases() -> impl Iterator<Item = (String, u16, Option<(usize, usize)>)> {
    let cases: &[Case] = &[
        ("", 200, Some((0, LEN))),
        ("If-None-Match: \"v1\"", 304, None),
        ("If-None-Match: W/\"v1\"", 304, None),
        ("If-None-Match: \"a\", \"v1\"", 304, None),
        ("If-None-Match: *", 304, None),
        ("If-None-Match: \"v2\"", 200, Some((0, LEN))),
        ("If-Modified-Since: @", 304, None),
        ("If-Modified-Since: +", 304, None),
        ("If-Modified-Since: -", 200, Some((0, LEN))),
        ("If-None-Match: \"v2\"|If-Modified-Since: +", 200, Some((0, LEN))),
        ("If-Match: \"v1\"", 200, Some((0, LEN))),
        ("If-Match: \"v2\"", 412, None),
        ("If-Match: W/\"v1\"", 412, None),
        ("If-Unmodified-Since: @", 200, Some((0, LEN))),
        ("If-Unmodified-Since: -", 412, None),
        ("Range: bytes=0-0", 206, Some((0, 1))),
        ("Range: bytes=10-19", 206, Some((10, 20))),
        ("Range: bytes=299999-", 206, Some((LEN - 1, LEN))),
        ("Range: bytes=1-", 206, Some((1, LEN))),
        ("Range: bytes=-5", 206, Some((LEN - 5, LEN))),
        ("Range: bytes=300000-", 416, None),
        ("Range: bytes=0-1,5-6", 206, Some((0, 7))),
        ("Range: bytes=0-1,5-4", 200, Some((0, LEN))),
        ("Range: bytes=300000-,400000-", 416, None),
        ("Range: lines=0-1", 200, Some((0, LEN))),
        ("Range: bytes=0-9|If-Range: \"v1\"", 206, Some((0, 10))),
        ("Range: bytes=0-9|If-Range: \"v2\"", 200, Some((0, LEN))),
        ("Range: bytes=0-9|If-Range: W/\"v1\"", 200, Some((0, LEN))),
        ("Range: bytes=0-9|If-Range: @", 206, Some((0, 10))),
        ("Range: bytes=0-9|If-Range: +", 200, Some((0, LEN))),
        ("Range: bytes=0-9|If-None-Match: \"v1\"", 304, None),
        ("Range: bytes=0-9|If-Match: \"v2\"", 412, None),
        ("Range: bytes=0-9|If-Modified-Since: @", 304, None),
        ("Range: bytes=0-9|If-Modified-Since: -", 206, Some((0, 10))),
        ("Range: bytes=400000-|If-Range: \"v2\"", 200, Some((0, LEN))),
        ("If-Match: \"v1\"|If-Unmodified-Since: -", 200, Some((0, LEN))),
        ("If-Match: \"v2\"|If-Unmodified-Since: +", 412, None),
        ("If-Match: \"v1\"|If-None-Match: \"v1\"", 304, None),
        ("If-Match: *|If-Modified-Since: @", 304, None),
        ("If-Unmodified-Since: -|If-None-Match: \"v1\"", 412, None),
        ("If-Unmodified-Since: @|If-Modified-Since: @", 304, None),
        ("If-None-Match: \"v1\"|If-Modified-Since: -", 304, None),
        ("If-Unmodified-Since: never", 200, Some((0, LEN))),
    ];
    cases.iter().map(|(text, status, part)| (field_lines(text), *status, *part))
}

fn field_lines(text: &str) -> String {
    let dates = [("@", DATE), ("+", LATER), ("-", EARLIER)];
    let line = |line: &str| {
        let date = dates.iter().find(|(mark, _)| line.ends_with(&format!(": {mark}")));
        match date {
            Some((mark, date)) => format!("{}{date}\r\n", line.trim_end_matches(mark)),
            None => format!("{line}\r\n"),
        }
    };
    text.split('|').filter(|text| !text.is_empty()).map(line).collect()
}

#[test]
fn each_condition_has_the_same_answer_by_every_way() {
    let (server, content) = (server(), content());
    let mut client = Client::connect(server.local_addr());
    for way in WAYS {
        // Twice: the second answer to a hot target comes from the I/O thread.
        for _ in 0..2 {
            for (fields, status, part) in cases() {
                let answer = client.ask("GET", way, &fields);
                assert_eq!(answer.status, status, "{way} {fields:?}");
                check_fields(&answer, part, way, &fields);
                let body = part.map_or(&[][..], |(a, b)| &content[a..b]);
                assert!(answer.body == body, "{way} {fields:?}");
            }
        }
    }
    assert!(server.stats().hot_hits >= 2 * cases().count() as u64);
}

fn check_fields(
    answer: &crate::client::Answer,
    part: Option<(usize, usize)>,
    way: &str,
    fields: &str,
) {
    let header = |name| answer.header(name);
    assert_eq!(header("etag"), Some("\"v1\""), "{way} {fields:?}");
    assert_eq!(header("last-modified"), Some(DATE));
    assert_eq!(header("cache-control"), Some("max-age=60"));
    assert!(header("date").is_some_and(|date| date.ends_with(" GMT")));
    let length = header("content-length").map(str::to_owned);
    match (answer.status, part) {
        (200, _) => {
            assert_eq!(length, Some(LEN.to_string()));
            assert_eq!(header("accept-ranges"), Some("bytes"));
        }
        (206, Some((a, b))) => {
            assert_eq!(length, Some((b - a).to_string()));
            assert_eq!(header("content-range"), Some(&*format!("bytes {a}-{}/{LEN}", b - 1)));
        }
        (304, _) => assert_eq!((length, header("content-type")), (None, None)),
        (416, _) => assert_eq!(header("content-range"), Some(&*format!("bytes */{LEN}"))),
        _ => assert_eq!(length, Some("0".into())),
    }
}

#[test]
fn head_is_get_without_the_body() {
    let server = server();
    let mut client = Client::connect(server.local_addr());
    for way in WAYS {
        for _ in 0..2 {
            for (fields, status, _) in cases() {
                // A range of HEAD is ignored; everything else counts.
                let status = if matches!(status, 206 | 416) { 200 } else { status };
                assert_eq!(client.ask("HEAD", way, &fields).status, status, "{way} {fields:?}");
            }
            let (get, head) = (client.get(way), client.ask("HEAD", way, ""));
            let undated = |head: &str| -> Vec<String> {
                head.lines().filter(|line| !line.starts_with("Date")).map(str::to_owned).collect()
            };
            assert_eq!(undated(&get.head), undated(&head.head));
        }
    }
}

#[test]
fn no_validator_means_no_condition_and_404_is_none() {
    let server = server();
    let mut client = Client::connect(server.local_addr());
    for fields in
        ["If-None-Match: \"v1\"\r\n", "If-Modified-Since: Sun, 06 Nov 2044 08:49:37 GMT\r\n"]
    {
        assert_eq!(client.ask("GET", "/bare", fields).status, 200);
        assert_eq!(client.ask("GET", "/none", fields).status, 404);
    }
    assert_eq!(client.ask("GET", "/bare", "Range: bytes=5-9\r\n").body.len(), 5);
    assert_eq!(client.ask("GET", "/none", "Range: bytes=0-1\r\n").status, 404);
    assert_eq!(client.ask("POST", "/bytes", "If-None-Match: \"v1\"\r\n").status, 200);
}

#[test]
fn shortened_file_cuts_the_connection_and_not_the_server() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(1_000_000).unwrap();
    let file = Arc::new(file);
    let server = start_with(builder(), move |request: Request| {
        let len = if request.path() == "/long" { 2_000_000 } else { 1_000_000 };
        Reply::file(Arc::clone(&file), 0, len)
    });
    let mut client = Client::connect(server.local_addr());
    client.send("GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(client.try_answer().is_err());
    let mut client = Client::connect(server.local_addr());
    assert_eq!(client.get("/").body.len(), 1_000_000);
    assert_eq!(server.stats().aborted, 1);
    // A small file is read by the worker, which can still say so.
    assert_eq!(client.ask("GET", "/long", "Range: bytes=1999990-\r\n").status, 500);
}

#[test]
fn the_last_cache_control_is_the_only_one() {
    let server = start_with(builder(), |_: Request| {
        Reply::text("").cache_control("no-cache").cache_control("no-store")
    });
    let answer = Client::connect(server.local_addr()).get("/");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.head.to_ascii_lowercase().matches("cache-control").count(), 1);
}
