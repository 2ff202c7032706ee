//! Where entries stand: a concurrent index read behind guards.
//!
//! papaya holds them in the product. It cannot run under loom, so the models put a locked list in
//! its place; everything around it, the protocol that they check, is the code that ships.
//!
//! A `Pin` keeps what was taken away readable until it is dropped. Whoever takes a lock and then
//! touches the shelf pins first and unpins last: keys and values are then dropped with no lock
//! held, since nothing is freed under a pin of the same thread.

pub(crate) use index::{Pin, Shelf, Taken};

#[cfg(not(loom))]
mod index {
    use crate::entry::{Entry, Serial};
    use crate::hash::Seeded;
    use std::borrow::Borrow;
    use std::hash::Hash;

    pub(crate) struct Shelf<K, V> {
        map: papaya::HashMap<K, Entry<V>, Seeded>,
    }

    pub(crate) struct Pin<'s>(papaya::LocalGuard<'s>);

    /// An entry that has left its shelf.
    pub(crate) struct Taken<'p, K, V> {
        key: &'p K,
        entry: &'p Entry<V>,
    }

    impl<K, V> Taken<'_, K, V> {
        pub(crate) fn key(&self) -> &K {
            self.key
        }

        pub(crate) fn entry(&self) -> &Entry<V> {
            self.entry
        }
    }

    impl<K: Hash + Eq, V> Shelf<K, V> {
        pub(crate) fn new() -> Self {
            Shelf { map: papaya::HashMap::with_hasher(Seeded::new()) }
        }

        #[inline]
        pub(crate) fn pin(&self) -> Pin<'_> {
            Pin(self.map.guard())
        }

        /// Shows the entry of a key to `look`.
        #[inline]
        pub(crate) fn read<Q, R>(&self, key: &Q, look: impl FnOnce(&Entry<V>) -> R) -> Option<R>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            // By way of `pin`, whose guard papaya need not verify.
            self.map.pin().get(key).map(look)
        }

        /// Puts an entry in place of the key's last one, whose credit it inherits. The caller
        /// sees to it that nobody else puts this key.
        pub(crate) fn put<'p>(
            &self,
            key: K,
            entry: Entry<V>,
            pin: &'p Pin<'_>,
        ) -> Option<Taken<'p, K, V>> {
            let last = self.map.get_key_value(&key, &pin.0);
            if let Some((_, last)) = last {
                entry.set_credit(last.credit());
            }
            // Others may take `last` away before it is replaced, but never put another.
            let replaced = self.map.insert(key, entry, &pin.0);
            last.zip(replaced).map(|((key, _), entry)| Taken { key, entry })
        }

        /// Takes the entry of a key away.
        pub(crate) fn remove<'p, Q>(&self, key: &Q, pin: &'p Pin<'_>) -> Option<Taken<'p, K, V>>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            self.map.remove_entry(key, &pin.0).map(|(key, entry)| Taken { key, entry })
        }

        /// Takes the entry of this insertion away, if it is still that.
        pub(crate) fn remove_serial<'p>(
            &self,
            key: &K,
            serial: Serial,
            pin: &'p Pin<'_>,
        ) -> Option<Taken<'p, K, V>> {
            let removed = self.map.remove_if(key, |_, entry| entry.serial == serial, &pin.0);
            removed.ok().flatten().map(|(key, entry)| Taken { key, entry })
        }

        /// Shows every entry that stays there meanwhile, in no order.
        pub(crate) fn for_each(&self, pin: &Pin<'_>, mut look: impl FnMut(&K, &Entry<V>)) {
            self.map.iter(&pin.0).for_each(|(key, entry)| look(key, entry));
        }

        pub(crate) fn len(&self) -> usize {
            self.map.len()
        }
    }
}

#[cfg(loom)]
mod index {
    use crate::entry::{Entry, Serial};
    use crate::sync::{Mutex, lock};
    use std::borrow::Borrow;
    use std::hash::Hash;
    use std::marker::PhantomData;
    use std::sync::Arc;

    pub(crate) struct Shelf<K, V> {
        list: Mutex<Vec<Arc<(K, Entry<V>)>>>,
    }

    pub(crate) struct Pin<'s>(PhantomData<&'s ()>);

    pub(crate) struct Taken<'p, K, V> {
        pair: Arc<(K, Entry<V>)>,
        pinned: PhantomData<&'p ()>,
    }

    impl<K, V> Taken<'_, K, V> {
        pub(crate) fn key(&self) -> &K {
            &self.pair.0
        }

        pub(crate) fn entry(&self) -> &Entry<V> {
            &self.pair.1
        }
    }

    fn taken<'p, K, V>(pair: Arc<(K, Entry<V>)>) -> Taken<'p, K, V> {
        Taken { pair, pinned: PhantomData }
    }

    impl<K: Hash + Eq, V> Shelf<K, V> {
        pub(crate) fn new() -> Self {
            Shelf { list: Mutex::new(Vec::new()) }
        }

        pub(crate) fn pin(&self) -> Pin<'_> {
            Pin(PhantomData)
        }

        pub(crate) fn read<Q, R>(&self, key: &Q, look: impl FnOnce(&Entry<V>) -> R) -> Option<R>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            let found = lock(&self.list).iter().find(|pair| pair.0.borrow() == key).cloned();
            found.map(|pair| look(&pair.1))
        }

        pub(crate) fn put<'p>(
            &self,
            key: K,
            entry: Entry<V>,
            _: &'p Pin<'_>,
        ) -> Option<Taken<'p, K, V>> {
            let mut list = lock(&self.list);
            let last = list.iter().position(|pair| pair.0 == key).map(|at| list.swap_remove(at));
            if let Some(last) = &last {
                entry.set_credit(last.1.credit());
            }
            list.push(Arc::new((key, entry)));
            last.map(taken)
        }

        pub(crate) fn remove<'p, Q>(&self, key: &Q, _: &'p Pin<'_>) -> Option<Taken<'p, K, V>>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            self.take(|pair| pair.0.borrow() == key)
        }

        pub(crate) fn remove_serial<'p>(
            &self,
            key: &K,
            serial: Serial,
            _: &'p Pin<'_>,
        ) -> Option<Taken<'p, K, V>> {
            self.take(|pair| pair.0 == *key && pair.1.serial == serial)
        }

        fn take<'p>(&self, is_it: impl Fn(&(K, Entry<V>)) -> bool) -> Option<Taken<'p, K, V>> {
            let mut list = lock(&self.list);
            list.iter().position(|pair| is_it(pair)).map(|at| taken(list.swap_remove(at)))
        }

        pub(crate) fn for_each(&self, _: &Pin<'_>, mut look: impl FnMut(&K, &Entry<V>)) {
            let pairs = lock(&self.list).clone();
            pairs.iter().for_each(|pair| look(&pair.0, &pair.1));
        }

        pub(crate) fn len(&self) -> usize {
            lock(&self.list).len()
        }
    }
}
