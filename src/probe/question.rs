//! The kinds of checks, and the port that each one uses.

use std::net::SocketAddr;

use crate::profile::{HealthKind, Node};

/// The kind of check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether a connection is accepted. A hung process passes.
    Tcp,
    /// Sends one JSON-RPC line, and expects a JSON-RPC line; an error is a sign of life too.
    Mcp,
    /// Sends `GET /health`, and expects a 2xx.
    Http,
}

/// Which of a node's two services is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// MCP over TCP.
    Tcp,
    /// MCP over HTTP.
    Http,
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Question::Tcp => "a connect",
            Question::Mcp => "`ping`",
            Question::Http => "`GET /health`",
        })
    }
}

impl Question {
    /// The address and the kind of check that a profile's `health.kind` means for a service of
    /// `node`.
    ///
    /// | kind | for TCP | for HTTP |
    /// | --- | --- | --- |
    /// | `auto` | `mcp` at the TCP port | `http` at the HTTP port |
    /// | `tcp` | a connect to the TCP port | a connect to the HTTP port |
    /// | `mcp` | `mcp` at the TCP port | the same |
    /// | `http` | `http` at the HTTP port | the same |
    ///
    /// A node without HTTP port is checked as for TCP, `mcp` instead of `http`.
    #[must_use]
    pub fn for_node(kind: HealthKind, service: Service, node: &Node) -> (SocketAddr, Question) {
        let over_http = match kind {
            HealthKind::Auto | HealthKind::Tcp => service == Service::Http,
            HealthKind::Mcp => false,
            HealthKind::Http => true,
        };
        let connect_only = kind == HealthKind::Tcp;
        match node.http.filter(|_| over_http) {
            Some(http) if connect_only => (http, Question::Tcp),
            Some(http) => (http, Question::Http),
            None if connect_only => (node.tcp, Question::Tcp),
            None => (node.tcp, Question::Mcp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use {HealthKind as K, Question as Q, Service as S};

    #[test]
    fn each_kind_checks_what_the_table_lists() {
        let tcp: SocketAddr = "127.0.0.1:9001".parse().unwrap();
        let http: SocketAddr = "127.0.0.1:8081".parse().unwrap();
        let node = Node {
            name: "erlmcp1".into(),
            number: 1,
            tcp,
            http: Some(http),
            distribution: None,
            weight: 100,
            target: 1,
            maxconn: 1,
        };
        let bare = Node {
            http: None,
            ..node.clone()
        };
        for (kind, service, with_http, without) in [
            (K::Auto, S::Tcp, (tcp, Q::Mcp), Q::Mcp),
            (K::Auto, S::Http, (http, Q::Http), Q::Mcp),
            (K::Tcp, S::Tcp, (tcp, Q::Tcp), Q::Tcp),
            (K::Tcp, S::Http, (http, Q::Tcp), Q::Tcp),
            (K::Mcp, S::Tcp, (tcp, Q::Mcp), Q::Mcp),
            (K::Mcp, S::Http, (tcp, Q::Mcp), Q::Mcp),
            (K::Http, S::Tcp, (http, Q::Http), Q::Mcp),
            (K::Http, S::Http, (http, Q::Http), Q::Mcp),
        ] {
            assert_eq!(
                Question::for_node(kind, service, &node),
                with_http,
                "{kind:?} {service:?}"
            );
            assert_eq!(
                Question::for_node(kind, service, &bare),
                (tcp, without),
                "{kind:?} {service:?}"
            );
        }
    }
}
