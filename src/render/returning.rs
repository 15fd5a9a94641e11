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

/// Which node a client gets when it connects again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// Each node in its turn.
    ByTurns,
    /// The node with the fewest connections.
    ToEmptiest,
    /// The node that the client's address has in the balancer's table.
    ByEntry,
    /// The node that is computed from the client's address.
    ByAddress,
    /// The node that it had: a session or a cookie names it.
    ToItsNode,
    /// A node that cannot be known.
    Unknown,
}

/// The connections of one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returning {
    /// The backend's name in HAProxy and builtin.
    pub backend: &'static str,
    /// The kind of its connections.
    pub held: Held,
    /// Where its clients come back to.
    pub returns: Returns,
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

/// The backends whose connections stay with their nodes. `remembers` tells whether the balancer has
/// tables of sticky clients.
#[must_use]
pub fn returning(cluster: &Cluster, remembers: bool) -> Vec<Returning> {
    let pools = Pool::all(cluster).into_iter();
    pools
        .filter_map(|pool| {
            let held = match pool {
                Pool::Tcp => Held::Tcp,
                Pool::WebSocket => Held::WebSocket,
                Pool::Sse => Held::Stream,
                Pool::Http => return None,
            };
            Some(Returning {
                backend: pool.name(),
                held,
                returns: pool.returns(cluster, remembers),
            })
        })
        .collect()
}

impl Pool {
    fn returns(self, cluster: &Cluster, remembers: bool) -> Returns {
        let followed = self.followed(cluster);
        // A stream belongs to the session that requests have begun, or to the client's cookie. A
        // WebSocket is a session of its own.
        let by_name = [Sticky::McpSession, Sticky::Cookie];
        if self != Pool::WebSocket && by_name.iter().any(|it| followed.contains(it)) {
            return Returns::ToItsNode;
        }
        // The address of a trusted proxy's client is known to the balancer only.
        let is_behind_proxy = self != Pool::Tcp && !cluster.listen.trusted.is_empty();
        let algorithm = self.route(cluster).algorithm;
        if followed.contains(&Sticky::Source) {
            return match (remembers, is_behind_proxy) {
                (_, true) => Returns::Unknown,
                (true, false) => Returns::ByEntry,
                (false, false) => Returns::ByAddress,
            };
        }
        match algorithm.facts().hashes {
            Some(HashKey::Address) if !remembers && !is_behind_proxy => Returns::ByAddress,
            Some(_) => Returns::Unknown,
            None if algorithm == Algorithm::Leastconn => Returns::ToEmptiest,
            None => Returns::ByTurns,
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
        let returns = |cluster: &Cluster, remembers| -> Vec<Returns> {
            returning(cluster, remembers)
                .iter()
                .map(|it| it.returns)
                .collect()
        };
        assert_eq!(
            returns(&cluster, true),
            [Returns::ByEntry, Returns::ByEntry, Returns::ToItsNode]
        );
        assert_eq!(
            returns(&cluster, false),
            [Returns::ByAddress, Returns::ByAddress, Returns::ToItsNode]
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
            returns(&cluster, true),
            [Returns::ByTurns, Returns::ToEmptiest, Returns::ToEmptiest]
        );
        cluster.routing.tcp.algorithm = Algorithm::Source;
        assert_eq!(returns(&cluster, true)[0], Returns::Unknown);
        assert_eq!(returns(&cluster, false)[0], Returns::ByAddress);
    }
}
