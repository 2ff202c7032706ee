//! What is kept about a user: which sessions there are, and where logins came from.

use crate::codec::{Encoder, Fields, number};
use crate::id::Handle;
use crate::network::Network;

const MAGIC: &[u8; 4] = b"LSA1";

const VERSION: u8 = 1;
const USER: u8 = 2;
const EXPIRES: u8 = 3;
const SESSION: u8 = 4;
const SEEN: u8 = 5;
const PARTIAL: u8 = 6;

/// Networks that are remembered of a user at most; the one seen longest ago is forgotten first.
const MAX_SEEN: usize = 64;

/// A user's sessions and networks, as a [`Store`](crate::Store) keeps them: bytes with a version.
///
/// It is an index, and may be behind: a session in it may be gone by now, and is dropped by whoever
/// finds that out; a session that is not in it is put back when it is next touched.
///
/// One that was [torn](Account::torn) says that it may be far behind, until all sessions of the user
/// have been ended: for that, all there are in the store are looked through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    pub(crate) version: u64,
    pub(crate) user: Box<str>,
    /// When the last of its sessions ends in any case.
    pub(crate) expires_ms: u64,
    /// In the order of the logins.
    pub(crate) handles: Vec<Handle>,
    /// When each network was last seen.
    pub(crate) seen: Vec<(Network, u64)>,
    /// Was it begun anew in place of one that could not be read? It may lack sessions then.
    pub(crate) is_partial: bool,
    unknown: Vec<(u8, Box<[u8]>)>,
}

impl Account {
    /// The account of a user who has none.
    pub fn new(user: &str) -> Account {
        Account { user: user.into(), ..Account::default() }
    }

    /// What is left of an account that can't be read: the sessions it had are in none. The version is
    /// the one by which the store will compare, and it is kept for as long as the old one was.
    pub fn torn(user: &str, version: u64, expires_ms: u64) -> Account {
        Account { version, expires_ms, is_partial: true, ..Account::new(user) }
    }

    /// The version: 0 while it is not stored, one more with each save.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whose it is.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// When it can be forgotten, in milliseconds since 1970.
    pub fn expires_ms(&self) -> u64 {
        self.expires_ms
    }

    pub(crate) fn add(&mut self, handle: Handle, ends_ms: u64) {
        if !self.handles.contains(&handle) {
            self.handles.push(handle);
        }
        self.expires_ms = self.expires_ms.max(ends_ms);
    }

    /// Notes that the user was seen there, and forgets what was seen before `since_ms`.
    pub(crate) fn note(&mut self, network: Network, now_ms: u64, since_ms: u64) {
        self.seen.retain(|&(seen, at_ms)| seen != network && at_ms >= since_ms);
        if self.seen.len() == MAX_SEEN {
            self.seen.remove(0);
        }
        self.seen.push((network, now_ms));
    }

    pub(crate) fn seen_since(&self, since_ms: u64) -> impl Iterator<Item = Network> {
        self.seen.iter().filter(move |(_, at_ms)| *at_ms >= since_ms).map(|(network, _)| *network)
    }

    /// Are these the bytes of an account, whosever it is, and all of them?
    #[cfg(unix)]
    pub(crate) fn is_framed(bytes: &[u8]) -> bool {
        Fields::of(bytes, MAGIC).is_some()
    }

    /// All of it, as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let capacity = 64 + self.user.len() + 21 * self.handles.len() + 20 * self.seen.len();
        let mut encoder = Encoder::new(MAGIC, capacity);
        encoder.number(VERSION, self.version);
        encoder.field(USER, &[self.user.as_bytes()]);
        encoder.number(EXPIRES, self.expires_ms);
        self.handles.iter().for_each(|handle| encoder.field(SESSION, &[&handle.to_bytes()]));
        for (network, at_ms) in &self.seen {
            encoder.field(SEEN, &[&at_ms.to_le_bytes(), &network.to_bytes()]);
        }
        if self.is_partial {
            encoder.field(PARTIAL, &[]);
        }
        self.unknown.iter().for_each(|(tag, bytes)| encoder.field(*tag, &[bytes]));
        encoder.finish()
    }

    /// The account of [`encode`](Account::encode); `None` for bytes that are cut short, altered, or
    /// not the account of this user.
    pub fn decode(bytes: &[u8], user: &str) -> Option<Account> {
        let mut account = Account::default();
        for (tag, field) in Fields::of(bytes, MAGIC)? {
            match tag {
                VERSION => account.version = number(field)?,
                USER => account.user = std::str::from_utf8(field).ok()?.into(),
                EXPIRES => account.expires_ms = number(field)?,
                SESSION => account.handles.push(Handle::from_bytes(field.try_into().ok()?)),
                SEEN => {
                    let (at_ms, network) = field.split_first_chunk()?;
                    let network = Network::from_bytes(network)?;
                    account.seen.push((network, u64::from_le_bytes(*at_ms)));
                }
                PARTIAL => account.is_partial = true,
                _ => account.unknown.push((tag, field.into())),
            }
        }
        (account.version > 0 && *account.user == *user).then_some(account)
    }
}
