//! Workers: take a job, run the blocking handler or reader, hand what comes of it to the I/O thread.
//!
//! A short answer from memory the worker writes itself, as far as the socket takes it at once. The
//! I/O thread is then told, but not woken: for a request that a worker answers it wakes once, not
//! twice, and on one core neither takes it from the other for each request.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};

use crate::Body;
use crate::answer::{self, Asked, Reading};
use crate::exchange::Exchange;
use crate::guard::guarded;
use crate::handler::Handler;
use crate::hot::HotInsert;
use crate::io::mailbox::{Message, Written};
use crate::io::write;
use crate::pages::Kept;
use crate::queue::Job;
use crate::render::{OutBody, Outgoing};
use crate::reply::{Reply, ReplyBody};
use crate::request::Request;
use crate::server::Shared;
use crate::stats::{WorkerCounters, add, set};
use crate::stream;

/// The longest body that a worker writes itself: more would have to stand in the line of those who
/// have much to send.
const MAX_WRITTEN: usize = 64 * 1024;

/// The life of worker `index`: ends when the queue is closed and empty.
pub(crate) fn run(shared: &Arc<Shared>, handler: &dyn Handler, index: usize) {
    let counters = &shared.workers[index];
    let mut place = None;
    while let Some(job) = shared.queue.pop(&mut place) {
        // The last resort, for what of the user's is dropped on the way: the worker stays.
        let _ = guarded(|| match job {
            Job::Handle { exchange, body } => handle(handler, counters, exchange, body),
            Job::Open { exchange, reply } => read(counters, || stream::open(&exchange, *reply)),
            Job::Pump(pump) => {
                let mailbox = &shared.mailboxes[pump.thread()];
                read(counters, || pump.run(mailbox));
            }
        });
        set(&counters.busy, 0);
    }
}

/// Runs what reads from a stream.
fn read(counters: &WorkerCounters, work: impl FnOnce()) {
    set(&counters.busy, 1);
    work();
    set(&counters.busy, 0);
}

fn handle(handler: &dyn Handler, counters: &WorkerCounters, exchange: Arc<Exchange>, body: Body) {
    if !exchange.begin() {
        add(&counters.dropped, 1);
        // Nobody listens if the client has gone; if it is merely late, it is told so.
        let late = Reply::status(StatusCode::SERVICE_UNAVAILABLE);
        return deliver(&exchange, late.header(RETRY_AFTER, HeaderValue::from_static("1")));
    }
    set(&counters.busy, 1);
    let request = Request::new(Arc::clone(&exchange), body);
    // The handler sees nothing of ours but what it owns, so no state of ours is torn.
    let reply = guarded(|| handler.handle(request));
    add(&counters.handled, 1);
    let reply = reply.unwrap_or_else(|| {
        add(&counters.panics, 1);
        Reply::status(StatusCode::INTERNAL_SERVER_ERROR)
    });
    match reply.body {
        ReplyBody::Later(cell) => cell.arm(exchange),
        ReplyBody::Stream { .. } => read(counters, || stream::open(&exchange, reply)),
        _ => {
            let (outgoing, hot) = prepare(&exchange, reply);
            // What is kept, is kept before it is sent: whoever asks again is answered from there.
            if hot.is_none() && is_short(&outgoing) {
                return write_at_once(&exchange, outgoing);
            }
            set(&counters.busy, 0);
            hand_over(&exchange, outgoing, hot);
        }
    }
}

/// Renders a reply for the request it answers and hands it to the connection's I/O thread. Never
/// blocks for a stream: its reader goes to a worker first.
pub(crate) fn deliver(exchange: &Arc<Exchange>, reply: Reply) {
    if let ReplyBody::Stream { .. } = reply.body {
        let (exchange, reply) = (Arc::clone(exchange), Box::new(reply));
        return exchange.shared.clone().queue.push_on(Job::Open { exchange, reply });
    }
    let (outgoing, hot) = prepare(exchange, reply);
    hand_over(exchange, outgoing, hot);
}

