//! A session, and the bytes that it is kept as.

use super::TIMEOUT;
use std::collections::BTreeMap;

/// What a session holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// When it began.
    pub created: u64,
    /// When it was last used.
    pub accessed: u64,
    /// After how many seconds it expires.
    pub timeout: u64,
    /// What the program put there.
    pub values: BTreeMap<String, String>,
}

impl Session {
    /// Begins one with the default time-out.
    pub fn new(now: u64) -> Self {
        Session { created: now, accessed: now, timeout: TIMEOUT, values: BTreeMap::new() }
    }

    /// Encodes it, for `cPickle`.
    pub fn pickle(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        for number in [self.created, self.accessed, self.timeout, self.values.len() as u64] {
            bytes.extend(number.to_le_bytes());
        }
        for text in self.values.iter().flat_map(|(key, value)| [key, value]) {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }

    /// Decodes one; none if it is torn.
    pub fn unpickle(mut bytes: &[u8]) -> Option<Self> {
        let number = |bytes: &mut &[u8]| {
            let (first, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Some(u64::from_le_bytes(*first))
        };
        let [created, accessed, timeout, pairs] = {
            let mut next = || number(&mut bytes);
            [next()?, next()?, next()?, next()?]
        };
        let mut text = || {
            let length = usize::try_from(number(&mut bytes)?).ok()?;
            let (text, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            String::from_utf8(text.to_vec()).ok()
        };
        let mut values = BTreeMap::new();
        for _ in 0..pairs {
            values.insert(text()?, text()?);
        }
        bytes.is_empty().then_some(Session { created, accessed, timeout, values })
    }

    pub(super) fn has_expired(&self, now: u64, grace: u64) -> bool {
        now.saturating_sub(self.accessed) > self.timeout + grace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_torn_unnoticed() {
        let mut session = Session::new(7);
        session.values.insert("name".to_owned(), "Ann".to_owned());
        let record = session.pickle();
        assert_eq!(Session::unpickle(&record), Some(session));
        for cut in 0..record.len() {
            assert_eq!(Session::unpickle(&record[..cut]), None);
        }
    }
}
