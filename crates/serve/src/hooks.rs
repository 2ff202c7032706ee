//! Code of the user's that a server calls beside its handler.

use std::sync::Arc;

use crate::log::Sink;
use crate::{Class, LogFormat, Peek, Reply, Stall};

type Fast = dyn Fn(&Peek<'_>) -> Option<Reply> + Send + Sync;
type OnStall = dyn Fn(&Stall) + Send + Sync;

/// Given before the start, and never changed after.
#[derive(Default)]
pub(crate) struct Hooks {
    /// Called by I/O threads.
    pub(crate) fast: Option<Box<Fast>>,
    /// Asked by I/O threads, in order.
    pub(crate) classes: Vec<Class>,
    /// Written to by I/O threads.
    pub(crate) log: Option<(LogFormat, Arc<Sink>)>,
    /// Called by the reaper.
    pub(crate) on_stall: Option<Box<OnStall>>,
}
