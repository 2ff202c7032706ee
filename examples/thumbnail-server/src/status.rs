//! The numbers of every part: a page for people, and the text that Prometheus scrapes.

use std::fmt::Write as _;

use http::StatusCode;
use larder_serve::Reply;

use crate::app::App;
use crate::pages::quantity::{bytes, count};
use crate::pages::{self, Section, StatusView};
use crate::replies::page;

/// What all parts say at about one moment.
struct Numbers {
    uptime_s: u64,
    serve: larder_serve::Stats,
    files: larder_files::Stats,
    cache_bytes: u64,
    readers: larder_pool::State,
    rows: u64,
}

impl Numbers {
    fn gather(app: &App) -> Self {
        Self {
            uptime_s: app.started.elapsed().as_secs(),
            serve: app.meter.get().map(larder_serve::Meter::stats).unwrap_or_default(),
            files: app.thumbs.files().stats(),
            cache_bytes: app.cache_bytes,
            readers: app.library.readers(),
            rows: app.rows_in_memory() as u64,
        }
    }
}

/// `GET /status`.
pub fn status(app: &App) -> Reply {
    let Numbers { uptime_s, serve, files, cache_bytes, readers, rows } = Numbers::gather(app);
    let of_all = |part: u64| part as f64 / serve.requests.max(1) as f64;
    let sections = vec![
        Section::new("Requests")
            .row("answered", count(serve.requests), "")
            .bar("from memory, on the I/O thread", count(serve.hot_hits), of_all(serve.hot_hits))
            .bar("by a worker", count(serve.handled), of_all(serve.handled))
            .row("sent", bytes(serve.bytes_sent), "heads included")
            .row("refused for their form", count(serve.bad_requests), "")
            .row("told to come again", count(serve.unavailable), "all workers and the queue full"),
        Section::new("Connections")
            .row("open", count(serve.connections), "idle ones hold no thread")
            .row("accepted", count(serve.accepted), "")
            .row("timed out", count(serve.timed_out), "")
            .row("cut off by the client", count(serve.aborted), "before the last byte"),
        Section::new("Workers")
            .row("busy", count(serve.busy_workers), "")
            .row("jobs waiting", count(serve.queued), "")
            .row("jobs dropped", count(serve.dropped_jobs), "their client had gone")
            .row("panics", count(serve.panics), ""),
        Section::new("Memory")
            .row("replies kept", count(serve.hot_entries), bytes(serve.hot_bytes))
            .row("photographs looked up", count(rows), "rows of the library"),
        Section::new("Thumbnails")
            .meter(
                files.bytes,
                cache_bytes,
                format!("{} of {}", bytes(files.bytes), bytes(cache_bytes)),
            )
            .row("on disk", count(files.files), if files.counted { "" } else { "still counting" })
            .row("made", count(files.made), "since the start")
            .row("found open", count(files.hits_hot), "no system call")
            .row("found on disk", count(files.hits_cold), "opened and verified")
            .row("waited for another", count(files.coalesced), "as parked connections")
            .row("evicted", count(files.evicted), "")
            .row("torn files removed", count(files.torn), "")
            .row("disk faults", count(files.faults), last_fault(&files)),
        Section::new("Database").meter(
            u64::from(readers.connections - readers.idle_connections.min(readers.connections)),
            u64::from(readers.max_size),
            connections(readers.connections, readers.idle_connections),
        ),
    ];
    page(StatusCode::OK, pages::status(&StatusView { uptime_s, sections }))
        .cache_control("no-store")
}

fn connections(open: u32, idle: u32) -> String {
    let noun = if open == 1 { "connection" } else { "connections" };
    format!("{open} {noun} open, {idle} idle")
}

fn last_fault(files: &larder_files::Stats) -> String {
    files.last_fault.as_ref().map_or_else(String::new, |fault| fault.error().to_string())
}

/// `GET /metrics`: the text format of Prometheus, version 0.0.4.
pub fn metrics(app: &App) -> Reply {
    let mut text = String::with_capacity(4096);
    for (name, help, value) in table(&Numbers::gather(app)) {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    }
    Reply::bytes("text/plain; version=0.0.4; charset=utf-8", text).cache_control("no-store")
}

fn table(numbers: &Numbers) -> Vec<(&'static str, &'static str, u64)> {
    let Numbers { uptime_s, serve, files, cache_bytes, readers, rows } = numbers;
    vec![
        ("larder_uptime_seconds", "Seconds since the start.", *uptime_s),
        ("larder_serve_connections", "Connections open.", serve.connections),
        ("larder_serve_accepted_total", "Connections accepted.", serve.accepted),
        ("larder_serve_refused_total", "Connections closed for lack of room.", serve.refused),
        ("larder_serve_shed_total", "Idle connections closed to make room.", serve.shed),
        ("larder_serve_requests_total", "Requests whose head was accepted.", serve.requests),
        ("larder_serve_hot_hits_total", "Requests answered by an I/O thread.", serve.hot_hits),
        ("larder_serve_bad_requests_total", "Requests refused for their form.", serve.bad_requests),
        ("larder_serve_unavailable_total", "Requests answered 503.", serve.unavailable),
        ("larder_serve_timed_out_total", "Connections closed at a time-out.", serve.timed_out),
        ("larder_serve_aborted_total", "Deliveries cut off.", serve.aborted),
        ("larder_serve_sent_bytes_total", "Bytes handed to sockets.", serve.bytes_sent),
        ("larder_serve_hot_bytes", "Bytes in the response caches.", serve.hot_bytes),
        ("larder_serve_hot_entries", "Replies in the response caches.", serve.hot_entries),
        ("larder_serve_queued", "Jobs that wait for a worker.", serve.queued),
        ("larder_serve_busy_workers", "Workers in a handler.", serve.busy_workers),
        ("larder_serve_handled_total", "Handlers run.", serve.handled),
        ("larder_serve_dropped_jobs_total", "Jobs dropped before they ran.", serve.dropped_jobs),
        ("larder_serve_panics_total", "Handlers that panicked.", serve.panics),
        ("larder_memo_rows", "Photographs whose rows are in memory.", *rows),
        ("larder_pool_connections", "Open read connections.", u64::from(readers.connections)),
        ("larder_pool_idle", "Idle read connections.", u64::from(readers.idle_connections)),
        ("larder_pool_waiters", "Callers that wait for one.", u64::from(readers.waiters)),
        ("larder_files_bytes", "Bytes of thumbnails on disk.", files.bytes),
        ("larder_files_max_bytes", "The bound on these.", *cache_bytes),
        ("larder_files_files", "Thumbnails on disk.", files.files),
        ("larder_files_open_descriptors", "Open thumbnails.", files.open_descriptors),
        ("larder_files_hot_hits_total", "Hits on open descriptors.", files.hits_hot),
        ("larder_files_cold_hits_total", "Hits that opened a file.", files.hits_cold),
        ("larder_files_misses_total", "Look-ups that found nothing usable.", files.misses),
        ("larder_files_made_total", "Thumbnails made.", files.made),
        ("larder_files_coalesced_total", "Look-ups that waited for another.", files.coalesced),
        ("larder_files_refused_total", "Look-ups of known broken pictures.", files.refused),
        ("larder_files_evicted_total", "Thumbnails evicted for room.", files.evicted),
        ("larder_files_torn_total", "Torn or foreign files removed.", files.torn),
        ("larder_files_faults_total", "Refusals of the disk.", files.faults),
    ]
}
