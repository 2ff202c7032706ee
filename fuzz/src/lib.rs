//! What strangers' bytes must never do, one target a parser.
//!
//! A target asserts more than that nothing panics: what is accepted means one thing, however it is
//! cut into pieces, and takes no more memory than was promised. `.ci/fuzz` runs each for some
//! seconds; `cargo fuzz run serve_head` (with `RUSTC_BOOTSTRAP=1` on a stable toolchain) runs one
//! until it is stopped.
//!
//! | target | it feeds |
//! |---|---|
//! | `files_trailer` | the end of a cached file |
//! | `serve_head`, `serve_body`, `serve_range` | a request |
//! | `thumbs_header`, `thumbs_jpeg` | a picture: its header; all of a JPEG |

pub mod memory;
pub mod pictures;

use std::path::Path;

/// Puts seeds into the corpus, the first folder that the command line names, before it is read.
pub fn plant<S: AsRef<[u8]>>(seeds: impl IntoIterator<Item = S>) {
    let Some(dir) = std::env::args().skip(1).find(|arg| Path::new(arg).is_dir()) else { return };
    for (number, seed) in seeds.into_iter().enumerate() {
        let path = Path::new(&dir).join(format!("seed-{number}"));
        std::fs::write(path, seed).expect("the corpus can be written");
    }
}
