//! Process-wide memoised look-ups and static tables whose hits write nothing shared.
#![deny(unsafe_code)]

mod builder;
mod clock;
mod error;
mod flight;
mod flights;
mod hash;
mod memo;
mod policy;
mod shelf;
mod static_memo;
mod sync;
mod table;
mod tables;

pub use builder::Builder;
pub use clock::Clock;
pub use error::{Error, LoadError};
pub use hash::Seeded;
pub use memo::Memo;
pub use static_memo::{Iter, StaticMemo};
pub use tables::Tables;
