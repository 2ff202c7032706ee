//! Sets of tables, by name.

use std::collections::HashMap;
use std::sync::Arc;

/// Names that are told apart: each is kept for as long as the connection. Beyond, every commit is
/// of unknown extent.
const MOST_NAMES: usize = 4096;

/// A table, by its place in [`Names`].
pub(super) type Name = u32;

/// Every table that a statement was ever prepared to write to.
#[derive(Default)]
pub(super) struct Names {
    names: Vec<Arc<str>>,
    ordinals: HashMap<Arc<str>, Name>,
}

impl Names {
    /// `None` when there are too many.
    pub(super) fn ordinal(&mut self, table: &str) -> Option<Name> {
        if let Some(&known) = self.ordinals.get(table) {
            return Some(known);
        }
        if self.names.len() == MOST_NAMES {
            return None;
        }
        let (name, ordinal) = (Arc::<str>::from(table), self.names.len() as Name);
        self.names.push(Arc::clone(&name));
        self.ordinals.insert(name, ordinal);
        Some(ordinal)
    }

    pub(super) fn name_all(&self, touched: &Touched) -> Vec<Arc<str>> {
        if touched.all {
            return self.names.clone();
        }
        touched.names.iter().map(|&name| Arc::clone(&self.names[name as usize])).collect()
    }
}

/// What one transaction, or several of which nobody was told yet, touched.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) names: Vec<Name>,
    /// Every table that was ever prepared for.
    pub(super) all: bool,
    pub(super) schema: bool,
    pub(super) unknown: bool,
}

impl Touched {
    /// `None` is a table whose name there was no room for.
    pub(super) fn add(&mut self, name: Option<Name>) {
        match name {
            Some(name) if !self.names.contains(&name) => self.names.push(name),
            Some(_) => {}
            None => self.unknown = true,
        }
    }

    pub(super) fn merge(&mut self, other: &mut Touched) {
        other.names.drain(..).for_each(|name| self.add(Some(name)));
        self.all |= std::mem::take(&mut other.all);
        self.schema |= std::mem::take(&mut other.schema);
        self.unknown |= std::mem::take(&mut other.unknown);
    }

    pub(super) fn clear(&mut self) {
        self.names.clear();
        (self.all, self.schema, self.unknown) = (false, false, false);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.all && !self.schema && !self.unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_too_many_makes_the_extent_unknown() {
        let (mut names, mut touched) = (Names::default(), Touched::default());
        (0..MOST_NAMES).for_each(|nth| touched.add(names.ordinal(&nth.to_string())));
        assert!(!touched.unknown);
        touched.add(names.ordinal("7"));
        assert!(!touched.unknown, "it is known already");
        touched.add(names.ordinal("one more"));
        assert!(touched.unknown);
        assert_eq!(names.name_all(&touched).len(), MOST_NAMES);
    }
}
