//! What a reply becomes for the request that it answers: a rendered head and the bytes after it.
//!
//! Done by the worker whose handler replied, by the thread that completed a ticket, or, for the
//! fast path, by an I/O thread; [`Reading`] says whether that one may wait for a disk.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;

use crate::builder::Config;
use crate::conditional::Conditions;
use crate::date;
use crate::exchange::Exchange;
use crate::hot::{HotInsert, Stamp};
use crate::os;
use crate::pages::Kept;
use crate::render::{Delimited, Earned, Multipart, OutBody, Outgoing, Persist, Representation};
use crate::reply::{Reply, ReplyBody};
use crate::stream::Source;

/// The most bytes of several parts that are copied to leave in one write.
const MAX_JOINED: usize = 64 * 1024;

/// What matters of a request to its answer.
pub(crate) struct Asked<'r> {
    pub(crate) target: &'r str,
    pub(crate) is_get: bool,
    pub(crate) is_head: bool,
    /// Empty unless the method is `GET` or `HEAD`.
    pub(crate) conditions: Conditions<'r>,
    pub(crate) persist: Persist,
    /// Generations of the response cache from before whoever answers had begun.
    pub(crate) stamp: Stamp,
}

/// Whether small parts of files may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// On a worker.
    Waits,
    /// On an I/O thread: what is not in memory goes out by descriptor, which waits elsewhere.
    Never,
}

impl<'r> Asked<'r> {
    pub(crate) fn of(exchange: &'r Exchange) -> Self {
        let is_get = exchange.method == Method::GET;
        let is_head = exchange.method == Method::HEAD;
        let conditions =
            if is_get || is_head { exchange.conditions() } else { Conditions::default() };
        Self {
            target: exchange.target(),
            is_get,
            is_head,
            conditions,
            persist: Persist::new(exchange.keep_alive, exchange.minor),
            stamp: exchange.stamp,
        }
    }

    fn closes(&self) -> bool {
        self.persist == Persist::Close
    }
}

/// Renders a reply whose body is bytes; any other body is left out.
pub(crate) fn plain(asked: &Asked<'_>, reply: Reply) -> Outgoing {
    let body = match reply.body {
        ReplyBody::Bytes(ref bytes) => bytes.clone(),
        _ => Bytes::new(),
    };
    let representation = Representation::new(&reply, body.len() as u64);
    let (head, earned) = head_of(asked, &representation);
    let (body, then) = match earned {
        Earned::Part(part) => (bytes_of(&body, part), Vec::new()),
        // An error is no representation that has parts; but if it were, bytes cannot fail.
        Earned::Parts(parts) => several(parts, |part| Ok(bytes_of(&body, part)))
            .unwrap_or_else(|_| (OutBody::Bytes(Bytes::new()), Vec::new())),
    };
    Outgoing { head, body, then, close: asked.closes(), lease: reply.lease }
}

/// Renders any reply, with what the response cache is to keep of it.
///
/// # Errors
///
/// If a file cannot be read as promised, or the reply is none that can be given now.
pub(crate) fn prepare(
    asked: &Asked<'_>,
    config: &Config,
    mut reply: Reply,
    reading: Reading,
) -> io::Result<(Outgoing, Option<HotInsert>)> {
    let (file, offset, len) = match reply.body {
        ReplyBody::Bytes(ref bytes) => (None, 0, bytes.len() as u64),
        ReplyBody::File { ref file, offset, len } => (Some(Arc::clone(file)), offset, len),
        // One wait is enough; and a stream is `stream`'s.
        ReplyBody::Later(_) | ReplyBody::Stream { .. } => {
            return Err(io::ErrorKind::InvalidInput.into());
        }
    };
    // No part of the body may begin or end beyond what can be counted.
    let end = offset.checked_add(len).ok_or(io::ErrorKind::InvalidInput)?;
    let representation = Representation::new(&reply, len);
    // Only targets that begin with a slash are looked up; another would take room for nothing.
    let hot = reply.hot
        && asked.is_get
        && asked.target.starts_with('/')
        && len <= config.hot_entry_bytes as u64
        && representation.is_for_everyone();
    if let Some(file) = file.as_ref().filter(|_| hot)
        && let Some(bytes) = read(file, offset..end, reading)?
    {
        reply.body = ReplyBody::Bytes(bytes);
    }
    let (head, earned) = head_of(asked, &representation);
    let body_of = |part: Range<u64>| match (&reply.body, &file) {
        (ReplyBody::Bytes(bytes), _) => Ok(bytes_of(bytes, part)),
        (_, Some(file)) => file_of(file, offset + part.start..offset + part.end, config, reading),
        (_, None) => Err(io::ErrorKind::InvalidInput.into()),
    };
    let (body, then) = match earned {
        Earned::Part(part) => (body_of(part)?, Vec::new()),
        Earned::Parts(parts) => several(parts, body_of)?,
    };
    let outgoing = Outgoing { head, body, then, close: asked.closes(), lease: reply.lease };
    let hot = match reply.body {
        ReplyBody::Bytes(body) if hot => Some(HotInsert {
            target: asked.target.as_bytes().into(),
            representation,
            body: Kept::Bytes(body),
            stamp: asked.stamp,
        }),
        _ => None,
    };
    Ok((outgoing, hot))
}

