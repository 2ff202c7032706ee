//! What can be counted.

use std::fmt::Display;

/// An integer, as [`incr`](crate::Array::incr) and [`decr`](crate::Array::decr) count: from zero,
/// and never beyond its range.
pub trait Count: Copy + Default + Display {
    /// Adds, unless that overflows.
    fn plus(self, by: Self) -> Option<Self>;

    /// Subtracts, unless that overflows.
    fn minus(self, by: Self) -> Option<Self>;

    /// How it is kept in an atomic, so that it can be raised in place; if there is no way, as for
    /// what has more than 64 bits, each sum is a new value in the index.
    #[doc(hidden)]
    const BITS: Option<Bits<Self>> = None;
}

/// A type's way into 64 bits and back.
#[doc(hidden)]
pub struct Bits<V> {
    pub(crate) to: fn(&V) -> u64,
    pub(crate) of: fn(u64) -> V,
}

macro_rules! count {
    ($($integer:ty: $bits:expr),*) => {
        $(impl Count for $integer {
            #[inline]
            fn plus(self, by: Self) -> Option<Self> {
                self.checked_add(by)
            }

            #[inline]
            fn minus(self, by: Self) -> Option<Self> {
                self.checked_sub(by)
            }

            const BITS: Option<Bits<Self>> = $bits;
        })*
    };
}

/// The integer itself: a cast there and back loses nothing of 64 bits or fewer.
macro_rules! in_64_bits {
    ($($integer:ty)*) => {
        count!($($integer: Some(Bits { to: |count| *count as u64, of: |bits| bits as $integer })),*);
    };
}

in_64_bits!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);
count!(i128: None, u128: None);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn no_integer_is_changed_by_its_bits() {
        macro_rules! round_trip {
            ($($integer:ident)*) => {
                $(for count in [$integer::MIN, $integer::MAX, 0, 1, $integer::MIN + 1] {
                    let bits = <$integer as Count>::BITS.unwrap();
                    assert_eq!((bits.of)((bits.to)(&count)), count);
                })*
            };
        }
        round_trip!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);
    }
}
