//! The rules that `main.rs` states, applied to one history.

use crate::history::{Event, UNCOMMITTED, What};
use crate::world::Kind;

/// What the histories had in them, so that a test that tests nothing is noticed.
#[derive(Debug, Default)]
pub struct Seen {
    pub reads: usize,
    pub loads: usize,
    /// Reads whose version was no longer the present one when they returned.
    pub outrun: usize,
    /// Loads that were detached: another of the same key began before they ended.
    pub detached: usize,
    /// Reads of a whole table, and those that overlapped one of a later load.
    pub wholes: usize,
    pub replaced: usize,
}

impl Seen {
    pub fn is_worth_something(&self) -> bool {
        self.reads > 2 * self.loads / 3
            && self.loads > 0
            && self.outrun > 0
            && self.detached > 0
            && self.wholes > 0
            && self.replaced > 0
    }
}

/// Tells the first rule that is broken, with the events that break it.
pub fn check(kind: Kind, events: &[Event], seen: &mut Seen) -> Result<(), String> {
    for event in events {
        match event.what {
            What::Read { key, version } => {
                seen.reads += 1;
                seen.outrun += usize::from(committed(events, key, event.to) > version);
                is_fresh(events, event, key, version)?;
            }
            What::Whole { load } => {
                seen.wholes += 1;
                seen.replaced += usize::from(never_goes_back(events, event, load)?);
            }
            What::Load { key, asked } => {
                seen.loads += 1;
                seen.detached += usize::from(flies_alone(events, event, key)?);
                if kind.keeps_everything() {
                    is_needed(events, event, key, asked)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The last version that was surely committed at a time.
fn committed(events: &[Event], key: u8, time: u64) -> u64 {
    let version = |event: &Event| match event.what {
        What::Write { key: of, version } if of == key && event.to < time => Some(version),
        _ => None,
    };
    events.iter().filter_map(version).max().unwrap_or(0)
}

/// Tells whether the key was forgotten by a call that ended after `after` and began before
/// `before`.
fn was_forgotten(events: &[Event], key: u8, after: u64, before: u64) -> bool {
    events.iter().any(|event| event.what.touches(key) && event.to > after && event.from < before)
}

fn is_fresh(events: &[Event], read: &Event, key: u8, version: u64) -> Result<(), String> {
    if version & UNCOMMITTED != 0 {
        return Err(format!("uncommitted: {read:?}"));
    }
    for forget in events.iter().filter(|event| event.what.forgets(key) && event.to < read.from) {
        let floor = committed(events, key, forget.from);
        if version < floor {
            return Err(format!("stale: {read:?}\nafter {forget:?}, floor {floor}"));
        }
    }
    Ok(())
}

/// Tells whether a read of a whole table overlapped one that has seen a later load.
fn never_goes_back(events: &[Event], read: &Event, load: u64) -> Result<bool, String> {
    let mut replaced = false;
    for other in events {
        let What::Whole { load: later } = other.what else { continue };
        if later > load && other.to < read.from {
            return Err(format!("went back: {read:?}\nafter {other:?}"));
        }
        replaced |= later > load && other.from < read.to && read.from < other.to;
    }
    Ok(replaced)
}

/// Tells whether another load began before this one ended, as one that was detached allows.
fn flies_alone(events: &[Event], first: &Event, key: u8) -> Result<bool, String> {
    let mut detached = false;
    for second in events {
        let Some(asked) = second.asked_for(key) else { continue };
        if first.from < second.from && second.from < first.to {
            // Either may have taken the lead first, and then been late to call its loader.
            let earlier = first.asked_for(key).map_or(asked, |other| asked.min(other));
            if !was_forgotten(events, key, earlier, second.from) {
                return Err(format!("loaded twice at once:\n{first:?}\n{second:?}"));
            }
            detached = true;
        }
    }
    Ok(detached)
}

fn is_needed(events: &[Event], load: &Event, key: u8, asked: u64) -> Result<(), String> {
    let known = |event: &&Event| {
        matches!(event.what, What::Read { key: of, .. } if of == key) && event.to < asked
    };
    // The last of them is the strictest witness.
    match events.iter().filter(known).max_by_key(|event| event.from) {
        Some(read) if !was_forgotten(events, key, read.from, load.from) => {
            Err(format!("loaded without need: {load:?}\nafter {read:?}"))
        }
        _ => Ok(()),
    }
}
