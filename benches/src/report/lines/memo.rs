//! Lines of larder-memo.

use super::{LESS, Line, MORE};

const MAPS: &[&str] =
    &["papaya", "scc", "dashmap", "arc-swap-hashmap", "elsa", "moka", "quick_cache"];
const CACHES: &[&str] = &["moka", "quick_cache"];
const HIT: Line = Line { peers: MAPS, floor: Some("hashmap"), ..LESS };
const RATIO: Line =
    Line { ours: "larder-memo", peers: &["moka", "quick_cache", "lru"], is_headline: true, ..MORE };

pub const LINES: &[Line] = &[
    Line {
        id: "memo-static-1k-1",
        work: "hit of StaticMemo, 1,000 keys, one thread",
        reading: "memo_hit/{}/1000x1",
        ours: "larder-static",
        is_headline: true,
        ..HIT
    },
    Line {
        id: "memo-static-1k-2",
        work: "hit of StaticMemo, 1,000 keys, each of two threads",
        reading: "memo_hit/{}/1000x2",
        ours: "larder-static",
        ..HIT
    },
    Line {
        id: "memo-static-100k-1",
        work: "hit of StaticMemo, 100,000 keys, one thread",
        reading: "memo_hit/{}/100000x1",
        ours: "larder-static",
        ..HIT
    },
    Line {
        id: "memo-static-100k-2",
        work: "hit of StaticMemo, 100,000 keys, each of two threads",
        reading: "memo_hit/{}/100000x2",
        ours: "larder-static",
        ..HIT
    },
    Line {
        id: "memo-table-1k-1",
        work: "hit of StaticTable, 1,000 keys, one thread",
        reading: "memo_hit/{}/1000x1",
        ours: "larder-table",
        ..HIT
    },
    Line {
        id: "memo-table-1k-2",
        work: "hit of StaticTable, 1,000 keys, each of two threads",
        reading: "memo_hit/{}/1000x2",
        ours: "larder-table",
        ..HIT
    },
    Line {
        id: "memo-table-100k-1",
        work: "hit of StaticTable, 100,000 keys, one thread",
        reading: "memo_hit/{}/100000x1",
        ours: "larder-table",
        ..HIT
    },
    Line {
        id: "memo-table-100k-2",
        work: "hit of StaticTable, 100,000 keys, each of two threads",
        reading: "memo_hit/{}/100000x2",
        ours: "larder-table",
        ..HIT
    },
    Line {
        id: "memo-bounded-1k-1",
        work: "hit of Memo, bounded, 1,000 keys, one thread",
        reading: "memo_hit/{}/1000x1",
        ours: "larder-memo",
        peers: CACHES,
        ..HIT
    },
    Line {
        id: "memo-bounded-1k-2",
        work: "hit of Memo, bounded, 1,000 keys, each of two threads",
        reading: "memo_hit/{}/1000x2",
        ours: "larder-memo",
        peers: CACHES,
        is_headline: true,
        ..HIT
    },
    Line {
        id: "memo-bounded-100k-1",
        work: "hit of Memo, bounded, 100,000 keys, one thread",
        reading: "memo_hit/{}/100000x1",
        ours: "larder-memo",
        peers: CACHES,
        ..HIT
    },
    Line {
        id: "memo-bounded-100k-2",
        work: "hit of Memo, bounded, 100,000 keys, each of two threads",
        reading: "memo_hit/{}/100000x2",
        ours: "larder-memo",
        peers: CACHES,
        ..HIT
    },
    Line {
        id: "memo-map-1k-1",
        work: "hit of Memo, beside maps without a bound, 1,000 keys, one thread",
        reading: "memo_hit/{}/1000x1",
        ours: "larder-memo",
        ..HIT
    },
    Line {
        id: "memo-map-1k-2",
        work: "hit of Memo, beside maps without a bound, 1,000 keys, two threads",
        reading: "memo_hit/{}/1000x2",
        ours: "larder-memo",
        ..HIT
    },
    Line {
        id: "memo-map-100k-1",
        work: "hit of Memo, beside maps without a bound, 100,000 keys, one thread",
        reading: "memo_hit/{}/100000x1",
        ours: "larder-memo",
        ..HIT
    },
    Line {
        id: "memo-map-100k-2",
        work: "hit of Memo, beside maps without a bound, 100,000 keys, two threads",
        reading: "memo_hit/{}/100000x2",
        ours: "larder-memo",
        ..HIT
    },
    Line {
        id: "memo-ratio-zipf",
        work: "hit ratio of Memo, Zipf(0.9)",
        reading: "memo_hit_ratio/zipf/{}",
        ..RATIO
    },
    Line {
        id: "memo-ratio-scan",
        work: "hit ratio of Memo, with scans",
        reading: "memo_hit_ratio/scan/{}",
        is_headline: false,
        ..RATIO
    },
    Line {
        id: "memo-ratio-shift",
        work: "hit ratio of Memo, tastes that change",
        reading: "memo_hit_ratio/shift/{}",
        is_headline: false,
        ..RATIO
    },
    Line {
        id: "memo-ratio-loop",
        work: "hit ratio of Memo, a loop over more than fits",
        reading: "memo_hit_ratio/loop/{}",
        ..RATIO
    },
    Line {
        id: "memo-memory-static",
        work: "StaticMemo of 100,000: bytes an entry beyond key and value",
        reading: "memo_memory/{}/100000/worst",
        ours: "larder-static",
        peers: &["papaya"],
        floor: Some("hashmap"),
        ..LESS
    },
    Line {
        id: "memo-memory-bounded",
        work: "Memo of 100,000: bytes an entry beyond key and value",
        reading: "memo_memory/{}/100000/worst",
        ours: "larder-memo",
        peers: CACHES,
        ..LESS
    },
    Line {
        id: "memo-cold-two",
        work: "two cold keys at once, loaders of 10 ms, Memo",
        reading: "memo_cold/{}/two keys",
        ours: "larder-memo",
        peers: CACHES,
        ..LESS
    },
    Line {
        id: "memo-cold-64",
        work: "64 threads ask for one cold key, loader of 10 ms, Memo",
        reading: "memo_cold/{}/64 ask",
        ours: "larder-memo",
        peers: CACHES,
        ..LESS
    },
];