/// Renders the head of a stream; with it the reader, unless no body follows.
pub(crate) fn stream(
    asked: &Asked<'_>,
    minor: u8,
    mut reply: Reply,
) -> (Outgoing, Option<(Source, Delimited)>) {
    let empty = ReplyBody::Bytes(Bytes::new());
    let (reader, len) = match std::mem::replace(&mut reply.body, empty) {
        ReplyBody::Stream { reader, len } => (reader, len),
        _ => return (plain(asked, reply), None),
    };
    let delimited = match len {
        Some(len) => Delimited::Length(len),
        None if minor > 0 => Delimited::Chunks,
        None => Delimited::Close,
    };
    let persist = if delimited.is_close() { Persist::Close } else { asked.persist };
    let representation = Representation::new(&reply, 0);
    let mut head = Vec::with_capacity(320);
    let how = (persist, delimited);
    let has_body = date::with_date(|date| {
        let (conditions, date) = (&asked.conditions, date.text());
        representation.answer_streamed(conditions, asked.is_head, how, date, &mut head)
    });
    let body = OutBody::Bytes(Bytes::new());
    let close = persist == Persist::Close;
    let outgoing = Outgoing { head, body, then: Vec::new(), close, lease: reply.lease };
    (outgoing, has_body.then(|| (Source::new(reader, delimited), delimited)))
}

fn head_of(asked: &Asked<'_>, representation: &Representation) -> (Vec<u8>, Earned) {
    let mut head = Vec::with_capacity(320);
    let earned = date::with_date(|date| {
        let date = date.text();
        representation.answer(&asked.conditions, asked.is_head, asked.persist, date, &mut head)
    });
    (head, earned)
}

fn bytes_of(bytes: &Bytes, part: Range<u64>) -> OutBody {
    OutBody::Bytes(bytes.slice(part.start as usize..part.end as usize))
}

/// What follows a head, and further heads with what follows them, the next one last.
type Bodies = (OutBody, Vec<(Vec<u8>, OutBody)>);

/// Several parts of one body. Where all are in memory and small, they leave together.
fn several(
    parts: Multipart,
    mut body_of: impl FnMut(Range<u64>) -> io::Result<OutBody>,
) -> io::Result<Bodies> {
    let with_body = |(head, part)| Ok((head, body_of(part)?));
    let mut then: Vec<_> = parts.parts.into_iter().map(with_body).collect::<io::Result<_>>()?;
    then.push((parts.end, OutBody::Bytes(Bytes::new())));
    if let Some(joined) = join(&then) {
        return Ok((OutBody::Bytes(joined), Vec::new()));
    }
    then.reverse();
    Ok((OutBody::Bytes(Bytes::new()), then))
}

/// `None` if copying would cost more than the system calls that it saves.
fn join(parts: &[(Vec<u8>, OutBody)]) -> Option<Bytes> {
    let mut joined = Vec::new();
    for (head, body) in parts {
        let OutBody::Bytes(bytes) = body else { return None };
        joined.extend_from_slice(head);
        joined.extend_from_slice(bytes);
        if joined.len() > MAX_JOINED {
            return None;
        }
    }
    Some(Bytes::from(joined))
}

/// Small parts leave together with their head, others by `sendfile`.
fn file_of(
    file: &Arc<File>,
    part: Range<u64>,
    config: &Config,
    reading: Reading,
) -> io::Result<OutBody> {
    if part.end - part.start <= config.sendfile_above as u64
        && let Some(bytes) = read(file, part.clone(), reading)?
    {
        return Ok(OutBody::Bytes(bytes));
    }
    Ok(OutBody::File { file: Arc::clone(file), part })
}

/// `None` if the bytes are not in memory and may not be waited for.
fn read(file: &File, part: Range<u64>, reading: Reading) -> io::Result<Option<Bytes>> {
    let mut bytes = vec![0; (part.end - part.start) as usize];
    match reading {
        Reading::Waits => file.read_exact_at(&mut bytes, part.start)?,
        Reading::Never if os::read_warm(file, &mut bytes, part.start) => {}
        Reading::Never => return Ok(None),
    }
    Ok(Some(Bytes::from(bytes)))
}
