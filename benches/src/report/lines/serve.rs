//! Lines of larder-serve.

use super::{LESS, Line, MORE};

const PROGRAMS: &[&str] = &["nginx sendfile", "nginx buffered", "apache event"];
const SMALL: Option<&str> = Some("loop 8k.bin");
const MEDIUM: Option<&str> = Some("loop 64k.bin");
const CPU: Line = Line { peers: PROGRAMS, ..LESS };
const RATE: Line = Line { peers: PROGRAMS, ..MORE };
const BLOCKING: &[&str] = &["axum", "tiny_http 1", "tiny_http 8"];

pub const LINES: &[Line] = &[
    Line {
        id: "serve-thumb-rate",
        work: "warm 320 px thumbnail, 32 connections: requests/s",
        reading: "beside_nginx/{}/requests/s",
        peers: &["nginx"],
        is_headline: true,
        ..MORE
    },
    Line {
        id: "serve-thumb-cpu",
        work: "warm 320 px thumbnail, 32 connections: CPU a request",
        reading: "beside_nginx/{}/CPU a request",
        peers: &["nginx"],
        is_headline: true,
        ..LESS
    },
    Line {
        id: "serve-thumb-p99",
        work: "warm 320 px thumbnail, 32 connections: p99",
        reading: "beside_nginx/{}/p99",
        peers: &["nginx"],
        ..LESS
    },
    Line {
        id: "serve-8k-32-cpu",
        work: "8 KB from memory, 32 connections: CPU a request",
        reading: "serve_cached_8k_32/{}/CPU a request",
        floor: SMALL,
        is_headline: true,
        ..CPU
    },
    Line {
        id: "serve-8k-32-rate",
        work: "8 KB from memory, 32 connections: requests/s",
        reading: "serve_cached_8k_32/{}/requests/s",
        floor: SMALL,
        ..RATE
    },
    Line {
        id: "serve-8k-32-p99",
        work: "8 KB from memory, 32 connections: p99",
        reading: "serve_cached_8k_32/{}/p99",
        floor: SMALL,
        ..CPU
    },
    Line {
        id: "serve-8k-256-cpu",
        work: "8 KB from memory, 256 connections: CPU a request",
        reading: "serve_cached_8k_256/{}/CPU a request",
        floor: SMALL,
        ..CPU
    },
    Line {
        id: "serve-8k-256-rate",
        work: "8 KB from memory, 256 connections: requests/s",
        reading: "serve_cached_8k_256/{}/requests/s",
        floor: SMALL,
        ..RATE
    },
    Line {
        id: "serve-8k-256-p99",
        work: "8 KB from memory, 256 connections: p99",
        reading: "serve_cached_8k_256/{}/p99",
        floor: SMALL,
        is_headline: true,
        ..CPU
    },
    Line {
        id: "serve-64k-32-cpu",
        work: "64 KB from memory, 32 connections: CPU a request",
        reading: "serve_cached_64k_32/{}/CPU a request",
        floor: MEDIUM,
        is_headline: true,
        ..CPU
    },
    Line {
        id: "serve-64k-32-rate",
        work: "64 KB from memory, 32 connections: requests/s",
        reading: "serve_cached_64k_32/{}/requests/s",
        floor: MEDIUM,
        ..RATE
    },
    Line {
        id: "serve-64k-32-p99",
        work: "64 KB from memory, 32 connections: p99",
        reading: "serve_cached_64k_32/{}/p99",
        floor: MEDIUM,
        ..CPU
    },
    Line {
        id: "serve-64k-256-cpu",
        work: "64 KB from memory, 256 connections: CPU a request",
        reading: "serve_cached_64k_256/{}/CPU a request",
        floor: MEDIUM,
        ..CPU
    },
    Line {
        id: "serve-64k-256-rate",
        work: "64 KB from memory, 256 connections: requests/s",
        reading: "serve_cached_64k_256/{}/requests/s",
        floor: MEDIUM,
        ..RATE
    },
    Line {
        id: "serve-64k-256-p99",
        work: "64 KB from memory, 256 connections: p99",
        reading: "serve_cached_64k_256/{}/p99",
        floor: MEDIUM,
        ..CPU
    },
    Line {
        id: "serve-2m-cpu",
        work: "2 MB by descriptor, 16 connections: CPU a request",
        reading: "serve_file_2m/{}/CPU a request",
        is_headline: true,
        ..CPU
    },
    Line {
        id: "serve-2m-rate",
        work: "2 MB by descriptor, 16 connections: requests/s",
        reading: "serve_file_2m/{}/requests/s",
        ..RATE
    },
    Line {
        id: "serve-2m-p99",
        work: "2 MB by descriptor, 16 connections: p99",
        reading: "serve_file_2m/{}/p99",
        ..CPU
    },
    Line {
        id: "serve-worker-rate",
        work: "blocking handler with a memo hit, 32 connections: requests/s",
        reading: "serve_workers/{}/requests/s",
        peers: BLOCKING,
        floor: Some("larder /kept/7"),
        is_headline: true,
        ..MORE
    },
    Line {
        id: "serve-worker-tiny-rate",
        work: "blocking handler with a memo hit, beside tiny_http: requests/s",
        reading: "serve_workers/{}/requests/s",
        peers: &["tiny_http 1", "tiny_http 8"],
        ..MORE
    },
    Line {
        id: "serve-worker-cpu",
        work: "blocking handler with a memo hit, 32 connections: CPU a request",
        reading: "serve_workers/{}/CPU a request",
        peers: BLOCKING,
        floor: Some("larder /kept/7"),
        ..LESS
    },
    Line {
        id: "serve-calls",
        work: "8 KB from memory, 32 connections: system calls, with waits",
        reading: "serve_calls/{}/32/system calls a request",
        peers: &["nginx sendfile", "nginx buffered"],
        ..LESS
    },
    Line {
        id: "serve-idle-rss",
        work: "idle keep-alive connection: RSS",
        reading: "serve_idle/{}/RSS each",
        peers: &["nginx sendfile", "axum"],
        is_headline: true,
        ..LESS
    },
    Line {
        id: "serve-idle-p99",
        work: "fresh request beside idle connections: p99",
        reading: "serve_idle/{}/p99",
        peers: &["nginx sendfile", "axum"],
        ..LESS
    },
    Line {
        id: "serve-slow-kept",
        work: "fast clients beside slow readers of 2 MB: share of their requests/s",
        reading: "serve_slow/{}/kept",
        peers: &["nginx sendfile"],
        is_headline: true,
        ..MORE
    },
    Line {
        id: "serve-heads-kept",
        work: "fast clients beside heads that never end: share of requests/s",
        reading: "serve_heads/{}/kept",
        peers: &["nginx sendfile"],
        ..MORE
    },
    Line {
        id: "serve-slow-rss",
        work: "slow reader of 2 MB: RSS",
        reading: "serve_slow/{}/RSS each",
        peers: &["nginx sendfile"],
        ..LESS
    },
];
