//! Lines of larder-vars.

use super::{LESS, Line};

const PEERS: &[&str] = &["papaya", "nsv", "rwlock", "dashmap"];
const VARS: Line = Line { peers: PEERS, ..LESS };

pub const LINES: &[Line] = &[
    Line {
        id: "vars-read-1",
        work: "read of an Array, one thread",
        reading: "vars_read/{}/1",
        ..VARS
    },
    Line {
        id: "vars-read-2",
        work: "read of an Array, each of two threads",
        reading: "vars_read/{}/2",
        is_headline: true,
        ..VARS
    },
    Line {
        id: "vars-read-named-1",
        work: "read of an Array found by its name, one thread",
        reading: "vars_read/{}/1",
        ours: "larder-named",
        peers: &["nsv"],
        ..VARS
    },
    Line {
        id: "vars-read-beside-incr",
        work: "read of an Array while the other thread counts",
        reading: "vars_read_beside_incr/{}/2",
        ..VARS
    },
    Line {
        id: "vars-incr-1",
        work: "count in an Array, one thread",
        reading: "vars_incr/{}/1",
        ..VARS
    },
    Line {
        id: "vars-incr-2",
        work: "count in an Array, each of two threads",
        reading: "vars_incr/{}/2",
        is_headline: true,
        ..VARS
    },
    Line {
        id: "vars-merge-100",
        work: "merge of 100 rows into an Array at one moment",
        reading: "vars_merge/{}/100",
        ..VARS
    },
];
