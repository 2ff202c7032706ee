//! Deadlines of connections, coarse and cheap: setting one is a store in the connection.
//!
//! A connection has one live entry in the wheel, at `Timer::entry`. Moving its deadline later
//! moves no entry: when the entry comes up, it is filed again under the deadline of then. Moving
//! it earlier files a second entry and leaves the first behind, which is recognised as stale when
//! it comes up, since it is not where `Timer::entry` says. So a request costs one store, and the
//! wheel holds an entry a connection plus the few that became stale within one turn.

use std::time::{Duration, Instant};

/// Length of a tick; deadlines are kept to this precision, never early.
const TICK_MS: u64 = 64;
/// Ticks in a turn, about 65 s. Later deadlines are looked at once a turn.
const TICKS: u32 = 1024;

/// The deadline of one connection; written by its I/O thread alone.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Timer {
    /// The tick at which the connection is due.
    pub(crate) due: u32,
    /// The tick of its live entry; zero if it has none.
    entry: u32,
}

pub(crate) struct Wheel {
    start: Instant,
    /// The last tick that was expired.
    now: u32,
    /// No live entry is before this tick.
    next: u32,
    ticks: Vec<Vec<u32>>,
    live: usize,
}

impl Wheel {
    pub(crate) fn new(start: Instant) -> Self {
        let ticks = (0..TICKS).map(|_| Vec::new()).collect();
        Self { start, now: 0, next: u32::MAX, ticks, live: 0 }
    }

    /// Sets the deadline of the connection in `slot` to `after` from `now`.
    pub(crate) fn set(&mut self, timer: &mut Timer, slot: u32, now: Instant, after: Duration) {
        timer.due = self.tick(now + after) + 1;
        if timer.entry == 0 || timer.due < timer.entry {
            self.file(timer, slot);
        }
    }

    fn file(&mut self, timer: &mut Timer, slot: u32) {
        let at = timer.due.clamp(self.now + 1, self.now + TICKS - 1);
        timer.entry = at;
        self.ticks[(at % TICKS) as usize].push(slot);
        self.next = self.next.min(at);
        self.live += 1;
    }

    fn tick(&self, at: Instant) -> u32 {
        let ms = at.saturating_duration_since(self.start).as_millis() as u64;
        u32::try_from(ms / TICK_MS).unwrap_or(u32::MAX - TICKS)
    }

    /// How long until an entry comes up; `None` if there is none.
    pub(crate) fn sleep(&self, now: Instant) -> Option<Duration> {
        if self.live == 0 {
            return None;
        }
        let at = self.start + Duration::from_millis(u64::from(self.next) * TICK_MS);
        Some(at.saturating_duration_since(now))
    }

    /// Moves the slots whose entries came up by `now` into `up`.
    pub(crate) fn advance(&mut self, now: Instant, up: &mut Vec<(u32, u32)>) {
        let tick = self.tick(now);
        if tick < self.next {
            self.now = self.now.max(tick);
            return;
        }
        while self.now < tick {
            self.now += 1;
            let entries = &mut self.ticks[(self.now % TICKS) as usize];
            self.live -= entries.len();
            up.extend(entries.drain(..).map(|slot| (slot, self.now)));
        }
        self.next = self.find_next();
    }

    /// Tells whether the entry at `tick` is the live one of `timer` and its deadline has come;
    /// files it again if the deadline has moved.
    pub(crate) fn is_due(&mut self, timer: &mut Timer, slot: u32, tick: u32) -> bool {
        if timer.entry != tick {
            return false;
        }
        timer.entry = 0;
        if timer.due <= tick {
            return true;
        }
        self.file(timer, slot);
        false
    }

    fn find_next(&self) -> u32 {
        if self.live == 0 {
            return u32::MAX;
        }
        let later = (self.now + 1)..(self.now + TICKS);
        later.into_iter().find(|t| !self.ticks[(t % TICKS) as usize].is_empty()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(wheel: &mut Wheel, timers: &mut [Timer], now: Instant) -> Vec<u32> {
        let mut up = Vec::new();
        wheel.advance(now, &mut up);
        up.retain(|&(slot, tick)| wheel.is_due(&mut timers[slot as usize], slot, tick));
        up.into_iter().map(|(slot, _)| slot).collect()
    }

    #[test]
    fn deadlines_come_once_and_never_early() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut wheel = Wheel::new(start);
        let mut timers = [Timer::default(); 3];
        wheel.set(&mut timers[0], 0, start, Duration::from_millis(500));
        wheel.set(&mut timers[1], 1, start, Duration::from_secs(200));
        wheel.set(&mut timers[2], 2, start, Duration::from_secs(10));
        // Later: nothing is filed. Earlier: the old entry becomes stale.
        wheel.set(&mut timers[0], 0, at(100), Duration::from_millis(900));
        wheel.set(&mut timers[2], 2, at(100), Duration::from_millis(100));
        assert_eq!(due(&mut wheel, &mut timers, at(199)), []);
        assert_eq!(due(&mut wheel, &mut timers, at(330)), [2]);
        assert_eq!(due(&mut wheel, &mut timers, at(999)), []);
        assert_eq!(due(&mut wheel, &mut timers, at(1130)), [0]);
        for s in 2..200 {
            assert_eq!(due(&mut wheel, &mut timers, at(s * 1000)), [], "{s}");
        }
        assert_eq!(due(&mut wheel, &mut timers, at(200_200)), [1]);
        assert_eq!(wheel.sleep(at(200_200)), None);
    }
}
