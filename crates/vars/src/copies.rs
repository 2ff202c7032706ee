//! Values that are lent for as long as whoever looks at an array goes on looking.

use std::cell::OnceCell;

/// How many the first chunk holds; each further one holds twice as many as the one before.
const FIRST: usize = 4;

/// A list that only grows, and lends what is in it meanwhile. It allocates with the first value.
pub(crate) struct Copies<V> {
    first: OnceCell<Box<Chunk<V>>>,
}

struct Chunk<V> {
    /// Filled from the first on.
    values: Box<[OnceCell<V>]>,
    /// Made when all are.
    next: OnceCell<Box<Chunk<V>>>,
}

impl<V> Copies<V> {
    pub(crate) const fn new() -> Self {
        Copies { first: OnceCell::new() }
    }

    /// Keeps a value and lends it.
    pub(crate) fn keep(&self, value: V) -> &V {
        let mut chunk = self.first.get_or_init(|| Chunk::of(FIRST));
        while chunk.is_full() {
            chunk = chunk.next.get_or_init(|| Chunk::of(2 * chunk.values.len()));
        }
        let used = chunk.values.partition_point(|cell| cell.get().is_some());
        chunk.values[used].get_or_init(|| value)
    }
}

impl<V> Chunk<V> {
    fn of(len: usize) -> Box<Self> {
        let values = std::iter::repeat_with(OnceCell::new).take(len).collect();
        Box::new(Chunk { values, next: OnceCell::new() })
    }

    fn is_full(&self) -> bool {
        self.values.last().is_some_and(|last| last.get().is_some())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_first_stays_where_it_is() {
        let copies = Copies::new();
        let lent: Vec<&usize> = (0..1_000).map(|nth| copies.keep(nth)).collect();
        assert!(lent.into_iter().copied().eq(0..1_000));
    }
}
