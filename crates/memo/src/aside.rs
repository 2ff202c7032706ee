//! Loads inside a transaction: for their caller alone, beside those that all share.
//!
//! Nobody waits for them and they wait for nobody, so all there is to know is which tables this
//! thread is loading so, lest a loader that asks for its own table runs for ever.

use crate::sync::const_thread_local;
use std::cell::RefCell;

const_thread_local! {
    /// The addresses of those tables; each is borrowed for as long as it is here.
    static LOADING: RefCell<Vec<usize>> = RefCell::new(Vec::new());
}

/// A load of one table in progress.
pub(crate) struct Aside(());

impl Aside {
    /// Begins a load; `None` if its loader is the caller.
    pub(crate) fn begin<T>(table: &T) -> Option<Aside> {
        let address = (&raw const *table).addr();
        let begin = |loading: &RefCell<Vec<usize>>| {
            let mut loading = loading.borrow_mut();
            let first = !loading.contains(&address);
            first.then(|| loading.push(address))
        };
        // A thread whose storage is gone has no transaction either.
        LOADING.try_with(begin).ok().flatten().map(Aside)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // They end in the reverse order of their beginning.
        let _ = LOADING.try_with(|loading| loading.borrow_mut().pop());
    }
}
