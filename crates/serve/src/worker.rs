//! Workers: take a job, run the blocking handler, hand the answer to the I/O thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::StatusCode;

use crate::answer::{self, Asked, Reading};
use crate::exchange::Exchange;
use crate::handler::Handler;
use crate::io::mailbox::Message;
use crate::queue::Job;
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
    let asked = Asked::of(exchange);
    let config = &exchange.shared.config;
    let prepare = || answer::prepare(&asked, config, reply, Reading::Waits);
    let prepared = catch_unwind(AssertUnwindSafe(prepare));
    let (outgoing, hot) = prepared.ok().and_then(Result::ok).unwrap_or_else(|| {
        // The file could not be read as promised. A reply without a file cannot fail.
        (answer::plain(&asked, Reply::status(StatusCode::INTERNAL_SERVER_ERROR)), None)
    });
    let mailbox = &exchange.shared.mailboxes[exchange.id.thread as usize];
    mailbox.push(Message::Reply {
        id: exchange.id,
        outgoing: Box::new(outgoing),
        hot: hot.map(Box::new),
    });
}