/// Renders a reply that is no stream, with what the response cache is to keep of it.
fn prepare(exchange: &Exchange, reply: Reply) -> (Outgoing, Option<HotInsert>) {
    // A panic must not get out: there is one worker less for ever where it does.
    let asked = Asked::of(exchange);
    let config = &exchange.shared.config;
    let prepare = || answer::prepare(&asked, config, reply, Reading::Waits);
    let prepared = guarded(prepare);
    let (outgoing, hot) = prepared.and_then(Result::ok).unwrap_or_else(|| {
        // The file could not be read as promised. A reply without a file cannot fail.
        (answer::plain(&asked, Reply::status(StatusCode::INTERNAL_SERVER_ERROR)), None)
    });
    // Where only this holds the body, a copy in pages drops the user's.
    let hot = hot.and_then(|insert| guarded(|| in_pages(exchange, insert)));
    (outgoing, hot)
}

/// Copies what is to be kept into pages, if that is worth it.
fn in_pages(exchange: &Exchange, mut insert: HotInsert) -> HotInsert {
    if let Kept::Bytes(body) = &mut insert.body {
        insert.body = exchange.shared.hot.kept(std::mem::take(body));
    }
    insert
}

/// Hands an answer to the connection's I/O thread.
pub(crate) fn hand_over(exchange: &Exchange, outgoing: Outgoing, hot: Option<HotInsert>) {
    let mailbox = &exchange.shared.mailboxes[exchange.id.thread as usize];
    mailbox.push(Message::Reply {
        id: exchange.id,
        outgoing: Box::new(outgoing),
        hot: hot.map(Box::new),
        times: exchange.times(),
        written: Written::Nothing,
    });
}

/// Tells whether the worker may write an answer itself: short, and in memory.
fn is_short(outgoing: &Outgoing) -> bool {
    outgoing.then.is_empty()
        && matches!(&outgoing.body, OutBody::Bytes(body) if body.len() <= MAX_WRITTEN)
}

/// Writes a short answer to the socket, once, and tells the I/O thread, which goes on with what the
/// socket did not take.
fn write_at_once(exchange: &Exchange, mut outgoing: Outgoing) {
    let mut times = exchange.times();
    let written = write_out(exchange, &outgoing);
    let mut body = None;
    if let Written::Whole(_) = written {
        times.written = Some(Instant::now());
        body = Some(spend(exchange, &mut outgoing));
    }
    let can_wait = body.is_some() && !outgoing.close;
    let (id, outgoing) = (exchange.id, Box::new(outgoing));
    let message = Message::Reply { id, outgoing, hot: None, times, written };
    let mailbox = &exchange.shared.mailboxes[id.thread as usize];
    if can_wait {
        mailbox.leave(message, &exchange.hurry);
    } else {
        mailbox.push(message);
    }
    // Perhaps the user's: where its drop takes time, that is the handler's.
    drop(body);
}

fn write_out(exchange: &Exchange, outgoing: &Outgoing) -> Written {
    let OutBody::Bytes(body) = &outgoing.body else { return Written::Nothing };
    // Taken by the I/O thread: the client was told 504, or has gone.
    let Some(socket) = exchange.claim() else { return Written::Nothing };
    match write(&socket, &outgoing.head, body) {
        Ok(n) if n == outgoing.head.len() + body.len() => Written::Whole(n),
        Ok(n) => Written::Part(n),
        Err(_) => Written::Broken,
    }
}

/// The last byte has left: the lease ends, and the body is the caller's to drop.
fn spend(exchange: &Exchange, outgoing: &mut Outgoing) -> OutBody {
    let lease = std::mem::take(&mut outgoing.lease);
    if lease.0.is_some() {
        exchange.shared.reaper.take(&mut vec![Box::new(move || drop(lease))]);
    }
    std::mem::replace(&mut outgoing.body, OutBody::Bytes(Bytes::new()))
}
