//! What a cookie carries, and the name that a store keeps instead.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;

const ID_BYTES: usize = 24;
/// 24 bytes are 32 characters, with nothing left over that could be written in two ways.
const ID_CHARS: usize = 32;

/// Keeps the hashes of ids and of users apart from each other and from anybody else's. They are no
/// secrets: an id has 192 random bits, which nobody finds by trying.
const ID_CONTEXT: &[u8; 32] = b"larder-sessions/1 id of session.";
const USER_CONTEXT: &[u8; 32] = b"larder-sessions/1 name of a user";

/// The secret: who has it has the session. It has no `Debug`, so that no log gets it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionId([u8; ID_BYTES]);

impl SessionId {
    pub(crate) fn generate() -> Result<SessionId, Error> {
        let mut bytes = [0; ID_BYTES];
        getrandom::fill(&mut bytes).map_err(Error::random)?;
        Ok(SessionId(bytes))
    }

    /// Reads the value of a cookie; anything but 32 characters of base64url is no id.
    pub(crate) fn parse(text: &str) -> Option<SessionId> {
        let mut bytes = [0; ID_BYTES];
        if text.len() != ID_CHARS {
            return None;
        }
        match URL_SAFE_NO_PAD.decode_slice_unchecked(text, &mut bytes) {
            Ok(ID_BYTES) => Some(SessionId(bytes)),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(crate) fn handle(&self) -> Handle {
        Handle(named(ID_CONTEXT, &self.0))
    }
}

/// The name of a session: the hash of its id, which stores and lists have instead of the id. It
/// can be shown to the owner of the session, to end it by; it opens nothing.
///
/// As text it is 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(u128);

impl Handle {
    /// The bytes, as a database keeps them.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The handle of [`to_bytes`](Handle::to_bytes).
    pub fn from_bytes(bytes: [u8; 16]) -> Handle {
        Handle(u128::from_be_bytes(bytes))
    }

    pub(crate) fn number(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}

/// The text is no handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAHandle;

impl fmt::Display for NotAHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a handle is 32 lower-case hexadecimal digits")
    }
}

impl std::error::Error for NotAHandle {}

impl FromStr for Handle {
    type Err = NotAHandle;

    fn from_str(text: &str) -> Result<Handle, NotAHandle> {
        parse_name(text.as_bytes()).map(Handle).ok_or(NotAHandle)
    }
}

/// Reads 32 lower-case hexadecimal digits: one text a number, as file names need it.
pub(crate) fn parse_name(text: &[u8]) -> Option<u128> {
    if text.len() != 32 {
        return None;
    }
    text.iter().try_fold(0, |number: u128, &digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

/// The name under which a user's account is kept.
pub(crate) fn user_name(user: &str) -> u128 {
    named(USER_CONTEXT, user.as_bytes())
}

fn named(context: &[u8; 32], bytes: &[u8]) -> u128 {
    let hash = blake3::keyed_hash(context, bytes);
    let (name, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
    u128::from_be_bytes(*name)
}
