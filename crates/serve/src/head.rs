//! The grammar of a request head: httparse, then the rules that it leaves to us.
//!
//! Where two readings of the same bytes exist, somebody else on the way may take the other one, so
//! we refuse rather than guess: bare LF, obs-fold, two lengths, a length and an encoding, an
//! encoding that is not exactly `chunked`, a missing or doubled `Host`. Every refusal closes.

use std::mem::MaybeUninit;

use http::StatusCode;

use crate::conditional::Conditions;

/// The most header fields a request may have.
pub(crate) const MAX_FIELDS: usize = 100;

/// Where httparse leaves the fields; lives on the stack of the I/O thread and is never zeroed.
pub(crate) type FieldStore<'b> = [MaybeUninit<httparse::Header<'b>>; MAX_FIELDS];

/// A head that was accepted, borrowed from the read buffer.
pub(crate) struct Head<'h, 'b> {
    pub(crate) method: &'b str,
    pub(crate) target: &'b str,
    /// 0 or 1: the minor version of HTTP/1.
    pub(crate) minor: u8,
    pub(crate) fields: &'h [httparse::Header<'b>],
    /// Bytes that the head took, leading empty line included.
    pub(crate) len: usize,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
    pub(crate) conditions: Conditions<'b>,
}

/// How the body of a request is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// A request that is answered with an error and a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reason: &'static str,
}

/// What the bytes so far amount to.
#[expect(clippy::large_enum_variant, reason = "looked at where it was made, and gone")]
pub(crate) enum Parsed<'h, 'b> {
    Complete(Head<'h, 'b>),
    Partial,
}

pub(crate) const fn refuse(status: StatusCode, reason: &'static str) -> Refusal {
    Refusal { status, reason }
}

const TOO_LONG: Refusal =
    refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "request head too long");

const fn bad(reason: &'static str) -> Refusal {
    refuse(StatusCode::BAD_REQUEST, reason)
}

/// Parses one head at the start of `bytes`, which may hold more than the head; one of more than
/// `limit` bytes is refused.
///
/// What comes of it does not depend on where reads end: a fault is named when the line that shows
/// it is complete if that is the request line, and otherwise when the head is, unless a bare LF or
/// the limit comes before.
pub(crate) fn parse<'h, 'b>(
    bytes: &'b [u8],
    limit: usize,
    store: &'h mut FieldStore<'b>,
) -> Result<Parsed<'h, 'b>, Refusal> {
    let skipped = leading_line(bytes)?;
    let text = &bytes[skipped..];
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(text, store) {
        Ok(httparse::Status::Complete(len)) if skipped + len <= limit => len,
        other => {
            let complete = is_complete(bytes, 0, limit)?;
            return match other {
                Err(error) if complete => Err(refusal_of(error, text)),
                _ => Ok(Parsed::Partial),
            };
        }
    };
    check_line_ends(&text[..len])?;
    let method = request.method.unwrap_or_default();
    let target = request.path.unwrap_or_default();
    let minor = request.version.unwrap_or_default();
    let facts = Facts::of(request.headers, minor)?;
    check_target(method, target, facts.host)?;
    Ok(Parsed::Complete(Head {
        method,
        target,
        minor,
        fields: request.headers,
        len: skipped + len,
        framing: facts.framing()?,
        keep_alive: facts.keep_alive(),
        expects_continue: facts.expects_continue,
        conditions: facts.conditions,
    }))
}

/// Looks for the end of a head from `from` on; `Err` for a line end that no head may have, for a
/// request line that is none, and for a head that does not end within `limit`.
///
/// Used between reads, so that a head sent byte by byte is parsed once and not once a byte. What
/// follows the head in the buffer is a body, or the next head: no rule of this one applies to it.
pub(crate) fn is_complete(bytes: &[u8], from: usize, limit: usize) -> Result<bool, Refusal> {
    let skipped = leading_line(bytes)?;
    let head = &bytes[..bytes.len().min(limit)];
    // Of the end that was looked for before, up to three bytes may have been there already.
    let start = from.saturating_sub(3).max(skipped).min(head.len());
    for at in memchr::memchr_iter(b'\n', &head[start..]).map(|at| start + at) {
        // The line ends seen before are few: those at the overlap with the last look.
        if memchr::memchr(b'\n', &head[skipped..at]).is_none() {
            check_request_line(&head[skipped..=at])?;
        }
        if at == 0 || head[at - 1] != b'\r' {
            return Err(bad("bare LF"));
        }
        if at >= 3 && head[at - 3..].starts_with(b"\r\n\r\n") {
            return Ok(true);
        }
    }
    if bytes.len() >= limit { Err(TOO_LONG) } else { Ok(false) }
}

