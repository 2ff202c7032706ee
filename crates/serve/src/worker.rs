//! Workers: take a job, run the blocking handler, hand the answer to the I/O thread.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};

use crate::date;
use crate::exchange::Exchange;
use crate::handler::Handler;
use crate::hot::HotInsert;
use crate::io::mailbox::Message;
use crate::queue::Job;
use crate::render::{OutBody, Outgoing, Persist, Representation};
use crate::reply::{Reply, ReplyBody};
use crate::request::Request;
use crate::server::Shared;
use crate::stats::{add, set};

/// The life of worker `index`: ends when the queue is closed and empty.
pub(crate) fn run(shared: &Arc<Shared>, handler: &dyn Handler, index: usize) {
    let counters = &shared.workers[index];
    while let Some(Job { exchange, body }) = shared.queue.pop() {
        if !exchange.begin() {
            add(&counters.dropped, 1);
            // Nobody listens if the client has gone; if it is merely late, it is told so.
            deliver(&exchange, Reply::status(StatusCode::SERVICE_UNAVAILABLE));
            continue;
        }
        set(&counters.busy, 1);
        let request = Request::new(Arc::clone(&exchange), body);
        // The handler sees nothing of ours but what it owns, so no state of ours is torn.
        let reply = catch_unwind(AssertUnwindSafe(|| handler.handle(request)));
        add(&counters.handled, 1);
        set(&counters.busy, 0);
        let reply = reply.unwrap_or_else(|_| {
            add(&counters.panics, 1);
            Reply::status(StatusCode::INTERNAL_SERVER_ERROR)
        });
        match reply.body {
            ReplyBody::Later(cell) => cell.arm(exchange),
            _ => deliver(&exchange, reply),
        }
    }
}

/// Renders a reply for the request it answers and hands it to the connection's I/O thread.
pub(crate) fn deliver(exchange: &Arc<Exchange>, reply: Reply) {
    // A panic must not get out: there is one worker less for ever where it does.
    let prepared = catch_unwind(AssertUnwindSafe(|| prepare(exchange, reply)));
    let (outgoing, hot) = prepared.ok().and_then(Result::ok).unwrap_or_else(|| {
        // The file could not be read as promised. A reply without a file cannot fail.
        let reply = Reply::status(StatusCode::INTERNAL_SERVER_ERROR);
        (plain(exchange, reply), None)
    });
    let mailbox = &exchange.shared.mailboxes[exchange.id.thread as usize];
    mailbox.push(Message::Reply {
        id: exchange.id,
        outgoing: Box::new(outgoing),
        hot: hot.map(Box::new),
    });
}

fn plain(exchange: &Exchange, reply: Reply) -> Outgoing {
    let body = match reply.body {
        ReplyBody::Bytes(ref bytes) => bytes.clone(),
        _ => Bytes::new(),
    };
    let representation = Representation::new(&reply, body.len() as u64);
    let (head, part) = answer(exchange, &representation);
    Outgoing { head, body: bytes_of(body, part), close: !exchange.keep_alive, _lease: reply.lease }
}

fn prepare(exchange: &Exchange, mut reply: Reply) -> io::Result<(Outgoing, Option<HotInsert>)> {
    let config = &exchange.shared.config;
    let (file, offset, len) = match reply.body {
        ReplyBody::Bytes(ref bytes) => (None, 0, bytes.len() as u64),
        ReplyBody::File { ref file, offset, len } => (Some(Arc::clone(file)), offset, len),
        // One wait is enough.
        ReplyBody::Later(_) => return Err(io::ErrorKind::InvalidInput.into()),
    };
    // No part of the body may begin or end beyond what can be counted.
    let end = offset.checked_add(len).ok_or(io::ErrorKind::InvalidInput)?;
    let representation = Representation::new(&reply, len);
    // Only targets that begin with a slash are looked up; another would take room for nothing.
    let hot = reply.hot
        && exchange.method == Method::GET
        && exchange.target().starts_with('/')
        && len <= config.hot_entry_bytes as u64
        && representation.is_for_everyone();
    if let Some(file) = file.as_ref().filter(|_| hot) {
        reply.body = ReplyBody::Bytes(read(file, offset..end)?);
    }
    let (head, part) = answer(exchange, &representation);
    let body = match reply.body {
        ReplyBody::Bytes(ref bytes) => bytes_of(bytes.clone(), part),
        _ => {
            let part = offset + part.start..offset + part.end;
            let file = file.ok_or(io::ErrorKind::InvalidInput)?;
            if part.end - part.start <= config.sendfile_above as u64 {
                OutBody::Bytes(read(&file, part)?)
            } else {
                OutBody::File { file, part }
            }
        }
    };
    let outgoing = Outgoing { head, body, close: !exchange.keep_alive, _lease: reply.lease };
    let hot = match reply.body {
        ReplyBody::Bytes(body) if hot => Some(HotInsert {
            target: exchange.target().as_bytes().into(),
            representation,
            body,
            stamp: exchange.stamp,
        }),
        _ => None,
    };
    Ok((outgoing, hot))
}

fn answer(exchange: &Exchange, representation: &Representation) -> (Vec<u8>, Range<u64>) {
    let is_head = exchange.method == Method::HEAD;
    let conditions = match exchange.method {
        Method::GET | Method::HEAD => exchange.conditions(),
        _ => Default::default(),
    };
    let persist = Persist::new(exchange.keep_alive, exchange.minor);
    let mut head = Vec::with_capacity(320);
    let part = date::with_date(|date| {
        representation.answer(&conditions, is_head, persist, date.text(), &mut head)
    });
    (head, part)
}

fn bytes_of(bytes: Bytes, part: Range<u64>) -> OutBody {
    OutBody::Bytes(bytes.slice(part.start as usize..part.end as usize))
}

fn read(file: &File, part: Range<u64>) -> io::Result<Bytes> {
    let mut bytes = vec![0; (part.end - part.start) as usize];
    file.read_exact_at(&mut bytes, part.start)?;
    Ok(Bytes::from(bytes))
}
