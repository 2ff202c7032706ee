//! A client's network: what one household or office has, mostly.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first 24 bits of an IPv4 address, or the first 56 of an IPv6 address.
///
/// ```
/// use larder_sessions::Network;
/// use std::net::IpAddr;
///
/// let of = |text: &str| Network::of(text.parse::<IpAddr>().unwrap());
/// assert_eq!(of("192.0.2.7"), of("192.0.2.200"));
/// assert_eq!(of("2001:db8:0:12ff::1").to_string(), "2001:db8:0:1200::/56");
/// assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address. An IPv4 address inside an IPv6 one is taken out first.
    pub fn of(address: IpAddr) -> Network {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Network(Ipv4Addr::new(a, b, c, 0).into())
            }
            IpAddr::V6(v6) => {
                let mut octets = v6.octets();
                octets[7..].fill(0);
                Network(Ipv6Addr::from(octets).into())
            }
        }
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self.0 {
            IpAddr::V4(v4) => v4.octets()[..3].to_vec(),
            IpAddr::V6(v6) => v6.octets()[..7].to_vec(),
        }
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Network> {
        match bytes.len() {
            3 => Some(Network(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], 0).into())),
            7 => {
                let mut octets = [0; 16];
                octets[..7].copy_from_slice(bytes);
                Some(Network(Ipv6Addr::from(octets).into()))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.0.is_ipv4() { 24 } else { 56 };
        write!(f, "{}/{bits}", self.0)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({self})")
    }
}