/// One empty line before the request line is allowed (RFC 9112, 2.2), as some clients end bodies
/// so.
fn leading_line(bytes: &[u8]) -> Result<usize, Refusal> {
    let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    match bytes[skipped..] {
        [b'\r', ..] if bytes.len() == 1 => Ok(0),
        [first, ..] if !is_token(first) => Err(bad("no request line")),
        _ => Ok(skipped),
    }
}

/// `line` includes its end.
fn check_request_line(line: &[u8]) -> Result<(), Refusal> {
    match httparse::Request::new(&mut []).parse(line) {
        Ok(_) => Ok(()),
        Err(error) => Err(refusal_of(error, line)),
    }
}

/// httparse takes a bare LF for a line end; a proxy before us may not.
fn check_line_ends(head: &[u8]) -> Result<(), Refusal> {
    for at in memchr::memchr_iter(b'\n', head) {
        if at == 0 || head[at - 1] != b'\r' {
            return Err(bad("bare LF"));
        }
    }
    Ok(())
}

fn refusal_of(error: httparse::Error, text: &[u8]) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => {
            refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too many header fields")
        }
        httparse::Error::Version if is_other_version(text) => {
            refuse(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.0 and HTTP/1.1")
        }
        httparse::Error::HeaderName => bad("invalid header name"),
        httparse::Error::HeaderValue => bad("invalid header value"),
        _ => bad("invalid request line"),
    }
}

/// Tells a well-formed line with a version that we do not speak (`HTTP/2.0`) from a malformed one.
fn is_other_version(text: &[u8]) -> bool {
    let line = text.split(|&b| b == b'\r').next().unwrap_or(text);
    let mut parts = line.split(|&b| b == b' ').skip(2);
    let (Some(version), None) = (parts.next(), parts.next()) else { return false };
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// What the header fields say about framing, routing and the connection.
struct Facts<'b> {
    minor: u8,
    host: Option<&'b [u8]>,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep: bool,
    expects_continue: bool,
    conditions: Conditions<'b>,
}

