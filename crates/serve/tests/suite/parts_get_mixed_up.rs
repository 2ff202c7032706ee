//! Several ranges in one answer, of bytes, hot bytes and files, below and above what goes out by
//! `sendfile`.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use larder_serve::http::HeaderValue;
use larder_serve::http::header::{CONTENT_ENCODING, CONTENT_LANGUAGE};
use larder_serve::{Bytes, Reply, Request, Running};

use crate::client::{Answer, Client, builder, start_with};

const LEN: usize = 2_000_000;

fn content() -> Vec<u8> {
    (0..LEN as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn server() -> Running {
    let bytes = Bytes::from(content());
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"before").unwrap();
    file.write_all(&bytes).unwrap();
    let file = Arc::new(file);
    start_with(builder().hot_entry_bytes(LEN), move |request: Request| {
        let bytes = Reply::bytes("x/y", bytes.clone());
        let reply = match request.path() {
            "/bytes" => bytes,
            "/hot" => bytes.hot(),
            "/gzip" => bytes.header(CONTENT_ENCODING, HeaderValue::from_static("gzip")),
            _ => Reply::file(Arc::clone(&file), 6, LEN as u64).content_type("x/y"),
        };
        reply.etag("v1").header(CONTENT_LANGUAGE, HeaderValue::from_static("de"))
    })
}

/// Takes a `multipart/byteranges` apart, strictly: what each part says, and its bytes.
fn parts(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let content_type = answer.header("content-type").unwrap();
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    assert!(boundary.len() >= 30);
    let mut rest = &answer.body[..];
    let mut parts = Vec::new();
    loop {
        take(&mut rest, if parts.is_empty() { "" } else { "\r\n" });
        take(&mut rest, &format!("--{boundary}"));
        if rest.starts_with(b"--") {
            assert_eq!(rest, b"--\r\n");
            return parts;
        }
        take(&mut rest, "\r\nContent-Type: x/y\r\nContent-Range: ");
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let range = String::from_utf8(rest[..end].to_vec()).unwrap();
        let numbers = range.strip_prefix("bytes ").unwrap().strip_suffix("/2000000").unwrap();
        let (first, last) = numbers.split_once('-').unwrap();
        let len = last.parse::<usize>().unwrap() + 1 - first.parse::<usize>().unwrap();
        let (part, after) = rest[end + 4..].split_at(len);
        parts.push((range, part.to_vec()));
        rest = after;
    }
}

fn take(rest: &mut &[u8], expected: &str) {
    *rest = rest.strip_prefix(expected.as_bytes()).unwrap_or_else(|| panic!("no {expected:?}"));
}

#[test]
fn each_part_is_what_it_says() {
    let (server, content) = (server(), content());
    let mut client = Client::connect(server.local_addr());
    let cases: &[&[Range<usize>]] = &[
        &[0..1, 1000..1001],
        &[0..100_000, 200_000..300_000],
        // One by sendfile, one not; in this order.
        &[1_000_000..1_900_000, 5..10],
        &[5..10, 1_000_000..1_900_000, 500_000..500_001],
        &[LEN - 1..LEN, 0..LEN - 1000],
    ];
    let sixteen: Vec<_> = (0..16).map(|i| i * 100_000..i * 100_000 + 5 + i * 6000).collect();
    for way in ["/bytes", "/hot", "/hot", "/file"] {
        for ranges in cases.iter().copied().chain([&sixteen[..]]) {
            let list: Vec<_> =
                ranges.iter().map(|r| format!("{}-{}", r.start, r.end - 1)).collect();
            let fields = format!("Range: bytes={}\r\nIf-Range: \"v1\"\r\n", list.join(", "));
            let answer = client.ask("GET", way, &fields);
            assert_eq!((answer.status, answer.header("etag")), (206, Some("\"v1\"")), "{fields}");
            assert_eq!(answer.header("content-language"), Some("de"));
            assert_eq!(
                (answer.header("content-range"), answer.header("content-encoding")),
                (None, None)
            );
            let parts = parts(&answer);
            assert_eq!(parts.len(), ranges.len());
            for ((said, bytes), range) in parts.iter().zip(ranges) {
                assert_eq!(*said, format!("bytes {}-{}/{LEN}", range.start, range.end - 1));
                assert!(*bytes == content[range.clone()], "{way} {said}");
            }
        }
        // The connection is where it should be.
        assert!(client.get(way).body == content);
    }
}

#[test]
fn parts_are_no_way_to_multiply_bytes() {
    let (server, content) = (server(), content());
    let mut client = Client::connect(server.local_addr());
    let lists = [
        format!("bytes={}", ["0-"; 16].join(",")),
        format!(
            "bytes={}",
            (0..17).map(|i| format!("{}-{}", i * 1000, i * 1000)).collect::<Vec<_>>().join(",")
        ),
        format!("bytes={}", ["0-"; 2000].join(",")),
    ];
    for way in ["/bytes", "/file"] {
        for list in &lists {
            let answer = client.ask("GET", way, &format!("Range: {list}\r\n"));
            assert!(answer.body == content && matches!(answer.status, 200 | 206), "{list}");
        }
    }
}

#[test]
fn what_has_no_parts_is_whole() {
    let (server, content) = (server(), content());
    let mut client = Client::connect(server.local_addr());
    let range = "Range: bytes=0-9,5000-5009\r\n";
    // Whoever joins parts cannot tell the coding of a part from that of the whole.
    let answer = client.ask("GET", "/gzip", range);
    assert!(answer.status == 200 && answer.body == content);
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(client.ask("GET", "/gzip", "Range: bytes=0-9\r\n").status, 206);
    let answer = client.ask("GET", "/file", &format!("{range}If-Range: \"v2\"\r\n"));
    assert!(answer.status == 200 && answer.body == content);
    let answer = client.ask("HEAD", "/file", range);
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("2000000")));
    assert_eq!(
        client.ask("GET", "/file", &format!("{range}If-None-Match: \"v1\"\r\n")).status,
        304
    );
    let answer = client.ask("GET", "/file", "Range: bytes=0-9,3000000-\r\n");
    assert_eq!(answer.header("content-range"), Some("bytes 0-9/2000000"));
}

#[test]
fn large_parts_one_after_the_other() {
    let (server, content) = (server(), content());
    let mut client = Client::connect(server.local_addr());
    client.send(
        "GET /file HTTP/1.1\r\nHost: x\r\nRange: bytes=0-799999,1000000-1900000\r\n\r\n\
         GET /bytes HTTP/1.1\r\nHost: x\r\nRange: bytes=1000000-1900000,0-799999\r\n\r\n",
    );
    let (first, second) = (parts(&client.answer()), parts(&client.answer()));
    assert!(first[0].1 == content[..800_000] && first[1].1 == content[1_000_000..1_900_001]);
    assert!(second[1].1 == content[..800_000] && second[0].1 == content[1_000_000..1_900_001]);
}
