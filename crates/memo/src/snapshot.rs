//! A whole table as one load gave it.

use crate::hash::Seeded;
use crate::sync::Arc;
use crate::tables::Stamp;
use std::borrow::Borrow;
use std::collections::{HashMap, hash_map};
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::iter::FusedIterator;
use std::time::Duration;

/// The rows of one load. Nothing in it ever changes.
pub(crate) struct Whole<K, V> {
    pub(crate) rows: HashMap<K, V, Seeded>,
    /// What the load noted when it began: bumps up to here are in the rows.
    pub(crate) begun: Stamp,
    /// When it began, by the table's clock.
    pub(crate) at: Duration,
}

/// A [`StaticTable`](crate::StaticTable) as one load gave it: look-ups and iteration all see that
/// one, whatever is loaded meanwhile.
///
/// Clones share the rows; they are freed with the last of them. It does not follow reloads, so
/// keep it for a request, not for the life of a thread.
pub struct Snapshot<K, V> {
    pub(crate) whole: Arc<Whole<K, V>>,
}

impl<K, V> Snapshot<K, V> {
    /// Counts the rows.
    pub fn len(&self) -> usize {
        self.whole.rows.len()
    }

    /// Tells whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Visits the rows in no order.
    pub fn iter(&self) -> Rows<'_, K, V> {
        Rows { rows: self.whole.rows.iter() }
    }
}

impl<K: Hash + Eq, V> Snapshot<K, V> {
    /// Returns the value of a key.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.whole.rows.get(key)
    }

    /// Tells whether there is a row with this key.
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.whole.rows.contains_key(key)
    }
}

impl<K, V> Clone for Snapshot<K, V> {
    fn clone(&self) -> Self {
        Snapshot { whole: self.whole.clone() }
    }
}

impl<K: Debug, V: Debug> Debug for Snapshot<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<'a, K, V> IntoIterator for &'a Snapshot<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Rows<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Keys and values of a [`Snapshot`].
pub struct Rows<'a, K, V> {
    rows: hash_map::Iter<'a, K, V>,
}

impl<'a, K, V> Iterator for Rows<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<K, V> ExactSizeIterator for Rows<'_, K, V> {}

impl<K, V> FusedIterator for Rows<'_, K, V> {}

impl<K, V> Debug for Rows<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("left", &self.rows.len()).finish_non_exhaustive()
    }
}
