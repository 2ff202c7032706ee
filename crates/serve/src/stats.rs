//! Counters that cost a hit nothing: each thread writes its own line, and readers add them up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::histogram::{Histogram, Recorder};
use crate::server::Shared;

/// What one I/O thread counts. Written by that thread alone, with a plain load and store; on a
/// line of its own, so that a hit shares none.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct IoCounters {
    pub(crate) accepted: AtomicU64,
    pub(crate) closed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) hot_hits: AtomicU64,
    pub(crate) fast_answers: AtomicU64,
    pub(crate) fast_panics: AtomicU64,
    pub(crate) stalls: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) unavailable: AtomicU64,
    pub(crate) bad_requests: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) aborted: AtomicU64,
    pub(crate) shed: AtomicU64,
    pub(crate) hot_bytes: AtomicU64,
    pub(crate) hot_entries: AtomicU64,
    pub(crate) short: AtomicU64,
    pub(crate) cold: AtomicU64,
    /// Of requests that went to a worker, at the end of their delivery.
    pub(crate) queue: Recorder,
    pub(crate) handler: Recorder,
    pub(crate) delivery: Recorder,
}

/// What one worker counts; written by that worker alone.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct WorkerCounters {
    pub(crate) busy: AtomicU64,
    pub(crate) handled: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) panics: AtomicU64,
}

/// Adds to a counter of one's own: no locked instruction, as nobody else writes it.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}

pub(crate) fn set(counter: &AtomicU64, n: u64) {
    counter.store(n, Relaxed);
}

/// A snapshot of what a server has done and is doing. Numbers are read one after the other, so
/// they may be a request apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections open now.
    pub connections: u64,
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Connections closed at once, as all places were taken by busy ones.
    pub refused: u64,
    /// Idle connections closed to make room for new ones.
    pub shed: u64,
    /// Requests whose head was accepted.
    pub requests: u64,
    /// Of these, answered by an I/O thread from the response cache.
    pub hot_hits: u64,
    /// Of these, answered by an I/O thread from the fast path.
    pub fast_answers: u64,
    /// Turns of an I/O thread that took longer than the bound of the alarm.
    pub stalls: u64,
    /// Requests refused for their form or size.
    pub bad_requests: u64,
    /// Requests and deliveries given up at a time-out.
    pub timed_out: u64,
    /// Requests answered 503 because the queue was full or the wait too long.
    pub unavailable: u64,
    /// Deliveries cut off before the last byte.
    pub aborted: u64,
    /// Of these, cut since a file or a stream ended before its time.
    pub short: u64,
    /// Parts of files that were not in memory when they were to be sent.
    pub cold_parts: u64,
    /// Bytes handed to the sockets, heads included.
    pub bytes_sent: u64,
    /// Bytes kept in the response caches.
    pub hot_bytes: u64,
    /// Answers kept in the response caches.
    pub hot_entries: u64,
    /// Jobs that wait for a worker now.
    pub queued: u64,
    /// Memory that request bodies take now, and what clients sent ahead.
    pub body_bytes: u64,
    /// Leases, files and calls back that wait to be dropped, closed or made now.
    pub chores: u64,
    /// Workers in a handler, in what becomes of its answer until they are free for another, or in
    /// the reader of a stream, now.
    pub busy_workers: u64,
    /// Lines of the access log that found no room, or could not be written.
    pub log_dropped: u64,
    /// Handlers run.
    pub handled: u64,
    /// Jobs dropped before they ran: the client had gone or the deadline had passed.
    pub dropped_jobs: u64,
    /// Calls of handlers and of the fast path that panicked.
    pub panics: u64,
}

/// How long requests took that went to a worker, noted at the end of their delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// From the whole request to its worker.
    pub queue: Histogram,
    /// From there to the answer: to the return of the handler, the completion of the ticket, or
    /// the first bytes of the stream.
    pub handler: Histogram,
    /// From there to the last byte handed to the socket; of deliveries that were not aborted.
    /// It may be too short by the length of a turn of the I/O thread.
    pub delivery: Histogram,
}

impl Latency {
    pub(crate) fn collect(io: &[IoCounters]) -> Self {
        Self {
            queue: Histogram::collect(io.iter().map(|c| &c.queue)),
            handler: Histogram::collect(io.iter().map(|c| &c.handler)),
            delivery: Histogram::collect(io.iter().map(|c| &c.delivery)),
        }
    }
}

impl Stats {
    pub(crate) fn collect(shared: &Shared) -> Self {
        let Shared { io, workers, queue, hooks, .. } = shared;
        let queued = queue.len();
        let log_dropped = hooks.log.as_ref().map_or(0, |(_, sink)| sink.dropped());
        let io = |field: fn(&IoCounters) -> &AtomicU64| -> u64 {
            io.iter().map(|counters| field(counters).load(Relaxed)).sum()
        };
        let worker = |field: fn(&WorkerCounters) -> &AtomicU64| -> u64 {
            workers.iter().map(|counters| field(counters).load(Relaxed)).sum()
        };
        // Closed before accepted: the difference is then never negative.
        let closed = io(|c| &c.closed);
        let accepted = io(|c| &c.accepted);
        Self {
            connections: accepted.saturating_sub(closed),
            accepted,
            refused: io(|c| &c.refused),
            shed: io(|c| &c.shed),
            requests: io(|c| &c.requests),
            hot_hits: io(|c| &c.hot_hits),
            fast_answers: io(|c| &c.fast_answers),
            stalls: io(|c| &c.stalls),
            bad_requests: io(|c| &c.bad_requests),
            timed_out: io(|c| &c.timed_out),
            unavailable: io(|c| &c.unavailable),
            aborted: io(|c| &c.aborted),
            short: io(|c| &c.short),
            cold_parts: io(|c| &c.cold),
            bytes_sent: io(|c| &c.bytes_sent),
            hot_bytes: io(|c| &c.hot_bytes),
            hot_entries: io(|c| &c.hot_entries),
            queued: queued as u64,
            body_bytes: shared.bodies.used() as u64,
            chores: shared.reaper.waiting() as u64,
            busy_workers: worker(|c| &c.busy),
            handled: worker(|c| &c.handled),
            log_dropped,
            dropped_jobs: worker(|c| &c.dropped) + shared.queue.forgotten(),
            panics: worker(|c| &c.panics) + io(|c| &c.fast_panics),
        }
    }
}
