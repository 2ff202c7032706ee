//! Messages for a thread that may sleep elsewhere, and who has to wake it.
//!
//! The receiver says under the lock that it sleeps, if there is no message; the first sender after
//! that learns it under the same lock, and is told to wake it. The lock is held for a push or a
//! swap of two vectors; nothing is allocated under it once they have grown.
//!
//! A message that can wait wakes nobody, unless the receiver has set the word that goes with it;
//! which it does before it goes through the lock on its way to sleep, so that one of the two sees
//! the other. [Models](self::models) look at every order.

use std::sync::atomic::Ordering::Relaxed;

use crate::sync::{AtomicBool, Mutex};

pub(crate) struct Post<M>(Mutex<State<M>>);

/// Written by senders and the receiver, under the lock.
struct State<M> {
    queue: Vec<M>,
    /// Set by the receiver before it sleeps, taken by the first sender after that.
    is_asleep: bool,
}

impl<M> Post<M> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { queue: Vec::new(), is_asleep: false }))
    }

    /// True if the sender must wake the receiver now.
    #[must_use]
    pub(crate) fn push(&self, message: M) -> bool {
        let mut state = self.0.lock();
        state.queue.push(message);
        std::mem::take(&mut state.is_asleep)
    }

    /// Leaves a message that can wait, unless `hurry` is set by then. True as above.
    #[must_use]
    pub(crate) fn leave(&self, message: M, hurry: &AtomicBool) -> bool {
        let mut state = self.0.lock();
        state.queue.push(message);
        // Relaxed: the lock orders this after what the receiver set before it went through it.
        hurry.load(Relaxed) && std::mem::take(&mut state.is_asleep)
    }

    /// The receiver announces sleep; false if there is something to do first.
    pub(crate) fn fall_asleep(&self) -> bool {
        let mut state = self.0.lock();
        state.is_asleep = state.queue.is_empty();
        state.is_asleep
    }

    pub(crate) fn wake_up(&self) {
        self.0.lock().is_asleep = false;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().queue.is_empty()
    }

    /// Swaps the messages into `inbox`, which must be empty.
    pub(crate) fn take(&self, inbox: &mut Vec<M>) {
        debug_assert!(inbox.is_empty());
        std::mem::swap(&mut self.0.lock().queue, inbox);
    }
}

#[cfg(all(test, loom))]
mod models {
    //! Every order of senders and a receiver that sleeps until it is woken, and not a moment less.

    use loom::sync::{Arc, Condvar, Mutex as Plain};
    use loom::thread;

    use super::*;

    /// Stands for the event that ends the receiver's sleep; rung while nobody sleeps, it stays so.
    struct Bell(Plain<bool>, Condvar);

    impl Bell {
        fn ring(&self) {
            *self.0.lock().unwrap() = true;
            self.1.notify_one();
        }

        fn sleep(&self) {
            let mut rung = self.0.lock().unwrap();
            while !*rung {
                rung = self.1.wait(rung).unwrap();
            }
            *rung = false;
        }
    }

    fn parts() -> (Arc<Post<u32>>, Arc<Bell>, Arc<AtomicBool>) {
        let bell = Bell(Plain::new(false), Condvar::new());
        (Arc::new(Post::new()), Arc::new(bell), Arc::new(AtomicBool::new(false)))
    }

    /// Receives `n` messages; a wake-up that is missing would leave the model asleep.
    fn receive(post: &Post<u32>, bell: &Bell, n: usize) {
        let (mut inbox, mut got) = (Vec::new(), 0);
        while got < n {
            if post.fall_asleep() {
                bell.sleep();
            }
            post.wake_up();
            post.take(&mut inbox);
            got += inbox.drain(..).count();
        }
    }

    #[test]
    fn no_message_is_slept_through() {
        loom::model(|| {
            let (post, bell, _) = parts();
            let senders: Vec<_> = (0..2)
                .map(|n| {
                    let (post, bell) = (Arc::clone(&post), Arc::clone(&bell));
                    thread::spawn(move || {
                        if post.push(n) {
                            bell.ring();
                        }
                    })
                })
                .collect();
            receive(&post, &bell, 2);
            senders.into_iter().for_each(|sender| sender.join().unwrap());
        });
    }

    /// The receiver learns that it is in a hurry while the message is under way.
    #[test]
    fn what_can_wait_wakes_a_receiver_in_a_hurry() {
        loom::model(|| {
            let (post, bell, hurry) = parts();
            let (to, ring, word) = (Arc::clone(&post), Arc::clone(&bell), Arc::clone(&hurry));
            let sender = thread::spawn(move || {
                if to.leave(7, &word) {
                    ring.ring();
                }
            });
            hurry.store(true, Relaxed);
            receive(&post, &bell, 1);
            sender.join().unwrap();
        });
    }

    #[test]
    fn what_can_wait_wakes_nobody_else() {
        loom::model(|| {
            let (post, _, hurry) = parts();
            let to = Arc::clone(&post);
            let sender = thread::spawn(move || assert!(!to.leave(7, &hurry)));
            post.fall_asleep();
            sender.join().unwrap();
            assert!(!post.is_empty());
        });
    }
}
