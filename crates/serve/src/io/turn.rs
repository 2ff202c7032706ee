//! What one turn of the loop has done so far, and the alarm when it took too long.

use std::time::{Duration, Instant};

use super::IoThread;
use crate::Stall;
use crate::guard::drop_guarded;
use crate::os;
use crate::stats::add;

/// The least time between two alarms of one I/O thread; all are counted.
const ALARM_PAUSE: Duration = Duration::from_secs(1);

/// Written by the I/O thread, begun anew each turn.
#[derive(Default)]
pub(super) struct Turn {
    /// By the coarse clock, so that a turn costs no look at the exact one.
    begun: Duration,
    /// Looked at once, when the first delivery of the turn ends.
    clock: Option<Instant>,
    pub(super) events: usize,
    pub(super) messages: usize,
    pub(super) body_bytes: u64,
    fast_calls: usize,
    fast_took: Duration,
    slowest: Duration,
    slowest_target: Option<String>,
}

impl Turn {
    pub(super) fn begin() -> Self {
        Self { begun: os::coarse_clock(), ..Self::default() }
    }

    /// The exact time, at most as old as this turn.
    pub(super) fn clock(&mut self) -> Instant {
        *self.clock.get_or_insert_with(Instant::now)
    }

    /// Notes a call of the fast path; keeps its target if it took more than `worth`.
    pub(super) fn fast_call(&mut self, took: Duration, target: &str, worth: Duration) {
        self.fast_calls += 1;
        self.fast_took += took;
        if took > worth && took > self.slowest {
            self.slowest = took;
            self.slowest_target = Some(target.to_owned());
        }
    }
}

/// Bodies that the reaper drops in one chore.
const SPENT: usize = 16;

impl IoThread {
    /// Ends the turn: chores are handed over, and a turn that took too long is told.
    pub(super) fn end_turn(&mut self) {
        self.slots.end_turn();
        if let Some(lines) = &mut self.lines {
            lines.hand_over();
        }
        if let Some(gone) = self.hot.take_gone() {
            self.chores.push(Box::new(move || drop(gone)));
        }
        if !self.spent.is_empty() {
            // A few at a time: where one blocks, few wait for it.
            while !self.spent.is_empty() {
                let few = self.spent.split_off(self.spent.len().saturating_sub(SPENT));
                self.chores.push(Box::new(move || few.into_iter().for_each(drop_guarded)));
            }
        }
        if !self.chores.is_empty() {
            self.shared.reaper.take(&mut self.chores);
        }
        let turn = std::mem::take(&mut self.turn);
        if os::coarse_clock().saturating_sub(turn.begun) > self.shared.config.turn_alarm {
            self.alarm(turn, self.now.elapsed());
        }
    }

    fn alarm(&mut self, turn: Turn, took: Duration) {
        add(&self.counters().stalls, 1);
        let now = Instant::now();
        if self.alarmed.is_some_and(|last| now < last + ALARM_PAUSE) {
            return;
        }
        self.alarmed = Some(now);
        let stall = Stall {
            io_thread: self.index,
            took,
            events: turn.events,
            messages: turn.messages,
            fast_calls: turn.fast_calls,
            fast_took: turn.fast_took,
            fast_target: turn.slowest_target,
            body_bytes: turn.body_bytes,
        };
        // Whoever is told may block, e.g. to write a line; the chore keeps nothing alive for long.
        let shared = std::sync::Arc::downgrade(&self.shared);
        self.chores.push(Box::new(move || {
            let Some(shared) = shared.upgrade() else { return };
            match &shared.hooks.on_stall {
                Some(tell) => tell(&stall),
                None => ::log::warn!("{stall}"),
            }
        }));
        self.shared.reaper.take(&mut self.chores);
    }
}
