//! A node that a profile lists by name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::units::excerpt;

/// The longest host name that DNS can carry.
const MAX_HOST_CHARS: usize = 253;
/// The longest part of a host name between dots.
const MAX_LABEL_CHARS: usize = 63;

/// One node of `nodes.members`: an external one with its address and ports, or one that this
/// cluster starts, whose number gives its ports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    /// Its name.
    pub name: String,
    /// The number of a node that this cluster starts, from 1; by default its position in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u16>,
    /// The address of an external node, or a host name: each of its addresses is a node then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub address: Option<MemberAddress>,
    /// The MCP port over TCP of an external node, when it has one.
    #[serde(default)]
    pub tcp_port: Option<u16>,
    /// The HTTP port of an external node, when it has one.
    #[serde(default)]
    pub http_port: Option<u16>,
    /// The addresses that its host name was resolved to.
    #[serde(skip)]
    pub resolved: Vec<IpAddr>,
}

/// The address of an external node, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MemberAddress {
    Ip(IpAddr),
    Host(String),
}

/// A text that is neither an address nor a host name.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an IP address or host name")]
pub(super) struct NotAnAddress(String);

impl Member {
    /// Its host name, if it has one.
    pub(super) fn host(&self) -> Option<&str> {
        match &self.address {
            Some(MemberAddress::Host(host)) => Some(host),
            _ => None,
        }
    }

    /// Whether the node called `name` is one of the addresses of its host name.
    pub(super) fn is_host_of(&self, name: &str) -> bool {
        let address = name
            .strip_prefix(&self.name)
            .and_then(|rest| rest.strip_prefix('-'));
        self.host().is_some() && address.is_some_and(|address| !address.is_empty())
    }

    /// Its known addresses: none of a host name that was not resolved.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        match &self.address {
            Some(MemberAddress::Ip(ip)) => vec![*ip],
            _ => self.resolved.clone(),
        }
    }

    /// The external nodes that it stands for, with their names. A host name that was not resolved
    /// is one node without a real address.
    pub(super) fn nodes(&self) -> Vec<(String, IpAddr)> {
        if self.host().is_none() || self.resolved.is_empty() {
            let ip = self.addresses().first().copied();
            return vec![(self.name.clone(), ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()))];
        }
        let node = |ip: &IpAddr| (format!("{}-{}", self.name, in_name(*ip)), *ip);
        self.resolved.iter().map(node).collect()
    }
}

/// An address as part of a node's name, which cannot have a colon: `10.0.0.5`, `2001-db8--5`.
fn in_name(ip: IpAddr) -> String {
    ip.to_string().replace(':', "-")
}

impl FromStr for MemberAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<MemberAddress, NotAnAddress> {
        if let Ok(ip) = text.parse() {
            return Ok(MemberAddress::Ip(ip));
        }
        let mut labels = text.strip_suffix('.').unwrap_or(text).split('.');
        let is_number = |label: &str| label.chars().all(|c| c.is_ascii_digit());
        // A mistyped address is not a host name.
        let is_host = text.len() <= MAX_HOST_CHARS
            && labels.clone().all(is_label)
            && !labels.next_back().is_some_and(is_number);
        if is_host {
            Ok(MemberAddress::Host(text.to_owned()))
        } else {
            Err(NotAnAddress(excerpt(text)))
        }
    }
}

impl fmt::Display for MemberAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemberAddress::Ip(ip) => ip.fmt(f),
            MemberAddress::Host(host) => f.write_str(host),
        }
    }
}

impl<'de> Deserialize<'de> for MemberAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MemberAddress, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

impl Serialize for MemberAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// Private

struct Text;

impl Visitor<'_> for Text {
    type Value = MemberAddress;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an IP address or host name")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<MemberAddress, E> {
        text.parse().map_err(E::custom)
    }
}

/// Whether it is a part of a host name. `_` is in the names of some container networks.
fn is_label(label: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=MAX_LABEL_CHARS).contains(&label.len())
        && label.chars().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_a_host_name() {
        for text in ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"] {
            let ip = text.parse().unwrap();
            assert_eq!(
                text.parse::<MemberAddress>().unwrap(),
                MemberAddress::Ip(ip),
                "{text}"
            );
        }
        for text in [
            "localhost",
            "a.example.com",
            "a.example.com.",
            "my_app-1",
            "10.in-addr.arpa",
            "x1",
        ] {
            let host = MemberAddress::Host(text.to_owned());
            assert_eq!(text.parse::<MemberAddress>().unwrap(), host, "{text}");
            assert_eq!(host.to_string(), text);
        }
        let long = "a".repeat(64);
        let longer = "a.".repeat(127);
        for text in [
            "",
            ".",
            "a..b",
            "300.1.1.1",
            "1.2.3",
            "5",
            "a b",
            "-a",
            "a-",
            "a:80",
            "http://a",
            "ä",
            "fe80::1%eth0",
            &long,
            &longer,
        ] {
            let error = text
                .parse::<MemberAddress>()
                .map(|_| ())
                .map_err(|error| error.to_string());
            assert!(
                error.is_err_and(|error| error.ends_with("is not an IP address or host name")),
                "{text}"
            );
        }
    }

    #[test]
    fn each_address_of_a_host_is_a_node() {
        let member = |address: &str, resolved: &[&str]| Member {
            name: "web".to_owned(),
            n: None,
            address: Some(address.parse().unwrap()),
            tcp_port: None,
            http_port: None,
            resolved: resolved.iter().map(|ip| ip.parse().unwrap()).collect(),
        };
        let names =
            |member: &Member| -> Vec<String> { member.nodes().into_iter().map(|(name, _)| name).collect() };
        assert_eq!(names(&member("192.0.2.1", &[])), ["web"]);
        assert_eq!(names(&member("web.test", &[])), ["web"]);
        assert_eq!(
            names(&member("web.test", &["10.0.0.5", "2001:db8::5", "::1"])),
            ["web-10.0.0.5", "web-2001-db8--5", "web---1"]
        );
    }
}
