//! The fast path: a closure of the user's, on the I/O thread, for what is in memory.

use http::StatusCode;

use super::IoThread;
use super::conn::{Conn, Sending};
use super::hit::Judged;
use crate::answer::{self, Asked, Reading};
use crate::guard::guarded;
use crate::head::{Framing, Head};
use crate::hot::HotInsert;
use crate::os;
use crate::render::{Outgoing, Persist};
use crate::reply::Reply;
use crate::stats::add;
use crate::{Class, Peek};

impl IoThread {
    /// Asks the fast path; `None` if there is none, or if it leaves the request to a worker.
    pub(super) fn try_fast(
        &mut self,
        conn: &Conn,
        head: &Head<'_, '_>,
        keep_alive: bool,
    ) -> Option<Judged> {
        let is_get = head.method == "GET";
        let is_head = head.method == "HEAD";
        let is_plain = head.framing == Framing::None && (is_get || is_head);
        if self.shared.hooks.fast.is_none() || !is_plain || self.shared.reaper.is_behind() {
            return None;
        }
        let stamp = self.shared.hot.stamp(head.target.as_bytes());
        let reply = self.ask_fast(conn, head)?;
        let persist = Persist::new(keep_alive, head.minor);
        let asked = Asked {
            target: head.target,
            is_get,
            is_head,
            conditions: head.conditions,
            persist,
            stamp,
        };
        let (outgoing, hot) = self.render_fast(&asked, reply);
        add(&self.counters().fast_answers, 1);
        if let Some(insert) = hot {
            self.keep(insert);
        }
        Some(Judged::Begun { len: head.len, sending: Box::new(Sending::new(Box::new(outgoing))) })
    }

    /// The first class that wants a request, or the one for what none wants.
    pub(super) fn class_of(&self, conn: &Conn, head: &Head<'_, '_>) -> usize {
        let classes = &self.shared.hooks.classes;
        let peek = Peek::new(head, conn.peer);
        let wants = |class: &Class| guarded(|| (class.matches)(&peek)).unwrap_or(false);
        classes.iter().position(wants).unwrap_or(classes.len())
    }

    /// Calls the closure, and notes how long it took.
    fn ask_fast(&mut self, conn: &Conn, head: &Head<'_, '_>) -> Option<Reply> {
        let fast = self.shared.hooks.fast.as_deref()?;
        let begun = os::coarse_clock();
        // It sees nothing of ours but the head, so no state of ours is torn.
        let peek = Peek::new(head, conn.peer);
        let reply = guarded(|| fast(&peek));
        let worth = self.shared.config.turn_alarm / 2;
        let took = os::coarse_clock().saturating_sub(begun);
        self.turn.fast_call(took, head.target, worth);
        reply.unwrap_or_else(|| {
            add(&self.counters().fast_panics, 1);
            Some(Reply::status(StatusCode::INTERNAL_SERVER_ERROR))
        })
    }

    fn render_fast(&self, asked: &Asked<'_>, reply: Reply) -> (Outgoing, Option<HotInsert>) {
        let config = &self.shared.config;
        let prepare = || answer::prepare(asked, config, reply, Reading::Never);
        let prepared = guarded(prepare);
        prepared.and_then(Result::ok).unwrap_or_else(|| {
            let reply = Reply::status(StatusCode::INTERNAL_SERVER_ERROR);
            (answer::plain(asked, reply), None)
        })
    }
}
