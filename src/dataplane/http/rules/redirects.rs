//! Redirects to a node's own address, where clients do not reach it.

use std::net::SocketAddr;

use crate::render::redirects;

/// What nodes can call themselves in a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAddresses(Box<[Box<[u8]>]>);

impl NodeAddresses {
    /// The names of nodes with these addresses.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> NodeAddresses {
        let names = addresses.into_iter().flat_map(redirects::names);
        NodeAddresses(names.map(|name| name.into_bytes().into()).collect())
    }

    /// A `Location` for clients: one at a node's own address becomes relative.
    #[must_use]
    pub fn relative<'b>(&self, location: &'b [u8]) -> &'b [u8] {
        let path = || {
            let rest = location.strip_prefix(b"http://")?;
            let slash = rest.iter().position(|byte| *byte == b'/')?;
            let (authority, path) = rest.split_at(slash);
            self.0.iter().any(|name| **name == *authority).then_some(path)
        };
        path().unwrap_or(location)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_to_a_node_becomes_relative() {
        let nodes = ["127.0.0.1:8081", "[fd00::1]:80"].map(|address| address.parse().unwrap());
        let nodes = NodeAddresses::new(nodes);
        for (location, expected) in [
            ("http://127.0.0.1:8081/mcp/?a=http://b/", "/mcp/?a=http://b/"),
            ("http://localhost:8081/", "/"),
            ("http://[fd00::1]/x", "/x"),
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("https://127.0.0.1:8081/", "https://127.0.0.1:8081/"),
            ("http://127.0.0.1:8082/", "http://127.0.0.1:8082/"),
            ("/mcp/", "/mcp/"),
            ("", ""),
        ] {
            assert_eq!(
                nodes.relative(location.as_bytes()),
                expected.as_bytes(),
                "{location}"
            );
        }
    }
}
