//! Requests that are refused, rule by rule, and requests that are accepted and as what.
//!
//! The characters are Latin-1, so that a vector may hold any byte. Refused ones name their status.

mod accepted;
mod chunks;
mod fields;
mod framing;
mod heads;

/// Bodies are refused above this; the vectors count on it.
pub const BODY_LIMIT: usize = 1000;

/// A rule of the grammar, and what breaks it.
pub struct Rule {
    pub broken_by: &'static str,
    written: Written,
    vectors: &'static [(u16, &'static str)],
}

/// What is written in a vector; the rest of its request is as it should be.
#[derive(Clone, Copy)]
enum Written {
    Whole,
    /// The target.
    Target,
    /// The value of `Host`.
    Host,
    /// A line of the head.
    Field,
    /// The value of `Content-Length`.
    Length,
    /// The value of `Transfer-Encoding`.
    Coding,
    /// The body, in chunks.
    Chunked,
}

impl Written {
    fn request(self, vector: &str) -> Vec<u8> {
        bytes(&match self {
            Self::Whole => vector.to_owned(),
            Self::Target => format!("GET {vector} HTTP/1.1\r\nHost: x\r\n\r\n"),
            Self::Host => format!("GET / HTTP/1.1\r\nHost: {vector}\r\n\r\n"),
            Self::Field => format!("GET / HTTP/1.1\r\nHost: x\r\n{vector}\r\n\r\n"),
            Self::Length => {
                format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {vector}\r\n\r\na")
            }
            Self::Coding => {
                let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding";
                format!("{head}: {vector}\r\n\r\n0\r\n\r\n")
            }
            Self::Chunked => return chunked(vector),
        })
    }
}

/// What each rule is broken by, and all that breaks it.
pub fn rules() -> impl Iterator<Item = (&'static str, u16, Vec<u8>)> {
    let written = [heads::RULES, fields::RULES, framing::RULES, chunks::RULES];
    let written = written.into_iter().flatten().flat_map(|rule| {
        let request = |(status, vector): &(u16, &str)| {
            (rule.broken_by, *status, rule.written.request(vector))
        };
        rule.vectors.iter().map(request)
    });
    written.chain(too_long())
}

/// All refused vectors.
pub fn refused() -> impl Iterator<Item = (u16, Vec<u8>)> {
    rules().map(|(_, status, request)| (status, request))
}

/// What is right but for its length.
fn too_long() -> impl Iterator<Item = (&'static str, u16, Vec<u8>)> {
    let get = |rest: &str| bytes(&format!("GET / HTTP/1.1\r\nHost: x\r\n{rest}\r\n"));
    let (extension, trailers) = ("an extension above its cap", "trailers above their cap");
    let (body, head) = ("a body above the limit", "a head above its cap");
    let long = "v".repeat(17_000);
    [
        (extension, 400, chunked(&format!("1;{}\r\na\r\n0\r\n\r\n", "e".repeat(300)))),
        (extension, 400, chunked(&format!("1;{}\r\na\r\n0\r\n\r\n", "e=f;".repeat(70)))),
        (extension, 400, chunked(&format!("1\r\na\r\n0;{}\r\n\r\n", "e".repeat(300)))),
        // Each within its cap, and all of them above theirs.
        (extension, 400, chunked(&format!("1;{}\r\na\r\n", "e".repeat(200)).repeat(100))),
        (trailers, 400, chunked(&format!("0\r\nA: {}\r\n\r\n", "v".repeat(5000)))),
        (trailers, 400, chunked(&format!("0\r\n{}: v\r\n\r\n", "A".repeat(5000)))),
        (trailers, 400, chunked(&format!("0\r\n{}\r\n", "A: b\r\n".repeat(1000)))),
        (body, 413, chunked(&format!("{}3e9\r\n", "1\r\na\r\n".repeat(10)))),
        (body, 413, chunked(&"1\r\na\r\n".repeat(BODY_LIMIT + 1))),
        (head, 431, get(&"A: b\r\n".repeat(101))),
        (head, 431, get(&format!("A: {long}\r\n"))),
        (head, 431, get(&format!("{long}: b\r\n"))),
        (head, 431, bytes(&format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"))),
        (head, 431, bytes(&format!("GET{long} / HTTP/1.1\r\nHost: x\r\n\r\n"))),
        (head, 431, bytes(&format!("G({long} / HTTP/1.1\r\nHost: x\r\n\r\n"))),
    ]
    .into_iter()
}

/// All accepted vectors, with what the handler sees.
pub fn accepted() -> impl Iterator<Item = (Vec<u8>, String)> {
    let heads = accepted::WHOLE.iter().map(|(vector, seen)| (bytes(vector), (*seen).to_owned()));
    let chunks =
        accepted::CHUNKED.iter().map(|(body, seen)| (chunked(body), format!("POST / {seen}")));
    let (extension, value) = ("e".repeat(200), "v".repeat(2000));
    let long = [
        format!("1;{extension}\r\na\r\n0;{extension}\r\n\r\n"),
        format!("1\r\na\r\n0\r\nA: {value}\r\n\r\n"),
        format!("{:0>15}\r\na\r\n0\r\n\r\n", 1),
    ];
    let long = long.map(|body| (chunked(&body), "POST / a".to_owned()));
    let most = "a".repeat(BODY_LIMIT);
    let most = (chunked(&format!("3e8\r\n{most}\r\n0\r\n\r\n")), format!("POST / {most}"));
    heads.chain(chunks).chain(long).chain([most])
}

fn chunked(body: &str) -> Vec<u8> {
    bytes(&format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}"))
}

/// Latin-1: a vector may hold bytes that are no UTF-8.
pub fn bytes(vector: &str) -> Vec<u8> {
    vector.chars().map(|c| c as u8).collect()
}
