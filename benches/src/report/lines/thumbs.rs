//! Lines of larder-thumbs.

use super::{LESS, Line, MORE};

const MAKE: Line = Line { peers: &["zune-fir", "image", "image-thumbnail"], ..LESS };
const QUALITY: Line = Line { peers: &["vipsthumbnail"], floor: Some("ceiling"), ..MORE };
const FOLDER: Line = Line { peers: &["vipsthumbnail"], ..LESS };

pub const LINES: &[Line] = &[
    Line {
        id: "thumbs-photo-256",
        work: "12.8 MP photograph to 256 px",
        reading: "thumbs_make/{}/canon-eos-5d-256",
        is_headline: true,
        ..MAKE
    },
    Line {
        id: "thumbs-photo-1280",
        work: "12.8 MP photograph to 1280 px",
        reading: "thumbs_make/{}/canon-eos-5d-1280",
        ..MAKE
    },
    Line {
        id: "thumbs-drawn-256",
        work: "drawn picture of 12 MP to 256 px",
        reading: "thumbs_make/{}/4000x3000-256",
        ..MAKE
    },
    Line {
        id: "thumbs-drawn-1280",
        work: "drawn picture of 12 MP to 1280 px",
        reading: "thumbs_make/{}/4000x3000-1280",
        ..MAKE
    },
    Line {
        id: "thumbs-folder-320",
        work: "folder of photographs to 320 px, one core: CPU time",
        reading: "beside_vips/{}/320 px",
        is_headline: true,
        ..FOLDER
    },
    Line {
        id: "thumbs-folder-three",
        work: "folder to 160, 320 and 640 px, one core: CPU time",
        reading: "beside_vips/{}/three sizes",
        ..FOLDER
    },
    Line {
        id: "thumbs-folder-threads",
        work: "folder to four sizes, two threads beside one, by the clock",
        reading: "beside_vips/{}/four sizes",
        ours: "larder, two threads",
        peers: &["larder, one thread"],
        ..LESS
    },
    Line {
        id: "thumbs-memory",
        work: "folder to four sizes, two threads: most memory",
        reading: "beside_vips/{}/memory",
        ..LESS
    },
    Line {
        id: "thumbs-memory-hostile",
        work: "malicious pictures, two threads, budget of 64 MB: most memory",
        reading: "beside_vips/{}/hostile memory, 64 MB",
        ..LESS
    },
    Line {
        id: "thumbs-quality-256",
        work: "SSIMULACRA2 at 256 px, photographs: mean of {}",
        size: Some("thumbs_quality_256/mean/photographs"),
        reading: "thumbs_quality_256/mean/{}",
        ..QUALITY
    },
    Line {
        id: "thumbs-quality-320",
        work: "SSIMULACRA2 at 320 px, photographs: mean of {}",
        size: Some("thumbs_quality_320/mean/photographs"),
        reading: "thumbs_quality_320/mean/{}",
        is_headline: true,
        ..QUALITY
    },
];
