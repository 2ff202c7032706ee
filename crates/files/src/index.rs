//! The accounts: which files there are, what they cost, and in which order they were used.
//!
//! One mutex, held for a few map operations and never across a system call or a call into the
//! table of descriptors. A hot hit does not come here: the time of its use stays in the entry and
//! is looked up when the entry is about to be evicted, or handed over when its descriptor is.

use std::collections::{BTreeSet, HashMap};

use crate::key::{BuildNameHasher, Name};
use crate::limits::Limits;

/// What file systems allocate in, near enough.
pub(crate) const BLOCK: u64 = 4096;

/// The cost of a file of `len` bytes.
pub(crate) fn cost_of(len: u64) -> u64 {
    len.div_ceil(BLOCK).max(1) * BLOCK
}

/// All fields are under the mutex of the one who owns the index.
pub(crate) struct Index {
    files: HashMap<Name, Known, BuildNameHasher>,
    /// The same files, oldest use first.
    order: BTreeSet<(u64, Name)>,
    /// The sum of their costs.
    bytes: u64,
    /// The pass of the count that is under way, or was last.
    pass: u32,
    /// What is promised to entries on their way to disk.
    reserved_bytes: u64,
    reserved_files: usize,
    max_bytes: u64,
    max_files: usize,
}

#[derive(Clone, Copy)]
pub(crate) struct Account {
    pub(crate) used: u64,
    pub(crate) cost: u64,
}

struct Known {
    account: Account,
    /// In which pass of the count it was last entered, by whomever.
    pass: u32,
}

impl Index {
    pub(crate) fn new(limits: &Limits) -> Index {
        Index {
            files: HashMap::default(),
            order: BTreeSet::new(),
            bytes: 0,
            pass: 0,
            reserved_bytes: 0,
            reserved_files: 0,
            max_bytes: limits.max_bytes,
            max_files: limits.max_files,
        }
    }

    /// Promises room for so much more, if there is any.
    pub(crate) fn reserve(&mut self, cost: u64, files: usize) -> bool {
        if !self.fits(cost, files) {
            return false;
        }
        self.reserved_bytes += cost;
        self.reserved_files += files;
        true
    }

    /// Gives back what [`reserve`](Index::reserve) promised.
    pub(crate) fn release(&mut self, cost: u64, files: usize) {
        self.reserved_bytes -= cost;
        self.reserved_files -= files;
    }

    /// Are the accounts over their bounds, as they may be when the limits were lowered?
    pub(crate) fn is_over(&self) -> bool {
        !self.fits(0, 0)
    }

    fn fits(&self, cost: u64, files: usize) -> bool {
        self.bytes + self.reserved_bytes + cost <= self.max_bytes
            && self.files.len() + self.reserved_files + files <= self.max_files
    }

    /// Would so much more fit if all were evicted but what is on its way to disk?
    pub(crate) fn can_ever_fit(&self, cost: u64, files: usize) -> bool {
        self.reserved_bytes + cost <= self.max_bytes
            && self.reserved_files + files <= self.max_files
    }

    /// Enters a file, or what is now known of it; its use is never made older.
    pub(crate) fn enter(&mut self, name: Name, account: Account) {
        // Most are known and as they were: a cold hit moves them, and no more.
        if let Some(known) = self.files.get_mut(&name)
            && known.account.cost == account.cost
        {
            known.pass = self.pass;
            return self.touch(&name, account.used);
        }
        let known = self.remove(&name).map_or(0, |old| old.used);
        let account = Account { used: account.used.max(known), ..account };
        self.bytes += account.cost;
        self.order.insert((account.used, name));
        self.files.insert(name, Known { account, pass: self.pass });
    }

    /// Enters a file unless it is known, and so known better.
    pub(crate) fn enter_if_absent(&mut self, name: Name, account: Account) {
        if !self.files.contains_key(&name) {
            self.enter(name, account);
        }
    }

    /// Moves a known file to a later use.
    pub(crate) fn touch(&mut self, name: &Name, used: u64) {
        let account = self.files.get_mut(name).map(|known| &mut known.account);
        if let Some(account) = account.filter(|account| account.used < used) {
            self.order.remove(&(account.used, *name));
            self.order.insert((used, *name));
            account.used = used;
        }
    }

    pub(crate) fn remove(&mut self, name: &Name) -> Option<Account> {
        let Known { account, .. } = self.files.remove(name)?;
        self.order.remove(&(account.used, *name));
        self.bytes -= account.cost;
        Some(account)
    }

    /// Takes the file that was not used for longest out of the accounts.
    pub(crate) fn take_oldest(&mut self) -> Option<(Name, Account)> {
        let (_, name) = self.order.first().copied()?;
        self.remove(&name).map(|account| (name, account))
    }

    /// Begins a pass of the count over all files.
    pub(crate) fn begin_pass(&mut self) {
        self.pass = self.pass.wrapping_add(1);
    }

    /// The files that were not entered since the pass began.
    pub(crate) fn unseen(&self) -> Vec<Name> {
        let unseen = self.files.iter().filter(|(_, known)| known.pass != self.pass);
        unseen.map(|(name, _)| *name).collect()
    }

    pub(crate) fn names(&self) -> Vec<Name> {
        self.files.keys().copied().collect()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn reserved_bytes(&self) -> u64 {
        self.reserved_bytes
    }

    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }
}
