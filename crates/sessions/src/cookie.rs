//! The cookie: how it is named and fenced, how it is written, and how it is found in a request.

use std::fmt::Write as _;
use std::time::Duration;

use crate::id::SessionId;

/// Cookies of the session's name that are tried in one request. A browser sends more than one only
/// when another host of the same site has set one too.
const MAX_TRIED: usize = 4;

/// Which cookie carries the id, and what a browser may do with it.
///
/// ```
/// use larder_sessions::{Cookie, SameSite};
///
/// let cookie = Cookie::new("shop").same_site(SameSite::Strict);
/// assert_eq!(cookie.name(), "__Host-shop");
/// ```
#[derive(Clone, Debug)]
pub struct Cookie {
    name: String,
    is_secure: bool,
    same_site: SameSite,
    max_age: Option<Duration>,
}

/// Which requests from other sites carry the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// None.
    Strict,
    /// Those where a person follows a link here.
    Lax,
    /// All: for pages that others embed. Forged requests are then yours to refuse.
    None,
}

impl Cookie {
    /// The cookie `__Host-<name>`: for this host alone, over TLS alone, and hidden from scripts.
    ///
    /// The prefix makes browsers refuse one that another host of the site sets.
    ///
    /// # Panics
    /// When the name is empty or has anything but letters, digits, `-` and `_`.
    pub fn new(name: &str) -> Cookie {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(
            !name.is_empty() && name.bytes().all(is_plain),
            "{name:?} is no name for a cookie: letters, digits, - and _"
        );
        Cookie {
            name: format!("__Host-{name}"),
            is_secure: true,
            same_site: SameSite::Lax,
            max_age: None,
        }
    }

    /// Gives up TLS, and with it the prefix: for development on a machine of one's own, since
    /// browsers send a secure cookie over TLS only.
    pub fn insecure(mut self) -> Cookie {
        assert!(self.same_site != SameSite::None, "browsers want Secure with SameSite=None");
        self.is_secure = false;
        self.name = self.name.trim_start_matches("__Host-").to_string();
        self
    }

    /// Which requests from other sites carry it. Default [`SameSite::Lax`].
    ///
    /// # Panics
    /// When [`SameSite::None`] is asked of an insecure cookie: browsers refuse it.
    pub fn same_site(mut self, same_site: SameSite) -> Cookie {
        assert!(
            self.is_secure || same_site != SameSite::None,
            "browsers want Secure with SameSite=None"
        );
        self.same_site = same_site;
        self
    }

    /// How long the browser keeps it, in whole seconds. Default: until it is closed. The session
    /// ends by its own times in any case.
    pub fn max_age(mut self, age: Duration) -> Cookie {
        self.max_age = Some(age);
        self
    }

    /// The name, with its prefix.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of a `Set-Cookie` that gives the browser this id.
    pub(crate) fn set(&self, id: &SessionId) -> String {
        self.write(&id.text(), self.max_age.map(|age| age.as_secs()))
    }

    /// The value of a `Set-Cookie` that takes the cookie away.
    pub(crate) fn clear(&self) -> String {
        self.write("", Some(0))
    }

    fn write(&self, value: &str, max_age_s: Option<u64>) -> String {
        let same_site = match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        };
        let mut line = format!("{}={value}; Path=/; HttpOnly; SameSite={same_site}", self.name);
        if self.is_secure {
            line.push_str("; Secure");
        }
        if let Some(seconds) = max_age_s {
            let _ = write!(line, "; Max-Age={seconds}");
        }
        line
    }

    /// The ids in a request's `Cookie` headers: well formed, and a bounded number of them.
    pub(crate) fn ids<'a>(
        &self,
        headers: impl Iterator<Item = &'a str>,
    ) -> impl Iterator<Item = SessionId> {
        let pairs = headers.flat_map(|header| header.split(';'));
        let values = pairs.filter_map(|pair| {
            let (name, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
            (name == self.name).then_some(value)
        });
        values.take(MAX_TRIED).filter_map(SessionId::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cookie: &Cookie) -> String {
        cookie.write("ID", cookie.max_age.map(|age| age.as_secs()))
    }

    #[test]
    fn a_cookie_is_fenced_in() {
        let cookie = Cookie::new("shop");
        let fences = "Path=/; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(line(&cookie), format!("__Host-shop=ID; {fences}"));
        assert_eq!(cookie.clear(), format!("__Host-shop=; {fences}; Max-Age=0"));
        let kept = cookie.max_age(Duration::from_millis(90_500));
        assert_eq!(line(&kept), format!("__Host-shop=ID; {fences}; Max-Age=90"));
    }

    #[test]
    fn other_sites_are_kept_out_as_told() {
        let shop = || Cookie::new("shop");
        assert!(line(&shop().same_site(SameSite::Strict)).ends_with("SameSite=Strict; Secure"));
        assert!(line(&shop().same_site(SameSite::None)).ends_with("SameSite=None; Secure"));
        assert_eq!(line(&shop().insecure()), "shop=ID; Path=/; HttpOnly; SameSite=Lax");
    }
}
