//! The kinds of checks, and the port that each one uses.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::profile::{Cluster, HealthKind, HttpCheck, Node};

/// The kind of check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether a connection is accepted. A hung process passes.
    Tcp,
    /// Sends one JSON-RPC line, and expects a JSON-RPC line; an error is a sign of life too.
    Mcp,
    /// Sends `GET` of a path, and expects a 2xx.
    Get(Arc<str>),
    /// Sends `POST` of MCP's `server/discover` to a path. Any 2xx, 3xx or 4xx is a sign of life:
    /// the node may want a token, a session, or another revision.
    Discover(Arc<str>),
    /// Sends `Get`, and `Discover` if the node does not serve that path.
    Either {
        /// The path of `Get`.
        get: Arc<str>,
        /// The path of `Discover`.
        mcp: Arc<str>,
    },
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
        match self {
            Question::Tcp => f.write_str("a connect"),
            Question::Mcp => f.write_str("`ping`"),
            Question::Get(path) => write!(f, "`GET {path}`"),
            Question::Discover(path) => write!(f, "`POST {path}`"),
            Question::Either { get, mcp } => write!(f, "`GET {get}` or `POST {mcp}`"),
        }
    }
}

impl Question {
    /// The address and the kind of check for a service of `node`, one of the nodes of `cluster`;
    /// `None` for a service that the node does not have.
    ///
    /// | `health.kind` | for TCP | for HTTP |
    /// | --- | --- | --- |
    /// | `auto` | `mcp` at the TCP port | `GET` of `health.path`, or `mcp` where that is not served |
    /// | `tcp` | a connect to the TCP port | a connect to the HTTP port |
    /// | `mcp` | `mcp` at the TCP port | `server/discover` at the HTTP port |
    /// | `http` | `GET` of `health.path` at the HTTP port | the same |
    ///
    /// A node without HTTP port is checked by `mcp` instead of `http`.
    #[must_use]
    pub fn for_node(cluster: &Cluster, service: Service, node: &Node) -> Option<(SocketAddr, Question)> {
        let kind = cluster.health.kind;
        let own = match service {
            Service::Tcp => node.tcp,
            Service::Http => node.http,
        }?;
        let asked = match service {
            Service::Tcp if kind == HealthKind::Http => node.http.unwrap_or(own),
            Service::Tcp | Service::Http => own,
        };
        let question = match kind {
            HealthKind::Tcp => Question::Tcp,
            _ if Some(asked) == node.http => Question::over_http(cluster),
            _ => Question::Mcp,
        };
        Some((asked, question))
    }

    /// The check of an HTTP port of `cluster`, where a connection is not enough.
    #[must_use]
    pub fn over_http(cluster: &Cluster) -> Question {
        let (get, mcp) = (&cluster.health.path, cluster.mcp_path());
        match cluster.http_check {
            HttpCheck::Get => Question::Get(get.as_str().into()),
            HttpCheck::Mcp => Question::Discover(mcp.into()),
            HttpCheck::Either => Question::Either {
                get: get.as_str().into(),
                mcp: mcp.into(),
            },
        }
    }

    /// The check of this kind as `HttpCheck`, if it is one over HTTP.
    #[must_use]
    pub const fn http_check(&self) -> Option<HttpCheck> {
        match self {
            Question::Tcp | Question::Mcp => None,
            Question::Get(_) => Some(HttpCheck::Get),
            Question::Discover(_) => Some(HttpCheck::Mcp),
            Question::Either { .. } => Some(HttpCheck::Either),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{DEFAULT, Source, load};
    use {HealthKind as K, HttpCheck as C, Service as S};

    #[test]
    fn each_kind_checks_what_the_table_lists() {
        let mut cluster = load(&Source::read(DEFAULT).unwrap()).unwrap();
        let node = cluster.nodes[0].clone();
        let (tcp, http) = (node.tcp, node.http);
        let only_tcp = Node {
            http: None,
            ..node.clone()
        };
        let only_http = Node {
            tcp: None,
            ..node.clone()
        };
        for (kind, check, service, with_both, with_tcp, with_http) in [
            (K::Auto, C::Get, S::Tcp, "TP", "TP", ""),
            (K::Auto, C::Get, S::Http, "HG", "", "HG"),
            (K::Auto, C::Either, S::Http, "HE", "", "HE"),
            (K::Auto, C::Mcp, S::Http, "HD", "", "HD"),
            (K::Tcp, C::Get, S::Tcp, "TC", "TC", ""),
            (K::Tcp, C::Get, S::Http, "HC", "", "HC"),
            (K::Mcp, C::Mcp, S::Tcp, "TP", "TP", ""),
            (K::Mcp, C::Mcp, S::Http, "HD", "", "HD"),
            (K::Http, C::Get, S::Tcp, "HG", "TP", ""),
            (K::Http, C::Get, S::Http, "HG", "", "HG"),
        ] {
            (cluster.health.kind, cluster.http_check) = (kind, check);
            for (node, expected) in [(&node, with_both), (&only_tcp, with_tcp), (&only_http, with_http)] {
                let asked = Question::for_node(&cluster, service, node);
                let words = asked.map_or(String::new(), |(address, question)| {
                    let port = if Some(address) == tcp { 'T' } else { 'H' };
                    assert!([tcp, http].contains(&Some(address)));
                    let kind = match question {
                        Question::Tcp => 'C',
                        Question::Mcp => 'P',
                        Question::Get(path) => {
                            if &*path == "/health" {
                                'G'
                            } else {
                                '?'
                            }
                        }
                        Question::Discover(path) => {
                            if &*path == "/mcp" {
                                'D'
                            } else {
                                '?'
                            }
                        }
                        Question::Either { .. } => 'E',
                    };
                    format!("{port}{kind}")
                });
                assert_eq!(words, expected, "{kind:?} {check:?} {service:?} {node:?}");
            }
        }
    }
}
