//! A session as stores keep it.

use std::sync::Arc;

use crate::codec::{Encoder, Fields, number};
use crate::id::Handle;
use crate::network::Network;

const MAGIC: &[u8; 4] = b"LSR1";

const VERSION: u8 = 1;
const CREATED: u8 = 2;
const ENDS: u8 = 3;
const USER: u8 = 4;
const NETWORK: u8 = 5;
const SUCCESSOR: u8 = 6;
const ORIGIN: u8 = 7;
const VALUE: u8 = 16;

/// One version of a session: when it ends, whose it is, its values as JSON by key.
///
/// For a [`Store`](crate::Store) it is bytes ([`encode`](Record::encode)) with a version, by which
/// saves compare and swap, and a time at which it expires, which touches move without a version.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub(crate) version: u64,
    pub(crate) created_ms: u64,
    /// The absolute end.
    pub(crate) ends_ms: u64,
    /// The idle end, kept by the store beside the bytes.
    pub(crate) expires_ms: u64,
    pub(crate) user: Option<Box<str>>,
    pub(crate) network: Option<Network>,
    pub(crate) successor: Option<Successor>,
    /// The handle that it had before it was renewed for the first time.
    pub(crate) origin: Option<Handle>,
    pub(crate) values: Values,
    /// Fields of another release.
    unknown: Vec<(u8, Box<[u8]>)>,
}

/// Where a renewed session went on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Successor {
    pub(crate) handle: Handle,
    /// Is what is read through the old id the new session's? After a login it is not: the old id
    /// may be known to somebody who planted it.
    pub(crate) is_followed: bool,
}

impl Record {
    pub(crate) fn new(now_ms: u64, ends_ms: u64, expires_ms: u64) -> Record {
        Record {
            version: 1,
            created_ms: now_ms,
            ends_ms,
            expires_ms,
            user: None,
            network: None,
            successor: None,
            origin: None,
            values: Values::default(),
            unknown: Vec::new(),
        }
    }

    /// The version: 1 at first, one more with each save.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When it was created, in milliseconds since 1970.
    pub fn created_ms(&self) -> u64 {
        self.created_ms
    }

    /// When it ends unless it is touched, in milliseconds since 1970.
    pub fn expires_ms(&self) -> u64 {
        self.expires_ms.min(self.ends_ms)
    }

    /// When it ends in any case, in milliseconds since 1970.
    pub fn ends_ms(&self) -> u64 {
        self.ends_ms
    }

    /// Whose it is, once somebody has logged in.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The network that the login came from.
    pub fn network(&self) -> Option<Network> {
        self.network
    }

    /// The name of the session whose handle is `handle`: what its first handle was. Renewals keep it,
    /// and logins of the user that it has; so it finds what a session has become by now.
    pub fn name(&self, handle: Handle) -> Handle {
        self.origin.unwrap_or(handle)
    }

    /// Is it neither expired nor ended?
    pub fn is_live(&self, now_ms: u64) -> bool {
        now_ms < self.expires_ms()
    }

    /// The same with another idle end, as after a touch.
    pub fn with_expires_ms(mut self, expires_ms: u64) -> Record {
        self.expires_ms = expires_ms;
        self
    }

    /// Are these the bytes of a record, and all of them?
    #[cfg(unix)]
    pub(crate) fn is_framed(bytes: &[u8]) -> bool {
        Fields::of(bytes, MAGIC).is_some()
    }

    /// All of it but the idle end, as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(MAGIC, 128 + self.values.len_bytes());
        encoder.number(VERSION, self.version);
        encoder.number(CREATED, self.created_ms);
        encoder.number(ENDS, self.ends_ms);
        if let Some(user) = &self.user {
            encoder.field(USER, &[user.as_bytes()]);
        }
        if let Some(network) = &self.network {
            encoder.field(NETWORK, &[&network.to_bytes()]);
        }
        if let Some(next) = &self.successor {
            encoder.field(SUCCESSOR, &[&next.handle.to_bytes(), &[u8::from(next.is_followed)]]);
        }
        if let Some(origin) = &self.origin {
            encoder.field(ORIGIN, &[&origin.to_bytes()]);
        }
        for (key, value) in self.values.iter() {
            let len = u16::try_from(key.len()).expect("keys are bounded");
            encoder.field(VALUE, &[&len.to_le_bytes(), key.as_bytes(), value]);
        }
        self.unknown.iter().for_each(|(tag, bytes)| encoder.field(*tag, &[bytes]));
        encoder.finish()
    }

    /// The record of [`encode`](Record::encode), with the idle end that the store kept beside it.
    /// `None` for bytes that are cut short, altered, or not a record.
    pub fn decode(bytes: &[u8], expires_ms: u64) -> Option<Record> {
        let mut record = Record::new(0, 0, expires_ms);
        record.version = 0;
        for (tag, field) in Fields::of(bytes, MAGIC)? {
            match tag {
                VERSION => record.version = number(field)?,
                CREATED => record.created_ms = number(field)?,
                ENDS => record.ends_ms = number(field)?,
                USER => record.user = Some(std::str::from_utf8(field).ok()?.into()),
                NETWORK => record.network = Network::from_bytes(field),
                SUCCESSOR => {
                    let (handle, is_followed) = field.split_first_chunk()?;
                    let handle = Handle::from_bytes(*handle);
                    record.successor = Some(Successor { handle, is_followed: is_followed == [1] });
                }
                ORIGIN => record.origin = Some(Handle::from_bytes(field.try_into().ok()?)),
                VALUE => {
                    let (len, rest) = field.split_first_chunk()?;
                    let (key, value) = rest.split_at_checked(u16::from_le_bytes(*len).into())?;
                    record.values.push(std::str::from_utf8(key).ok()?, value);
                }
                _ => record.unknown.push((tag, field.into())),
            }
        }
        // Written in order, but by whom?
        record.values.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        (record.version > 0).then_some(record)
    }
}

/// Encoded values by key, in the order of the keys. A copy shares the values with the original.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Values(Vec<(Box<str>, Arc<[u8]>)>);

impl Values {
    fn push(&mut self, key: &str, value: &[u8]) {
        self.0.push((key.into(), value.into()));
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(at, _)| (**at).cmp(key))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Arc<[u8]>> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    pub(crate) fn put(&mut self, key: &str, value: Option<&Arc<[u8]>>) {
        match (self.find(key), value) {
            (Ok(at), Some(value)) => self.0[at].1 = value.clone(),
            (Err(at), Some(value)) => self.0.insert(at, (key.into(), value.clone())),
            (Ok(at), None) => drop(self.0.remove(at)),
            (Err(_), None) => {}
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// What they take, each with a few bytes for its frame.
    pub(crate) fn len_bytes(&self) -> usize {
        self.iter().map(|(key, value)| key.len() + value.len() + 8).sum()
    }
}
