//! Workers: take a job, run the blocking handler or reader, hand what comes of it to the I/O thread.

use std::sync::Arc;

use http::StatusCode;

use crate::Body;
use crate::answer::{self, Asked, Reading};
use crate::exchange::Exchange;
use crate::guard::guarded;
use crate::handler::Handler;
use crate::hot::HotInsert;
use crate::io::mailbox::Message;
use crate::pages::Kept;
use crate::queue::Job;
use crate::render::Outgoing;
use crate::reply::{Reply, ReplyBody};
use crate::request::Request;
use crate::server::Shared;
use crate::stats::{WorkerCounters, add, set};
use crate::stream;

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
        return deliver(&exchange, Reply::status(StatusCode::SERVICE_UNAVAILABLE));
    }
    set(&counters.busy, 1);
    let request = Request::new(Arc::clone(&exchange), body);
    // The handler sees nothing of ours but what it owns, so no state of ours is torn.
    let reply = guarded(|| handler.handle(request));
    add(&counters.handled, 1);
    set(&counters.busy, 0);
    let reply = reply.unwrap_or_else(|| {
        add(&counters.panics, 1);
        Reply::status(StatusCode::INTERNAL_SERVER_ERROR)
    });
    match reply.body {
        ReplyBody::Later(cell) => cell.arm(exchange),
        ReplyBody::Stream { .. } => read(counters, || stream::open(&exchange, reply)),
        _ => deliver(&exchange, reply),
    }
}

/// Renders a reply for the request it answers and hands it to the connection's I/O thread. Never
/// blocks for a stream: its reader goes to a worker first.
pub(crate) fn deliver(exchange: &Arc<Exchange>, reply: Reply) {
    if let ReplyBody::Stream { .. } = reply.body {
        let (exchange, reply) = (Arc::clone(exchange), Box::new(reply));
        return exchange.shared.clone().queue.push_on(Job::Open { exchange, reply });
    }
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
    hand_over(exchange, outgoing, hot);
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
    });
}
