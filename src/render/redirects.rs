//! Redirects to a node's own address, where clients do not reach it. They become relative, so that
//! clients stay with the balancer. Most nodes redirect to the `Host` of the request, which passes.

use std::net::SocketAddr;

use crate::profile::Cluster;

/// Names in one rule of HAProxy, which accepts 64 words a line.
const NAMES_PER_RULE: usize = 16;

/// The rules of a HAProxy backend.
pub(super) fn rules(cluster: &Cluster) -> Vec<String> {
    let names = authorities(cluster);
    let acls = names.chunks(NAMES_PER_RULE).map(|names| {
        format!(
            "acl redirects_to_node res.fhdr(Location),field(3,/) -m str {}",
            names.join(" ")
        )
    });
    let mut rules = vec!["# A redirect to a node's own address becomes relative.".to_owned()];
    rules.extend(acls);
    rules.push(
        "http-response replace-header Location '^http://[^/]+(/.*)$' '\\1' if redirects_to_node".to_owned(),
    );
    rules
}

/// What a node can call itself in a URL.
pub(super) fn authorities(cluster: &Cluster) -> Vec<String> {
    let nodes = cluster.nodes.iter();
    nodes.filter_map(|node| node.http).flat_map(names).collect()
}

/// What a node at this address can call itself in a URL.
pub(crate) fn names(address: SocketAddr) -> Vec<String> {
    let mut hosts = match address {
        SocketAddr::V4(v4) => vec![v4.ip().to_string()],
        SocketAddr::V6(v6) => vec![format!("[{}]", v6.ip())],
    };
    if address.ip().is_loopback() {
        hosts.push("localhost".to_owned());
    }
    let port = address.port();
    let with_port: Vec<String> = hosts.iter().map(|host| format!("{host}:{port}")).collect();
    if port == 80 {
        return [with_port, hosts].concat();
    }
    with_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_each_of_its_names() {
        let of = |address: &str| names(address.parse().unwrap());
        assert_eq!(of("127.0.0.1:8081"), ["127.0.0.1:8081", "localhost:8081"]);
        assert_eq!(of("10.0.0.1:80"), ["10.0.0.1:80", "10.0.0.1"]);
        assert_eq!(of("[fd00::1]:8081"), ["[fd00::1]:8081"]);
    }
}
