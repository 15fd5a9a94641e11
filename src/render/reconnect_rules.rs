//! Which node a client gets that connects again after its connection was closed.
//!
//! A request over HTTP gets a node each time, so only connections that stay with their node matter:
//! those over TCP, `WebSockets` and event streams.

use std::fmt;

use super::pool::Pool;
use crate::profile::{Algorithm, Cluster, HashKey, Sticky};

/// A kind of connection that stays with its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// MCP over TCP.
    Tcp,
    /// A `WebSocket`.
    WebSocket,
    /// An event stream.
    Stream,
}

/// How a client gets its node when it connects again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconnectRule {
    /// Each node in its turn.
    RoundRobin,
    /// The node with the fewest connections.
    LeastConnections,
    /// The node that the client's address has in the balancer's table.
    TableEntry,
    /// The node that is computed from the client's address.
    ComputedNode,
    /// The node that it had: a session or a cookie names it.
    SameNode,
    /// A node that cannot be known.
    Unknown,
}

/// The connections of one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackendRule {
    /// The backend's name in HAProxy and builtin.
    pub backend: &'static str,
    /// The kind of its connections.
    pub held: Held,
    /// Which node its clients get when they connect again.
    pub rule: ReconnectRule,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Held::Tcp => "TCP connections",
            Held::WebSocket => "WebSockets",
            Held::Stream => "event streams",
        })
    }
}

/// The backends whose connections stay with their nodes. `has_tables`: whether the balancer
/// has tables of sticky clients.
#[must_use]
pub fn reconnect_rules(cluster: &Cluster, has_tables: bool) -> Vec<BackendRule> {
    let pools = Pool::all(cluster).into_iter();
    pools
        .filter_map(|pool| {
            let held = match pool {
                Pool::Tcp => Held::Tcp,
                Pool::WebSocket => Held::WebSocket,
                Pool::Sse => Held::Stream,
                Pool::Http => return None,
            };
            Some(BackendRule {
                backend: pool.name(),
                held,
                rule: pool.reconnect_rule(cluster, has_tables),
            })
        })
        .collect()
}

impl Pool {
    fn reconnect_rule(self, cluster: &Cluster, has_tables: bool) -> ReconnectRule {
        let followed = self.followed(cluster);
        // A stream belongs to the session that requests have begun, or to the client's cookie. A
        // WebSocket is a session of its own.
        let by_name = [Sticky::McpSession, Sticky::Cookie];
        if self != Pool::WebSocket && by_name.iter().any(|it| followed.contains(it)) {
            return ReconnectRule::SameNode;
        }
        // The address of a trusted proxy's client is known to the balancer only.
        let is_behind_proxy = self != Pool::Tcp && !cluster.listen.trusted.is_empty();
        let algorithm = self.route(cluster).algorithm;
        if followed.contains(&Sticky::Source) {
            return match (has_tables, is_behind_proxy) {
                (_, true) => ReconnectRule::Unknown,
                (true, false) => ReconnectRule::TableEntry,
                (false, false) => ReconnectRule::ComputedNode,
            };
        }
        match algorithm.facts().hashes {
            Some(HashKey::Address) if !has_tables && !is_behind_proxy => ReconnectRule::ComputedNode,
            Some(_) => ReconnectRule::Unknown,
            None if algorithm == Algorithm::Leastconn => ReconnectRule::LeastConnections,
            None => ReconnectRule::RoundRobin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{DEFAULT, Source, load};

    #[test]
    fn the_first_that_recognises_a_client_decides() {
        let mut cluster = load(&Source::read(DEFAULT).unwrap()).unwrap();
        let rules = |cluster: &Cluster, has_tables| -> Vec<ReconnectRule> {
            reconnect_rules(cluster, has_tables)
                .iter()
                .map(|it| it.rule)
                .collect()
        };
        assert_eq!(
            rules(&cluster, true),
            [
                ReconnectRule::TableEntry,
                ReconnectRule::TableEntry,
                ReconnectRule::SameNode
            ]
        );
        assert_eq!(
            rules(&cluster, false),
            [
                ReconnectRule::ComputedNode,
                ReconnectRule::ComputedNode,
                ReconnectRule::SameNode
            ]
        );
        for route in [
            &mut cluster.routing.tcp,
            &mut cluster.routing.http,
            &mut cluster.routing.websocket,
            &mut cluster.routing.sse,
        ] {
            route.sticky = Sticky::None;
        }
        assert_eq!(
            rules(&cluster, true),
            [
                ReconnectRule::RoundRobin,
                ReconnectRule::LeastConnections,
                ReconnectRule::LeastConnections
            ]
        );
        cluster.routing.tcp.algorithm = Algorithm::Source;
        assert_eq!(rules(&cluster, true)[0], ReconnectRule::Unknown);
        assert_eq!(rules(&cluster, false)[0], ReconnectRule::ComputedNode);
    }
}
