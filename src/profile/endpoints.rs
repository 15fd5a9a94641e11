//! All addresses and ports of a cluster that something listens on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::document::{Document, Runtime};
use crate::base::units::excerpt;

/// One address and port that something listens on.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// The path of the value in the profile.
    pub(super) path: String,
    /// What listens there, in words.
    pub(super) title: String,
    /// Its address.
    pub(super) ip: IpAddr,
    /// The final port, which can be too large to be valid.
    pub(super) port: u32,
}

impl Endpoint {
    /// Whether both cannot listen at the same time. IPv4 and IPv6 never collide: sockets are
    /// IPv6-only.
    pub(super) fn meets(&self, other: &Endpoint) -> bool {
        self.port == other.port && ips_overlap(self.ip, other.ip)
    }
}

/// Whether two addresses are the same, or one is the wildcard of the other's family.
pub(crate) fn ips_overlap(a: IpAddr, b: IpAddr) -> bool {
    let (a, b) = (a.to_canonical(), b.to_canonical());
    a == b || (a.is_ipv4() == b.is_ipv4() && (a.is_unspecified() || b.is_unspecified()))
}

/// All endpoints of `document`, with `offset` added to each port that this cluster opens.
pub(super) fn endpoints(document: &Document, offset: u16) -> Vec<Endpoint> {
    let mut found = listeners(document);
    for endpoint in &mut found {
        endpoint.port += u32::from(offset);
    }
    found.extend(nodes(document, offset));
    found
}

/// The endpoints of node `number`, which this cluster starts, with `offset` added to its ports.
pub(super) fn started(document: &Document, offset: u16, number: u16, name: &str) -> Vec<Endpoint> {
    let nodes = &document.nodes;
    let distribution = Some(nodes.erlang.distribution_port).filter(|_| nodes.are_beam());
    let ports = [
        ("tcp_port", nodes.address, nodes.tcp_port),
        ("http_port", nodes.address, nodes.http_port),
        (
            "erlang.distribution_port",
            Ipv4Addr::LOCALHOST.into(),
            distribution,
        ),
    ];
    let endpoint = |(key, ip, port): (&str, IpAddr, Option<u16>)| {
        Some(Endpoint {
            path: format!("nodes.{key}"),
            title: node(name),
            ip,
            port: u32::from(port?) + u32::from(offset) + u32::from(number.saturating_sub(1)),
        })
    };
    ports.into_iter().filter_map(endpoint).collect()
}

// Private

fn listeners(document: &Document) -> Vec<Endpoint> {
    let listen = &document.listen;
    let (tcp, http) = (document.has_tcp(), document.has_http());
    let mut found = Vec::new();
    for (key, port, served) in [
        ("tcp", listen.tcp, tcp),
        ("http", listen.http, http),
        ("websocket", listen.websocket, http),
        ("sse", listen.sse, http),
        ("https", document.https(), http),
    ] {
        if let Some(port) = port.filter(|_| served) {
            found.extend(listen.address.iter().map(|ip| Endpoint {
                path: format!("listen.{key}"),
                title: format!("the {key} listener"),
                ip: *ip,
                port: u32::from(port),
            }));
        }
    }
    let page = |(key, at): (&str, Option<SocketAddr>)| {
        let at = at?;
        Some(Endpoint {
            path: format!("listen.{key}"),
            title: format!("the {key} page"),
            ip: at.ip(),
            port: u32::from(at.port()),
        })
    };
    let pages = [
        ("stats", listen.stats),
        ("status", listen.status),
        ("observe", listen.observe),
    ];
    found.extend(pages.into_iter().filter_map(page));
    found
}

fn nodes(document: &Document, offset: u16) -> Vec<Endpoint> {
    let nodes = &document.nodes;
    if nodes.runtime == Runtime::External {
        return external(document);
    }
    let numbered = nodes.numbered().into_iter();
    numbered
        .flat_map(|(number, name)| started(document, offset, number, &name))
        .collect()
}

/// The external nodes, which run elsewhere: the offset does not apply to them.
fn external(document: &Document) -> Vec<Endpoint> {
    let mut found = Vec::new();
    for (index, member) in document.nodes.members.iter().enumerate() {
        for (key, port) in [("tcp_port", member.tcp_port), ("http_port", member.http_port)] {
            let Some(port) = port else { continue };
            found.extend(member.addresses().into_iter().map(|ip| Endpoint {
                path: format!("nodes.members[{index}].{key}"),
                title: node(&member.name),
                ip,
                port: u32::from(port),
            }));
        }
    }
    found
}

fn node(name: &str) -> String {
    format!("node {}", excerpt(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_collides_with_every_address_of_its_family() {
        for (a, b, meet) in [
            ("0.0.0.0", "127.0.0.1", true),
            ("::", "::1", true),
            ("0.0.0.0", "::", false),
            ("::", "127.0.0.1", false),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
        ] {
            let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(ips_overlap(a, b), meet, "{a} {b}");
            assert_eq!(ips_overlap(b, a), meet, "{b} {a}");
        }
    }
}
