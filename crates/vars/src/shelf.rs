//! An index that is read behind guards: the variables of an array, and the arrays by their names.
//!
//! papaya holds it in the product. It cannot run under loom, so the models put a locked list in
//! its place; everything around it, the protocol that they check, is the code that ships.
//!
//! A `Pin` keeps what was taken away readable until it is dropped. Whoever takes a lock and then
//! touches the shelf pins first and unpins last: keys and values are then dropped with no lock
//! held, since nothing is freed under a pin of the same thread.

pub(crate) use index::{Pin, Shelf};

#[cfg(not(loom))]
mod index {
    use crate::hash::Seeded;
    use papaya::{HashMap, HashMapRef, LocalGuard, ResizeMode};
    use std::borrow::Borrow;
    use std::hash::Hash;
    use std::sync::OnceLock;

    pub(crate) struct Shelf<K, T> {
        /// Made by the first who puts something, so that a shelf can be made at compile time.
        map: OnceLock<HashMap<K, T, Seeded>>,
    }

    pub(crate) struct Pin<'s, K, T>(HashMapRef<'s, K, T, Seeded, LocalGuard<'s>>);

    impl<K, T> Shelf<K, T> {
        pub(crate) const fn new() -> Self {
            Shelf { map: OnceLock::new() }
        }
    }

    impl<K: Hash + Eq, T> Shelf<K, T> {
        #[inline]
        pub(crate) fn pin(&self) -> Pin<'_, K, T> {
            Pin(self.map.get_or_init(make).pin())
        }

        /// Shows what stands under a key to `look`.
        #[inline]
        pub(crate) fn read<Q, R>(&self, key: &Q, look: impl FnOnce(&T) -> R) -> Option<R>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            self.map.get()?.pin().get(key).map(look)
        }
    }

    /// It grows at once, while other writers wait and readers do not. Grown step by step, it would
    /// stay half grown when writes end, or only change counts in place; and a read of a key that
    /// was moved already has to look twice, at twice the cost, for good.
    #[cold]
    fn make<K, T>() -> HashMap<K, T, Seeded> {
        HashMap::builder().hasher(Seeded::new()).resize_mode(ResizeMode::Blocking).build()
    }

    impl<K: Hash + Eq, T> Pin<'_, K, T> {
        #[inline]
        pub(crate) fn get<Q>(&self, key: &Q) -> Option<&T>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            self.0.get(key)
        }

        #[inline]
        pub(crate) fn put(&self, key: K, item: T) {
            self.0.insert(key, item);
        }

        pub(crate) fn remove<Q>(&self, key: &Q)
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            self.0.remove(key);
        }

        /// Everything that stays there meanwhile, in no order.
        pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &T)> {
            self.0.iter()
        }
    }
}

#[cfg(loom)]
mod index {
    use crate::sync::{Mutex, lock};
    use std::borrow::Borrow;
    use std::hash::Hash;
    use std::sync::OnceLock;

    pub(crate) struct Shelf<K, T> {
        /// Whatever was put, in order; nothing is freed before the shelf.
        first: OnceLock<Box<Node<K, T>>>,
        /// Which of them are there.
        live: Mutex<Vec<usize>>,
    }

    struct Node<K, T> {
        key: K,
        item: T,
        next: OnceLock<Box<Node<K, T>>>,
    }

    pub(crate) struct Pin<'s, K, T>(&'s Shelf<K, T>);

    impl<K, T> Shelf<K, T> {
        pub(crate) fn new() -> Self {
            Shelf { first: OnceLock::new(), live: Mutex::new(Vec::new()) }
        }

        fn nodes(&self) -> impl Iterator<Item = &Node<K, T>> {
            let first = self.first.get().map(|node| &**node);
            std::iter::successors(first, |node| node.next.get().map(|node| &**node))
        }

        fn node(&self, nth: usize) -> &Node<K, T> {
            self.nodes().nth(nth).expect("a live node was put")
        }
    }

    impl<K: Hash + Eq, T> Shelf<K, T> {
        pub(crate) fn pin(&self) -> Pin<'_, K, T> {
            Pin(self)
        }

        pub(crate) fn read<Q, R>(&self, key: &Q, look: impl FnOnce(&T) -> R) -> Option<R>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            self.pin().get(key).map(look)
        }
    }

    impl<K: Hash + Eq, T> Pin<'_, K, T> {
        pub(crate) fn get<Q>(&self, key: &Q) -> Option<&T>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            let live = lock(&self.0.live);
            let mut live = live.iter().map(|nth| self.0.node(*nth));
            live.find(|node| node.key.borrow() == key).map(|node| &node.item)
        }

        pub(crate) fn put(&self, key: K, item: T) {
            let mut live = lock(&self.0.live);
            live.retain(|nth| self.0.node(*nth).key != key);
            live.push(self.0.nodes().count());
            let node = Box::new(Node { key, item, next: OnceLock::new() });
            let end = self.0.nodes().last().map_or(&self.0.first, |last| &last.next);
            assert!(end.set(node).is_ok(), "only the holder of the lock appends");
        }

        pub(crate) fn remove<Q>(&self, key: &Q)
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            lock(&self.0.live).retain(|nth| self.0.node(*nth).key.borrow() != key);
        }

        pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &T)> {
            let live = lock(&self.0.live).clone();
            live.into_iter().map(|nth| {
                let node = self.0.node(nth);
                (&node.key, &node.item)
            })
        }
    }
}
