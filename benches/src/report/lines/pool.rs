//! Lines of larder-pool.

use super::{LESS, Line, MORE};

const R2D2: &[&str] = &["r2d2", "r2d2-unchecked"];
/// One thread alone has a floor: with more, the bare queue spins where a pool has to wait.
const CHECKOUT: Line = Line { peers: R2D2, ..LESS };
const READ: Line = Line { peers: R2D2, floor: Some("own-connection"), ..LESS };
const FAIR: Line = Line { peers: R2D2, ..LESS };
const MIXED: &[&str] = &["r2d2", "r2d2-unchecked", "by-hand"];

pub const LINES: &[Line] = &[
    Line {
        id: "pool-checkout-1",
        work: "get and drop, one thread on 8 connections",
        reading: "pool_checkout/{}/1x8",
        floor: Some("array_queue"),
        ..CHECKOUT
    },
    Line {
        id: "pool-checkout-2",
        work: "get and drop, 2 threads on 8 connections",
        reading: "pool_checkout/{}/2x8",
        ..CHECKOUT
    },
    Line {
        id: "pool-checkout-16",
        work: "get and drop, 16 threads on 8 connections",
        reading: "pool_checkout/{}/16x8",
        is_headline: true,
        ..CHECKOUT
    },
    Line {
        id: "pool-read-1",
        work: "SQLite point query, one thread",
        reading: "pool_sqlite_read/{}/1",
        ..READ
    },
    Line {
        id: "pool-read-8",
        work: "SQLite point query, 8 threads",
        reading: "pool_sqlite_read/{}/8",
        is_headline: true,
        ..READ
    },
    Line {
        id: "pool-mixed-rate",
        work: "SQLite, 8 threads, one write in ten: operations/s",
        reading: "pool_sqlite_mixed/{}/ops/s",
        peers: MIXED,
        is_headline: true,
        ..MORE
    },
    Line {
        id: "pool-mixed-tail",
        work: "SQLite, 8 threads, one write in ten: p99.9 of a write's wait",
        reading: "pool_sqlite_mixed/{}/p99.9",
        peers: MIXED,
        is_headline: true,
        ..LESS
    },
    Line {
        id: "pool-fair-p50",
        work: "64 threads wait for 4 connections: median",
        reading: "pool_fairness/{}/p50",
        ..FAIR
    },
    Line {
        id: "pool-fair-p999",
        work: "64 threads wait for 4 connections: p99.9",
        reading: "pool_fairness/{}/p99.9",
        is_headline: true,
        ..FAIR
    },
    Line {
        id: "pool-fair-rate",
        work: "64 threads wait for 4 connections: checkouts/s",
        reading: "pool_fairness/{}/checkouts/s",
        peers: R2D2,
        ..MORE
    },
    Line {
        id: "pool-fair-served",
        work: "64 threads wait: the one served least, of the one served most",
        reading: "pool_fairness/{}/served",
        peers: R2D2,
        ..MORE
    },
    Line {
        id: "pool-outage-attempts",
        work: "the database is down: attempts to connect a second",
        reading: "pool_outage/{}/a second",
        ..FAIR
    },
    Line {
        id: "pool-outage-back",
        work: "the database is back: until all 32 threads are served",
        reading: "pool_outage/{}/all served",
        ..FAIR
    },
];
