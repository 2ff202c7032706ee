//! What can be counted.

use std::fmt::Display;

/// An integer, as [`incr`](crate::Array::incr) and [`decr`](crate::Array::decr) count: from zero,
/// and never beyond its range.
pub trait Count: Copy + Default + Display {
    /// Adds, unless that overflows.
    fn plus(self, by: Self) -> Option<Self>;

    /// Subtracts, unless that overflows.
    fn minus(self, by: Self) -> Option<Self>;
}

macro_rules! count {
    ($($integer:ty)*) => {
        $(impl Count for $integer {
            #[inline]
            fn plus(self, by: Self) -> Option<Self> {
                self.checked_add(by)
            }

            #[inline]
            fn minus(self, by: Self) -> Option<Self> {
                self.checked_sub(by)
            }
        })*
    };
}

count!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);
