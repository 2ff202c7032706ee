//! Lines of larder-files.

use super::{LESS, Line};

const COLD: Line = Line { peers: &["cacache-key", "foyer"], floor: Some("open-read"), ..LESS };

const FILES: Option<&str> = Some("files_start/larder/entries");

pub const LINES: &[Line] = &[
    Line {
        id: "files-hot-1",
        work: "hit on an open file, one thread",
        reading: "files_hit/{}/hot",
        peers: &["moka"],
        is_headline: true,
        ..LESS
    },
    Line {
        id: "files-hot-2",
        work: "hit on an open file, each of two threads",
        reading: "files_hit/{}/hot-2",
        peers: &["moka"],
        ..LESS
    },
    Line {
        id: "files-hot-key-1",
        work: "hit on an open file, its key built for it, one thread",
        reading: "files_hit/{}/hot",
        ours: "larder-key",
        ..LESS
    },
    Line {
        id: "files-hot-key-2",
        work: "hit on an open file, its key built for it, each of two threads",
        reading: "files_hit/{}/hot-2",
        ours: "larder-key",
        ..LESS
    },
    Line {
        id: "files-cold-8k",
        work: "8 KB file that is not open, by its key, checked",
        reading: "files_hit/{}/cold-8k",
        is_headline: true,
        ..COLD
    },
    Line {
        id: "files-cold-8k-hash",
        work: "8 KB file that is not open, beside a read by its content's hash",
        reading: "files_hit/{}/cold-8k",
        peers: &["cacache"],
        is_headline: true,
        ..COLD
    },
    Line {
        id: "files-cold-64k",
        work: "64 KB file that is not open, by its key, checked",
        reading: "files_hit/{}/cold-64k",
        ..COLD
    },
    Line {
        id: "files-cold-64k-hash",
        work: "64 KB file that is not open, beside a read by its content's hash",
        reading: "files_hit/{}/cold-64k",
        peers: &["cacache"],
        ..COLD
    },
    Line {
        id: "files-start-hit",
        work: "start on a cache of {} files: first hit",
        size: FILES,
        reading: "files_start/{}/first hit",
        ..LESS
    },
    Line {
        id: "files-start-made",
        work: "start on a cache of {} files: first made",
        size: FILES,
        reading: "files_start/{}/first made",
        ..LESS
    },
];
