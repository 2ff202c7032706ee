//! From a reply to bytes on the wire: one representation, and each answer that it can give.

mod multipart;
mod streamed;

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, HeaderName, HeaderValue, SET_COOKIE, VARY,
};

use crate::conditional::{Conditions, Outcome, Validators, unix_s};
use crate::date::DATE_LEN;
use crate::guard::drop_guarded;
use crate::reply::{Lease, Reply};
use crate::stream::Flow;
pub(crate) use multipart::Multipart;
pub(crate) use streamed::Delimited;

/// The header fields of a reply, rendered once for every answer that it can give.
pub(crate) struct Representation {
    status: StatusCode,
    etag: Option<HeaderValue>,
    modified_s: Option<u64>,
    /// Lines that every answer carries, also a 304.
    common: Vec<u8>,
    /// Lines that describe the content, and so go with it alone; `Content-Type` first.
    content: Vec<u8>,
    /// Bytes of `content` that are the line of `Content-Type`.
    type_len: usize,
    /// `Content-Encoding`: then no part can be told from the whole by who joins them.
    encoded: bool,
    len: u64,
    /// `Set-Cookie` or `Vary`: the answer is not for everyone.
    personal: bool,
}

/// What of a body follows a head.
pub(crate) enum Earned {
    /// One part of it; perhaps all of it, perhaps nothing.
    Part(Range<u64>),
    /// Several parts, each with a head of its own.
    Parts(Multipart),
}

/// How the connection goes on after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persist {
    /// HTTP/1.1 stays open without a word.
    Silent,
    /// HTTP/1.0 stays open if told so.
    KeepAlive,
    Close,
}

impl Persist {
    pub(crate) fn new(keep: bool, minor: u8) -> Self {
        match (keep, minor) {
            (false, _) => Self::Close,
            (true, 0) => Self::KeepAlive,
            (true, _) => Self::Silent,
        }
    }
}

/// An answer ready for an I/O thread: a rendered head and the bytes that follow it.
pub(crate) struct Outgoing {
    pub(crate) head: Vec<u8>,
    pub(crate) body: OutBody,
    /// Further heads and bodies to send after this one, the next one last.
    pub(crate) then: Vec<(Vec<u8>, OutBody)>,
    pub(crate) close: bool,
    /// Dropped after the last byte.
    pub(crate) lease: Held,
}

/// A lease, whose drop is code of the user's: it may panic, but it takes no I/O thread along.
#[derive(Default)]
pub(crate) struct Held(pub(crate) Option<Lease>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(lease) = self.0.take() {
            drop_guarded(lease);
        }
    }
}

/// The bytes after a head, with the part that is still to be sent.
pub(crate) enum OutBody {
    Bytes(Bytes),
    File { file: Arc<File>, part: Range<u64> },
    Stream(Box<Flow>),
}

impl Representation {
    /// Renders the fields of `reply`, whose body has `len` bytes.
    pub(crate) fn new(reply: &Reply, len: u64) -> Self {
        let mut rendered = Self {
            status: reply.status,
            etag: reply.etag.clone(),
            modified_s: reply.last_modified.map(unix_s),
            common: Vec::with_capacity(128),
            content: Vec::with_capacity(64),
            type_len: 0,
            encoded: false,
            len,
            personal: false,
        };
        if let Some(value) = &reply.content_type {
            line(&mut rendered.content, b"Content-Type", value.as_bytes());
        }
        rendered.type_len = rendered.content.len();
        if let Some(etag) = &rendered.etag {
            line(&mut rendered.common, b"ETag", etag.as_bytes());
        }
        if let Some(time) = reply.last_modified {
            let date = httpdate::fmt_http_date(time);
            line(&mut rendered.common, b"Last-Modified", date.as_bytes());
        }
        for (name, value) in &reply.fields {
            rendered.field(name, value);
        }
        rendered
    }

    fn field(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.personal |= *name == SET_COOKIE || *name == VARY;
        self.encoded |= *name == CONTENT_ENCODING;
        let about_content = [CONTENT_ENCODING, CONTENT_LANGUAGE].contains(name)
            || (name.as_str().starts_with("content-") && *name != CONTENT_LOCATION);
        let lines = if about_content { &mut self.content } else { &mut self.common };
        line(lines, name.as_str().as_bytes(), value.as_bytes());
    }

    /// Tells whether anyone who asks for the same target may be given this answer.
    pub(crate) fn is_for_everyone(&self) -> bool {
        self.status == StatusCode::OK && !self.personal
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.common.capacity() + self.content.capacity()
    }

