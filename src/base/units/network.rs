//! A range of addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{UnitError, scalar_unit};

const EXPECTED: &str = "a network such as `10.0.0.0/8` or `fd00::/8`, with nothing set behind its prefix";

/// Every address that begins with the same bits; a bare address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

scalar_unit!(
    Network,
    "a network such as `10.0.0.0/8` or `fd00::/8`",
    "10.0.0.0/8"
);

impl Network {
    /// Its lowest address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits its addresses share: 0 to 32, of IPv6 to 128.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether `address` is one of its own; IPv4 and IPv6 never contain each other.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && leading(address, self.prefix) == bits(self.address)
    }
}

impl FromStr for Network {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Network, UnitError> {
        let error = || UnitError::new(text, EXPECTED);
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let prefix = match prefix {
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                prefix.parse().map_err(|_| error())?
            }
            Some(_) => return Err(error()),
            None => width(address),
        };
        if prefix > width(address) || leading(address, prefix) != bits(address) {
            return Err(error());
        }
        Ok(Network { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == width(self.address) {
            self.address.fmt(f)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

// Private

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address, shifted to the left end of 128 bits.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The first `prefix` bits of the address; the others are zero.
fn leading(address: IpAddr, prefix: u8) -> u128 {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
    bits(address) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn contains_what_begins_alike() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("fd00::/8", "fdff::1", "fe80::1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("::/0", "ffff::", "0.0.0.0"),
        ] {
            assert!(
                network(range).contains(inside.parse().unwrap()),
                "{range} {inside}"
            );
            assert!(
                !network(range).contains(outside.parse().unwrap()),
                "{range} {outside}"
            );
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["10.0.0.0/8", "192.0.2.7", "fd00::/8", "::1", "::/0"] {
            assert_eq!(network(text).to_string(), text);
        }
        assert_eq!(network("10.0.0.1/32"), network("10.0.0.1"));
    }

    #[test]
    fn refuses_what_is_no_network() {
        for text in [
            "",
            "10",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "fd00::/129",
            "localhost",
        ] {
            let error = text.parse::<Network>().unwrap_err().to_string();
            assert!(error.contains("is not a network such as"), "{text}: {error}");
        }
    }
}