impl<'b> Facts<'b> {
    fn of(fields: &[httparse::Header<'b>], minor: u8) -> Result<Self, Refusal> {
        let mut facts = Self {
            minor,
            host: None,
            length: None,
            chunked: false,
            close: false,
            keep: false,
            expects_continue: false,
            conditions: Conditions::default(),
        };
        for field in fields {
            facts.observe(field.name, field.value)?;
        }
        if facts.host.is_none() && minor == 1 {
            return Err(bad("no Host"));
        }
        Ok(facts)
    }

    /// Told by length first: of the fields of a usual request, few are compared at all.
    fn observe(&mut self, name: &str, value: &'b [u8]) -> Result<(), Refusal> {
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => self.host(value),
            10 if name.eq_ignore_ascii_case("connection") => self.connection(value),
            14 if name.eq_ignore_ascii_case("content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case("transfer-encoding") => self.transfer_encoding(value),
            6 if name.eq_ignore_ascii_case("expect") => self.expect(value),
            _ => {
                self.conditions.observe(name, value);
                Ok(())
            }
        }
    }

    fn host(&mut self, value: &'b [u8]) -> Result<(), Refusal> {
        if self.host.is_some() {
            return Err(bad("two Host fields"));
        }
        if !is_authority(value) {
            return Err(bad("invalid Host"));
        }
        self.host = Some(value);
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for option in value.split(|&b| b == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep |= option.eq_ignore_ascii_case(b"keep-alive");
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.length.is_some() {
            return Err(bad("two Content-Length fields"));
        }
        // 18 digits always fit; nobody sends an exabyte.
        if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
            return Err(bad("invalid Content-Length"));
        }
        self.length = Some(value.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0')));
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.minor == 0 {
            return Err(bad("Transfer-Encoding in HTTP/1.0"));
        }
        if self.chunked {
            return Err(bad("two Transfer-Encoding fields"));
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(unknown_encoding(value));
        }
        self.chunked = true;
        Ok(())
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(refuse(StatusCode::EXPECTATION_FAILED, "unknown expectation"));
        }
        self.expects_continue = self.minor == 1;
        Ok(())
    }

    fn framing(&self) -> Result<Framing, Refusal> {
        match (self.length, self.chunked) {
            (Some(_), true) => Err(bad("both Content-Length and Transfer-Encoding")),
            (None, true) => Ok(Framing::Chunked),
            (Some(0) | None, false) => Ok(Framing::None),
            (Some(length), false) => Ok(Framing::Length(length)),
        }
    }

    fn keep_alive(&self) -> bool {
        !self.close && (self.minor == 1 || self.keep)
    }
}

/// A coding that exists but that we do not have is 501; anything else is an attack or a mistake.
fn unknown_encoding(value: &[u8]) -> Refusal {
    let known: &[&[u8]] = &[b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress"];
    let first = value.split(|&b| b == b',').next().unwrap_or(value).trim_ascii();
    if known.iter().any(|k| first.eq_ignore_ascii_case(k)) {
        return refuse(StatusCode::NOT_IMPLEMENTED, "transfer coding not implemented");
    }
    bad("Transfer-Encoding other than chunked")
}

fn check_target(method: &str, target: &str, host: Option<&[u8]>) -> Result<(), Refusal> {
    if method == "CONNECT" {
        return Err(refuse(StatusCode::NOT_IMPLEMENTED, "CONNECT is not implemented"));
    }
    if !target.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'#') {
        return Err(bad("invalid byte in target"));
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return Ok(());
    }
    let Some(authority) = authority(target) else { return Err(bad("invalid target")) };
    match host {
        Some(host) if host.eq_ignore_ascii_case(authority.as_bytes()) => Ok(()),
        Some(_) => Err(bad("target contradicts Host")),
        None => Ok(()),
    }
}

/// The authority of an absolute-form target.
fn authority(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = &rest[..end];
    is_authority(authority.as_bytes()).then_some(authority)
}

/// Splits a target that was accepted into its path and its query, both as sent.
pub(crate) fn split_target(target: &str) -> (&str, Option<&str>) {
    let origin = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => {
            rest.find(['/', '?']).map_or("/", |at| &rest[at..])
        }
        _ => target,
    };
    match origin.split_once('?') {
        Some(("", query)) => ("/", Some(query)),
        Some((path, query)) => (path, Some(query)),
        None => (origin, None),
    }
}

/// `host[:port]` (RFC 3986, 3.2.2), IPv6 literals included; no user info. The port may be empty.
/// Commas, which names may have by the grammar, are refused: they come of joined lines.
fn is_authority(value: &[u8]) -> bool {
    let is_literal = value.first() == Some(&b'[');
    let end = match is_literal {
        true => memchr::memchr(b']', value).map_or(0, |at| at + 1),
        false => memchr::memchr(b':', value).unwrap_or(value.len()),
    };
    let (host, port) = value.split_at(end);
    let is_host = match is_literal {
        true => host.len() > 2 && host[1..end - 1].iter().all(|&b| b == b':' || is_name_byte(b)),
        false => !host.is_empty() && is_name(host),
    };
    let is_port =
        |(colon, digits): (&u8, &[u8])| *colon == b':' && digits.iter().all(u8::is_ascii_digit);
    is_host && port.split_first().is_none_or(is_port)
}

/// A name or an IPv4 address: each `%` begins an octet of two hexadecimal digits.
fn is_name(host: &[u8]) -> bool {
    let mut rest = host;
    while let Some((&b, after)) = rest.split_first() {
        rest = match (b, after) {
            (b'%', [a, b, after @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => after,
            _ if is_name_byte(b) => after,
            _ => return false,
        };
    }
    true
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&b)
}

/// Bytes of a token (RFC 9110, 5.6.2), of which methods and header names are made.
pub(crate) fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests;
