//! A manager that does as it is told, and counts.
#![allow(dead_code)] // each test file uses a part

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use larder_pool::{CustomizeConnection, HandleError, ManageConnection, Pool};

/// The manager's error, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(pub &'static str);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Fault {}

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Counts {
    opened: AtomicUsize,
    closed: AtomicUsize,
    tested: AtomicUsize,
    most_open: AtomicUsize,
}

impl Counts {
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    pub fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }

    pub fn tested(&self) -> usize {
        self.tested.load(Ordering::SeqCst)
    }

    /// The most that were ever open at once.
    pub fn most_open(&self) -> usize {
        self.most_open.load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
pub struct Conn {
    pub id: usize,
    pub broken: bool,
    counts: Arc<Counts>,
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.counts.closed.fetch_add(1, Ordering::SeqCst);
    }
}

type Act<T> = Box<dyn Fn(&mut Conn) -> T + Send + Sync>;

pub struct Fake {
    pub counts: Arc<Counts>,
    connect: Box<dyn Fn() -> Result<(), Fault> + Send + Sync>,
    is_valid: Act<Result<(), Fault>>,
    has_broken: Act<bool>,
}

impl Default for Fake {
    fn default() -> Self {
        Fake {
            counts: Arc::default(),
            connect: Box::new(|| Ok(())),
            is_valid: Box::new(|_| Ok(())),
            has_broken: Box::new(|conn| conn.broken),
        }
    }
}

impl Fake {
    pub fn connecting(
        mut self,
        act: impl Fn() -> Result<(), Fault> + Send + Sync + 'static,
    ) -> Self {
        self.connect = Box::new(act);
        self
    }

    pub fn testing(
        mut self,
        act: impl Fn(&mut Conn) -> Result<(), Fault> + Send + Sync + 'static,
    ) -> Self {
        self.is_valid = Box::new(act);
        self
    }

    pub fn breaking(mut self, act: impl Fn(&mut Conn) -> bool + Send + Sync + 'static) -> Self {
        self.has_broken = Box::new(act);
        self
    }
}

impl ManageConnection for Fake {
    type Connection = Conn;
    type Error = Fault;

    fn connect(&self) -> Result<Conn, Fault> {
        (self.connect)()?;
        let id = self.counts.opened.fetch_add(1, Ordering::SeqCst);
        let open = id + 1 - self.counts.closed();
        self.counts.most_open.fetch_max(open, Ordering::SeqCst);
        Ok(Conn { id, broken: false, counts: Arc::clone(&self.counts) })
    }

    fn is_valid(&self, conn: &mut Conn) -> Result<(), Fault> {
        self.counts.tested.fetch_add(1, Ordering::SeqCst);
        (self.is_valid)(conn)
    }

    fn has_broken(&self, conn: &mut Conn) -> bool {
        (self.has_broken)(conn)
    }
}

/// Keeps what it hears.
#[derive(Debug, Clone, Default)]
pub struct Ear(pub Arc<Mutex<Vec<String>>>);

impl Ear {
    pub fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl<E: fmt::Display> HandleError<E> for Ear {
    fn handle_error(&self, error: E) {
        self.0.lock().unwrap().push(error.to_string());
    }
}

/// A customizer of two functions.
pub struct Customs {
    pub acquire: Box<dyn Fn() -> Result<(), Fault> + Send + Sync>,
    pub release: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Customs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Customs")
    }
}

impl CustomizeConnection<Conn, Fault> for Customs {
    fn on_acquire(&self, _: &mut Conn) -> Result<(), Fault> {
        (self.acquire)()
    }

    fn on_release(&self, _: Conn) {
        (self.release)();
    }
}

/// Waits until something is so, which another thread is about to make so.
pub fn until(what: &str, so: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < give_up, "never came: {what}");
        std::thread::yield_now();
    }
}

/// Borrows all that a pool may lend, at once: the proof that no slot is lost.
pub fn assert_whole<M: ManageConnection>(pool: &Pool<M>) {
    let all: Vec<_> = (0..pool.max_size())
        .map(|nth| {
            let began = Instant::now();
            loop {
                match pool.get_timeout(Duration::from_secs(10)) {
                    Ok(conn) => break conn,
                    // The faults may have looked like an outage; the next attempt is soon.
                    Err(error) if error.is_outage() && began.elapsed().as_secs() < 10 => {
                        std::thread::yield_now();
                    }
                    Err(error) => panic!("slot {nth} is lost: {error}"),
                }
            }
        })
        .collect();
    assert!(pool.try_get().is_none(), "more was lent than max_size");
    assert_eq!(pool.state().connections, pool.max_size());
    drop(all);
}
