//! Lines of larder-sessions.

use super::{LESS, Line, MORE};

const CHECK: Line = Line { floor: Some("open_read"), ..LESS };

pub const LINES: &[Line] = &[
    Line {
        id: "sessions-memory-1",
        work: "check of a session in memory, one thread",
        reading: "sessions_check/{}/1",
        ours: "larder_memory",
        peers: &["tower_memory"],
        is_headline: true,
        ..LESS
    },
    Line {
        id: "sessions-memory-2",
        work: "check of a session in memory, two threads",
        reading: "sessions_check/{}/2",
        ours: "larder_memory",
        peers: &["tower_memory"],
        ..LESS
    },
    Line {
        id: "sessions-copy-1",
        work: "check by the copy of a session's file, one thread",
        reading: "sessions_check/{}/1",
        ours: "larder_file_copy",
        peers: &["tower_file"],
        ..CHECK
    },
    Line {
        id: "sessions-copy-alone-1",
        work: "check by the copy, alone on the directory, one thread",
        reading: "sessions_check/{}/1",
        ours: "larder_file_copy_alone",
        peers: &["tower_file"],
        ..CHECK
    },
    Line {
        id: "sessions-disk-1",
        work: "check by a session's file, one thread",
        reading: "sessions_check/{}/1",
        ours: "larder_file_disk",
        peers: &["tower_file"],
        is_headline: true,
        ..CHECK
    },
    Line {
        id: "sessions-sqlite-1",
        work: "check by a row of SQLite, one thread",
        reading: "sessions_check/{}/1",
        ours: "larder_sqlite",
        peers: &["tower_file"],
        ..LESS
    },
    Line {
        id: "sessions-clean-kept",
        work: "clean-up of expired files: share of the requests/s that is kept",
        reading: "sessions_cleanup_load/{}/during/kept",
        ours: "larder_file",
        peers: &["mod_python_file", "mod_python_dbm"],
        is_headline: true,
        ..MORE
    },
    Line {
        id: "sessions-clean-rate",
        work: "clean-up of expired files: requests/s meanwhile",
        reading: "sessions_cleanup_load/{}/during/requests/s",
        ours: "larder_file",
        peers: &["mod_python_file", "mod_python_dbm"],
        ..MORE
    },
    Line {
        id: "sessions-clean-p99",
        work: "clean-up of expired files: p99 meanwhile",
        reading: "sessions_cleanup_load/{}/during/p99",
        ours: "larder_file",
        peers: &["mod_python_file", "mod_python_dbm"],
        ..LESS
    },
    Line {
        id: "sessions-clean-longest",
        work: "clean-up of expired files: the longest request meanwhile",
        reading: "sessions_cleanup_load/{}/during/longest",
        ours: "larder_file",
        peers: &["mod_python_file", "mod_python_dbm"],
        ..LESS
    },
];
