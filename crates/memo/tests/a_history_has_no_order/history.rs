//! What happened, and when: between which ticks.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// A set of keys, a bit each.
pub type Keys = u8;

/// Versions with this bit are of rows that are not committed.
pub const UNCOMMITTED: u64 = 1 << 63;

#[derive(Clone, Debug)]
pub struct Event {
    pub from: u64,
    pub to: u64,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The database committed a version.
    Write { key: u8, version: u64 },
    /// Some call of the memo after which the present rows of these keys have to show; it may
    /// have thrown away values of others, too.
    Forget { keys: Keys, touched: Keys },
    /// A call outside any transaction returned this.
    Read { key: u8, version: u64 },
    /// A call returned a row, or all rows, of the whole table's load of this number.
    Whole { load: u64 },
    /// A loader ran outside any transaction, for a call that began at `asked`.
    Load { key: u8, asked: u64 },
}

/// The one counter that orders everything.
#[derive(Default)]
pub struct Ticks(AtomicU64);

impl Ticks {
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

impl What {
    /// Tells whether later calls have to see the present row.
    pub fn forgets(&self, key: u8) -> bool {
        matches!(self, What::Forget { keys, .. } if keys >> key & 1 == 1)
    }

    /// Tells whether a value of the key, or a load of it, may have been thrown away.
    pub fn touches(&self, key: u8) -> bool {
        matches!(self, What::Forget { touched, .. } if touched >> key & 1 == 1)
    }
}

impl Event {
    /// When the caller came whose loader of this key ran, if this is one.
    pub fn asked_for(&self, key: u8) -> Option<u64> {
        match self.what {
            What::Load { key: of, asked } if of == key => Some(asked),
            _ => None,
        }
    }
}

/// A history in the order of its calls, a line an event.
pub fn shown(events: &[Event]) -> String {
    let mut events = events.to_vec();
    events.sort_by_key(|event| event.from);
    events.iter().fold(String::new(), |mut text, Event { from, to, what }| {
        writeln!(text, "{from:5} .. {to:5}  {what:?}").unwrap();
        text
    })
}
