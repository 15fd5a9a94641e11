//! A range of addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::{UnitError, scalar_unit};

const EXPECTED: &str = "a network such as `10.0.0.0/8` or `fd00::/8`, with nothing set behind its prefix";

/// Every address that begins with the same bits; a bare address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpNet);

scalar_unit!(
    Network,
    "a network such as `10.0.0.0/8` or `fd00::/8`",
    "10.0.0.0/8"
);

impl Network {
    /// How many leading bits its addresses share: 0 to 32, for IPv6 to 128.
    #[must_use]
    pub fn prefix(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether `address` belongs to it; IPv4 and IPv6 never contain each other.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Network {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Network, UnitError> {
        let error = || UnitError::new(text, EXPECTED);
        let text = text.trim();
        let address = text.split_once('/').map_or(text, |(address, _)| address);
        // `IpNet` takes `010.0.0.0`, which is octal to others; `IpAddr` does not.
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let network = if text.contains('/') {
            text.parse()
        } else {
            Ok(address.into())
        };
        let network: IpNet = network.map_err(|_| error())?;
        if network.trunc() == network {
            Ok(Network(network))
        } else {
            Err(error())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix() == self.0.max_prefix_len() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn contains_addresses_with_the_same_prefix() {
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
    fn refuses_other_texts() {
        for text in [
            "",
            "10",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "010.0.0.0/8",
            "fd00::/129",
            "localhost",
        ] {
            let error = text.parse::<Network>().unwrap_err().to_string();
            assert!(error.contains("is not a network such as"), "{text}: {error}");
        }
    }
}