    /// Appends the head of the answer that a `GET` or `HEAD` with these conditions earns.
    /// Returns what of the body to send after it.
    pub(crate) fn answer(
        &self,
        conditions: &Conditions<'_>,
        is_head: bool,
        persist: Persist,
        date: &[u8; DATE_LEN],
        out: &mut Vec<u8>,
    ) -> Earned {
        let outcome = if self.status == StatusCode::OK {
            let etag = self.etag.as_ref().map(HeaderValue::as_bytes);
            let has = Validators { etag, modified_s: self.modified_s };
            conditions.evaluate(has, self.len, is_head)
        } else {
            Outcome::Full
        };
        match outcome {
            Outcome::Parts(parts) if !self.encoded => {
                let parts = Multipart::new(self, parts);
                self.several(&parts, persist, date, out);
                return Earned::Parts(parts);
            }
            Outcome::Full | Outcome::Parts(_) => {
                self.full(persist, date, out);
                if !is_head && may_have_body(self.status) {
                    return Earned::Part(0..self.len);
                }
            }
            Outcome::Partial(part) => {
                self.partial(&part, persist, date, out);
                return Earned::Part(part);
            }
            Outcome::NotModified => {
                status_line(StatusCode::NOT_MODIFIED, date, out);
                out.extend_from_slice(&self.common);
                finish(persist, out);
            }
            Outcome::PreconditionFailed => {
                self.without_body(StatusCode::PRECONDITION_FAILED, persist, date, out);
            }
            Outcome::RangeNotSatisfiable => {
                self.without_body(StatusCode::RANGE_NOT_SATISFIABLE, persist, date, out);
            }
        }
        Earned::Part(0..0)
    }

    fn full(&self, persist: Persist, date: &[u8; DATE_LEN], out: &mut Vec<u8>) {
        status_line(self.status, date, out);
        out.extend_from_slice(&self.common);
        out.extend_from_slice(&self.content);
        if may_have_body(self.status) {
            length(self.len, out);
        } else if self.status == StatusCode::RESET_CONTENT {
            length(0, out);
        }
        if self.status == StatusCode::OK {
            out.extend_from_slice(b"Accept-Ranges: bytes\r\n");
        }
        finish(persist, out);
    }

    fn partial(
        &self,
        part: &Range<u64>,
        persist: Persist,
        date: &[u8; DATE_LEN],
        out: &mut Vec<u8>,
    ) {
        status_line(StatusCode::PARTIAL_CONTENT, date, out);
        out.extend_from_slice(&self.common);
        out.extend_from_slice(&self.content);
        let (first, last, len) = (part.start, part.end - 1, self.len);
        push(out, format_args!("Content-Range: bytes {first}-{last}/{len}\r\n"));
        length(part.end - part.start, out);
        out.extend_from_slice(b"Accept-Ranges: bytes\r\n");
        finish(persist, out);
    }

    fn several(
        &self,
        parts: &Multipart,
        persist: Persist,
        date: &[u8; DATE_LEN],
        out: &mut Vec<u8>,
    ) {
        status_line(StatusCode::PARTIAL_CONTENT, date, out);
        out.extend_from_slice(&self.common);
        let boundary = &parts.boundary;
        push(out, format_args!("Content-Type: multipart/byteranges; boundary={boundary}\r\n"));
        out.extend_from_slice(&self.content[self.type_len..]);
        length(parts.len(), out);
        out.extend_from_slice(b"Accept-Ranges: bytes\r\n");
        finish(persist, out);
    }

    fn without_body(
        &self,
        status: StatusCode,
        persist: Persist,
        date: &[u8; DATE_LEN],
        out: &mut Vec<u8>,
    ) {
        status_line(status, date, out);
        out.extend_from_slice(&self.common);
        if status == StatusCode::RANGE_NOT_SATISFIABLE {
            push(out, format_args!("Content-Range: bytes */{}\r\n", self.len));
        }
        length(0, out);
        finish(persist, out);
    }
}

/// Appends a whole small answer that the server gives by itself.
pub(crate) fn canned(
    status: StatusCode,
    reason: &str,
    persist: Persist,
    is_head: bool,
    date: &[u8; DATE_LEN],
    out: &mut Vec<u8>,
) {
    status_line(status, date, out);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        out.extend_from_slice(b"Retry-After: 1\r\n");
    }
    out.extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\n");
    length(reason.len() as u64 + 1, out);
    finish(persist, out);
    if !is_head {
        out.extend_from_slice(reason.as_bytes());
        out.push(b'\n');
    }
}

/// Where the date begins in every head: right after the status line and `Date: `.
pub(crate) fn date_position(head: &[u8]) -> usize {
    memchr::memchr(b'\n', head).map_or(0, |end| end + 1 + b"Date: ".len())
}

fn status_line(status: StatusCode, date: &[u8; DATE_LEN], out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or("Unknown").as_bytes());
    out.extend_from_slice(b"\r\n");
    line(out, b"Date", date);
}

fn finish(persist: Persist, out: &mut Vec<u8>) {
    out.extend_from_slice(match persist {
        Persist::Silent => b"\r\n".as_slice(),
        Persist::KeepAlive => b"Connection: keep-alive\r\n\r\n",
        Persist::Close => b"Connection: close\r\n\r\n",
    });
}

fn length(len: u64, out: &mut Vec<u8>) {
    push(out, format_args!("Content-Length: {len}\r\n"));
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(text);
}

/// 204 and 304 have neither body nor length; 205 says that its body is empty (1xx never gets
/// here).
fn may_have_body(status: StatusCode) -> bool {
    let without = [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];
    !without.contains(&status)
}
