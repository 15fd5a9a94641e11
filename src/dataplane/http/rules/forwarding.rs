//! The address of a client behind a trusted proxy.

use std::net::{IpAddr, SocketAddr};

use super::headers::{Forwarded, Kind, elements, kind};
use crate::base::units::Network;
use crate::dataplane::http::Request;

/// The proxies whose headers are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarding(Box<[Network]>);

impl Forwarding {
    /// Believes proxies in these networks.
    #[must_use]
    pub fn new(trusted: &[Network]) -> Forwarding {
        Forwarding(trusted.into())
    }

    /// Whether `peer` is a trusted proxy.
    #[must_use]
    pub fn is_trusted(&self, peer: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(peer))
    }

    /// The client of a request from `peer`: the last address in `X-Forwarded-For`, which a trusted
    /// proxy has added; `peer` itself if it is not trusted, or has added no address.
    #[must_use]
    pub fn client(&self, peer: IpAddr, request: &Request) -> IpAddr {
        let added = || {
            let is_list = |header: &&httparse::Header| kind(header.name) == Kind::Forwarded(Forwarded::For);
            let list = request.headers.iter().rfind(is_list)?;
            address(elements(list.value).last()?)
        };
        if self.is_trusted(peer) {
            added().unwrap_or(peer)
        } else {
            peer
        }
    }
}

// Private

/// An address, with or without a port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    text.parse().ok().or_else(in_brackets).or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane::http::rules::tests::Asked;

    #[test]
    fn the_last_address_from_a_trusted_proxy_counts() {
        let forwarding = Forwarding::new(&["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        for (peer, sent, expected) in [
            ("10.0.0.1", &["1.2.3.4"][..], "1.2.3.4"),
            ("10.0.0.1", &["9.9.9.9, 1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["9.9.9.9", "8.8.8.8,::1"], "::1"),
            ("fd00::1", &["1.2.3.4:5678"], "1.2.3.4"),
            ("fd00::1", &["[fe80::1]"], "fe80::1"),
            ("fd00::1", &["[fe80::1]:80"], "fe80::1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["1.2.3.4,"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("11.0.0.1", &["1.2.3.4"], "11.0.0.1"),
        ] {
            let asked = sent.iter().fold(Asked::new("GET", "/mcp"), |asked, value| {
                asked.header(("x-forwarded-for", value))
            });
            let peer = peer.parse().unwrap();
            let client = asked.with(|request| forwarding.client(peer, request));
            assert_eq!(client, expected.parse::<IpAddr>().unwrap(), "{sent:?}");
        }
    }
}
